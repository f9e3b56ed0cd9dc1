"""Find hard negatives: passages that a first stage holds for right and that are wrong."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any

from secondpass.data.negative_sources import FoundPassage, NegativeSource
from secondpass.data.passages import BadLine
from secondpass.data.resumable import ResumableFile
from secondpass.data.row_miner import MineOptions, RowMiner
from secondpass.data.teacher import Teacher
from secondpass.data.training import TrainExample
from secondpass.data.training_check import by_question
from secondpass.data.training_convert import usable
from secondpass.data.training_read import Examples
from secondpass.data.training_texts import text_key
from secondpass.data.training_write import records_of
from secondpass.data.work_progress import Progress, no_progress

_QUESTIONS_AT_ONCE = 256
"""Questions that share one pass over the corpus' vectors, and whose passages lie in memory together."""


@dataclass(frozen=True, slots=True)
class MineReport:
    """What was mined: rows (``known`` of them were done before), negatives, and how often passages were not taken.

    ``short``: rows that have fewer negatives than wanted; ``drawn``: negatives drawn by lot; ``without_positive``: rows
    that were left out, because nothing is right in them.
    """

    path: str
    rows: int
    known: int
    mined: int
    drawn: int
    short: int
    without_positive: int
    rejected: Mapping[str, int]


def mine(
    examples: Examples,
    source: NegativeSource,
    target: Path,
    options: MineOptions,
    teacher: Teacher | None = None,
    problems: list[BadLine] | None = None,
    progress: Progress = no_progress,
) -> MineReport:
    """Write ``examples`` with mined negatives to ``target``, in FlagEmbedding's form with where each came from.

    What an interrupted run has done is not done again. With a teacher, its scores of all passages are written too.

    Raises:
        InputError: the options mean nothing, or the place cannot be written.
    """
    window = options.window(teacher is not None)
    problems = [] if problems is None else problems
    right = _Right(examples)
    counts: Counter[str] = Counter()
    rejected: Counter[str] = Counter()
    settings: dict[str, Any] = {**_plain(asdict(options)), "source": source.name, "data": examples.path}
    settings |= {"teacher": teacher.name if teacher else None, "ranks": list(window)}
    with ResumableFile(target, settings) as output:
        done = Counter(_record_key(record) for record in output.done())
        counts["known"] = done.total()
        found = usable(examples, problems)
        rows = by_question(found) if examples.form == "pairs" else found
        miner = RowMiner(source, teacher, options, rejected)
        for example, ranked in _ranked(_not_done(rows, done, counts), source, miner):
            progress("questions", counts["known"] + counts["looked_at"] + 1, right.rows)
            mined = miner.mine(example, right.of(example.query), ranked)
            counts["looked_at"] += 1
            counts["useless"] += not mined.positives
            for record in records_of(mined, "flag", Counter()):
                output.append(record)
        output.finish()
    counts += miner.counts
    return MineReport(
        str(target),
        counts["rows"],
        counts["known"],
        counts["mined"],
        counts["drawn"],
        counts["short"],
        counts["useless"],
        dict(rejected),
    )


def _not_done(examples: Iterable[TrainExample], done: Counter[bytes], counts: Counter[str]) -> Iterator[TrainExample]:
    """Yield what an interrupted run left, and count all."""
    for example in examples:
        counts["rows"] += 1
        key = _key(example.query, example.positives)
        if done[key]:
            done[key] -= 1
        else:
            yield example


def _ranked(
    examples: Iterator[TrainExample], source: NegativeSource, miner: RowMiner
) -> Iterator[tuple[TrainExample, Sequence[FoundPassage]]]:
    """Yield examples with what the first stage found, which is asked for many questions at a time."""
    while some := list(islice(examples, _QUESTIONS_AT_ONCE)):
        queries = list(dict.fromkeys(example.query for example in some if miner.wants(example)))
        found = dict(zip(queries, source.find(queries, miner.depth), strict=True))
        for example in some:
            yield example, found.get(example.query, ()) if miner.wants(example) else ()


class _Right:
    """All positives of each question, as hashes: a question may stand in several rows."""

    def __init__(self, examples: Examples) -> None:
        self._of: dict[int, array[int]] = {}
        self.rows = 0
        for example in usable(examples, []):
            self.rows += 1
            keys = self._of.setdefault(text_key(example.query), array("Q"))
            keys.extend(text_key(text) for text in example.positives)

    def of(self, query: str) -> Sequence[int]:
        """Return the keys of the positives of a question."""
        return self._of.get(text_key(query), ())


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}


def _record_key(record: Mapping[str, Any]) -> bytes:
    return _key(record["query"], record["pos"])


def _key(query: str, positives: Sequence[str]) -> bytes:
    return blake2b("\x1f".join([query, *positives]).encode(), digest_size=16).digest()
