"""Settings of one stage, behind its name: ``./t5[profile=castorini/monot5-base-msmarco]``, ``./qwen3[engine=torch]``.

What the options of a command say holds for every stage; a setting holds for its own, also within ``fuse:``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, get_args

from secondpass.errors import InputError
from secondpass.models.engine import EngineName, Precision
from secondpass.models.name_settings import split_settings
from secondpass.models.reading_choices import Skiplist, WindowUnit
from secondpass.rerank.options import RerankerOptions

_LEAST_TOKENS = 8
_Read = Callable[[RerankerOptions, str], RerankerOptions]


def with_settings(text: str, options: RerankerOptions) -> tuple[str, RerankerOptions]:
    """Return the model's name in ``text``, and ``options`` with what the brackets behind it say.

    Raises:
        InputError: there is no such setting, or it has another form.
    """
    name, settings = split_settings(text)
    for key, value in settings.items():
        read = _SETTINGS.get(key)
        if read is None:
            raise InputError(
                f"{text!r} has the setting {key!r} behind the name; a model has the settings {', '.join(_SETTINGS)}."
            )
        options = read(options, value)
    return name, options


def parse_compress(text: str) -> tuple[int, tuple[int, ...]]:
    """Read ``2@24,40``: how many tokens become one, and before which layers.

    >>> parse_compress("2@24,40")
    (2, (24, 40))

    Raises:
        InputError: it is not written like that.
    """
    ratio, _, layers = text.partition("@")
    numbers = [ratio, *layers.split(",")]
    if not all(number.strip().isdecimal() for number in numbers):
        raise InputError(
            f"compress is {text!r}; write how many tokens become one (1, 2, 4 or 8) and before which layers, such as "
            "2@24,40."
        )
    return int(ratio), tuple(int(number) for number in numbers[1:])


def format_compress(ratio: int, layers: Sequence[int]) -> str:
    """Return what `parse_compress` reads."""
    return f"{ratio}@{','.join(map(str, layers))}"


def _chosen(key: str, value: str, accepted: Sequence[str]) -> Any:
    """Return ``value``, which is one of a Literal's."""
    if value not in accepted:
        raise InputError(f"The setting {key} is {value!r}; accepted are {', '.join(accepted)}.")
    return value


def _number(key: str, value: str, least: int) -> int:
    if not value.isdecimal() or int(value) < least:
        raise InputError(f"The setting {key} is {value!r}; accepted is a whole number of {least} or more.")
    return int(value)


def _profile(options: RerankerOptions, value: str) -> RerankerOptions:
    return replace(options, profile=value)


def _engine(options: RerankerOptions, value: str) -> RerankerOptions:
    return replace(options, engine=replace(options.engine, name=_chosen("engine", value, get_args(EngineName))))


def _precision(options: RerankerOptions, value: str) -> RerankerOptions:
    return replace(options, engine=replace(options.engine, precision=_chosen("precision", value, get_args(Precision))))


def _device(options: RerankerOptions, value: str) -> RerankerOptions:
    return replace(options, engine=replace(options.engine, device=value))


def _max_tokens(options: RerankerOptions, value: str) -> RerankerOptions:
    return replace(options, max_tokens=_number("max-tokens", value, _LEAST_TOKENS))


def _window_unit(options: RerankerOptions, value: str) -> RerankerOptions:
    return replace(options, window_unit=_chosen("window-unit", value, get_args(WindowUnit)))


def _skiplist(options: RerankerOptions, value: str) -> RerankerOptions:
    return replace(options, skiplist=_chosen("skiplist", value, get_args(Skiplist)))


def _layer(options: RerankerOptions, value: str) -> RerankerOptions:
    return replace(options, layer=_number("layer", value, 1))


def _compress(options: RerankerOptions, value: str) -> RerankerOptions:
    return replace(options, compress=parse_compress(value))


_SETTINGS: dict[str, _Read] = {
    "profile": _profile, "engine": _engine, "precision": _precision, "device": _device, "max-tokens": _max_tokens,
    "window-unit": _window_unit, "skiplist": _skiplist, "layer": _layer, "compress": _compress,
}  # fmt: skip
