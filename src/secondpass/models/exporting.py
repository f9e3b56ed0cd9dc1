"""A reranker to an ONNX file that any runtime can use, checked against the exact scores before it is kept."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx

from secondpass.errors import InputError
from secondpass.models.colbert_settings import read_projection
from secondpass.models.engine import EncoderEngine, EngineName, EngineOptions
from secondpass.models.engine_comparison import RerankingEncoder
from secondpass.models.engine_files import write_atomically
from secondpass.models.engines import installed_engines, open_engine
from secondpass.models.graph_export import export_onnx
from secondpass.models.graph_kinds import known_kinds, unsupported
from secondpass.models.graph_shape import GRAPH_FILE
from secondpass.models.jina_layout import read_config
from secondpass.models.model_folder import read_json
from secondpass.models.module_list import transformer_folder
from secondpass.models.parity import Parity, compare
from secondpass.models.profiles import find_profile
from secondpass.models.quantize import calibration_texts, pair_batches
from secondpass.types import FloatArray

TOLERANCE = 1e-3
"""The largest difference from exact scores that is let pass, in units of their spread or of 1, the larger of both."""
_PAIRS = 24
_MAX_TOKENS = 512
_LARGEST_FILE_BYTES = 2**31 - 2**20  # protobuf's limit, with room for the graph itself
_SETTINGS = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "config.json")


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: its inputs and outputs with their shapes, its size, and how near it is to exact scores."""

    path: Path
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    size_bytes: int
    parity: Parity
    checked_with: str


def export_model(model: RerankingEncoder, target: Path) -> Exported:
    """Write the model as ``FILE.onnx``, or as a new folder of graph, weights, tokenizer and settings.

    The folder of a cross-encoder is a model folder itself; it gives scores, and points at no evidence. Nothing is left
    where the check fails.

    Raises:
        InputError: the architecture cannot be written, the target exists, or the file does not give the exact scores.
        MissingExtraError: nothing that runs a graph is installed.
    """
    if model.head == "classify_spans":
        model = replace(model, head="classify")
    encoder = transformer_folder(model.folder)
    if reason := unsupported(read_config(encoder)):
        raise InputError(
            f"The model at {model.folder} cannot be written as ONNX: {reason}; accepted are {', '.join(known_kinds())}."
        )
    if target.exists():
        raise InputError(f"{target} exists already; name a file or folder that does not.")
    projection = read_projection(model.folder) if model.head == "tokens" else None
    with _beside(target) as made:
        export_onnx(encoder, made, model.head, projection)
        shutil.copyfile(encoder / "config.json", made / "config.json")
        checked_with, parity = _check(model, made, encoder)
        described = onnx.load(made / GRAPH_FILE, load_external_data=False).graph
        if target.suffix == ".onnx":
            _as_one_file(made, target)
        else:
            _as_folder(model, made, encoder)
            made.rename(target)
    return Exported(target, _values(described.input), _values(described.output), _size(target), parity, checked_with)


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """Give a folder on the same disk as ``target``, which is gone afterwards unless it was moved."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent))
    except OSError as error:
        raise InputError(
            f"{target.parent} cannot be written ({error.strerror or error}); name another place."
        ) from error
    try:
        made.chmod(0o755)
        yield made
    except OSError as error:
        raise InputError(
            f"{target} cannot be written ({error.strerror or error}): free some space, or name another place."
        ) from error
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _check(model: RerankingEncoder, made: Path, encoder: Path) -> tuple[str, Parity]:
    """Run the file as any other ONNX file, beside the exact engine, over real pairs."""
    runner: EngineName = "onnx" if "onnx" in installed_engines() else "openvino"
    config = read_json(encoder / "config.json")
    positions = int(config.get("max_position_embeddings") or _MAX_TOKENS) - 4  # RoBERTa's heirs reserve a few
    texts = calibration_texts()
    texts = texts[:: max(1, len(texts) // _PAIRS)][:_PAIRS]
    longest = min(positions, model.max_tokens or _MAX_TOKENS, _MAX_TOKENS)
    batches = list(pair_batches(model.folder, texts, longest, int(config.get("type_vocab_size") or 1)))

    def numbers(engine: EncoderEngine) -> FloatArray:
        return np.concatenate([engine.run(batch).ravel() for batch in batches])

    exact = numbers(model.reference())
    found = compare(exact, numbers(open_engine(made, model.head, EngineOptions(runner))))
    if not found.max_difference <= TOLERANCE * max(1.0, found.spread):
        raise InputError(
            f"The file written of {model.folder} is not kept: over {len(batches)} pairs its numbers are up to "
            f"{found.max_difference:.2g} from the exact ones (spread {found.spread:.2g})."
        )
    return runner, found


def _as_one_file(made: Path, target: Path) -> None:
    if _size(made) > _LARGEST_FILE_BYTES:
        raise InputError(
            f"{target.name} would be {_size(made) / 1e9:.1f} GB, and one ONNX file holds 2 GB at most; name a folder "
            f"instead, such as {target.with_suffix('')}."
        )
    whole = made / "whole.onnx"
    onnx.save(onnx.load(made / GRAPH_FILE), whole)
    whole.rename(target)


def _as_folder(model: RerankingEncoder, made: Path, encoder: Path) -> None:
    if model.head == "tokens":  # it cannot be opened as the model it was: the projection is in the graph
        (made / "config.json").unlink()
    for name in _SETTINGS if model.head == "classify" else _SETTINGS[:3]:
        for place in (model.folder, encoder):
            if (place / name).is_file() and not (made / name).is_file():
                shutil.copyfile(place / name, made / name)
    if model.head == "classify":
        _record_reading(model, made)


def _record_reading(model: RerankingEncoder, made: Path) -> None:
    """Have the folder say how it is read, because its name no longer does."""
    config, settings = dict(read_json(made / "config.json")), dict(read_json(made / "tokenizer_config.json"))
    if model.profile is not None:
        record = config.get("secondpass")
        taught = record if isinstance(record, dict) else {}
        # A recorded profile has the folder's name here, and the known one's in the record.
        name = model.profile.name if find_profile(model.profile.name) else taught.get("profile")
        longest = model.max_tokens or model.profile.max_tokens
        config["secondpass"] = {**taught, "profile": name, "max_tokens": longest}
        write_atomically(made / "config.json", json.dumps(config, indent=1, ensure_ascii=False))
    elif model.max_tokens is not None:
        settings["model_max_length"] = model.max_tokens
        write_atomically(made / "tokenizer_config.json", json.dumps(settings, indent=1, ensure_ascii=False))


def _values(values: onnx.ValueInfoProto) -> tuple[str, ...]:
    return tuple(
        f"{value.name} {onnx.TensorProto.DataType.Name(value.type.tensor_type.elem_type).lower()} "
        f"[{', '.join(size.dim_param or str(size.dim_value) for size in value.type.tensor_type.shape.dim)}]"
        for value in values
    )


def _size(path: Path) -> int:
    return (
        path.stat().st_size
        if path.is_file()
        else sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    )
