"""How long work on data says how far it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias, TypeVar

Item = TypeVar("Item")
Progress: TypeAlias = Callable[[str, int, int | None], None]
"""Hears what is done, how many are done, and of how many where that is known."""


def no_progress(what: str, done: int, total: int | None) -> None:
    """Hear nothing."""


def heard(items: Iterable[Item], what: str, progress: Progress) -> Iterator[Item]:
    """Yield ``items``, of which ``progress`` hears one after the other."""
    for done, item in enumerate(items, start=1):
        progress(what, done, None)
        yield item
