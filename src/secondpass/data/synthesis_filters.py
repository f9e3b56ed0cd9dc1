"""Which written questions are kept: ones that stand alone, are not copied, are new, and find their passage again."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from secondpass.data.near_texts import NearTexts
from secondpass.data.negative_sources import NegativeSource
from secondpass.data.training_texts import has_letters, query_shingles, same_form, text_key
from secondpass.text.language import language
from secondpass.types import Chunk, Hit, Reranker, Scale, StageScore

_COPIED = 0.9  # of a question's runs of three characters stand in the passage
_SPEAKS_OF_IT = re.compile(
    r"\b(?:this|the|given|above) (?:passage|text|paragraph|article|excerpt|document|author)\b"
    r"|本段|该段落?|这段话?|上述段落|上文|本文|文中|作者|根据段落",
    re.IGNORECASE,
)
_SHORTEST: dict[str, int] = {"zh": 4, "en": 8}  # characters


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """Finds passages for a question, so that it can be seen whether the one it was written for comes back.

    ``source`` finds ``depth`` passages, ``reranker`` (None: none) orders them; the passage must be among the first
    ``top_k`` (Promptagator's filter has 1).
    """

    source: NegativeSource
    reranker: Reranker | None
    top_k: int = 3
    depth: int = 50

    def rank(self, question: str, passage_id: str) -> int | None:
        """Return the rank at which the passage comes back, None where it does not."""
        (found,) = self.source.find([question], self.depth if self.reranker else self.top_k)
        order = [one.id for one in found]
        if self.reranker and found:
            # The first stage's score is part of what `lexical` says of a passage.
            scale: Scale = "bm25" if self.source.name == "bm25" else "unknown"
            hits = [
                Hit(
                    Chunk(one.id, one.text, end=len(one.text)),
                    score,
                    scale,
                    (StageScore(self.source.name, rank, score, scale),),
                )
                for rank, one in enumerate(found, start=1)
                for score in (one.score or 0.0,)
            ]
            order = [hit.chunk.id for hit in self.reranker.rerank(question, hits, self.top_k)]
        return order.index(passage_id) + 1 if passage_id in order[: self.top_k] else None


class QuestionFilter:
    """Passes over questions that would teach the wrong thing, and counts why."""

    def __init__(self, round_trip: RoundTrip | None, near: float = 0.8) -> None:
        self._round_trip = round_trip
        self._known: set[int] = set()
        self._near = NearTexts(near, most=1_000_000)
        self.rejected: Counter[str] = Counter()

    def keep(self, questions: Sequence[str], passage: str, passage_id: str) -> list[tuple[str, int | None]]:
        """Return the questions that are kept, each with the rank at which its passage came back."""
        kept = []
        copied_from = query_shingles(passage)
        form = same_form(passage)
        for question in questions:
            reason = self._why_not(question, form, copied_from, language(passage))
            rank = None
            if not reason and self._round_trip:
                rank = self._round_trip.rank(question, passage_id)
                reason = "" if rank else "passage does not come back"
            if reason:
                self.rejected[reason] += 1
                continue
            self._known.add(text_key(question))
            self._near.add(query_shingles(question), passage_id)
            kept.append((question, rank))
        return kept

    def _why_not(self, question: str, passage_form: str, passage_shingles: np.ndarray, code: str) -> str:
        shingles = query_shingles(question)
        checks = (
            ("too short", len(question.strip()) < _SHORTEST[code] or not has_letters(question)),
            ("speaks of the passage", _SPEAKS_OF_IT.search(question) is not None),
            ("another language than the passage", language(question) != code),
            (
                "copied from the passage",
                same_form(question) in passage_form or _share(shingles, passage_shingles) >= _COPIED,
            ),
            ("asked already", text_key(question) in self._known or self._near.find(shingles) is not None),
        )
        return next((reason for reason, holds in checks if holds), "")


def _share(of: np.ndarray, within: np.ndarray) -> float:
    return float(np.isin(of, within).mean()) if len(of) else 0.0
