"""What a person may set about fetching; kept apart from `web`, which is slow to import."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from secondpass.load.sources import MAX_BYTES


@dataclass(frozen=True, slots=True)
class WebOptions:
    """How pages are fetched.

    Attributes:
        allow_private: fetch from private, loopback and other addresses that are not public, too.
        allowed_hosts: hosts (``wiki.corp`` or ``127.0.0.1:8000``) that may be at such addresses, every other may not.
        timeout_seconds: for the whole of one page, redirects included.
        max_bytes: a larger page, or file, is refused.
        certificate_file: PEM file of further certificate authorities, such as a company's own.
    """

    allow_private: bool = False
    allowed_hosts: frozenset[str] = frozenset()
    timeout_seconds: float = 30.0
    max_bytes: int = MAX_BYTES
    certificate_file: Path | None = None
