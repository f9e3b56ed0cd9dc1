"""What an evaluation is told beside its tasks and systems."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from secondpass.rerank.options import RerankerOptions
from secondpass.types import LLM, Embedder

DEFAULT_MEASURES = ("nDCG@10", "MAP", "MRR@10", "hit@3", "Recall@10")
Missing = Literal["zero", "omit"]
Ties = Literal["trec", "given"]
FirstStageName = Literal["given", "bm25", "dense"]


@dataclass(frozen=True, slots=True)
class EvaluationOptions:
    """How an evaluation is done.

    ``measures``: the first is the one that is drawn, and read for the worst questions. ``baseline``: the system that
    others are held to (None: the first stage that candidates arrive from). ``first_stage``: which one that is (None:
    the order of the lists where it means something, else our BM25). ``embedder``: adds the first stage ``dense``.
    ``sample``: so many questions of every task, drawn by ``seed`` (None: all). ``top_k``: how many passages our BM25
    gives a task without lists. ``missing``: questions without candidates count ``zero``, or are left out (``omit``).
    ``ties``: passages of equal scores keep the order in which they came (``given``), or are ordered as trec_eval does
    (``trec``). ``top_n``: passages that go into a prompt, for the tokens of context. ``worst``: questions to show of
    each reranker and task. ``work``: the folder in which what was worked out is kept, so that a killed evaluation goes
    on (None: nowhere); ``fresh`` works it out again. ``runs_out``: a folder for a TREC run of every task and system.
    ``rerankers``: how those that are named are opened. ``answers``: score the answers that come of the first passages
    too, where a task has reference answers; ``llm`` answers (None: sentences of the passages).
    """

    measures: tuple[str, ...] = DEFAULT_MEASURES
    baseline: str | None = None
    first_stage: FirstStageName | None = None
    embedder: Embedder | None = None
    sample: int | None = None
    top_k: int = 100
    missing: Missing = "zero"
    ties: Ties = "given"
    draws: int = 10_000
    seed: int = 13
    top_n: int = 3
    worst: int = 5
    work: Path | None = None
    fresh: bool = False
    runs_out: Path | None = None
    rerankers: RerankerOptions = field(default_factory=RerankerOptions)
    answers: bool = False
    llm: LLM | None = None
