"""The errors a user can act on.

SecondpassError                 one clear sentence: what was found, where, what is accepted, what to do
├── InputError                  a file, a line, a URL or an argument that cannot be used
├── StoreError                  the index is missing, busy, broken or was built in another way
├── MissingExtraError           a part that is not installed, with the command that installs it
└── RemoteError                 a server said no, or said nothing; keeps the server's words

The command line prints the message without a traceback and exits with 2. Everything else is a bug and keeps its
traceback.
"""

from __future__ import annotations


class SecondpassError(Exception):
    """An error with a sentence for the person who can mend it."""


class InputError(SecondpassError):
    """A file, a line, a URL or an argument that cannot be used."""


class StoreError(SecondpassError):
    """The index is missing, busy, full, broken, or was built in another way than it is opened."""


class MissingExtraError(SecondpassError):
    """A part that is not installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs a part that is not installed: pip install 'secondpass[{extra}]'")


class RemoteError(SecondpassError):
    """A server refused, failed or did not answer."""
