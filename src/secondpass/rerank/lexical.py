"""The embedded reranker: question and passage compared by words, without a neural network.

A passage's score is the log-odds that it answers the question, a weighted sum of the features of
`secondpass.rerank.lexical_features`. It depends on the question and the passage alone, so that the same pair has the
same score in every list. The weights stand in ``lexical.json``; ``recipes/lexical/fit.py`` makes them.

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
from secondpass.types import Chunk, FloatArray, Hit, Language


@dataclass(frozen=True, slots=True, eq=False)
class LexicalWeights:
    """Weights of one language, float32 [F] for questions and for topics, and a constant for each.

    A question of up to ``question_terms`` terms is a question, from ``topic_terms`` on it is a topic.
    """

    question: FloatArray
    topic: FloatArray
    question_constant: float
    topic_constant: float
    question_terms: int
    topic_terms: int

    def score(self, question: Question, features: Features) -> FloatArray:
        """Return the log-odds of relevance, float32 [N]."""
        share = topic_share(question, self.question_terms, self.topic_terms)
        weights = (1 - share) * self.question + share * self.topic
        constant = (1 - share) * self.question_constant + share * self.topic_constant
        # Summed row by row: a matrix product may round differently for another number of rows.
        scores: FloatArray = ((features.values * weights).sum(axis=1) + constant).astype(np.float32)
        return scores


def topic_share(question: Question, question_terms: int, topic_terms: int) -> float:
    """Return how far a question names a topic, from 0 to 1: wholly where it asks nothing, else by its length.

    >>> topic_share(read_question("谁发明了电话？"), 18, 45), topic_share(read_question("电话的发明"), 18, 45)
    (0.0, 1.0)
    """
    if not question.kind:
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
    question, topic, terms = table["question"], table["topic"], table["terms"]
    return LexicalWeights(
        question=np.array([question[name] for name in FEATURES], np.float32),
        topic=np.array([topic[name] for name in FEATURES], np.float32),
        question_constant=question["constant"],
        topic_constant=topic["constant"],
        question_terms=int(terms["question"]),
        topic_terms=int(terms["topic"]),
    )


class LexicalReranker:
    """Rerank by words, characters, numbers and names; needs no weights from anywhere."""

    name = "lexical"

    def score(self, query: str, passages: Sequence[Chunk]) -> FloatArray:
        """Return the log-odds that each passage answers ``query``, float32 [N]."""
        question = read_question(query)
        return load_weights()[question.language].score(question, compute_features(question, passages))

    def rerank(self, query: str, hits: Sequence[Hit], top_n: int | None = None) -> list[Hit]:
        """Return the best ``top_n`` of ``hits``, each with its best sentence as evidence."""
        question = read_question(query)
        features = compute_features(question, [hit.chunk for hit in hits])
        scores = load_weights()[question.language].score(question, features)
        return order_by_score(hits, scores, self.name, "log_odds", top_n, features.evidence)
