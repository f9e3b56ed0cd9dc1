"""From what was read to a ranking task: which questions are asked, which passages are kept, what is left out."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from secondpass.data.corpora import Query, Titles
from secondpass.data.tasks import Candidate, RankingTask
from secondpass.errors import InputError
from secondpass.types import Chunk, Qrels, Scale

NOT_SAMPLED = "questions outside the sample"
UNJUDGED = "questions without a judgement"
UNKNOWN_QUERIES = "judgements of unknown questions"
UNKNOWN_LISTS = "lists of unknown questions"
UNKNOWN_PASSAGES = "candidates that are not in the corpus"
BEYOND_DEPTH = "candidates beyond the depth asked for"


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How a task is read.

    ``titles``: ``joined`` before the text, as BEIR's protocol has it, or kept ``apart``. ``passages``: ``all`` of the
    collection, or those that are ``listed`` as candidates, where there are lists and the rest need not be in memory.
    ``sample``: so many questions (None: all), those with the smallest hash of ``seed`` and id, so that a larger sample
    holds the smaller one. ``top_k``: so many candidates of each list, whose order must mean something.
    """

    titles: Titles = "joined"
    passages: Literal["all", "listed"] = "all"
    sample: int | None = None
    seed: int = 13
    top_k: int | None = None

    def __post_init__(self) -> None:
        for name, value in (("sample", self.sample), ("top_k", self.top_k)):
            if value is not None and value < 1:
                raise InputError(f"{name} is {value}; it must be 1 or more.")


@dataclass(frozen=True, slots=True, eq=False)
class TaskParts:
    """What is known of a task before its passages are read.

    ``queries``: those of the split, in their order. ``known``: ids of all questions of the file, of other splits too.
    ``lists`` is None where there are none. ``skipped`` is added to by whoever leaves something out.
    """

    name: str
    queries: Sequence[Query]
    known: Collection[str]
    qrels: Qrels
    lists: Mapping[str, Sequence[Candidate]] | None = None
    first_stage: str = ""
    scale: Scale = "unknown"
    skipped: Counter[str] = field(default_factory=Counter)


def choose_questions(parts: TaskParts, options: ReadOptions) -> TaskParts:
    """Return ``parts`` with the judged questions alone, sampled, and with their judgements and lists."""
    skipped = Counter(parts.skipped)
    skipped[UNKNOWN_QUERIES] += sum(len(grades) for key, grades in parts.qrels.items() if key not in parts.known)
    judged = [query for query in parts.queries if query.id in parts.qrels]
    skipped[UNJUDGED] += len(parts.queries) - len(judged)
    if not judged:
        raise InputError(
            f"{parts.name}: none of the {len(parts.queries):,} questions is judged; the judgements name "
            f"{len(parts.qrels):,} questions{_examples(parts)}."
        )
    chosen = sample(judged, options)
    skipped[NOT_SAMPLED] += len(judged) - len(chosen)
    lists = parts.lists
    if lists is not None:
        skipped[UNKNOWN_LISTS] += sum(key not in parts.known for key in lists)
        lists = _cut({query.id: lists[query.id] for query in chosen if query.id in lists}, parts, options, skipped)
    return TaskParts(
        name=parts.name,
        queries=chosen,
        known=parts.known,
        qrels={query.id: parts.qrels[query.id] for query in chosen},
        lists=lists,
        first_stage=parts.first_stage,
        scale=parts.scale,
        skipped=skipped,
    )


def _examples(parts: TaskParts) -> str:
    asked, judged = next((query.id for query in parts.queries), ""), next(iter(parts.qrels), "")
    return f" (one is called {asked!r} here, and {judged!r} there)" if asked and judged else ""


def sample(queries: Sequence[Query], options: ReadOptions) -> list[Query]:
    """Return the sampled questions in their order."""
    if options.sample is None or options.sample >= len(queries):
        return list(queries)
    by_hash = sorted(queries, key=lambda query: hash_order(f"{options.seed}\t{query.id}"))
    drawn = {query.id for query in by_hash[: options.sample]}
    return [query for query in queries if query.id in drawn]


def hash_order(text: str) -> bytes:
    """Return what sorts texts in an order that says nothing, the same on every machine."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _cut(
    lists: Mapping[str, Sequence[Candidate]], parts: TaskParts, options: ReadOptions, skipped: Counter[str]
) -> Mapping[str, Sequence[Candidate]]:
    if options.top_k is None:
        return lists
    if not parts.first_stage:
        raise InputError(
            f"{parts.name}: the order of its lists says nothing, so their first {options.top_k} would be drawn by "
            "chance; read whole lists (no top_k), and cut after an order that means something."
        )
    skipped[BEYOND_DEPTH] += sum(max(len(found) - options.top_k, 0) for found in lists.values())
    return {query_id: found[: options.top_k] for query_id, found in lists.items()}


def wanted_passages(parts: TaskParts, options: ReadOptions) -> set[str] | None:
    """Return the ids of the passages to read; None: all."""
    if options.passages == "all" or not parts.lists:
        return None
    return {candidate.doc_id for found in parts.lists.values() for candidate in found}


def assemble(parts: TaskParts, passages: Mapping[str, Chunk]) -> RankingTask:
    """Return the task of chosen questions; candidates without a passage are left out and counted."""
    skipped = Counter(parts.skipped)
    candidates: dict[str, tuple[Candidate, ...]] = {}
    for query_id, found in (parts.lists or {}).items():
        candidates[query_id] = tuple(candidate for candidate in found if candidate.doc_id in passages)
        skipped[UNKNOWN_PASSAGES] += len(found) - len(candidates[query_id])
    if skipped[UNKNOWN_PASSAGES] and not any(candidates.values()):
        named = next(candidate.doc_id for found in (parts.lists or {}).values() for candidate in found)
        raise InputError(
            f"{parts.name}: no candidate (the first is called {named!r}) is among the {len(passages):,} passages."
        )
    return RankingTask(
        name=parts.name,
        queries={query.id: query.text for query in parts.queries},
        passages=passages,
        qrels=parts.qrels,
        candidates=candidates,
        first_stage=parts.first_stage,
        scale=parts.scale,
        answers={query.id: query.answers for query in parts.queries if query.answers},
        skipped={reason: count for reason, count in skipped.items() if count},
    )


def check_unique(doc_ids: Iterable[str], place: str) -> None:
    """Refuse a list in which a passage stands twice."""
    for doc_id, count in Counter(doc_ids).items():
        if count > 1:
            raise InputError(f"{place}: passage {doc_id!r} stands {count} times in one list.")
