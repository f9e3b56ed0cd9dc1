"""How long work on data says how far it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

Progress: TypeAlias = Callable[[str, int, int | None], None]
"""Hears what is done, how many are done, and of how many where that is known."""


def no_progress(what: str, done: int, total: int | None) -> None:
    """Hear nothing."""
