"""Whether a model's family can do what is asked of it, said before the model is loaded."""

from __future__ import annotations

from collections.abc import Iterator

from secondpass.errors import InputError
from secondpass.models.profiles import Family
from secondpass.rerank.options import RerankerOptions
from secondpass.rerank.stage_settings import format_compress

_LIGHT = ("cross-encoder", "late-interaction")
"""Families that run without torch."""
_IN_TORCH = {"engine": ("torch", "auto"), "precision": ("f32", "bf16")}
_LAYERED: tuple[Family, ...] = ("layerwise", "lightweight")


def is_light(family: str) -> bool:
    """Say whether models of a family run without torch."""
    return family in _LIGHT


def check_fit(name: str, family: str, options: RerankerOptions) -> None:
    """Refuse what models of ``family`` do not have; ``name`` is what the model is called.

    Raises:
        InputError: the message says what the family lacks, and how one of several models is asked alone.
    """
    asked = {"engine": options.engine.name, "precision": options.engine.precision}
    for setting, accepted in _IN_TORCH.items():
        if not is_light(family) and asked[setting] not in accepted:
            raise InputError(
                f"{name} is a {family} model; such models run with the {setting} {' or '.join(accepted)}, and "
                f"{asked[setting]} was asked for. If that is for other rerankers of the command, write this one's own "
                f"behind its name: '{name}[{setting}={accepted[0]}]'."
            )
    for setting, value, problem in _misfits(family, options):
        raise InputError(
            f"{name} is a {family} model, and {problem}. What an option of the command says holds for every "
            f"reranker; for one of several, leave the option out and write it behind that one's name, such as "
            f"'./folder[{setting}={value}]'."
        )
    if options.cut_long and options.window_unit != "tokens":
        raise InputError(
            f"{name} is to cut long passages and to read them in windows of {options.window_unit}; ask for one of them."
        )


def settings_in_words(options: RerankerOptions) -> str:
    """Return what is asked for otherwise than the model says, for the note on what was opened; or nothing."""
    words = []
    if options.window_unit != "tokens":
        words.append(f"windows of {options.window_unit}")
    if options.skiplist != "checkpoint":
        words.append(f"skip list {options.skiplist}")
    if options.layer is not None:
        words.append(f"score after layer {options.layer}")
    if options.compress is not None:
        ratio, layers = options.compress
        words.append(f"{ratio} tokens made one before layer {', '.join(map(str, layers))}")
    return "".join(f", {word}" for word in words)


def _misfits(family: str, options: RerankerOptions) -> Iterator[tuple[str, str, str]]:
    """Yield the settings that the family does not have: the name, the value, and why."""
    if options.window_unit != "tokens" and family != "cross-encoder":
        yield "window-unit", options.window_unit, "only cross-encoders read long passages in windows of sentences"
    if options.skiplist != "checkpoint" and family != "late-interaction":
        yield "skiplist", options.skiplist, "only ColBERT and other late interaction have a skip list"
    if options.layer is not None and family not in _LAYERED:
        yield "layer", str(options.layer), "only BGE's layerwise and lightweight models give a score after a layer"
    if options.compress is not None and family != "lightweight":
        yield "compress", format_compress(*options.compress), "only BGE's lightweight model compresses passages"
