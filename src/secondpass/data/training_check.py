"""Look at training data before anything is trained: one pass, hashes in memory, never all texts."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from secondpass.data.check_groups import GroupCheck
from secondpass.data.check_leaks import LeakCheck
from secondpass.data.check_lengths import LengthCheck
from secondpass.data.check_repeats import ConflictCheck, RepeatCheck
from secondpass.data.check_teacher import TeacherCheck
from secondpass.data.check_texts import TextCheck
from secondpass.data.passages import BadLine
from secondpass.data.teacher import Teacher
from secondpass.data.token_lengths import TokenLengths, estimated_lengths
from secondpass.data.training import TrainExample
from secondpass.data.training_convert import usable
from secondpass.data.training_findings import CheckReport, Collector, Finding, seen
from secondpass.data.training_groups import grouped
from secondpass.data.training_read import Examples
from secondpass.data.work_progress import Progress, no_progress
from secondpass.types import Json

_ORDER = {"spoils": 0, "warning": 1, "note": 2}


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """What is looked at, and how far.

    ``dev``: the development set, for leaks. ``lengths``: how tokens are counted, and the limit, on a sample of
    ``length_rows``. ``teacher``: what scores a sample of ``teacher_rows`` (None: nothing does). ``near``: what share of
    their runs near-equal texts have in common; they are looked for within the first ``near_rows`` rows and among
    ``near_dev`` questions and positives of the development set.
    """

    dev: Examples | None = None
    lengths: TokenLengths = field(default_factory=lambda: estimated_lengths(None))
    length_rows: int = 5_000
    teacher: Teacher | None = None
    teacher_rows: int = 500
    near: float = 0.8
    near_rows: int = 50_000
    near_dev: int = 100_000
    seed: int = 13


@dataclass(frozen=True, slots=True)
class Checked:
    """A report, and what `clean` needs to leave out what was found."""

    report: CheckReport
    repeated_lines: frozenset[int]
    leaking_lines: frozenset[int]
    conflicts: frozenset[int]


def check(
    train: Examples,
    options: CheckOptions | None = None,
    problems: list[BadLine] | None = None,
    progress: Progress = no_progress,
) -> Checked:
    """Read ``train`` once and report; lines that cannot be used are added to ``problems``.

    Pairs are looked at by question: a file of pairs is brought together first.

    Raises:
        InputError: a file cannot be read, or a line of the development set cannot be used.
    """
    options, problems = options or CheckOptions(), [] if problems is None else problems
    checks = _Checks.of(options, problems, progress)
    found = usable(train, problems)
    rows = 0
    for example in by_question(found) if train.form == "pairs" else found:
        row = seen(example)
        for collector in checks.collectors:
            collector.see(row)
        rows += 1
        progress("rows", rows, None)
    found_out = [finding for collector in checks.collectors for finding in collector.findings()]
    found_out.sort(key=lambda finding: _ORDER[finding.severity])
    report = CheckReport(
        path=train.path,
        form=train.form,
        rows=rows,
        bad_lines=len(problems),
        findings=(*_bad_lines(problems), *found_out),
        facts=checks.facts(),
        bounds=checks.bounds(),
    )
    return Checked(
        report,
        frozenset(checks.repeats.repeated_lines),
        frozenset(checks.leaks.leaking if checks.leaks else ()),
        frozenset(checks.conflicts.conflicts),
    )


@dataclass(frozen=True, slots=True)
class _Checks:
    """The collectors of one check."""

    texts: TextCheck
    repeats: RepeatCheck
    conflicts: ConflictCheck
    groups: GroupCheck
    lengths: LengthCheck
    leaks: LeakCheck | None
    teacher: TeacherCheck | None

    @classmethod
    def of(cls, options: CheckOptions, problems: list[BadLine], progress: Progress) -> _Checks:
        """Make those that the options ask for; the development set is read."""
        return cls(
            TextCheck(),
            RepeatCheck(),
            ConflictCheck(options.near, options.near_rows),
            GroupCheck(),
            LengthCheck(options.lengths, options.length_rows, options.seed),
            _leaks(options, problems, progress),
            _teacher(options, progress),
        )

    @property
    def collectors(self) -> list[Collector]:
        """All of them, the slow one last."""
        always: list[Collector] = [self.texts, self.repeats, self.conflicts, self.groups, self.lengths]
        return always + [one for one in (self.leaks, self.teacher) if one is not None]

    def facts(self) -> dict[str, Json]:
        """Return the figures that are neither good nor bad."""
        facts: dict[str, Json] = {"languages": dict(self.texts.languages), **self.groups.facts()}
        facts["characters"] = dict(self.texts.mean_characters())
        facts["lengths"] = self.lengths.facts()
        if self.teacher:
            facts["teacher"] = self.teacher.facts()
        if self.leaks:
            facts["dev_rows"] = self.leaks.dev_rows
        return facts

    def bounds(self) -> tuple[str, ...]:
        """Say what was not looked at in full."""
        said = [self.conflicts.bound, self.lengths.bound, *(self.leaks.bounds if self.leaks else [])]
        return tuple(filter(None, [*said, self.teacher.bound if self.teacher else ""]))


def by_question(examples: Iterable[TrainExample]) -> Iterator[TrainExample]:
    """Bring the rows of one question together."""
    return grouped(examples, Counter())


def _leaks(options: CheckOptions, problems: list[BadLine], progress: Progress) -> LeakCheck | None:
    if options.dev is None:
        return None
    read = usable(options.dev, problems)

    def heard() -> Iterator[TrainExample]:
        for done, example in enumerate(by_question(read) if options.dev and options.dev.form == "pairs" else read, 1):
            progress("rows of the development set", done, None)
            yield example

    return LeakCheck(heard(), options.near, options.near_dev)


def _teacher(options: CheckOptions, progress: Progress) -> TeacherCheck | None:
    if options.teacher is None:
        return None
    heard = functools.partial(progress, "rows scored by the teacher")
    return TeacherCheck(options.teacher, options.teacher_rows, options.seed, heard)


def _bad_lines(problems: list[BadLine]) -> tuple[Finding, ...]:
    if not problems:
        return ()
    places = tuple(problem.reason.split(": ")[0] for problem in problems[:5])
    what, advice = "lines that cannot be used", "mend them, or leave them out (--fix does)"
    return (Finding("bad_lines", "spoils", len(problems), len(problems), what, advice, places),)
