"""A chat model as the judge of questions that nobody has judged: a grade for every question and passage.

In the manner of UMBRELA (arXiv:2406.06519). Each pair is asked about by itself; what cannot be read is asked for once
more, then left without a label and counted. Labels are written as they come.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from secondpass.evaluate.labelling_files import Label, LabelFile
from secondpass.evaluate.labelling_prompts import FORM, HIGHEST_GRADE, PROMPT, REMINDER, label_messages
from secondpass.evaluate.running import Progress, Silence
from secondpass.rerank.ranking_cache import MemoryReplies
from secondpass.rerank.ranking_calls import CallEngine, CallOptions, Question, RankingRun
from secondpass.rerank.ranking_passages import cut_to_tokens, fence
from secondpass.rerank.ranking_replies import Reading, read_grade
from secondpass.rerank.ranking_report import RankingReport
from secondpass.text.language import language
from secondpass.types import LLM, Reply

_PASSAGE_TOKENS = 1024
_QUERY_TOKENS = 512
_Graded = tuple[int, str] | None


@dataclass(frozen=True, slots=True)
class Pair:
    """A question and a passage that are to be judged."""

    query_id: str
    query: str
    doc_id: str
    passage: str


@dataclass(frozen=True, slots=True)
class LabellingReport:
    """The labels of all pairs that have one, and what they took.

    ``known``: they were there before. ``unlabelled``: no usable reply came. ``cut``: passages that were not shown to
    their end. ``calls``: what was asked, clean, repaired and lost.
    """

    model: str
    pairs: int
    known: int
    unlabelled: int
    cut: int
    labels: tuple[Label, ...]
    calls: RankingReport

    @property
    def grades(self) -> Mapping[int, int]:
        """How many labels there are of each grade."""
        return {
            grade: sum(label.grade == grade for label in self.labels) for grade in reversed(range(HIGHEST_GRADE + 1))
        }


def label_pairs(
    pairs: Sequence[Pair],
    llm: LLM,
    file: LabelFile,
    calls: CallOptions | None = None,
    progress: Progress | None = None,
) -> LabellingReport:
    """Have ``llm`` grade every pair from 0 to 3, those that ``file`` knows excepted.

    ``calls.max_calls`` is for all pairs together.

    Raises:
        RemoteError: the server failed several times in a row, or gave no reply at all; labels that came are kept.
    """
    engine = CallEngine(llm, calls or CallOptions(), MemoryReplies())
    asked = [_ask(pair) for pair in pairs]
    keys = [engine.key(question) for question, _ in asked]
    missing = [place for place, key in enumerate(keys) if key not in file.known]
    progress = progress or Silence()
    progress.begin("labels", llm.name, len(pairs), len(pairs) - len(missing))
    run = RankingRun(engine)
    lock = threading.Lock()

    def work(place: int) -> None:
        pair, (question, _) = pairs[place], asked[place]
        graded: _Graded = run.ask(question) if fence(pair.passage) else (0, "empty")
        with lock:
            if graded is not None:
                file.add(Label(pair.query_id, pair.doc_id, graded[0], llm.name, graded[1], keys[place]))
            progress.advance()

    first_of = {keys[place]: place for place in reversed(missing)}  # equal texts of a question are asked about once
    run.map(work, list(first_of.values())[::-1])
    labels = tuple(_for(pair, file.known[key]) for pair, key in zip(pairs, keys, strict=True) if key in file.known)
    return LabellingReport(
        model=llm.name,
        pairs=len(pairs),
        known=len(pairs) - len(missing),
        unlabelled=len(pairs) - len(labels),
        cut=sum(cut for _, cut in asked),
        labels=labels,
        calls=run.report(),
    )


def _for(pair: Pair, label: Label) -> Label:
    """Return a label under the ids of ``pair``: another passage of the same text shares it."""
    return Label(pair.query_id, pair.doc_id, label.grade, label.model, label.reading, label.key)


def _ask(pair: Pair) -> tuple[Question[_Graded], bool]:
    """Return what is asked about a pair, and whether its passage is cut."""
    code = language(pair.query)
    whole = fence(pair.passage)
    shown = cut_to_tokens(whole, _PASSAGE_TOKENS) if whole else ""
    query = cut_to_tokens(fence(pair.query) or "?", _QUERY_TOKENS)
    question = Question(label_messages(query, shown, code), _read, None, REMINDER[code], FORM)
    return question, len(shown) < len(whole)


def _read(reply: Reply) -> Reading[_Graded]:
    """Read a grade; a broken one counts for the lower whole one, and as repaired."""
    reading = read_grade(reply.text, HIGHEST_GRADE)
    if reading.value is None:
        return Reading(None, "fallback")
    whole = reading.value.is_integer()
    outcome = reading.outcome if whole else "repaired"
    return Reading((int(reading.value), outcome), outcome, reading.structured)


def about_labels(report: LabellingReport) -> dict[str, Any]:
    """Return who labelled what, for the file beside the judgements."""
    calls = asdict(report.calls)
    return {
        "format": "secondpass labels",
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": version("secondpass"),
        "judge": report.model,
        "prompt": PROMPT,
        "grades": {str(grade): count for grade, count in report.grades.items()},
        "pairs": report.pairs,
        "known_before": report.known,
        "unlabelled": report.unlabelled,
        "cut": report.cut,
        "repaired": sum(label.reading == "repaired" for label in report.labels),
        "calls": {name: calls[name] for name in ("calls", "prompt_tokens", "completion_tokens", "cost", "failed")},
    }
