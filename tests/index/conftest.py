"""Permissions count in tests, too: root may do everything, so these run as somebody else."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

NOBODY = 65534


@contextmanager
def _as_ordinary_user(folder: Path) -> Iterator[None]:
    if os.geteuid() != 0:
        yield
        return
    for path in (folder, *folder.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    for parent in folder.parents[:-1]:
        parent.chmod(parent.stat().st_mode | 0o011)  # may be passed through
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def as_ordinary_user() -> Callable[[Path], AbstractContextManager[None]]:
    """Give a folder to a user without root's rights and be that user for a while."""
    return _as_ordinary_user
