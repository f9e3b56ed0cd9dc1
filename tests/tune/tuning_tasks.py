"""Tasks for the tests of tuning: lists of short passages in Chinese and English, and rerankers that know a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from secondpass.data.tasks import Candidate, RankingTask
from secondpass.evaluate.candidates import TaskLists
from secondpass.evaluate.first_stages import GivenOrder
from secondpass.rerank.pace import pair_tokens
from secondpass.tune.pool import Pool, make_pool
from secondpass.types import Chunk, Hit, PassageScore, Scale, StageScore

Random = np.random.Generator


def make_task(
    random: Random, questions: int, depth: int, texts: Callable[[int, int], str] | None = None, missing: int = 10
) -> RankingTask:
    """Return lists of up to ``depth`` passages in a first stage's order; every second question is Chinese.

    One in ``missing`` questions has its relevant passage outside its list, and one in ``missing`` has none at all.
    """
    texts = texts or (lambda q, p: f"第{q}题的段落{p}。" if q % 2 == 0 else f"Passage {p} of question {q}.")
    passages: dict[str, Chunk] = {}
    candidates: dict[str, tuple[Candidate, ...]] = {}
    qrels: dict[str, dict[str, int]] = {}
    queries = {f"q{q}": f"第{q}个问题是什么？" if q % 2 == 0 else f"What is question {q}?" for q in range(questions)}
    for q, query_id in enumerate(queries):
        count = int(random.integers(max(depth // 2, 1), depth + 1))
        names = [f"{query_id}-p{p}" for p in range(count)]
        passages |= {name: Chunk(name, texts(q, p), name, 0, len(texts(q, p))) for p, name in enumerate(names)}
        candidates[query_id] = tuple(Candidate(name, float(count - p)) for p, name in enumerate(names))
        place = min(int(random.exponential(depth / 4)), count - 1)
        qrels[query_id] = {} if q % missing == 3 else {"elsewhere" if q % missing == 7 else names[place]: 1}
    return RankingTask("测试 test", queries, passages, qrels, candidates, "bm25", "bm25")


def pool_of(task: RankingTask, depth: int = 100) -> Pool:
    """Return the pool of a task's own lists."""
    lists = TaskLists(task)
    return make_pool(lists, GivenOrder(lists), depth)


@dataclass
class FakeClock:
    """A clock that moves when it is told to."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class TableScorer:
    """Knows the score of every passage by its text; takes so long on the fake clock."""

    table: Mapping[str, float]
    name: str = "table"
    scale: Scale = "logit"
    gives_probability: bool = True
    clock: FakeClock | None = None
    per_call: float = 0.0
    per_token: float = 0.0
    asked: list[tuple[str, int]] = field(default_factory=list)

    @property
    def fingerprint(self) -> str:
        return f"{self.name} {hash(frozenset(self.table.items()))}"

    def score(self, query: str, passages: Sequence[str]) -> list[PassageScore]:
        self.asked.append((query, len(passages)))
        if self.clock:
            self.clock.now += self.per_call + self.per_token * sum(pair_tokens(query, passages))
        return [PassageScore(self.table.get(passage, 0.0)) for passage in passages]


def scored_for(task: RankingTask, random: Random, strength: float, levels: int | None = None) -> dict[str, float]:
    """Return scores of all texts: chance, and ``strength`` for relevant ones; of ``levels`` values, where some tie."""
    relevant = {doc_id for grades in task.qrels.values() for doc_id in grades}
    table = {}
    for name, chunk in task.passages.items():
        score = random.normal() + strength * (name in relevant)
        table[chunk.text] = float(round(score * levels / 4)) if levels else float(score)
    return table


class NeighbourReranker:
    """Orders by how a passage compares with the others of its list: no score of its own."""

    name = "neighbours"

    def __init__(self) -> None:
        self.runs = 0

    def rerank(self, query: str, hits: Sequence[Hit], top_n: int | None = None) -> list[Hit]:
        """Put the passages from the middle of the list first."""
        self.runs += 1
        middle = len(hits) / 2
        order = sorted(range(len(hits)), key=lambda place: abs(place - middle))
        return [
            Hit(
                hits[place].chunk,
                float(-rank),
                "rank_only",
                (*hits[place].stages, StageScore(self.name, rank, float(-rank), "rank_only")),
            )
            for rank, place in enumerate(order[:top_n], start=1)
        ]
