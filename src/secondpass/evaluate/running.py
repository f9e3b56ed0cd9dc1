"""Work out what is not known yet, question by question, and keep it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from secondpass.errors import InputError
from secondpass.evaluate.candidates import QuestionList, TaskLists
from secondpass.evaluate.first_stages import FirstStage, arrival_hits
from secondpass.evaluate.identity import inner_rerankers
from secondpass.evaluate.outcome_store import OutcomeStore, outcome_key
from secondpass.evaluate.outcomes import Outcome
from secondpass.evaluate.systems import OpenedSystem
from secondpass.rerank.pairs import PairReranker, ReadingCounts
from secondpass.types import Hit

_KEYS_AT_ONCE = 10_000
_WARM_UP = ("速度 speed", "重排模型同时阅读问题和段落。A reranker reads question and passage together.")
_LOCAL_MODELS = ("secondpass.models.", "secondpass.rerank.blend")


class Progress(Protocol):
    """Hears how far an evaluation is."""

    def begin(self, task: str, system: str, questions: int, known: int) -> None:
        """Hear what is worked out next: ``questions`` in all, of which ``known`` are known already."""
        ...

    def advance(self) -> None:
        """Hear that one more question is done."""
        ...

    def message(self, text: str) -> None:
        """Hear what is being done otherwise."""
        ...


class Silence:
    """Progress that nobody hears."""

    def begin(self, task: str, system: str, questions: int, known: int) -> None:
        """Say nothing."""

    def advance(self) -> None:
        """Say nothing."""

    def message(self, text: str) -> None:
        """Say nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Desk:
    """What working out needs: where outcomes are kept, whether known ones are taken over, and who hears of it.

    ``scratch`` is gone with the evaluation: for systems of which nothing says what their order depends on.
    """

    store: OutcomeStore
    scratch: OutcomeStore
    progress: Progress
    fresh: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """One system's outcomes on one task: ``outcome`` finds or makes that of a question with candidates.

    ``key`` says everything that they depend on beside question and candidates.
    """

    key: str
    outcome: Callable[[QuestionList], Outcome]


def work_out(lists: TaskLists, name: str, key: str, work: Callable[[QuestionList], Outcome], desk: Desk) -> Column:
    """Have ``work`` done for every question of a task whose outcome is not known, and return all outcomes."""
    query_ids = lists.with_candidates
    known = set() if desk.fresh else _known(lists, query_ids, key, desk.store)
    desk.progress.begin(lists.name, name, len(query_ids), len(known))
    for query_id in query_ids:
        if query_id not in known:
            question = lists.question(query_id)
            desk.store.put(outcome_key(question.digest, key), work(question))
            desk.progress.advance()
    desk.store.commit()

    def kept(question: QuestionList) -> Outcome:
        found = desk.store.get(outcome_key(question.digest, key))
        if found is None:
            raise LookupError(f"{name} on question {question.query_id!r} of {lists.name!r} is no longer in the store")
        return found

    return Column(key, kept)


def _known(lists: TaskLists, query_ids: list[str], key: str, store: OutcomeStore) -> set[str]:
    known: set[str] = set()
    for first in range(0, len(query_ids), _KEYS_AT_ONCE):
        keys = {
            outcome_key(lists.question(name).digest, key): name for name in query_ids[first : first + _KEYS_AT_ONCE]
        }
        known.update(keys[found] for found in store.known(list(keys)))
    return known


def work_out_stage(lists: TaskLists, stage: FirstStage, desk: Desk) -> Column:
    """Have a first stage order every question's candidates."""
    return work_out(lists, stage.name, stage.key, stage.outcome, desk)


def work_out_reranker(lists: TaskLists, system: OpenedSystem, name: str, arrival: Column, desk: Desk) -> Column:
    """Have a reranker order every question's candidates, as the first stage ``name`` hands them over."""
    warm: list[bool] = []

    def work(question: QuestionList) -> Outcome:
        if not warm:
            _warm_up(system)
            warm.append(True)
        return rerank_question(
            question, arrival_hits(question, lists.passages, name, arrival.outcome(question)), system
        )

    place = desk if system.kept else replace(desk, store=desk.scratch)
    return work_out(lists, system.name, f"{system.key}\0{name}\0{arrival.key}", work, place)


def rerank_question(question: QuestionList, hits: list[Hit], system: OpenedSystem) -> Outcome:
    """Return what ``system`` makes of ``hits``, with what it took."""
    readers = [part for part in inner_rerankers(system.reranker) if isinstance(part, PairReranker)]
    before = [reader.counts for reader in readers]
    start = time.perf_counter()
    ranked = system.reranker.rerank(question.query, hits)
    seconds = time.perf_counter() - start
    known, truncated = _read(before, [reader.counts for reader in readers])
    places = {candidate.doc_id: place for place, candidate in enumerate(question.candidates)}
    strange = next((hit.chunk.id for hit in ranked if hit.chunk.id not in places), None)
    if strange is not None:
        raise InputError(
            f"{system.name} returned the passage {strange!r}, which it was not given; only systems that order and cut "
            "can be evaluated."
        )
    probabilities = [hit.probability for hit in ranked if hit.probability is not None]
    return Outcome(
        positions=np.array([places[hit.chunk.id] for hit in ranked], np.uint32),
        scores=np.array([hit.score for hit in ranked], np.float64),
        scale=ranked[0].scale if ranked else "unknown",
        probabilities=np.array(probabilities) if ranked and len(probabilities) == len(ranked) else None,
        seconds=seconds,
        pairs=max(len(hits) - known, 0),
        known=known,
        truncated=truncated if readers else sum(hit.truncated for hit in ranked),
    )


def _read(before: list[ReadingCounts], after: list[ReadingCounts]) -> tuple[int, int]:
    """Return how many scores of a question were known, and how many passages were not read whole."""
    pairs = list(zip(before, after, strict=True))
    known = sum(late.known - early.known for early, late in pairs)
    return known, sum(late.truncated - early.truncated for early, late in pairs)


def _warm_up(system: OpenedSystem) -> None:
    """Let models on this machine compute something before the first question is timed."""
    for part in inner_rerankers(system.reranker):
        if isinstance(part, PairReranker) and type(part.scorer).__module__.startswith(_LOCAL_MODELS):
            part.scorer.score(_WARM_UP[0], [_WARM_UP[1]])
