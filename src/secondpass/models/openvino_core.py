"""The one OpenVINO core of a process."""

from __future__ import annotations

import threading
from functools import lru_cache

from openvino import Core

_lock = threading.Lock()


def shared_core() -> Core:
    """Return the core that all models of the process are compiled by; it is never let go.

    Its CPU plugin gives the thread that loads it a stack for signals, and frees that stack when the plugin goes, even
    where another thread lets go of it: after that the next signal, such as Ctrl-C, ends the process by a segmentation
    fault (openvino 2026.4.1). A compiled model's memory is free when the model goes, whatever becomes of the core.
    """
    with _lock:
        return _core()


@lru_cache(maxsize=1)
def _core() -> Core:
    return Core()
