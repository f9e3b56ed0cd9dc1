"""What a training run can be told: every option is a field here; files, flags and forms are made of these fields."""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_type_hints

from secondpass.errors import InputError


def option(default: Any, help_text: str) -> Any:
    """Return a field with its default and the words that help shows."""
    return field(default=default, metadata={"help": help_text})


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """A training run. Lengths count tokens, intervals count steps where nothing else is said."""

    model: str = option("", "Model to start from: a reranker, an embedder or a plain encoder; a folder or a name.")
    train: str = option("", "Examples to learn from, in any form that `secondpass data` reads.")
    dev: str = option("", "Examples or a task folder to measure on; empty: a part of the questions is held back.")
    general: str = option("", "A second task to measure before and after: what must not be forgotten.")
    columns: str = option("", "The files' names for columns, such as query=question,positive=answer.")
    output: str = option("tuned", "Folder for the trained model.")
    loss: str = option("group_softmax", "What is learnt by.")
    evidence: float = option(
        0.0, "Weight of learning where answers stand, by the examples' `answers` (0: not learned)."
    )
    family: str = option("auto", "What is trained; auto: what the model is, and a cross-encoder of a plain encoder.")
    head: str = option(
        "auto", "What a cross-encoder's score is read from; auto: its own head, else the mean of its tokens."
    )
    profile: str = option("", "Known model whose form of input a language model is taught in (none: its own name's).")
    lora_rank: int = option(
        0, "Language models: train updates of this rank (LoRA) beside the weights (0: all weights)."
    )
    lora_alpha: float = option(0.0, "LoRA: updates are multiplied by this over the rank (0: twice the rank).")
    lora_dropout: float = option(0.0, "LoRA: dropout of what goes into the updates.")
    lora_targets: str = option("", "LoRA: names of the layers with updates, q_proj,v_proj (none: all but the head).")
    projection: int = option(128, "New late-interaction models: numbers of a token's vector.")
    query_tokens: int = option(32, "New late-interaction models: tokens of a question, its expansion included.")
    epochs: float = option(1.0, "How often every question is seen.")
    max_steps: int = option(0, "Steps after which the run ends (0: as many as the epochs have).")
    minutes: float = option(0.0, "Time after which the run ends (0: no limit); the rate falls to 0 by then.")
    group_size: int = option(8, "Passages a question: one positive, the rest negatives.")
    hardest_of: int = option(
        0, "Read so many passages of a question first, learn from the group_size that are hardest (0: no choice)."
    )
    batch_size: int = option(16, "Questions a step, on all devices together.")
    accumulation: int = option(1, "Parts in which a step is computed, for less memory.")
    learning_rate: float = option(5e-5, "Highest learning rate.")
    weight_decay: float = option(0.01, "Weight decay (AdamW), not of biases and norms.")
    warmup: float = option(0.1, "Share of the steps, or number of steps from 1 on, in which the rate rises.")
    schedule: str = option("linear", "How the rate falls.")
    max_gradient_norm: float = option(1.0, "Gradients are cut to this length (0: never).")
    max_tokens: int = option(
        0, "Longest input, question and passage; of late interaction the passage (0: its limit, at most 512)."
    )
    dropout: float = option(-1.0, "Dropout of all layers (negative: the model's own).")
    precision: str = option("auto", "How products are computed; weights stay f32.")
    shard: bool = option(False, "Spread weights and moments over the processes (FSDP) instead of keeping all on each.")
    gradient_checkpointing: bool = option(False, "Compute layers twice instead of keeping what they gave: less memory.")
    evaluate_every: int = option(0, "Steps between measurements on dev (0: ten in all).")
    patience: int = option(0, "End after so many measurements without a better one (0: never).")
    measure: str = option("nDCG@10", "The measure by which the best checkpoint is chosen.")
    checkpoint_minutes: float = option(5.0, "Minutes between checkpoints; what a kill loses at most.")
    stop_on_collapse: bool = option(True, "End a run that learns nothing, and say why.")
    margin: float = option(1.0, "Of the loss margin.")
    temperature: float = option(1.0, "Of the losses group_softmax, kl and listnet.")
    positive_weight: float = option(1.0, "Weight of positives in the loss pointwise.")
    absolute: float = option(
        0.0, "Weight of pointwise beside the loss, so that scores can be compared between questions (0: none)."
    )
    distil: float = option(
        0.0, "Share of kl in the loss of questions whose passages have a teacher's scores (0: their labels alone)."
    )
    teacher: str = option(
        "", "Cross-encoder of the same tokens, such as the one this was made smaller from, that is imitated (none: no)."
    )
    imitate: float = option(1.0, "Weight of imitating the teacher beside the loss.")
    layers: str = option("", "Layers of the start that stay, by number from 0, such as 0,2,5 (none: all).")
    heads: int = option(0, "Attention heads that those of the start are joined to: half as many (0: none is joined).")
    neurons: int = option(0, "Neurons of a feed-forward part that stay, those that matter most (0: all).")
    dev_share: float = option(0.1, "Share of the questions held back where no dev data is given.")
    dev_questions: int = option(500, "Most dev questions that are measured.")
    seed: int = option(13, "Of everything drawn at random.")
    threads: int = option(0, "Cores (0: all).")
    tensorboard: bool = option(False, "Also write curves for TensorBoard.")


CHOICES: Mapping[str, tuple[str, ...]] = {
    "loss": (
        "group_softmax", "pointwise", "ranknet", "margin", "listnet", "listmle", "p_listmle", "lambda", "margin_mse",
        "kl",
    ),
    "family": ("auto", "cross-encoder", "causal", "late-interaction"),
    "head": ("auto", "own", "mean", "first"),
    "schedule": ("linear", "cosine", "constant"),
    "precision": ("auto", "f32", "bf16", "fp16"),
}  # fmt: skip
_LEAST: Mapping[str, float] = {
    "epochs": 0, "max_steps": 0, "minutes": 0, "group_size": 2, "batch_size": 1, "accumulation": 1, "learning_rate": 0,
    "weight_decay": 0, "warmup": 0, "max_gradient_norm": 0, "max_tokens": 0, "evaluate_every": 0, "patience": 0,
    "checkpoint_minutes": 0, "dev_questions": 1, "threads": 0, "temperature": 1e-6,
    "lora_rank": 0, "lora_alpha": 0, "lora_dropout": 0, "projection": 1, "query_tokens": 8,
    "positive_weight": 1e-6, "dev_share": 0, "margin": 0, "evidence": 0, "absolute": 0, "hardest_of": 0,
    "distil": 0, "imitate": 0, "heads": 0, "neurons": 0,
}  # fmt: skip


def read_options(path: str | Path | None, settings: Sequence[str] = ()) -> TrainOptions:
    """Read a TOML file of options, then ``settings``, each ``name=value``, which win.

    Raises:
        InputError: a name or a value means nothing; the message says which are accepted.
    """
    values: dict[str, Any] = {}
    if path is not None:
        values = _toml(Path(path))
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals:
            raise InputError(f"--set {setting!r} is no setting; write name=value, such as learning_rate=2e-5.")
        values[name.strip()] = text.strip()
    return make_options(values, str(path) if path else "--set")


def make_options(values: Mapping[str, Any], place: str) -> TrainOptions:
    """Return options of ``values``, by name; ``place`` says in messages where they stand."""
    kinds = get_type_hints(TrainOptions)
    read: dict[str, Any] = {}
    for name, value in values.items():
        if name not in kinds:
            near = difflib.get_close_matches(name, kinds, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise InputError(f"{place}: there is no option {name!r}; known are: {', '.join(kinds)}.{hint}")
        read[name] = _value(name, value, kinds[name], place)
    options = TrainOptions(**read)
    if 0 < options.hardest_of < options.group_size:
        raise InputError(
            f"{place}: hardest_of is {options.hardest_of} and group_size {options.group_size}: of the passages that "
            f"are read, group_size are learned from. Give hardest_of more, such as {4 * options.group_size}, or 0."
        )
    if options.distil > 1:
        raise InputError(f"{place}: distil is {options.distil:g}; it is a share of the loss, from 0 to 1.")
    return options


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is no TOML: {error}.") from error


def _value(name: str, value: Any, kind: type, place: str) -> Any:
    wrong = InputError(f"{place}: {name} is {value!r}; accepted is {_accepted(name, kind)}.")
    if kind is bool:
        words = {"true": True, "false": False}
        if isinstance(value, str) and value.lower() in words:
            return words[value.lower()]
        if not isinstance(value, bool):
            raise wrong
        return value
    if isinstance(value, bool) or not isinstance(value, (kind, str, int)):
        raise wrong
    try:
        read = kind(value)
    except ValueError as error:
        raise wrong from error
    if name in CHOICES and read not in CHOICES[name]:
        raise wrong
    if name in _LEAST and not read >= _LEAST[name]:
        raise wrong
    return read


def _accepted(name: str, kind: type) -> str:
    if name in CHOICES:
        return " or ".join(CHOICES[name])
    words = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}[kind]
    return f"{words} of {_LEAST[name]:g} or more" if name in _LEAST else words


def column_names(options: TrainOptions) -> dict[str, str]:
    """Return our names of columns with the files'.

    Raises:
        InputError: they are not written as query=question,positive=answer.
    """
    pairs = [pair.partition("=") for pair in options.columns.split(",") if pair.strip()]
    if not all(equals and column.strip() for _, equals, column in pairs):
        raise InputError(
            f"columns is {options.columns!r}; write our name and the file's: query=question,positive=answer."
        )
    return {key.strip(): column.strip() for key, _, column in pairs}


def as_toml(options: TrainOptions) -> str:
    """Return the options as a file that gives the same run again, with each option's help above it."""
    lines = []
    for known in dataclasses.fields(options):
        lines += [f"# {known.metadata['help']}", f"{known.name} = {_written(getattr(options, known.name))}", ""]
    return "\n".join(lines)


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return (
        f'"{value.replace(chr(92), chr(92) * 2).replace(chr(34), chr(92) + chr(34))}"'
        if isinstance(value, str)
        else repr(value)
    )
