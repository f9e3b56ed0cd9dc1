"""Find a question's units in passages, all passages in one go: where they stand, sentence by sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from secondpass.rerank.lexical_question import IntArray, Question, prefix_of
from secondpass.rerank.lexical_units import SENTENCE_MARK, cut, unit_of
from secondpass.text.normalize import fold
from secondpass.text.sentences import sentences
from secondpass.types import Chunk, FloatArray, Span

_SENTENCE_END, _PASSAGE_END, _MARK = -1, -2, -3  # a mark is punctuation: it parts neighbours, and is no word
_AKIN = -10  # and below: a word with the same beginning as unit `_AKIN - number`

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """What was found in N passages with S sentences altogether.

    The first sentence of each passage is its title and headings (often empty), the others are its text.
    """

    spans: list[list[Span]]  # per passage, its sentences
    first_sentence: IntArray  # int64 [N]
    passage: IntArray  # int64 [S], of each sentence
    lengths: FloatArray  # float32 [S], in words and characters
    unit_sentence: IntArray  # int64 [M], of each unit found
    unit: IntArray  # int64 [M], its number
    term_sentence: IntArray  # int64 [O], of each term found
    term: IntArray  # int64 [O], its index
    run_sentence: IntArray  # int64 [R], of each stretch of neighbours found as neighbours
    run_weight: FloatArray  # float32 [R], the unit weights along it
    akin_sentence: IntArray  # int64 [A], of each word akin to a term
    akin_term: IntArray  # int64 [A]

    @property
    def is_heading(self) -> BoolArray:
        """Which sentences, bool [S], are made of titles and headings."""
        out = np.zeros(len(self.passage), bool)
        out[self.first_sentence] = True
        return out


class _TokenIds(dict[str, int]):
    """The number of each token: of its unit, below `_AKIN` for a word akin, `_MARK`, or 0 for all others."""

    def __init__(self, question: Question) -> None:
        super().__init__({SENTENCE_MARK: _SENTENCE_END})
        self._question = question

    def __missing__(self, token: str) -> int:
        unit = unit_of(token)
        number = self._question.unit_ids.get(unit, 0) if unit else _MARK
        if not number:
            akin = self._question.prefixes.get(prefix_of(unit))
            number = _AKIN - akin if akin else 0
        self[token] = number
        return number


def _marked(chunk: Chunk, spans: list[Span]) -> str:
    """Return the headings and the sentences of a chunk, with marks between them."""
    heading = " ".join((chunk.title, *chunk.heading_path)).strip()
    pieces = [heading, *(chunk.text[span.start : span.end] for span in spans)]
    if any(SENTENCE_MARK in piece for piece in pieces):
        pieces = [piece.replace(SENTENCE_MARK, " ") for piece in pieces]
    return SENTENCE_MARK.join(pieces)


def _stream(question: Question, passages: Sequence[Chunk]) -> tuple[IntArray, list[list[Span]]]:
    """Return the numbers of all tokens of all passages, int64, with ends of sentences and passages among them."""
    ids = _TokenIds(question)
    stream: list[int] = []
    all_spans: list[list[Span]] = []
    for chunk in passages:
        spans = sentences(chunk.text)
        all_spans.append(spans)
        stream.extend(map(ids.__getitem__, cut(fold(_marked(chunk, spans)))))
        stream.append(_PASSAGE_END)
    return np.array(stream, np.int64), all_spans


def _find_pairs(question: Question, position: IntArray, unit: IntArray) -> tuple[IntArray, IntArray]:
    """Return which units begin a pair of the question (indices into ``unit``), and the index of that pair."""
    candidates = np.nonzero(np.diff(position) == 1)[0]
    if not len(candidates) or not len(question.pair_keys):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    keys = unit[candidates] * question.stride + unit[candidates + 1]
    place = np.minimum(np.searchsorted(question.pair_keys, keys), len(question.pair_keys) - 1)
    found = question.pair_keys[place] == keys
    return candidates[found], place[found]


def _runs(question: Question, pair_start: IntArray, unit: IntArray) -> tuple[IntArray, FloatArray]:
    """Join pairs that overlap into stretches; return where each begins (index into ``unit``) and its weight."""
    if not len(pair_start):
        return np.zeros(0, np.int64), np.zeros(0, np.float32)
    weights = question.unit_weights
    begins = np.nonzero(np.diff(pair_start, prepend=-2) != 1)[0]
    total = np.add.reduceat(weights[unit[pair_start + 1]], begins) + weights[unit[pair_start[begins]]]
    return pair_start[begins], total.astype(np.float32)


def find_matches(question: Question, passages: Sequence[Chunk]) -> Matches:
    """Compare ``passages`` (one at least) with a question."""
    stream, spans = _stream(question, passages)
    ends = (stream == _SENTENCE_END) | (stream == _PASSAGE_END)
    sentence_of = np.cumsum(ends) - ends
    passage_ends = stream == _PASSAGE_END
    passage = (np.cumsum(passage_ends) - passage_ends)[ends]
    position = np.nonzero(stream > 0)[0]
    unit, unit_sentence = stream[position], sentence_of[position]
    word_terms = question.term_of_unit[unit]
    is_term = word_terms >= 0
    pair_start, pair = _find_pairs(question, position, unit)
    pair_terms = question.pair_terms[pair]
    is_pair_term = pair_terms >= 0
    run_start, run_weight = _runs(question, pair_start, unit)
    akin = np.nonzero(stream <= _AKIN)[0]
    return Matches(
        spans=spans,
        first_sentence=np.searchsorted(passage, np.arange(len(passages))),
        passage=passage,
        lengths=np.bincount(sentence_of[(stream >= 0) | (stream <= _AKIN)], minlength=len(passage)).astype(np.float32),
        unit_sentence=unit_sentence,
        unit=unit,
        term_sentence=np.concatenate([unit_sentence[is_term], unit_sentence[pair_start[is_pair_term]]]),
        term=np.concatenate([word_terms[is_term], pair_terms[is_pair_term]]),
        run_sentence=unit_sentence[run_start],
        run_weight=run_weight,
        akin_sentence=sentence_of[akin],
        akin_term=question.term_of_unit[_AKIN - stream[akin]],
    )
