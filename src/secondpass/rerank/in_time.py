"""Read as many passages as a time allows: in parts, with a look at the clock before each.

In parts can be read what scores a passage by itself: `LexicalReranker` and every `PairReranker`. All others (fusions,
chat models, steps such as ``mmr``) need their list as a whole, and take the time they take.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from secondpass.rerank.lexical import LexicalReranker
from secondpass.rerank.ordering import order_by_score
from secondpass.rerank.pace import pair_tokens
from secondpass.rerank.pairs import PairReranker
from secondpass.text.language import estimate_tokens
from secondpass.types import FloatArray, Hit, PassageScore, Reranker, Span

_SLICE = 0.3
"""Part of the remaining time that one part may take: what is learned from it corrects the next."""
_PLACING_SECONDS = 5e-6
"""What it takes to place a hit that ``lexical`` has read."""
_LEAST_TOKENS = 2000
"""Tokens of the first part that ``lexical`` reads, and the fewest of the next: each part has a price of its own."""


@dataclass(frozen=True, slots=True)
class StageReading:
    """How many of the hits ``given`` to the stage ``name`` it read in its time; the others keep their order behind."""

    name: str
    read: int
    given: int


def rerank_in_time(
    reranker: Reranker, query: str, hits: Sequence[Hit], deadline: float
) -> tuple[list[Hit], StageReading]:
    """Return ``hits`` in the order of ``reranker``, as far as it came until ``deadline`` (of `time.perf_counter`).

    What there was no time for follows in the given order, as it was given; passages without text come last then.
    """
    if isinstance(reranker, LexicalReranker):
        order, read = _lexical_in_time(reranker, query, hits, deadline)
    elif isinstance(reranker, PairReranker):
        scores = score_in_time(reranker, query, hits, deadline)
        order = place_read(reranker, query, hits, scores)
        read = sum(hit.chunk.text in scores or is_blank(hit) for hit in hits)
    else:
        order, read = reranker.rerank(query, hits), len(hits)
    if read < len(hits):
        order.sort(key=is_blank)
    return order, StageReading(reranker.name, read, len(hits))


def is_blank(hit: Hit) -> bool:
    """Tell whether a passage has no text, so that there is nothing to read."""
    return not hit.chunk.text.strip()


def score_in_time(reader: PairReranker, query: str, hits: Sequence[Hit], deadline: float) -> dict[str, PassageScore]:
    """Score the different texts of ``hits`` from the head until the time is up; at none where not one fits.

    ``reader`` must know its pace (`PairReranker.measure_pace`).
    """
    waiting = list(dict.fromkeys(hit.chunk.text for hit in hits if not is_blank(hit)))
    scores: dict[str, PassageScore] = {}
    while len(scores) < len(waiting):
        begin = len(scores)
        end = _end_of_slice(reader, query, waiting, begin, deadline - time.perf_counter())
        if end == begin:
            if not begin:
                reader.pace.doubt()
            break
        batch = waiting[begin:end]
        scores.update(zip(batch, reader.score_texts(query, batch), strict=True))
    return scores


def _end_of_slice(reader: PairReranker, query: str, waiting: Sequence[str], begin: int, remaining: float) -> int:
    """Return where the next call ends: at its part of the time, after one passage at least, or at none."""
    (tokens,) = pair_tokens(query, waiting[begin : begin + 1])
    if reader.pace.seconds(tokens) > remaining:
        return begin
    end = begin + 1
    while end < len(waiting):
        tokens += pair_tokens(query, waiting[end : end + 1])[0]
        if reader.pace.seconds(tokens) > remaining * _SLICE:
            break
        end += 1
    return end


def place_read(
    reader: PairReranker,
    query: str,
    hits: Sequence[Hit],
    scores: dict[str, PassageScore],
    given: Sequence[Hit] | None = None,
) -> list[Hit]:
    """Return the ``hits`` whose texts have ``scores``, best first, then the others in the order of ``hits``.

    Ties keep the order of ``given`` (None: that of ``hits``). Where all is read, so is a passage without text: it gets
    the reader's lowest score.
    """
    rest = [hit for hit in hits if hit.chunk.text not in scores]
    if all(map(is_blank, rest)):
        blank = [hit.chunk.text for hit in rest]
        scores, rest = scores | dict(zip(blank, reader.score_texts(query, blank), strict=True)), []
    place: dict[tuple[str, str], int] = {}
    for number, hit in enumerate(hits if given is None else given):
        place.setdefault((hit.chunk.id, hit.chunk.text), number)

    def rank_key(hit: Hit) -> tuple[bool, float, int]:
        chunk = hit.chunk
        return is_blank(hit), -scores[chunk.text].score, place.get((chunk.id, chunk.text), len(place))

    read = sorted((hit for hit in hits if hit.chunk.text in scores), key=rank_key)
    return [reader.scored(hit, rank, scores[hit.chunk.text]) for rank, hit in enumerate(read, start=1)] + rest


def _lexical_in_time(
    reranker: LexicalReranker, query: str, hits: Sequence[Hit], deadline: float
) -> tuple[list[Hit], int]:
    """Return the order of the hits read until ``deadline`` with the others behind, and how many were read.

    The scores are those of the whole list: none depends on another passage. The first part is read in any case: it
    takes a few milliseconds.
    """
    scores: list[FloatArray] = []
    evidence: list[Span | None] = []
    start, read_tokens = time.perf_counter(), 0
    while len(evidence) < len(hits):
        begin, now = len(evidence), time.perf_counter()
        remaining = deadline - now - begin * _PLACING_SECONDS
        pace = (now - start) / read_tokens if read_tokens else 0.0
        if begin and pace * _LEAST_TOKENS >= remaining:
            break
        least = max(remaining * _SLICE / pace, _LEAST_TOKENS) if pace else _LEAST_TOKENS
        end, tokens = begin, 0
        while end < len(hits) and tokens < least:
            tokens += estimate_tokens(hits[end].chunk.text) + 1
            end += 1
        part_scores, part_evidence = reranker.judge(query, hits[begin:end])
        scores.append(part_scores)
        evidence += part_evidence
        read_tokens += tokens
    read = len(evidence)
    if not read:
        return list(hits), 0
    order = order_by_score(hits[:read], np.concatenate(scores), reranker.name, "log_odds", None, evidence)
    return [*order, *hits[read:]], read
