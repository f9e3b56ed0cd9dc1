"""Find the sentences of the hits that answer a question, and say how sure it is that any does.

Two linear models on a few dozen readable numbers, fitted by ``recipes/answer/fit.py``; their weights are in
``weights.json``. The same sentences serve as extractive answer and as highlights.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from secondpass.answer.features import FEATURES, Passage, cover, features, local_weights, read_hits
from secondpass.answer.question import Question, read_question
from secondpass.types import FloatArray, Hit, Language, Span

SUPPORT_FEATURES = (
    "score",  # of the best sentence
    "gap",  # to the second best
    "cover",
    "cover_around",
    "cover_topic",
    "cover_passage",
    "best_cover_passage",  # of any hit
    "missing",
    "cover_all",  # of all hits together
    "names_passage",
    "longest_run",
    "rank",
)


@dataclass(frozen=True, slots=True)
class Evidence:
    """A sentence that may answer: the rank of its hit (1 = first), its span in the hit's text, and a score.

    Scores of one question compare with each other: e to the difference is the ratio of the chances.
    """

    rank: int
    span: Span
    text: str
    score: float


@dataclass(frozen=True, slots=True)
class Findings:
    """The sentences of the hits, the likeliest answer first, and the probability that the hits answer at all."""

    evidence: tuple[Evidence, ...]
    support: float


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """The fitted numbers of one language: float32 [len(FEATURES)], float32 [len(SUPPORT_FEATURES)], and two bounds."""

    sentence: FloatArray
    support: FloatArray
    bias: float
    threshold: float


@cache
def weights(language: Language) -> Weights:
    """Read the fitted weights that ship with the package."""
    fitted = json.loads(files("secondpass.answer").joinpath("weights.json").read_text(encoding="utf-8"))[language]
    return Weights(
        np.array([fitted["sentence"][name] for name in FEATURES], dtype=np.float32),
        np.array([fitted["support"][name] for name in SUPPORT_FEATURES], dtype=np.float32),
        fitted["bias"],
        fitted["threshold"],
    )


def find_evidence(query: str, hits: Sequence[Hit]) -> Findings:
    """Score every sentence of ``hits`` as an answer to ``query``.

    Headings, lines that ask, code and rests of a sentence are left out.
    """
    question, passages = read_question(query), read_hits(hits)
    places, values = sentence_features(question, passages)
    if not places:
        return Findings((), 0.0)
    fitted = weights(question.language)
    scores = values @ fitted.sentence
    support = float(support_features(question, passages, values, scores) @ fitted.support) + fitted.bias
    evidence = []
    for index in np.argsort(-scores, kind="stable"):
        passage, place = places[index]
        sentence = passage.sentences[place]
        evidence.append(Evidence(passage.rank, sentence.span, sentence.text, float(scores[index])))
    return Findings(tuple(evidence), 1 / (1 + math.exp(-support)))


def sentence_features(question: Question, passages: Sequence[Passage]) -> tuple[list[tuple[Passage, int]], FloatArray]:
    """Return the sentences that can answer, as passage and place, and their `FEATURES`: float32 [N, F]."""
    local = local_weights(question, passages)
    places = [
        (passage, place)
        for passage in passages
        for place, sentence in enumerate(passage.sentences)
        if sentence.can_answer
    ]
    values = [features(question, passage, place, local) for passage, place in places]
    return places, np.array(values, dtype=np.float32).reshape(len(places), len(FEATURES))


def support_features(
    question: Question, passages: Sequence[Passage], values: FloatArray, scores: FloatArray
) -> FloatArray:
    """Return the `SUPPORT_FEATURES` of one question: float32 [S], from `FEATURES` [N, F] and scores [N]."""
    best = int(np.argmax(scores))
    ordered = np.sort(scores)[::-1]
    named = dict(zip(FEATURES, values[best].tolist(), strict=True))
    named["score"] = float(ordered[0])
    named["gap"] = float(ordered[0] - ordered[1]) if len(ordered) > 1 else 0.0
    named["best_cover_passage"] = float(values[:, FEATURES.index("cover_passage")].max())
    named["cover_all"] = cover(question, frozenset[str]().union(*(passage.all_terms for passage in passages)))
    return np.array([named[name] for name in SUPPORT_FEATURES], dtype=np.float32)
