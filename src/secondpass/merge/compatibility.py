"""Whether models can be merged at all, asked before anything is written: settings, tokenizers, tensors one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from secondpass.errors import InputError
from secondpass.merge.parents import Parent
from secondpass.merge.tensor_files import StoredTensor, same_bits
from secondpass.merge.vocabulary import cutting_notes, vocabulary_differences
from secondpass.models.model_folder import read_json
from secondpass.models.module_list import module_paths, module_types, transformer_folder
from secondpass.rerank.blend import WITH_LEXICAL

_SHOWN = 20
# A difference in one of these makes another function of the same numbers; one in any other is noted.
_DECISIVE = frozenset({
    "architectures", "model_type", "hidden_size", "dim", "num_hidden_layers", "n_layers", "num_attention_heads",
    "n_heads", "num_key_value_heads", "head_dim", "intermediate_size", "hidden_dim", "vocab_size", "type_vocab_size",
    "embedding_size", "max_position_embeddings", "position_embedding_type", "hidden_act", "hidden_activation",
    "activation", "layer_norm_eps", "rms_norm_eps", "rope_theta", "rope_scaling", "rope_parameters",
    "tie_word_embeddings", "pad_token_id", "num_labels", "layer_norm_type", "sliding_window",
})  # fmt: skip
_OF_NO_ACCOUNT = frozenset({
    "_name_or_path", "name_or_path", "transformers_version", "torch_dtype", "dtype", "use_cache", "label2id",
    "id2label", "hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout", "attention_dropout",
    "dropout", "gradient_checkpointing", "output_past", "initializer_range", "problem_type",
    "_attn_implementation_autoset",
})  # fmt: skip


def check_compatible(parents: Sequence[Parent], base: Parent | None = None) -> list[str]:
    """Return what is worth knowing of models that can be merged: the first one's settings are those of the result.

    Raises:
        InputError: two of them cannot be merged; every difference is named, the first 20 of a kind and a count.
    """
    first, notes = parents[0], []
    others = [*parents[1:], *([base] if base else [])]
    if different := next((other for other in others if other.kind != first.kind), None):
        raise InputError(
            f"{different.name} is {_kind(different)} and {first.name} is {_kind(first)}; accepted are models alone, or "
            "LoRA adapters alone. Merge an adapter into its model first (peft: merge_and_unload)."
        )
    for other in others:
        for what, differences, accepted in _mismatches(first, other):
            if differences:
                raise _refusal(first, other, what, differences, accepted)
        notes += _notes(first, other)
    notes += _fitted_notes(first)
    notes += _integer_notes([*parents, *([base] if base else [])])
    if first.left:
        notes.append(f"not taken over from {first.name}: {_listed(list(first.left))}")
    return list(dict.fromkeys(notes))


def _kind(parent: Parent) -> str:
    return "a LoRA adapter" if parent.kind == "adapter" else "a model"


def _mismatches(first: Parent, other: Parent) -> Iterator[tuple[str, list[str], str]]:
    """Yield ``(what differs, the differences, what is accepted)``, the cause of the others first."""
    yield "settings", _config_differences(first, other), "models of one architecture and size"
    yield "modules", _module_differences(first, other), "models of the same modules"
    vocabulary = vocabulary_differences(first.folder, other.folder)
    yield "vocabulary", vocabulary, "models whose tokenizers number the same tokens alike"
    yield "tensors", _tensor_differences(first, other), "models whose tensors have the same names and shapes"


def _refusal(first: Parent, other: Parent, what: str, differences: list[str], accepted: str) -> InputError:
    lines = "".join(f"\n  {line}" for line in _capped(differences))
    return InputError(
        f"{other.name} cannot be merged with {first.name}: their {what} differ; accepted are {accepted}.{lines}"
    )


def _capped(lines: list[str]) -> list[str]:
    more = len(lines) - _SHOWN
    return [*lines[:_SHOWN], f"and {more:,} more"] if more > 1 else lines


def _listed(names: list[str]) -> str:
    more = len(names) - 8
    return ", ".join(names[:8]) + (f" and {more:,} more" if more > 0 else "")


def _config(folder: Path) -> dict[str, Any]:
    config = read_json(transformer_folder(folder) / "config.json")
    labels = config.get("id2label")
    return config | {"num_labels": len(labels) if labels else config.get("num_labels")}


def _config_differences(first: Parent, other: Parent) -> list[str]:
    return [
        f"config.json: {key} is {_value(a, key)} in {first.name}, {_value(b, key)} in {other.name}"
        for a, b in [(_config(first.folder), _config(other.folder))]
        for key in sorted(_DECISIVE)
        if a.get(key) != b.get(key) and not (key == "num_labels" and None in (a.get(key), b.get(key)))
    ]


def _value(config: Mapping[str, Any], key: str) -> str:
    value = config.get(key)
    return "not given" if value is None else str(value)


def _module_differences(first: Parent, other: Parent) -> list[str]:
    a, b = module_types(first.folder), module_types(other.folder)
    if a != b:
        return [f"{' + '.join(a) or 'none'} in {first.name}, {' + '.join(b) or 'none'} in {other.name}"]
    return [
        f"{place}/config.json: {key} is {_value(mine, key)} in {first.name}, {_value(theirs, key)} in {other.name}"
        for place in module_paths(first.folder)
        if place
        for mine, theirs in [tuple(read_json(one.folder / place / "config.json") for one in (first, other))]
        if (first.folder / place) != transformer_folder(first.folder)
        for key in sorted(mine.keys() | theirs.keys())
        if mine.get(key) != theirs.get(key)
    ]


def _tensor_differences(first: Parent, other: Parent) -> list[str]:
    lines = []
    for key in [*first.tensors, *(key for key in other.tensors if key not in first.tensors)]:
        mine, theirs = first.tensors.get(key), other.tensors.get(key)
        if mine is None or theirs is None:
            only = mine or theirs
            if only and only.is_float:
                lines.append(f"{key} {list(only.shape)}: only in {first.name if mine else other.name}")
        elif mine.shape != theirs.shape:
            lines.append(f"{key}: {list(mine.shape)} in {first.name}, {list(theirs.shape)} in {other.name}")
        elif mine.is_float != theirs.is_float:
            lines.append(f"{key}: {mine.kind} in {first.name}, {theirs.kind} in {other.name}")
    return lines


def _notes(first: Parent, other: Parent) -> list[str]:
    a, b = _config(first.folder), _config(other.folder)
    keys = [
        key
        for key in sorted((a.keys() | b.keys()) - _DECISIVE - _OF_NO_ACCOUNT)
        if a.get(key) != b.get(key) and not key.endswith("_token_id")
    ]
    notes = (
        [f"config.json differs from {other.name} in {_listed(keys)}; those of {first.name} are taken"] if keys else []
    )
    return notes + [f"{note}; that of {first.name} is taken" for note in cutting_notes(first.folder, other.folder)]


def _fitted_notes(first: Parent) -> list[str]:
    """Say that the shares of word counts, where the first model has any, were fitted to its own scores."""
    record = _config(first.folder).get("secondpass")
    if not isinstance(record, dict) or WITH_LEXICAL not in record:
        return []
    return [f"{WITH_LEXICAL} of config.json is that of {first.name}, fitted to its scores; the result may need others"]


def _integer_notes(models: Sequence[Parent]) -> list[str]:
    """Say which integer tensors are not equal in all models: those of the first are taken."""
    notes = []
    first = models[0]
    for key, stored in first.tensors.items():
        if stored.is_float:
            continue
        found: list[StoredTensor] = [one.tensors[key] for one in models if key in one.tensors]
        if len(found) < len(models):
            notes.append(f"{key} holds whole numbers and is not in every model; that of {first.name} is taken")
        elif not same_bits(found):
            notes.append(f"{key} holds whole numbers that differ; that of {first.name} is taken")
    return notes
