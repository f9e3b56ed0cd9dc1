"""What was heard of a run, kept in its folder: a line of JSON a record, and curves for TensorBoard on request."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from secondpass.errors import MissingExtraError, StoreError

Listener = Callable[[dict[str, Any]], None]
"""Hears what happens, one record at a time: ``{"event": "step" | "dev" | "note", ...}``."""


class MetricsFile:
    """A `Listener` that appends every record to ``path``; those after ``step`` are dropped first, for a resumed run."""

    def __init__(self, path: Path, step: int) -> None:
        self._path = path
        kept = [line for line in _whole_lines(path) if json.loads(line).get("step", 0) <= step] if step else []
        partial = path.with_name(f"{path.name}.part")
        try:
            partial.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
            os.replace(partial, path)
        except OSError as error:
            raise self._full(error) from error

    def __call__(self, record: dict[str, Any]) -> None:
        """Append a record.

        Raises:
            StoreError: the disk is full.
        """
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record, ensure_ascii=False) + "\n")
        except OSError as error:
            raise self._full(error) from error

    def _full(self, error: OSError) -> StoreError:
        return StoreError(
            f"{self._path} cannot be written ({error.strerror or error}); the last checkpoint is whole. Make room and "
            "go on with --resume."
        )


class Curves:
    """A `Listener` that draws every number of a record over its step, for TensorBoard.

    Raises:
        MissingExtraError: TensorBoard is not installed.
    """

    def __init__(self, folder: Path, step: int) -> None:
        if find_spec("tensorboard") is None:
            raise MissingExtraError("tensorboard = true", "train")
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415  (it imports tensorboard at once)

        self._writer = SummaryWriter(str(folder), purge_step=step or None)

    def __call__(self, record: dict[str, Any]) -> None:
        """Draw a record."""
        for name, value in record.items():
            if isinstance(value, int | float) and name not in {"step", "steps"}:
                self._writer.add_scalar(f"{record['event']}/{name}", value, record.get("step", 0))

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()


def _whole_lines(path: Path) -> list[str]:
    """Return the lines of a file; a kill may have left half of the last."""
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    return [line for line in lines[:-1] if line]
