"""What a check of training data says, and the collecting of it while the data pass by once."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from secondpass.data.training import TrainExample
from secondpass.data.training_texts import text_key
from secondpass.types import Json

Severity = Literal["spoils", "warning", "note"]
"""``spoils``: a model learns something false or nothing from it. ``warning``: it costs quality. ``note``: know it."""
_PLACES = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """One kind of thing that was found: how often, of how many, where first, and what to do about it.

    ``name`` is fixed, for machines; ``what`` says it in words.
    """

    name: str
    severity: Severity
    count: int
    of: int
    what: str
    advice: str
    places: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What was found in a file; ``facts`` are figures that are neither good nor bad.

    ``rows`` is what could be read, ``bad_lines`` what could not. ``bounds`` says what was not looked at in full.
    """

    path: str
    form: str
    rows: int
    bad_lines: int
    findings: tuple[Finding, ...]
    facts: Mapping[str, Json]
    bounds: tuple[str, ...] = ()

    @property
    def spoiled(self) -> bool:
        """Whether something was found that spoils training."""
        return any(finding.severity == "spoils" for finding in self.findings)


@dataclass(frozen=True, slots=True)
class SeenExample:
    """An example that passes by, with the keys of its texts (equal for texts of one form) and its line."""

    example: TrainExample
    line: int
    query: int
    positives: tuple[int, ...]
    negatives: tuple[int, ...]


def seen(example: TrainExample) -> SeenExample:
    """Return an example with its keys."""
    line = example.place.rpartition(":")[2]
    return SeenExample(
        example,
        int(line) if line.isdigit() else 0,
        text_key(example.query),
        tuple(text_key(text) for text in example.positives),
        tuple(text_key(text) for text in example.negatives),
    )


class Collector(Protocol):
    """Looks at every example once, and says at the end what it found."""

    def see(self, row: SeenExample) -> None:
        """Look at one example."""
        ...

    def findings(self) -> Iterator[Finding]:
        """Say what was found."""
        ...


@dataclass(slots=True)
class Tally:
    """Counts by name, with the first places of each."""

    counts: Counter[str] = field(default_factory=Counter)
    places: dict[str, list[str]] = field(default_factory=dict)

    def add(self, name: str, place: str) -> None:
        """Count one thing found."""
        self.counts[name] += 1
        first = self.places.setdefault(name, [])
        if len(first) < _PLACES and place not in first:
            first.append(place)

    def finding(self, name: str, severity: Severity, of: int, what: str, advice: str) -> Iterator[Finding]:
        """Yield what was counted under ``name``, if anything was."""
        if self.counts[name]:
            yield Finding(name, severity, self.counts[name], of, what, advice, tuple(self.places.get(name, ())))


def file_of(example: TrainExample) -> str:
    """Return the file that an example was read from."""
    return example.place.rpartition(":")[0]


def first_places(file: str, lines: Iterable[int]) -> tuple[str, ...]:
    """Return the first of ``lines`` as places."""
    return tuple(f"{file}:{line}" for line in itertools.islice(dict.fromkeys(lines), _PLACES))
