"""Turn matches into features: one row of numbers per passage, which depends on no other passage.

Why these and no others: docs/log.md, and ``recipes/lexical``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from secondpass.rerank.lexical_match import Matches, find_matches
from secondpass.rerank.lexical_question import IntArray, Question
from secondpass.text.asking import may_answer
from secondpass.types import Chunk, FloatArray, Language, Span

FEATURES = {
    "bm25": "BM25 with background IDF, as a share of the highest possible",
    "terms": "terms found, weighted by squared rarity",
    "rarest": "1 where the rarest term is found",
    "numbers_missing": "1 where a number of the question is not found",
    "units": "single words and characters found, weighted by rarity",
    "units_in_sentence": "the same in the best sentence",
    "terms_in_two_sentences": "terms found in the best two neighbouring sentences",
    "function_words": "function words of the question found (after, most, not, 前, 不 ...)",
    "function_words_in_sentence": "the same in the best sentence",
    "longest_run": "the longest stretch of the question found word by word, by weight",
    "akin": "terms not found, but for a word with the same beginning",
    "answer": "1 where the best sentence holds something of the asked kind: a year, a number, a name ...",
    "answer_nearby": "1 where it or one of its neighbours does",
    "early": "1 for the first sentence as the best, 1/2 for the second ...",
    "length": "the logarithm of the passage's words and characters, between 20 and 400 of them",
    "echo": "how far the passage only repeats the words of the question",
}
"""Name of each feature, in the order of the columns, with its meaning."""

_K1, _B = 1.2, 0.75
_AVERAGE_TOKENS: dict[Language, float] = {"zh": 280.0, "en": 120.0}
_REPEATED_FROM, _KNOWN_FROM = 0.45, 0.95  # shares of a passage's tokens; measured: docs/log.md
_LENGTHS = (20.0, 400.0)
_TINY = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """Features of N passages, float32 [N, F], and the best sentence of each (None where nothing was found)."""

    values: FloatArray
    evidence: list[Span | None]


def _distinct(group: IntArray, item: IntArray, items: int) -> tuple[IntArray, IntArray, IntArray]:
    """Return each pair of ``group`` and ``item`` once, sorted, with how often it came."""
    keys, counts = np.unique(group * items + item, return_counts=True)
    return keys // items, keys % items, counts


def _share(group: IntArray, weights: npt.NDArray[Any], groups: int, total: float) -> FloatArray:
    """Sum ``weights`` per group, as a share of ``total``."""
    return (np.bincount(group, weights, minlength=groups) / max(total, _TINY)).astype(np.float32)


def _best_per_passage(matches: Matches, sentence_values: FloatArray) -> FloatArray:
    """Return the highest value of each passage's text sentences; headings count as 0."""
    return np.maximum.reduceat(np.where(matches.is_heading, 0, sentence_values), matches.first_sentence)


def _term_columns(question: Question, matches: Matches) -> dict[str, FloatArray]:
    weights, passages = question.term_weights, len(matches.first_sentence)
    squares = weights * weights
    passage, term, count = _distinct(matches.passage[matches.term_sentence], matches.term, len(weights))
    tokens = np.add.reduceat(matches.lengths, matches.first_sentence)
    penalty = _K1 * (1 - _B + _B * tokens / _AVERAGE_TOKENS[question.language])
    saturated = weights[term] * count / (count + penalty[passage])
    numbers = question.is_number
    numbers_found = np.bincount(passage, numbers[term], minlength=passages)
    akin_passage, akin_term, _ = _distinct(matches.passage[matches.akin_sentence], matches.akin_term, len(weights))
    unfound = ~np.isin(akin_passage * len(weights) + akin_term, passage * len(weights) + term)
    total = float(weights.sum())
    return {
        "bm25": _share(passage, saturated, passages, total),
        "terms": _share(passage, squares[term], passages, float(squares.sum())),
        "rarest": _share(passage, term == np.argmax(weights), passages, 1.0),
        "numbers_missing": (numbers_found < numbers.sum()).astype(np.float32),
        "akin": _share(akin_passage[unfound], weights[akin_term[unfound]], passages, total),
        "terms_in_two_sentences": _best_per_passage(matches, _two_sentences(question, matches)),
    }


def _two_sentences(question: Question, matches: Matches) -> FloatArray:
    """Return for each sentence the terms found in it and the next of its passage, float32 [S]."""
    before = matches.term_sentence - 1
    same = (before >= 0) & (matches.passage[before] == matches.passage[matches.term_sentence])
    sentence, term, _ = _distinct(
        np.concatenate([matches.term_sentence, before[same]]),
        np.concatenate([matches.term, matches.term[same]]),
        len(question.term_weights),
    )
    weights = question.term_weights
    return _share(sentence, weights[term], len(matches.passage), float(weights.sum()))


def _unit_columns(question: Question, matches: Matches) -> tuple[dict[str, FloatArray], FloatArray]:
    """Return the columns of units, and how well each sentence does, float32 [S]."""
    passages, total_sentences = len(matches.first_sentence), len(matches.passage)
    sentence, unit, _ = _distinct(matches.unit_sentence, matches.unit, question.stride)
    passage, passage_unit, _ = _distinct(matches.passage[sentence], unit, question.stride)
    columns: dict[str, FloatArray] = {}
    by_sentence: dict[str, FloatArray] = {}
    for name, weights in (("units", question.unit_weights), ("function_words", question.function_weights)):
        total = float(weights.sum())
        columns[name] = _share(passage, weights[passage_unit], passages, total)
        by_sentence[name] = _share(sentence, weights[unit], total_sentences, total)
        columns[f"{name}_in_sentence"] = _best_per_passage(matches, by_sentence[name])
    longest = np.zeros(total_sentences, np.float32)
    np.maximum.at(longest, matches.run_sentence, matches.run_weight)
    run_share = longest / max(float(question.unit_weights.sum()), _TINY)
    columns["longest_run"] = np.minimum(_best_per_passage(matches, run_share), 1.0)
    columns["length"] = np.log(np.clip(np.add.reduceat(matches.lengths, matches.first_sentence), *_LENGTHS))
    columns["echo"] = _echo(question, matches, np.bincount(passage, minlength=passages))
    return columns, by_sentence["units"] + 0.2 * by_sentence["function_words"] + 0.2 * np.minimum(run_share, 1)


def _echo(question: Question, matches: Matches, distinct: IntArray) -> FloatArray:
    """Return how far passages only repeat the question, float32 [N]: its words over and over, or nothing else.

    ``distinct`` counts the different units found in each. Half of an honest passage may be words of the question; an
    honest passage does not say them again and again, and it adds something where something is asked.
    """
    tokens = np.maximum(np.add.reduceat(matches.lengths, matches.first_sentence), 1)
    known = np.bincount(matches.passage[matches.unit_sentence], minlength=len(distinct))
    over_and_over = ((known - distinct) / tokens - _REPEATED_FROM) / (1 - _REPEATED_FROM)
    nothing_else = (known / tokens - _KNOWN_FROM) / (1 - _KNOWN_FROM)
    repetition = np.maximum(2 * over_and_over, nothing_else) if question.asks else 2 * over_and_over
    return np.clip(repetition, 0, 1).astype(np.float32)


def _best_sentences(matches: Matches, strength: FloatArray) -> IntArray:
    """Return the index of each passage's best sentence within its text, int64 [N]; -1 where nothing was found."""
    strength = np.where(matches.is_heading, 0, strength)
    peak = np.maximum.reduceat(strength, matches.first_sentence)
    at_peak = np.nonzero((strength == peak[matches.passage]) & (strength > 0))[0]
    passages, first = np.unique(matches.passage[at_peak], return_index=True)
    best = np.full(len(matches.first_sentence), -1, np.int64)
    best[passages] = at_peak[first] - matches.first_sentence[passages] - 1
    return best


def _answer_columns(
    question: Question, matches: Matches, passages: Sequence[Chunk], best: IntArray
) -> dict[str, FloatArray]:
    answer = np.zeros(len(passages), np.float32)
    nearby = np.zeros(len(passages), np.float32)
    asked = (question.kind, question.language, question.folded)
    for index, place in enumerate(best.tolist()):
        if place < 0 or not question.asks:
            continue
        text, spans = passages[index].text, matches.spans[index]
        if may_answer(text[spans[place].start : spans[place].end], *asked):
            answer[index] = nearby[index] = 1
            continue
        start, end = spans[max(place - 1, 0)].start, spans[min(place + 1, len(spans) - 1)].end
        nearby[index] = may_answer(text[start:end], *asked)
    early = np.where(best >= 0, 1.0 / (1 + np.maximum(best, 0)), 0)
    return {"answer": answer, "answer_nearby": nearby, "early": early.astype(np.float32)}


def compute_features(question: Question, passages: Sequence[Chunk]) -> Features:
    """Compare every passage with the question; a question without any word finds nothing."""
    if not passages or not len(question.term_weights):
        return Features(np.zeros((len(passages), len(FEATURES)), np.float32), [None] * len(passages))
    matches = find_matches(question, passages)
    columns = _term_columns(question, matches)
    unit_columns, strength = _unit_columns(question, matches)
    best = _best_sentences(matches, strength)
    columns |= unit_columns | _answer_columns(question, matches, passages, best)
    values = np.stack([columns[name] for name in FEATURES], axis=1).astype(np.float32)
    evidence = [spans[place] if place >= 0 else None for spans, place in zip(matches.spans, best.tolist(), strict=True)]
    return Features(values, evidence)
