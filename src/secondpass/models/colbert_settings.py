"""How a late-interaction checkpoint wants its texts: read from the folder, in every layout such checkpoints come in.

- ColBERT and ColBERTv2 (stanford-futuredata/ColBERT): architecture ``HF_ColBERT``, settings in ``artifact.metadata``,
  the projection as ``linear.weight`` beside the encoder's weights;
- PyLate: ``modules.json`` with a Dense module, settings in ``config_sentence_transformers.json``;
- sentence-transformers from version 6: the same, with the settings spread over the modules' own files.
"""

from __future__ import annotations

import json
import string
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from secondpass.errors import InputError
from secondpass.models.jina_layout import read_config
from secondpass.models.model_folder import read_json
from secondpass.models.module_list import transformer_folder
from secondpass.models.weights import Weights
from secondpass.types import FloatArray

_STANFORD_DOCUMENT_LENGTH, _PYLATE_DOCUMENT_LENGTH, _QUERY_LENGTH = 220, 180, 32
# Positions of these count from after the padding id, so that the table holds that many rows more than tokens.
_SHIFTED_POSITIONS = frozenset({"roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "mpnet"})
_KNOWN_MODULES = {"Transformer", "Dense", "MultiVectorMask", "Normalize"}
_PYLATE_SIGNS = ("query_prefix", "document_prefix", "query_length", "document_length", "do_query_expansion")


@dataclass(frozen=True, slots=True)
class ColbertSettings:
    """What a checkpoint was trained with; ``position_limit`` is the most tokens that its encoder reads.

    Before a text stand a marker, one token of the vocabulary that no text can spell (empty: none), and a prompt, which
    is text. Lengths count all tokens, special ones, marker and prompt included. Queries shorter than
    ``expanded_length`` (0: none) are filled up with ``expansion_token``, whose vectors count in the score; other tokens
    look at them only if ``attend_to_expansion``. The vectors of ``skip_words`` are left out. ``mean``: a score is
    divided by the number of the query's vectors.
    """

    position_limit: int
    query_length: int
    document_length: int
    expanded_length: int
    query_marker: str = ""
    document_marker: str = ""
    query_prompt: str = ""
    document_prompt: str = ""
    expansion_token: str = "[MASK]"
    attend_to_expansion: bool = False
    skip_words: tuple[str, ...] = ()
    skip_in_queries: bool = False
    skip_in_documents: bool = True
    lower_case: bool = False
    mean: bool = False


@dataclass(frozen=True, slots=True)
class _Module:
    name: str
    folder: Path


def read_settings(folder: Path) -> ColbertSettings:
    """Read the settings of the late-interaction checkpoint in ``folder``.

    Raises:
        InputError: it is no such checkpoint, or one with parts that are not known here.
    """
    config = read_config(transformer_folder(folder))
    top = read_json(folder / "config_sentence_transformers.json")
    limit = _position_limit(config)
    stanford = "HF_ColBERT" in (config.get("architectures") or ()) or (folder / "artifact.metadata").is_file()
    if stanford and not (folder / "modules.json").is_file():
        return _stanford(folder, limit)
    modules = _modules(folder)
    if any(module.name == "MultiVectorMask" for module in modules):
        return _sentence_transformers(folder, top, modules, limit)
    if top.get("model_type") == "ColBERT" or any(sign in top for sign in _PYLATE_SIGNS):
        return _pylate(folder, top, modules, limit)
    found = ", ".join([module.name for module in modules] or config.get("architectures") or ["nothing known"])
    raise InputError(
        f"The model at {folder} is no late-interaction model (found: {found}); accepted are checkpoints of ColBERT "
        "(artifact.metadata), PyLate and sentence-transformers' MultiVectorEncoder."
    )


def read_projection(folder: Path) -> FloatArray:
    """Return the matrix that turns the encoder's hidden states into token vectors, float32 [D, H].

    Raises:
        InputError: there is none, or it is more than one matrix can say.
    """
    places = [module.folder for module in _modules(folder) if module.name == "Dense"]
    for place in places:
        _check_dense(place)
    first, *others = places or [transformer_folder(folder)]
    projection = _weight(first, folder)
    for place in others:
        projection = _weight(place, folder) @ projection
    return projection


def _stanford(folder: Path, limit: int) -> ColbertSettings:
    metadata = read_json(folder / "artifact.metadata")
    query_length = min(metadata.get("query_maxlen") or _QUERY_LENGTH, limit)
    return ColbertSettings(
        position_limit=limit,
        query_length=query_length,
        document_length=min(metadata.get("doc_maxlen") or _STANFORD_DOCUMENT_LENGTH, limit),
        expanded_length=query_length,
        query_marker=metadata.get("query_token_id") or "[unused0]",
        document_marker=metadata.get("doc_token_id") or "[unused1]",
        expansion_token=_mask_token(folder),
        attend_to_expansion=bool(metadata.get("attend_to_mask_tokens")),
        skip_words=tuple(string.punctuation) if metadata.get("mask_punctuation", True) else (),
    )


def _pylate(folder: Path, top: Mapping[str, Any], modules: list[_Module], limit: int) -> ColbertSettings:
    _check_modules(folder, modules, required={"Dense"})
    prompts = top.get("prompts") or {}
    words = top.get("skiplist_words")
    expands = top.get("do_query_expansion") is not False
    attends = top.get("attend_to_expansion_tokens", top.get("attend_to_mask_tokens"))
    query_marker, document_marker = top.get("query_prefix") or "[Q] ", top.get("document_prefix") or "[D] "
    query_length = min(top.get("query_length") or _QUERY_LENGTH, limit)
    return ColbertSettings(
        position_limit=limit,
        query_length=query_length,
        document_length=min(top.get("document_length") or _PYLATE_DOCUMENT_LENGTH, limit),
        expanded_length=query_length if expands else 0,
        query_marker=query_marker,
        document_marker=document_marker,
        query_prompt=(prompts.get("query") or "").removeprefix(query_marker),
        document_prompt=(prompts.get("document") or "").removeprefix(document_marker),
        expansion_token=_mask_token(folder),
        attend_to_expansion=bool(attends),
        # PyLate's own default, which it also takes for an empty list.
        skip_words=tuple(words or string.punctuation),
        lower_case=bool(read_json(transformer_folder(folder) / "sentence_bert_config.json").get("do_lower_case")),
        mean=top.get("similarity_fn_name") == "meanmaxsim",
    )


def _sentence_transformers(folder: Path, top: Mapping[str, Any], modules: list[_Module], limit: int) -> ColbertSettings:
    _check_modules(folder, modules, required={"Dense", "Normalize"})
    own = read_json(transformer_folder(folder) / "sentence_bert_config.json")
    mask = next(read_json(module.folder / "config.json") for module in modules if module.name == "MultiVectorMask")
    if mask.get("keep_only_token_ids"):
        raise InputError(
            f"The model at {folder} keeps the vectors of certain tokens only (keep_only_token_ids), as models of "
            "images do; accepted are late-interaction models of text."
        )
    tasks = mask.get("skiplist_tasks") or ["document"]
    prompts = top.get("prompts") or {}
    usual = _usual_length(folder, limit)
    expansion = own.get("query_expansion") or {}
    strategy, expanded = expansion.get("strategy"), min(expansion.get("length") or 0, limit)
    if strategy not in {"fixed", "min", None}:
        raise InputError(f"The model at {folder} expands queries by {strategy!r}; accepted are fixed and min.")
    longest = min(own.get("query_length") or usual, limit)
    return ColbertSettings(
        position_limit=limit,
        query_length=expanded if strategy == "fixed" else max(longest, expanded),
        document_length=min(own.get("document_length") or usual, limit),
        expanded_length=expanded,
        query_prompt=prompts.get("query") or "",
        document_prompt=next((prompts[name] for name in ("document", "passage", "corpus") if name in prompts), "")
        or "",
        expansion_token=expansion.get("token") or _mask_token(folder),
        attend_to_expansion=bool(expansion.get("attend")),
        skip_words=tuple(mask.get("skiplist_words") or ()),
        skip_in_queries="query" in tasks,
        skip_in_documents="document" in tasks,
        lower_case=bool(own.get("do_lower_case")),
        mean=top.get("similarity_fn_name") == "meanmaxsim",
    )


def _position_limit(config: Mapping[str, Any]) -> int:
    """Return the most tokens that the encoder has positions for."""
    positions = int(config.get("max_position_embeddings") or 512)
    if config.get("model_type") in _SHIFTED_POSITIONS:
        positions -= int(config.get("pad_token_id") or 0) + 1
    return positions


def _usual_length(folder: Path, limit: int) -> int:
    """Return the length that the tokenizer cuts at where nothing else is said."""
    declared = read_json(transformer_folder(folder) / "tokenizer_config.json").get("model_max_length")
    # Tokenizers without a limit write 10^30.
    return min(limit, int(declared)) if isinstance(declared, int | float) and declared > 0 else limit


def _mask_token(folder: Path) -> str:
    token = read_json(transformer_folder(folder) / "tokenizer_config.json").get("mask_token") or "[MASK]"
    return str(token["content"] if isinstance(token, dict) else token)


def _modules(folder: Path) -> list[_Module]:
    path = folder / "modules.json"
    if not path.is_file():
        return []
    entries = json.loads(path.read_text(encoding="utf-8"))
    return [_Module(str(entry["type"]).rpartition(".")[2], folder / str(entry.get("path") or "")) for entry in entries]


def _check_modules(folder: Path, modules: list[_Module], required: set[str]) -> None:
    names = {module.name for module in modules}
    if names - _KNOWN_MODULES or not required <= names:
        raise InputError(
            f"The model at {folder} is made of {', '.join(module.name for module in modules) or 'no modules'}; a "
            f"late-interaction model has {', '.join(sorted(required))}, and of others only "
            f"{', '.join(sorted(_KNOWN_MODULES - required))}."
        )


def _check_dense(place: Path) -> None:
    settings = read_json(place / "config.json")
    activation = str(settings.get("activation_function") or "Identity").rpartition(".")[2]
    if settings.get("bias") or activation != "Identity" or settings.get("use_residual"):
        raise InputError(
            f"The projection at {place} has bias {settings.get('bias')}, activation {activation}, residual "
            f"{bool(settings.get('use_residual'))}; accepted is a plain matrix, as ColBERT has it."
        )


def _weight(place: Path, folder: Path) -> FloatArray:
    try:
        return np.array(Weights(place).read("linear.weight"), order="C")  # torch takes no view into a file
    except InputError as error:
        raise InputError(
            f"The model at {folder} has no projection that can be read: linear.weight is wanted in "
            f"{place / 'model.safetensors'}, as float32, float16 or bfloat16."
        ) from error
