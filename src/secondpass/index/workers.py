"""Spread work over processes, in order, and never more of it in flight than needed."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from secondpass.errors import InputError

Task = TypeVar("Task")
Result = TypeVar("Result")

_WORTH_BYTES = 4 << 20
"""Less than this is done before the processes have started: a guess, see docs/log.md."""


def in_order(
    work: Callable[[Task], Result], tasks: Iterable[Task], processes: int, size_bytes: int
) -> Iterator[Result]:
    """Yield ``work(task)`` for every task, in order; in ``processes`` processes where ``size_bytes`` are worth it.

    The processes are started afresh, not forked: a fork copies the locks of threads it does not copy.

    Raises:
        InputError: a process was killed, most likely by a file that needs more memory than there is.
    """
    if processes < 2 or size_bytes < _WORTH_BYTES:
        yield from map(work, tasks)
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(processes, mp_context=context, initializer=_end_with_parent)
    waiting: deque[Future[Result]] = deque()
    try:
        for task in tasks:
            waiting.append(pool.submit(work, task))
            if len(waiting) > 2 * processes:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise InputError(
            "A worker process ended while it read documents, most likely for want of memory; what was done is kept: "
            "run again with one process, or leave out the largest files."
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _end_with_parent() -> None:
    """End this process when the one that started it is gone, however that ended; the pool itself would wait forever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_wait_and_end, args=(parent.sentinel,), daemon=True).start()


def _wait_and_end(sentinel: int) -> None:
    multiprocessing.connection.wait([sentinel])
    os._exit(1)
