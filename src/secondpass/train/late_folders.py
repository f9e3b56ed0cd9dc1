"""The folder of a late-interaction model in training: its settings before, and the same form with new weights after.

A model that was one keeps its layout (ColBERT's, PyLate's, or that of sentence-transformers); a new one has PyLate's,
which PyLate, sentence-transformers from version 6 and ours read.
"""

from __future__ import annotations

import json
import shutil
import string
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from tokenizers import AddedToken, Tokenizer
from torch import Tensor

from secondpass.errors import InputError
from secondpass.models.checkpoint import Checkpoint
from secondpass.models.colbert_settings import ColbertSettings, read_settings
from secondpass.models.cross_encoder import position_limit
from secondpass.models.late_interaction_reading import CHINESE_PUNCTUATION
from secondpass.models.model_folder import read_json
from secondpass.models.module_list import module_paths, module_types, transformer_folder
from secondpass.models.tokenizer import TextTokenizer
from secondpass.train.encoder import quiet
from secondpass.train.opening import longest_input
from secondpass.train.options import TrainOptions
from secondpass.train.saving import TOKENIZER_FILES, copy_files

_SETTINGS = (
    "config.json", "modules.json", "config_sentence_transformers.json", "sentence_bert_config.json",
    "artifact.metadata", *TOKENIZER_FILES,
)  # fmt: skip
_QUERY_MARKER, _DOCUMENT_MARKER = "[Q] ", "[D] "
_DENSE = "1_Dense"


@dataclass(frozen=True, slots=True, eq=False)
class FolderForm:
    """Everything of a late-interaction folder but its weights.

    ``files``: their contents by their places. ``encoder`` and ``dense`` are the places of the encoder's weights and of
    the projection's (the same one: in one file). ``source`` is the folder whose names of weights are kept, None for a
    new model. ``vocabulary``: how many rows the table of tokens needs.
    """

    files: Mapping[str, bytes]
    settings: ColbertSettings
    tokenizer: TextTokenizer
    encoder: str
    dense: str
    source: Path | None
    vocabulary: int

    def write(self, place: Path, model: Any, projection: Tensor) -> None:
        """Write settings, tokenizer, the encoder's weights and the projection, float32 [D, H], into ``place``."""
        for name, content in self.files.items():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes(content)
        state = model.state_dict()
        if self.source is None:
            kept = {name: value for name, value in state.items() if not name.startswith("pooler.")}
            with quiet():  # config.json of its own, with the table's new size
                model.save_pretrained(place / self.encoder, state_dict=kept)
        else:
            weights = _named_as(self.source / self.encoder, state, str(model.base_model_prefix))
            if self.dense == self.encoder:
                weights["linear.weight"] = projection
            _save(weights, place / self.encoder)
        if self.dense != self.encoder:
            _save({"linear.weight": projection}, place / self.dense)


def kept_form(checkpoint: Checkpoint, options: TrainOptions) -> FolderForm:
    """Return the form of a late-interaction model as it stands, at the length that is asked for.

    Raises:
        InputError: it is no such model, or reads no passages so long.
    """
    folder = checkpoint.folder
    own = read_settings(folder)
    length = own.document_length if not options.max_tokens else longest_input(folder, own.position_limit, options)
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        for path in dict.fromkeys(["", *module_paths(folder)]):
            (place / path).mkdir(parents=True, exist_ok=True)
            copy_files(folder / path, place / path, _SETTINGS)
        encoder = transformer_folder(folder).relative_to(folder).as_posix()
        _set_length(place, length)
        _set_kind(transformer_folder(place) / "config.json")
        dense = _one_projection(place) or encoder
        return _form(place, encoder, dense, folder)


def new_form(checkpoint: Checkpoint, hidden: int, options: TrainOptions) -> FolderForm:
    """Return the form of a new late-interaction model on the encoder of ``checkpoint``, of ``hidden`` numbers a state.

    Raises:
        InputError: the encoder reads no texts so long.
    """
    folder = transformer_folder(checkpoint.folder)
    length = longest_input(folder, position_limit(checkpoint), options)
    if options.query_tokens > position_limit(checkpoint):
        raise InputError(
            f"query_tokens is {options.query_tokens}; the model at {folder} reads up to {position_limit(checkpoint)}."
        )
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        copy_files(folder, place, _SETTINGS)
        if folder != checkpoint.folder:
            copy_files(checkpoint.folder, place, TOKENIZER_FILES)
        vocabulary = _add_markers(place / "tokenizer.json")
        modules = [("", "sentence_transformers.models.Transformer"), (_DENSE, "pylate.models.Dense.Dense")]
        listed = [{"idx": i, "name": str(i), "path": path, "type": kind} for i, (path, kind) in enumerate(modules)]
        _write_json(place / "modules.json", listed)
        _write_json(place / "sentence_bert_config.json", {"max_seq_length": length - 1, "do_lower_case": False})
        masks = bool(read_json(place / "tokenizer_config.json").get("mask_token")) or "[MASK]" in vocabulary
        words = [mark for mark in (*string.punctuation, *CHINESE_PUNCTUATION) if mark in vocabulary]
        _write_json(place / "config_sentence_transformers.json", {
            "model_type": "ColBERT", "prompts": {}, "default_prompt_name": None, "similarity_fn_name": "MaxSim",
            "query_prefix": _QUERY_MARKER, "document_prefix": _DOCUMENT_MARKER, "query_length": options.query_tokens,
            "document_length": length, "attend_to_expansion_tokens": False, "do_query_expansion": masks,
            "skiplist_words": words,
        })  # fmt: skip
        (place / _DENSE).mkdir()
        _write_dense(place / _DENSE, hidden, options.projection)
        return _form(place, "", _DENSE, None, max(vocabulary.values()) + 1)


def _form(place: Path, encoder: str, dense: str, source: Path | None, vocabulary: int = 0) -> FolderForm:
    files = {path.relative_to(place).as_posix(): path.read_bytes() for path in place.rglob("*") if path.is_file()}
    settings, tokenizer = read_settings(place), TextTokenizer(transformer_folder(place))
    return FolderForm(files, settings, tokenizer, encoder, dense, source, vocabulary)


def _set_length(place: Path, length: int) -> None:
    """Say in the layout's own file how long a passage is read."""
    path, key = place / "config_sentence_transformers.json", "document_length"
    if not (place / "modules.json").is_file():
        path, key = place / "artifact.metadata", "doc_maxlen"
    elif "MultiVectorMask" in module_types(place):
        path = transformer_folder(place) / "sentence_bert_config.json"
    _write_json(path, read_json(path) | {key: length})


def _set_kind(path: Path) -> None:
    """Say that weights are float32, which is what is written."""
    content = read_json(path)
    named = {key: "float32" for key in ("dtype", "torch_dtype") if key in content}
    taught = {"version": version("secondpass")}
    _write_json(path, content | named | {"secondpass": taught})


def _one_projection(place: Path) -> str:
    """Make several projections in a row one, as which they are trained; return its place (none: beside the encoder)."""
    path = place / "modules.json"
    modules = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    found = [str(one["path"]) for one in modules if str(one["type"]).endswith(".Dense")]
    if len(found) > 1:
        first, last = (read_json(place / found[end] / "config.json") for end in (0, -1))
        _write_dense(place / found[0], first["in_features"], last["out_features"])
        _write_json(path, [one for one in modules if one["path"] not in found[1:]])
        for other in found[1:]:
            shutil.rmtree(place / other)
    return found[0] if found else ""


def _write_dense(place: Path, inner: int, outer: int) -> None:
    activation = "torch.nn.modules.linear.Identity"
    settings = {"in_features": inner, "out_features": outer, "bias": False, "activation_function": activation}
    _write_json(place / "config.json", settings)


def _add_markers(path: Path) -> dict[str, int]:
    """Add the markers to a tokenizer's vocabulary, as tokens that no text can spell; return all tokens."""
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.add_tokens([AddedToken(marker, normalized=False) for marker in (_QUERY_MARKER, _DOCUMENT_MARKER)])
    tokenizer.save(str(path))
    tokens: dict[str, int] = tokenizer.get_vocab(with_added_tokens=True)
    return tokens


def _named_as(folder: Path, state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the weights of ``folder`` by their names there, those of the encoder as ``state`` has them now."""
    weights: dict[str, Tensor] = {}
    for path in sorted(folder.glob("*.safetensors")):
        weights |= load_file(path)
    return {name: state.get(name, state.get(name.removeprefix(f"{prefix}."), value)) for name, value in weights.items()}


def _save(weights: Mapping[str, Tensor], place: Path) -> None:
    place.mkdir(parents=True, exist_ok=True)
    whole = {name: value.detach().clone(memory_format=torch.contiguous_format) for name, value in weights.items()}
    save_file(whole, place / "model.safetensors", metadata={"format": "pt"})


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1), encoding="utf-8")
