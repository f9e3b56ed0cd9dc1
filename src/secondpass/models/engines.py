"""Opens an engine by name, or the fastest one that is installed: measured once on this machine, and remembered."""

from __future__ import annotations

import importlib
import logging
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from secondpass.errors import InputError, MissingExtraError
from secondpass.models.engine import EncoderEngine, EngineName, EngineOptions, Head, Precision
from secondpass.models.engine_rates import EngineRate, machine, measure, remember, remembered
from secondpass.models.jina_layout import read_config
from secondpass.models.model_folder import read_json
from secondpass.models.processor import BF16, lacks
from secondpass.types import FloatArray

_log = logging.getLogger(__name__)
_PLACES: dict[EngineName, str] = {
    "openvino": "secondpass.models.openvino:OpenVinoEngine",
    "onnx": "secondpass.models.onnx:OnnxEngine",
    "numpy": "secondpass.models.numpy_encoder:NumpyEngine",
    "torch": "secondpass.models.torch_engine:open_torch_engine",
}
_ANY_IN_TORCH = "secondpass.models.transformers_encoder:TransformersEncoderEngine"
_PACKAGES: dict[EngineName, tuple[str, ...]] = {
    "openvino": ("openvino", "onnx", "tokenizers", "safetensors"),
    "onnx": ("onnxruntime", "onnx", "tokenizers", "safetensors"),
    "numpy": ("numpy", "tokenizers", "safetensors"),
    "torch": ("torch", "safetensors"),
}
_PRECISIONS: dict[EngineName, tuple[Precision, ...]] = {
    "openvino": ("f32", "bf16", "int8"),
    "onnx": ("f32", "int8"),
    "numpy": ("f32",),
    "torch": ("f32", "bf16"),
}
_SHAPE = (
    "model_type", "hidden_size", "dim", "num_hidden_layers", "n_layers", "num_attention_heads", "n_heads",
    "intermediate_size", "hidden_dim",
)  # fmt: skip


ENGINE_NAMES: tuple[EngineName, ...] = tuple(_PLACES)


def installed_engines() -> list[EngineName]:
    """Return the engines whose packages are installed; nothing is imported."""
    return [name for name, packages in _PACKAGES.items() if all(find_spec(package) for package in packages)]


def version_of(name: EngineName) -> str:
    """Return the version of an installed engine's library."""
    return _version(_PACKAGES[name][0])


def precisions_of(name: EngineName) -> tuple[Precision, ...]:
    """Return what an engine can compute in; bf16 needs a processor or a GPU that knows it.

    Raises:
        InputError: there is no such engine.
    """
    if name not in _PRECISIONS:
        raise _unknown(name)
    return _PRECISIONS[name]


def open_engine(
    folder: Path, head: Head, options: EngineOptions | None = None, projection: FloatArray | None = None
) -> EncoderEngine:
    """Open the engine of ``options`` for the model in ``folder``.

    ``auto`` is the fastest installed engine that computes in exactly ``options.precision``; another device than the cpu
    is torch. ``projection`` (float32 [D, H], head ``tokens`` only): applied to every token vector.

    In f32 on the cpu torch is taken only where neither of the others computes the model: opening it costs 1.5 s more of
    processor time and 200 MB, and it wins nothing. One thread, tokens a second, openvino / onnx / torch: 6 layers of
    384 (MiniLM) 5,000 / 3,800 / 4,500, 12 layers of 768 (bge-reranker-base) 950 / 790 / 850. In bf16 it is measured
    too: 11,100 / - / 16,300 and 2,500 / - / 2,500.

    Raises:
        InputError: the engine cannot compute this model, this precision, or on this device.
        MissingExtraError: the engine, or any engine that could, is not installed.
    """
    options = options or EngineOptions()
    if options.name != "auto":
        return _open(options.name, folder, head, options, projection)
    *first, last = _candidates(options)
    for candidates in first:
        try:
            return _choose(candidates, folder, head, options, projection)
        except InputError as error:  # those of the next group may be able to
            _log.info("%s is taken: %s", ", ".join(last), error)
    return _choose(last, folder, head, options, projection)


def engine_rate(engine: EncoderEngine, folder: Path, head: Head, options: EngineOptions) -> EngineRate:
    """Return how fast ``engine`` computes the model in ``folder``: as remembered, else measured now."""
    name: EngineName = next(known for known in _PLACES if known == engine.name)
    key = _key([name], folder, head, replace(options, precision=engine.precision))
    rate = remembered(key)
    if rate is None:
        rate = measure(engine, _max_tokens(folder))
        remember(key, rate)
    return rate


def _choose(
    candidates: list[EngineName], folder: Path, head: Head, options: EngineOptions, projection: FloatArray | None
) -> EncoderEngine:
    """Open the fastest of ``candidates``, as remembered, else as measured now."""
    if len(candidates) == 1:
        return _open(candidates[0], folder, head, options, projection)
    known = remembered(_key(candidates, folder, head, options))
    if known is not None and known.engine in candidates:
        return _open(known.engine, folder, head, options, projection)
    return _fastest(candidates, folder, head, options, projection)


def _candidates(options: EngineOptions) -> list[list[EngineName]]:
    """Return the engines to choose from; a later group only where none of the one before computes the model."""
    able = [name for name in _PLACES if options.precision in _PRECISIONS[name]]
    if options.device != "cpu":
        able = ["torch"]
    elif options.precision == "bf16" and lacks(BF16):
        raise InputError(
            "This CPU has no bf16 instructions (avx512_bf16 or amx_bf16), so bf16 would be slower than f32: ask for "
            "f32, or for int8 where its accuracy is enough; naming the engine torch computes it nevertheless."
        )
    installed = [name for name in installed_engines() if name in able]
    if not installed:
        raise MissingExtraError(f"Computing in {options.precision} on {options.device}", able[0])
    light: list[EngineName] = [name for name in installed if name != "torch"]
    if options.precision == "f32" and light and "torch" in installed:
        return [light, ["torch"]]
    return [installed]


def _open(
    name: EngineName, folder: Path, head: Head, options: EngineOptions, projection: FloatArray | None
) -> EncoderEngine:
    if name not in _PLACES:
        raise _unknown(name)
    if name not in installed_engines():
        raise MissingExtraError(f"The engine {name}", name)
    module, _, attribute = _place(name, folder).partition(":")
    engine: EncoderEngine = getattr(importlib.import_module(module), attribute)(folder, head, options, projection)
    return engine


def _unknown(name: str) -> InputError:
    return InputError(f"There is no engine named {name!r}; known are auto, {', '.join(_PLACES)}.")


def _place(name: EngineName, folder: Path) -> str:
    if name == "torch":
        weights = importlib.import_module("secondpass.models.torch_weights")
        if weights.unsupported(read_config(folder)):
            return _ANY_IN_TORCH
    return _PLACES[name]


def _fastest(
    candidates: list[EngineName], folder: Path, head: Head, options: EngineOptions, projection: FloatArray | None
) -> EncoderEngine:
    """Open every candidate, time each, and keep the fastest; one that cannot compute this model is passed over."""
    best: tuple[EngineRate, EncoderEngine] | None = None
    refusals: list[InputError] = []
    for name in candidates:
        try:
            engine = _open(name, folder, head, options, projection)
        except InputError as error:
            refusals.append(error)
            continue
        rate = measure(engine, _max_tokens(folder))
        remember(_key([name], folder, head, options), rate)
        _log.info("%s, %s: %.0f tokens/s with the model at %s", name, options.precision, rate.tokens_per_second, folder)
        if best is None or rate.tokens_per_second > best[0].tokens_per_second:
            best = (rate, engine)
    if best is None:
        raise refusals[0]
    remember(_key(candidates, folder, head, options), best[0])
    return best[1]


def _key(names: list[EngineName], folder: Path, head: Head, options: EngineOptions) -> str:
    """Name everything that a speed depends on; a change of any is measured anew."""
    config = read_json(folder / "config.json")
    shape = "/".join(str(config[name]) for name in _SHAPE if name in config)
    form = "weights" if any(folder.glob("*.safetensors")) else "file"
    versions = ",".join(f"{name} {_version(_PACKAGES[name][0])}" for name in names)
    threads = f"{options.threads or 'all'} threads"
    return f"{machine()} | {threads} | {versions} | {shape} {form} | {head} | {options.precision}"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # installed under another name, such as onnxruntime-gpu
        return "of unknown version"


def _max_tokens(folder: Path) -> int:
    """Return a length that the model surely reads: RoBERTa's heirs reserve a few of their positions."""
    return max(1, int(read_json(folder / "config.json").get("max_position_embeddings") or 512) - 4)
