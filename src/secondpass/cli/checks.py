"""What ``secondpass doctor`` says of one thing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "optional", "missing"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: its state, and the command that mends it where something is missing."""

    what: str
    status: Status
    found: str
    mend: str = ""
