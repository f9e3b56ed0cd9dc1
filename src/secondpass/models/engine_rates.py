"""How many tokens a second an engine computes on this machine: measured once, remembered in the cache folder."""

from __future__ import annotations

import json
import logging
import os
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from secondpass.models.engine import Batch, EncoderEngine, EngineName, Precision
from secondpass.models.engine_files import cache_folder, write_atomically

_log = logging.getLogger(__name__)
_SEQUENCES, _LENGTH = 4, 256
_NAMES: Mapping[str, EngineName] = {
    "openvino": "openvino", "onnx": "onnx", "numpy": "numpy", "torch": "torch",
}  # fmt: skip
_RUNS, _SECONDS = 3, 0.3


@dataclass(frozen=True, slots=True)
class EngineRate:
    """The speed of an engine with one model on this machine, in real tokens a second (wall time)."""

    engine: EngineName
    precision: Precision
    tokens_per_second: float


def measure(engine: EncoderEngine, max_tokens: int) -> EngineRate:
    """Time a batch of about 1,024 tokens: the best of one to three runs, after one that is not counted."""
    length = min(_LENGTH, max_tokens)
    count = _SEQUENCES * _LENGTH // length
    ids = tuple(np.arange(5 + row, 5 + row + length, dtype=np.int64) % 64 + 5 for row in range(count))
    batch = Batch(ids, (length,) * count, length)
    engine.run(batch)
    runs: list[float] = []
    while len(runs) < _RUNS and sum(runs) < _SECONDS:
        start = time.perf_counter()
        engine.run(batch)
        runs.append(time.perf_counter() - start)
    return EngineRate(_name(engine), engine.precision, count * length / max(min(runs), 1e-9))


def remembered(key: str) -> EngineRate | None:
    """Return what was measured under ``key``, None where nothing was or it cannot be read."""
    entry = _read().get(key)
    if not isinstance(entry, dict):
        return None
    engine, precision = _NAMES.get(str(entry.get("engine"))), entry.get("precision")
    rate = entry.get("tokens_per_second")
    if engine is None or precision not in {"f32", "bf16", "int8"}:
        return None
    return EngineRate(engine, precision, float(rate)) if isinstance(rate, int | float) and rate > 0 else None


def all_remembered() -> dict[str, EngineRate]:
    """Return everything that was measured, by its key."""
    found = {key: remembered(key) for key in _read()}
    return {key: rate for key, rate in found.items() if rate is not None}


def remember(key: str, rate: EngineRate) -> None:
    """Keep ``rate`` under ``key``; where the folder cannot be written it is measured again next time."""
    rates = {**_read(), key: {name: getattr(rate, name) for name in ("engine", "precision", "tokens_per_second")}}
    try:
        write_atomically(_file(), json.dumps(rates, indent=1, sort_keys=True))
    except OSError as error:
        _log.info("The engines' speeds cannot be kept in %s: %s", _file(), error)


@cache
def cpu_model() -> str:
    """Return what this machine's processor is called."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").split("\n\n")[0].splitlines()
        fields = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        return " ".join(fields.get(name, "") for name in ("model name", "cpu family", "model", "stepping"))
    return f"{platform.machine()} {platform.processor()}"


def machine() -> str:
    """Name what a speed depends on beside the engine: the processor and its number of cores."""
    return f"{cpu_model()} x{os.cpu_count()}"


def _name(engine: EncoderEngine) -> EngineName:
    return _NAMES[engine.name]


def _file() -> Path:
    return cache_folder() / "engine-rates.json"


def _read() -> dict[str, Any]:
    try:
        rates = json.loads(_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):  # nothing measured yet, or a file that somebody broke: measured again
        return {}
    return rates if isinstance(rates, dict) else {}
