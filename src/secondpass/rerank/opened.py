"""Rerankers that are open: each once, however many threads ask for it at the same time."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from secondpass.types import Reranker


@dataclass(slots=True)
class _Slot:
    lock: threading.Lock = field(default_factory=threading.Lock)
    reranker: Reranker | None = None


class OpenRerankers:
    """The ``limit`` rerankers that were asked for last, by a key; safe to share between threads.

    While one thread opens a reranker, those that want the same one wait, and those that want another one do not. What
    could not be opened is tried again when it is asked for again.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._slots: OrderedDict[Hashable, _Slot] = OrderedDict()

    def get(self, key: Hashable, open_one: Callable[[], Reranker]) -> Reranker:
        """Return the reranker of ``key``, opened by ``open_one`` where it is not there."""
        with self._lock:
            slot = self._slots.setdefault(key, _Slot())
            self._slots.move_to_end(key)
            while len(self._slots) > self._limit:
                self._slots.popitem(last=False)
        with slot.lock:
            if slot.reranker is None:
                slot.reranker = open_one()
            return slot.reranker

    def all(self) -> list[Reranker]:
        """Return those that are open, the one that was asked for last at the end."""
        with self._lock:
            return [slot.reranker for slot in self._slots.values() if slot.reranker is not None]

    def clear(self) -> None:
        """Forget all of them; the memory of those that nobody holds is free."""
        with self._lock:
            self._slots.clear()
