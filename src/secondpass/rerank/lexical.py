"""The embedded reranker: question and passage compared by words, without a neural network.

A passage's score is the log-odds that it answers the question, a weighted sum of the features of
`secondpass.rerank.lexical_features`. It depends on the question and the passage, never on the other passages of a list.
Where the passage comes from a BM25 first stage, that score counts too: it knows how rare a term is in this collection.
The weights stand in ``lexical.json``; ``recipes/lexical/fit.py`` makes them.

A question asks for a fact; headings, statements and long descriptions name a topic, of which BM25 knows most. There is
a set of weights for each, and questions of middle length get a mixture. What it does not know: meaning. A passage that
says the answer in other words is not found.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from secondpass.rerank.lexical_features import FEATURES, Features, compute_features
from secondpass.rerank.lexical_question import Question, read_question
from secondpass.rerank.ordering import order_by_score
from secondpass.text.rarity import rarity, rarity_table
from secondpass.text.terms import K1, query_terms
from secondpass.types import Chunk, FloatArray, Hit, Language, Span

_ECHO = list(FEATURES).index("echo")


@dataclass(frozen=True, slots=True, eq=False)
class LexicalWeights:
    """Weights of one language, float32 [F] for questions and for topics, and a constant for each.

    A question of up to ``question_terms`` terms is a question, from ``topic_terms`` on it is a topic. A passage that
    comes from BM25 gets ``bm25_weight`` times its score's share of the highest possible, and a further constant.
    """

    question: FloatArray
    topic: FloatArray
    question_constant: float
    topic_constant: float
    question_terms: int
    topic_terms: int
    bm25_weight: float
    bm25_question_constant: float
    bm25_topic_constant: float

    def score(self, question: Question, features: Features) -> FloatArray:
        """Return the log-odds of relevance, float32 [N]."""
        share = topic_share(question, self.question_terms, self.topic_terms)
        weights = (1 - share) * self.question + share * self.topic
        constant = (1 - share) * self.question_constant + share * self.topic_constant
        # Summed row by row: a matrix product may round differently for another number of rows.
        scores: FloatArray = ((features.values * weights).sum(axis=1) + constant).astype(np.float32)
        return scores

    def after_bm25(self, question: Question, shares: FloatArray) -> FloatArray:
        """Return what a first stage's BM25 adds, float32 [N]; nothing where a share is not a number."""
        topic = topic_share(question, self.question_terms, self.topic_terms)
        constant = (1 - topic) * self.bm25_question_constant + topic * self.bm25_topic_constant
        added: FloatArray = np.nan_to_num(shares * self.bm25_weight + constant, nan=0.0).astype(np.float32)
        return added


def bm25_share(query: str, scores: Sequence[float]) -> FloatArray:
    """Return BM25 scores as shares of the highest that ``query`` could have by background IDF, float32 [N]."""
    highest = (K1 + 1) * sum(rarity(term) for term in query_terms(query))
    return np.array(scores, np.float32) / np.float32(highest or math.nan)


def _first_stage(hit: Hit) -> float:
    """Return the BM25 score with which a passage came; not a number where it has none."""
    return next((stage.score for stage in reversed(hit.stages) if stage.scale == "bm25"), math.nan)


def topic_share(question: Question, question_terms: int, topic_terms: int) -> float:
    """Return how far a question names a topic, from 0 to 1: wholly where it asks nothing, else by its length.

    >>> topic_share(read_question("谁发明了电话？"), 18, 45), topic_share(read_question("电话的发明"), 18, 45)
    (0.0, 1.0)
    """
    if not question.asks:
        return 1.0
    terms = max(len(question.term_weights), 1)
    place = math.log(terms / question_terms) / math.log(topic_terms / question_terms)
    return min(max(place, 0.0), 1.0)


@cache
def load_weights() -> dict[Language, LexicalWeights]:
    """Read the weights that ship with the package."""
    table = json.loads(files("secondpass.rerank").joinpath("lexical.json").read_text(encoding="utf-8"))
    return {language: _weights(table["languages"][language]) for language in ("en", "zh")}


def _weights(table: dict[str, dict[str, float]]) -> LexicalWeights:
    question, topic, terms, after = table["question"], table["topic"], table["terms"], table["after_bm25"]
    return LexicalWeights(
        question=np.array([question[name] for name in FEATURES], np.float32),
        topic=np.array([topic[name] for name in FEATURES], np.float32),
        question_constant=question["constant"],
        topic_constant=topic["constant"],
        question_terms=int(terms["question"]),
        topic_terms=int(terms["topic"]),
        bm25_weight=after["weight"],
        bm25_question_constant=after["question_constant"],
        bm25_topic_constant=after["topic_constant"],
    )


class LexicalReranker:
    """Rerank by words, characters, numbers and names; needs no weights from anywhere."""

    name = "lexical"

    def __init__(self) -> None:
        load_weights()  # read now, so that the first question is timed like the others
        rarity_table()

    def score(self, query: str, passages: Sequence[Chunk]) -> FloatArray:
        """Return the log-odds that each passage answers ``query``, float32 [N]."""
        question = read_question(query)
        return load_weights()[question.language].score(question, compute_features(question, passages))

    def rerank(self, query: str, hits: Sequence[Hit], top_n: int | None = None) -> list[Hit]:
        """Return the best ``top_n`` of ``hits``, each with its best sentence as evidence."""
        scores, evidence = self.judge(query, hits)
        return order_by_score(hits, scores, self.name, "log_odds", top_n, evidence)

    def judge(self, query: str, hits: Sequence[Hit]) -> tuple[FloatArray, list[Span | None]]:
        """Return the score of each hit, float32 [N], and its best sentence; none depends on another hit."""
        question = read_question(query)
        weights = load_weights()[question.language]
        features = compute_features(question, [hit.chunk for hit in hits])
        shares = bm25_share(query, [_first_stage(hit) for hit in hits])
        shares *= 1 - features.values[:, _ECHO]  # BM25 is what stuffing with the question's words is made for
        return weights.score(question, features) + weights.after_bm25(question, shares), features.evidence
