"""An AutoTrain file (YAML) of the reranker or sentence-transformers kind, as our options.

AutoTrain itself knows no rerankers: its ``sentence-transformers:triplet`` trains an embedder, whatever model it is
given. Here the same file trains a reranker, which is what a person who writes ``task: reranker`` wants.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from secondpass.errors import InputError
from secondpass.train.foreign_options import Names, Translated, number, take_over

_KINDS = ("reranker", "triplet", "pair_class", "pair_score")
_COLUMNS = {
    "triplet": {"sentence1": "query", "sentence2": "positive", "sentence3": "negative"},
    "pair_class": {"sentence1": "query", "sentence2": "passage", "target": "label"},
    "pair_score": {"sentence1": "query", "sentence2": "passage", "target": "label"},
}
_ENDINGS = (".jsonl", ".json", ".csv", ".tsv")
_TOP = ("task", "base_model", "project_name", "log", "backend", "data", "params", "hub")
_NAMES = Names(
    trainer="AutoTrain",
    same={
        "epochs": "epochs", "lr": "learning_rate", "warmup_ratio": "warmup", "weight_decay": "weight_decay",
        "gradient_accumulation": "accumulation", "max_grad_norm": "max_gradient_norm", "seed": "seed",
        "max_seq_length": "max_tokens", "early_stopping_patience": "patience",
    },
    without_effect={
        "logging_steps": "every step is kept in metrics.jsonl", "eval_strategy": "evaluate_every says how often",
        "evaluation_strategy": "evaluate_every says how often", "save_strategy": "checkpoint_minutes says how often",
        "save_total_limit": "the last checkpoint and the best weights are kept",
        "early_stopping_threshold": "any better measurement counts",
        "auto_find_batch_size": "set accumulation where memory does not suffice",
        "disable_gradient_checkpointing": "gradient_checkpointing says it", "peft": "all weights are trained",
    },
    refused={},
)  # fmt: skip
_VARIABLE = re.compile(r"\$\{(\w+)\}")


def from_autotrain(path: Path, processes: int) -> Translated:
    """Translate the file at ``path``; ``processes`` share a step.

    Raises:
        InputError: it is no such file, or says something that cannot be taken over.
    """
    place = str(path)
    content = _yaml(path)
    if unknown := [name for name in content if name not in _TOP]:
        raise InputError(f"{place}: AutoTrain has no {unknown[0]!r}; known are {', '.join(_TOP)}.")
    kind = _kind(content, place)
    params = _section(content, "params", place)
    found = take_over(params, _NAMES, ("batch_size", "optimizer", "scheduler", "mixed_precision"), place)
    accumulation = number(params, "gradient_accumulation", 1, place)
    found.values["batch_size"] = number(params, "batch_size", 8, place) * accumulation * processes
    _set_words(params, found, place)
    if "max_seq_length" in params:
        found.notes.append("max_seq_length is taken as max_tokens; AutoTrain itself ignores it")
    found.values |= {
        "model": str(content.get("base_model") or ""),
        "output": str(content.get("project_name") or "tuned"),
    }
    found.values["tensorboard"] = content.get("log") == "tensorboard"
    _set_data(_section(content, "data", place), kind, found, place)
    _check_places(content, found, place)
    return found


def _yaml(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8; save it as UTF-8.") from error
    try:
        content = yaml.safe_load(_VARIABLE.sub(lambda found: os.environ.get(found[1], ""), text))
    except yaml.YAMLError as error:
        raise InputError(f"{path} is no YAML: {error}.") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} holds no options; an AutoTrain file has task, base_model, data, params.")
    return content


def _kind(content: Mapping[str, Any], place: str) -> str:
    task = str(content.get("task", ""))
    kind = task.rpartition(":")[2]
    if kind not in _KINDS or (":" in task and task.partition(":")[0] not in {"sentence-transformers", "st"}):
        accepted = ", ".join(["reranker", *(f"sentence-transformers:{one}" for one in _KINDS[1:])])
        raise InputError(f"{place}: task is {task!r}; accepted is {accepted}.")
    return kind


def _section(content: Mapping[str, Any], name: str, place: str) -> dict[str, Any]:
    section = content.get(name) or {}
    if not isinstance(section, dict):
        raise InputError(f"{place}: {name} is {section!r}; it holds names with values.")
    return section


def _set_words(params: Mapping[str, Any], found: Translated, place: str) -> None:
    optimizer = str(params.get("optimizer", "adamw_torch"))
    if not optimizer.startswith("adamw"):
        raise InputError(f"{place}: optimizer is {optimizer!r}; accepted is adamw_torch.")
    found.values["schedule"] = str(params.get("scheduler", "linear"))
    precision = str(params.get("mixed_precision") or "no").lower()
    found.values["precision"] = {"fp16": "auto", "no": "f32", "none": "f32"}.get(precision, precision)
    if precision == "fp16":
        found.notes.append("fp16 becomes precision auto: bf16 where the machine has it, fp16 on an older GPU, else f32")


def _set_data(data: Mapping[str, Any], kind: str, found: Translated, place: str) -> None:
    folder = Path(str(data.get("path") or ""))
    found.values["train"] = _file(folder, str(data.get("train_split") or "train"), place)
    if data.get("valid_split"):
        found.values["dev"] = _file(folder, str(data["valid_split"]), place)
    names = _COLUMNS.get(kind, {})
    columns = []
    for theirs, column in _section(data, "column_mapping", place).items():
        key = theirs.removesuffix("_column")
        columns.append(f"{names.get(key, key)}={column}")
    found.values["columns"] = ",".join(one for one in columns if one.partition("=")[0] != one.partition("=")[2])


def _file(folder: Path, split: str, place: str) -> str:
    """Return the file of a split: ``path`` itself where it is one, else a file of that name below it."""
    if folder.is_file():
        return str(folder)
    for ending in _ENDINGS:
        if (folder / f"{split}{ending}").is_file():
            return str(folder / f"{split}{ending}")
    raise InputError(
        f"{place}: there is no {split}{_ENDINGS[0]} (or {', '.join(_ENDINGS[1:])}) in {folder}; data sets of a hub are "
        "not fetched, give a folder."
    )


def _check_places(content: Mapping[str, Any], found: Translated, place: str) -> None:
    if content.get("backend") not in (None, "local"):
        raise InputError(
            f"{place}: backend is {content['backend']!r}; what is trained here is trained on this machine."
        )
    hub = _section(content, "hub", place)
    if hub.get("push_to_hub"):
        raise InputError(f"{place}: push_to_hub is true; models are written to a folder here, and uploaded by nobody.")
    if hub:
        found.notes.append("hub is left out: nothing is uploaded")
