"""Have a chat model write questions for passages, and keep those that will teach something.

First the model is asked: what it says is kept line by line, by passage, so that nothing is paid for twice. Then its
questions are filtered; other filters need no new calls.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

from secondpass.data.passage_choice import Passage
from secondpass.data.resumable import ResumableFile
from secondpass.data.synthesis_filters import QuestionFilter
from secondpass.data.synthesis_prompts import (
    PROMPT_VERSION,
    FewShot,
    question_messages,
    question_schema,
    read_questions,
    reminder,
)
from secondpass.data.training import TrainExample
from secondpass.data.training_write import write_examples
from secondpass.data.work_progress import Progress, no_progress
from secondpass.rerank.ranking_cache import MemoryReplies
from secondpass.rerank.ranking_calls import CallEngine, CallOptions, Question, RankingRun
from secondpass.rerank.ranking_replies import Reading
from secondpass.rerank.ranking_report import RankingReport
from secondpass.text.language import language
from secondpass.types import LLM, Language, Reply, ReplyForm

_PASSAGES_AT_ONCE = 64  # are handed to the threads that call
_Asked = tuple[tuple[str, ...], int, int]
_NO_REPLY: _Asked = ((), -1, -1)


@dataclass(frozen=True, slots=True)
class SynthesizeOptions:
    """How questions are asked for: ``questions`` for each passage, after ``examples`` (None: the built-in ones)."""

    questions: int = 3
    examples: Mapping[Language, tuple[FewShot, ...]] | None = None
    calls: CallOptions = field(default_factory=CallOptions)


@dataclass(frozen=True, slots=True)
class SynthesizeReport:
    """What was written.

    ``passages``: how many were to be asked about, ``known`` of them before, ``unanswered`` not at all (the server
    failed, or no further call was allowed). ``questions``: how many the model wrote; ``kept`` of them; ``rejected``:
    why the others were not. ``calls``: what this run took; ``prompt_tokens`` and ``completion_tokens``: what all did.
    """

    path: str
    passages: int
    known: int
    unanswered: int
    questions: int
    kept: int
    rejected: Mapping[str, int]
    calls: RankingReport
    prompt_tokens: int
    completion_tokens: int


def synthesize(
    passages: Iterable[Passage],
    target: Path,
    llm: LLM,
    keep: QuestionFilter,
    options: SynthesizeOptions | None = None,
    progress: Progress = no_progress,
    total: int | None = None,
) -> SynthesizeReport:
    """Write examples of questions that ``llm`` writes for ``passages`` to ``target``, in FlagEmbedding's form.

    Replies are kept in ``TARGET.questions.jsonl``; a passage that has its questions there, by the same model and
    prompt, is not asked about again, wherever it stands among the others.

    Raises:
        RemoteError: the server failed several times in a row; what it said before is kept.
        InputError: a place cannot be written.
    """
    options = options or SynthesizeOptions()
    asker = _Asker(llm, options)
    counts: Counter[str] = Counter()
    with ResumableFile(target.with_name(f"{target.name}.questions.jsonl"), {}, reopen=True) as journal:
        wanted = _ask_all(passages, asker, journal, counts, progress, total)
        calls = asker.run.report()
        written = write_examples(target, "flag", _examples(journal.done(), wanted, keep, counts, progress))
        journal.finish()
    return SynthesizeReport(
        str(target),
        counts["passages"],
        counts["known"],
        counts["passages"] - counts["answered"],
        counts["questions"],
        written.examples,
        dict(keep.rejected),
        calls,
        counts["prompt_tokens"],
        counts["completion_tokens"],
    )


def _ask_all(
    passages: Iterable[Passage],
    asker: _Asker,
    journal: ResumableFile,
    counts: Counter[str],
    progress: Progress,
    total: int | None,
) -> set[str]:
    """Ask about every passage that was not asked about before, and return the keys of all."""
    known = {str(record["key"]) for record in journal.done()}
    wanted: set[str] = set()
    reading = iter(passages)
    while part := list(itertools.islice(reading, _PASSAGES_AT_ONCE)):
        new: list[tuple[str, Passage]] = []
        for passage in part:
            key = asker.key(passage)
            if key not in known and key not in wanted:
                new.append((key, passage))
            wanted.add(key)
        asker.ask(new, journal)
        counts["known"] += len(part) - len(new)
        counts["passages"] += len(part)
        progress("passages asked about", counts["passages"], total)
    return wanted


class _Asker:
    """Asks about passages side by side, and writes down what comes as soon as it comes."""

    def __init__(self, llm: LLM, options: SynthesizeOptions) -> None:
        self._model, self._options = llm.name, options
        self.run = RankingRun(CallEngine(llm, options.calls, MemoryReplies()))
        self._lock = threading.Lock()

    def key(self, passage: Passage) -> str:
        """Return what questions depend on: the passage, the model and the prompt."""
        examples = self._examples(language(passage.text))
        shots = [[shot.passage, *shot.questions] for shot in examples]
        parts = [self._model, PROMPT_VERSION, self._options.questions, shots, passage.id, passage.text]
        return blake2b(json.dumps(parts).encode(), digest_size=12).hexdigest()

    def ask(self, passages: Sequence[tuple[str, Passage]], journal: ResumableFile) -> None:
        """Ask about passages that were not asked about before."""

        def one(item: tuple[str, Passage]) -> None:
            key, passage = item
            questions, prompt, completion = self.run.ask(self._question(passage))
            if prompt < 0:
                return
            record = {
                "key": key,
                "id": passage.id,
                "questions": list(questions),
                "model": self._model,
                "prompt": PROMPT_VERSION,
                "prompt_tokens": prompt,
                "completion_tokens": completion,
                "text": passage.text,
            }
            with self._lock:
                journal.append(record)

        self.run.map(one, passages)

    def _question(self, passage: Passage) -> Question[_Asked]:
        code, count = language(passage.text), self._options.questions

        def read(reply: Reply) -> Reading[_Asked]:
            reading = read_questions(reply.text, count)
            value = (reading.value, reply.tokens.prompt, reply.tokens.completion)
            return replace(reading, value=value)  # type: ignore[arg-type,return-value]

        messages = question_messages(passage.text, count, code, self._examples(code))
        form = ReplyForm(schema=question_schema(count))
        return Question(messages, read, _NO_REPLY, reminder(count, code), form)

    def _examples(self, code: Language) -> tuple[FewShot, ...]:
        return (self._options.examples or {}).get(code, ())


def _examples(
    records: Iterable[Mapping[str, Any]],
    wanted: set[str],
    keep: QuestionFilter,
    counts: Counter[str],
    progress: Progress,
) -> Iterator[TrainExample]:
    """Yield an example for each question that is kept, with who wrote it."""
    for record in records:
        if record["key"] not in wanted:
            continue
        counts["answered"] += 1
        for name in ("prompt_tokens", "completion_tokens"):
            counts[name] += record[name]
        counts["questions"] += len(record["questions"])
        for question, rank in keep.keep(record["questions"], record["text"], record["id"]):
            by = {"by": "model", "model": record["model"], "prompt": record["prompt"], "round_trip_rank": rank}
            yield TrainExample(question, (record["text"],), provenance={"positive_ids": [record["id"]], "question": by})
        progress("passages whose questions were filtered", counts["answered"], len(wanted))
