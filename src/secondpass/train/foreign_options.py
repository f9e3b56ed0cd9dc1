"""Options written for other trainers, as ours: what they become, and what was said of them that means nothing here."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from secondpass.errors import InputError


@dataclass(slots=True)
class Translated:
    """Options by their names here, and notes on what was left out or is meant otherwise."""

    values: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Names:
    """The options of another trainer.

    ``same``: theirs to ours, the value staying what it is. ``without_effect``: theirs, and why nothing is done with
    them here. ``refused``: theirs that would change the result, and what to do instead.
    """

    trainer: str
    same: Mapping[str, str]
    without_effect: Mapping[str, str]
    refused: Mapping[str, str]


def take_over(given: Mapping[str, Any], names: Names, handled: Iterable[str], place: str) -> Translated:
    """Translate what needs no thought; ``handled`` are theirs that the caller sees to.

    Raises:
        InputError: an option is refused, or the other trainer has no such option.
    """
    found = Translated()
    known = {*names.same, *names.without_effect, *names.refused, *handled}
    for name, value in given.items():
        if name in names.refused:
            raise InputError(f"{place}: {name} is not taken over: {names.refused[name]}.")
        if name in names.without_effect:
            found.notes.append(f"{name} is left out: {names.without_effect[name]}")
        elif name in names.same:
            found.values[names.same[name]] = value
        elif name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise InputError(f"{place}: {names.trainer} has no option {name!r}.{hint}")
    return found


def number(given: Mapping[str, Any], name: str, default: float, place: str, kind: Callable[[Any], Any] = int) -> Any:
    """Return a number that was given, or the other trainer's default.

    Raises:
        InputError: it is none.
    """
    value = given.get(name, default)
    try:
        return kind(value)
    except (TypeError, ValueError) as error:
        raise InputError(f"{place}: {name} is {value!r}; accepted is a number.") from error
