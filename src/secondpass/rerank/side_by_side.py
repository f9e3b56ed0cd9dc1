"""Do the same to several things at once, in threads that never keep a program from ending."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

A = TypeVar("A")
T = TypeVar("T")


def side_by_side(work: Callable[[A], T], items: Sequence[A], workers: int, stop: threading.Event) -> list[T]:
    """Return ``work`` of every item, in their order, done by up to ``workers`` threads.

    The first exception stops the rest and is raised. Ctrl-C sets ``stop``: nothing further is begun, and what is under
    way is not waited for (an executor's threads would hold the program until their servers answer).
    """
    if len(items) < 2 or workers == 1:
        return [work(item) for item in items]
    results: dict[int, T] = {}
    failures: list[BaseException] = []
    remaining = iter(range(len(items)))
    lock = threading.Lock()

    def run() -> None:
        while not stop.is_set() and not failures:
            with lock:
                place = next(remaining, None)
            if place is None:
                return
            try:
                results[place] = work(items[place])
            except BaseException as error:  # noqa: BLE001 - not lost: the caller's thread raises it below
                failures.append(error)

    threads = [threading.Thread(target=run, daemon=True) for _ in range(min(workers, len(items)))]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    except BaseException:
        stop.set()
        raise
    if failures:
        raise failures[0]
    return [results[place] for place in range(len(items))]
