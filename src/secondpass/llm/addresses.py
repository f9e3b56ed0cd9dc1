"""Which addresses are this machine's own: they need no proxy, and are there without a network."""

from __future__ import annotations

from urllib.parse import urlsplit

_THIS_MACHINE = {"localhost", "127.0.0.1", "::1"}


def is_this_machine(url: str) -> bool:
    """Tell whether ``url`` leads to this machine.

    >>> is_this_machine("http://127.0.0.1:8000/v1"), is_this_machine("https://api.example.com")
    (True, False)
    """
    return urlsplit(url).hostname in _THIS_MACHINE
