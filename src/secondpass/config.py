"""What a run is made of, as a person writes it: ``hybrid@100``, ``lexical@3``; and the parts that follow from it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from secondpass.errors import InputError
from secondpass.rerank.budget import BudgetReranker
from secondpass.rerank.cascade import CascadeReranker, Stage
from secondpass.rerank.lexical import LexicalReranker
from secondpass.rerank.names import check_name, open_reranker
from secondpass.rerank.options import RerankerOptions
from secondpass.rerank.pairs import PairReranker
from secondpass.rerank.threshold import ThresholdReranker
from secondpass.types import Reranker

RETRIEVERS = ("bm25", "dense", "hybrid", "colbert")
DEFAULT_TOP_K = 10
DEFAULT_TOP_N = 3
DEFAULT_RERANKER = "builtin"
"""What reranks where nobody names a reranker: commands that rerank, search, ask or compare, and the Python API."""
QUICK_RERANKER = "lexical"
"""What looks through whole sets of training data where nobody names a reranker: it reads 10,000 passages a second."""
MEASURED_RERANKERS = (QUICK_RERANKER, DEFAULT_RERANKER)
"""What is measured and tuned where nobody names a reranker: whether the default one is worth its time, or not."""
STEPS = ("dedupe", "edges", "merge", "mmr")
"""Stages that give no scores of their own."""
_SPEC = re.compile(r"(?P<name>.+?)(?:@(?P<depth>\d+|all))?$")


def _parse(text: str, what: str, example: str) -> tuple[str, int | None]:
    """Split ``name@depth``; the depth is None where it is missing or ``all``."""
    match = _SPEC.fullmatch(text.strip())
    if not match:
        raise InputError(f"{text!r} is no {what}; write a name and a depth, such as {example}.")
    depth = match["depth"]
    number = int(depth) if depth and depth != "all" else None
    if number == 0:
        raise InputError(f"{text!r} keeps nothing; the depth after @ must be 1 or more, such as {example}.")
    return match["name"], number


@dataclass(frozen=True, slots=True)
class RetrieveSpec:
    """The first stage: which retriever, how many passages, and the weights of a hybrid (bm25, dense)."""

    name: str = "bm25"
    top_k: int = DEFAULT_TOP_K
    weights: tuple[float, float] = (1.0, 1.0)

    @classmethod
    def parse(cls, text: str, weights: tuple[float, float] = (1.0, 1.0)) -> RetrieveSpec:
        """Read ``bm25``, ``dense@50``, ``hybrid@100``.

        >>> RetrieveSpec.parse("hybrid@100").top_k
        100
        """
        name, top_k = _parse(text, "retriever", "hybrid@100")
        if name == "lexical":  # what the field also calls BM25
            name = "bm25"
        if name not in RETRIEVERS:
            raise InputError(f"There is no retriever named {name!r}; known are: {', '.join(RETRIEVERS)}.")
        return cls(name, top_k or DEFAULT_TOP_K, weights)

    def __str__(self) -> str:
        return f"{self.name}@{self.top_k}"


@dataclass(frozen=True, slots=True)
class RerankSpec:
    """One reranker and how many passages it keeps."""

    name: str = DEFAULT_RERANKER
    top_n: int | None = DEFAULT_TOP_N

    @classmethod
    def parse(cls, text: str) -> RerankSpec:
        """Read ``lexical``, ``lexical@3`` or ``lexical@all``; without a depth, `STEPS` keep everything, others 3.

        >>> RerankSpec.parse("lexical@20")
        RerankSpec(name='lexical', top_n=20)
        """
        name, top_n = _parse(text, "reranker", f"{DEFAULT_RERANKER}@3")
        check_name(name)
        keeps_all = text.strip().endswith("@all") or name in STEPS
        return cls(name, top_n if top_n or keeps_all else DEFAULT_TOP_N)

    def __str__(self) -> str:
        return f"{self.name}@{self.top_n or 'all'}"


@dataclass(frozen=True, slots=True)
class ChunkOptions:
    """How documents are cut; an index is built with one set of these and remembers it.

    ``max_tokens`` is the longest chunk in estimated tokens, ``overlap_sentences`` what two neighbours share.
    """

    max_tokens: int = 256
    overlap_sentences: int = 0


def parse_weights(text: str) -> tuple[float, float]:
    """Read the weights of a hybrid: ``1,0.5`` or ``bm25=1,dense=0.5``.

    >>> parse_weights("1,0.5"), parse_weights("dense=2,bm25=1")
    ((1.0, 0.5), (1.0, 2.0))
    """
    names = ("bm25", "dense")
    weights: dict[str, float] = {}
    for position, part in enumerate(text.split(",")):
        name, equals, value = part.rpartition("=")
        name = name.strip() if equals else names[position] if position < 2 else ""
        try:
            weights[name] = float(value)
        except ValueError:
            name = ""
        if name not in names:
            raise InputError(
                f"The weights are {text!r}; write two numbers for bm25 and dense, such as bm25=1,dense=0.5."
            )
    return weights.get("bm25", 1.0), weights.get("dense", 1.0)


def make_reranker(
    stages: Sequence[str | RerankSpec | Reranker], options: RerankerOptions | None = None
) -> Reranker | None:
    """Return one reranker for ``stages``: None for none, else a cascade, opened and bounded as ``options`` say.

    A lowest score and a budget are those of the last stage that scores; steps that only choose, join or place passages
    (`STEPS`) come after them.

    Raises:
        InputError: a stage cannot be opened, or the last one cannot keep a budget.
    """
    if not stages:
        return None
    options = options or RerankerOptions()
    opened = [_stage(stage, options) for stage in stages]
    scoring = [place for place, stage in enumerate(opened) if stage.reranker.name not in STEPS]
    end = scoring[-1] + 1 if scoring else len(opened)
    judge = None
    if options.budget_seconds is not None:
        judge = opened[end - 1].reranker.name
        opened[:end] = [_within_budget(opened[:end], options.budget_seconds)]
        end = 1
    if options.min_score:
        last = opened[end - 1]
        opened[end - 1] = Stage(ThresholdReranker(last.reranker, options.min_score, judge), last.top_n)
    return CascadeReranker(opened)


def _stage(stage: str | RerankSpec | Reranker, options: RerankerOptions) -> Stage:
    if isinstance(stage, str):
        stage = RerankSpec.parse(stage)
    if isinstance(stage, RerankSpec):
        return Stage(open_reranker(stage.name, options), stage.top_n)
    return Stage(stage)


def _within_budget(stages: Sequence[Stage], seconds: float) -> Stage:
    """Return the last stage within a time, after the stages before it, or after lexical."""
    *before, last = stages
    if not isinstance(last.reranker, PairReranker):
        raise InputError(
            f"A budget needs a last stage that reads one passage after the other, such as {DEFAULT_RERANKER}; "
            f"{last.reranker.name} does not."
        )
    cheap = CascadeReranker(before) if before else LexicalReranker()
    return Stage(BudgetReranker(cheap, last.reranker, seconds), last.top_n)


def reader_of(reranker: Reranker | None) -> PairReranker | None:
    """Return what reads one passage after the other in the last stage that scores, so that it can point at evidence.

    None where there is no such stage, and where it has a time to keep.
    """
    stages = reranker.stages if isinstance(reranker, CascadeReranker) else ()
    last = next((stage.reranker for stage in reversed(stages) if stage.reranker.name not in STEPS), reranker)
    inner = last.inner if isinstance(last, ThresholdReranker) else last
    return inner if isinstance(inner, PairReranker) else None
