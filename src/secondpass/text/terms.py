"""Texts to terms, and terms to the weighted vectors of BM25.

Words are folded and stemmed (Snowball English); Chinese, Japanese and Korean runs become overlapping pairs of
characters, and single characters besides, so that a query of one character finds something. Pairs need no dictionary
and never miss a name (see docs/log.md for what dictionaries cost).

BM25 (Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009) is split as sparse vectors need it: a
document's vector carries the saturated term frequency, the query's carries how often a term was asked for, and the
store multiplies by the IDF of the collection, ``ln(1 + (N - n + 0.5) / (n + 0.5))``. The average length is a constant
of the analyser, not of the collection: chunks are cut to one length anyway, and a document's vector then never depends
on which documents came before it.
"""

from __future__ import annotations

import re
import threading
import zlib
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import pairwise
from operator import add

import numpy as np
import numpy.typing as npt
import Stemmer

from secondpass.text.language import HAN
from secondpass.text.normalize import fold
from secondpass.types import TermVector

ANALYZER = "secondpass-terms-1"
"""Name of the analyser; raised whenever `terms` or `document_vector` changes, because an index must not mix two."""

K1, B, AVERAGE_LENGTH = 1.2, 0.75, 160.0

_WIDE = HAN + "\u3041-\u30ff\u31f0-\u31ff\uac00-\ud7a3"  # Han, kana, Hangul syllables
_TOKEN = re.compile(rf"([{_WIDE}]+)|(\d+(?:[.,]\d+)+|[^\W_{_WIDE}]+(?:'[a-z]+)?)")
_MEMO_LIMIT = 1 << 18

# Function words of English: asked for, they match everything and say nothing. Kept in documents, dropped from queries.
STOP_WORDS = frozenset(
    """a about above after again all also am an and any are as at be because been before being below between both but by
    can could did do does doing down during each few for from further had has have having he her here hers him his how i
    if in into is it its itself just me more most my no nor not of off on once only or other our out over own same she
    should so some such than that the their them then there these they this those through to too under until up very was
    we were what when where which while who whom why will with would you your""".split()
)


class _EnglishStems(threading.local):
    """The Snowball stemmer keeps a state, so that each thread needs its own."""

    def __init__(self) -> None:
        self.stem: Callable[[str], str] = Stemmer.Stemmer("english").stemWord


class _TermIds(dict[str, int]):
    """The numbers of terms, remembered: making one costs more than looking it up."""

    def __missing__(self, term: str) -> int:
        if len(self) >= _MEMO_LIMIT:
            self.clear()
        number = self[term] = zlib.crc32(term.encode("utf-8", "surrogatepass"))
        return number


_stems = _EnglishStems()
_ids = _TermIds()


def stem(word: str) -> str:
    """Return the Snowball stem of a folded English word.

    >>> stem("merged"), stem("schools")
    ('merg', 'school')
    """
    return _stems.stem(word)


def words(text: str) -> list[str]:
    """Return the folded words of a text in order: English words whole and unstemmed, wide runs whole.

    >>> words("西安交大 has 3.5 Students")
    ['西安交大', 'has', '3.5', 'students']
    """
    return [wide or word for wide, word in _TOKEN.findall(fold(text))]


def terms(text: str) -> list[str]:
    """Return the terms of a text, with repetitions.

    >>> terms("西安交大 merged Schools")
    ['西', '安', '交', '大', '西安', '安交', '交大', 'merg', 'school']
    """
    out: list[str] = []
    stem_word = _stems.stem
    for wide, word in _TOKEN.findall(fold(text)):
        if word:
            out.append(stem_word(word))
        else:
            out += wide
            out += map(add, wide, wide[1:])
    return out


def query_terms(text: str) -> list[str]:
    """Return the terms to look for: no function words, no single character of a longer run.

    A query made of function words alone keeps them.

    >>> query_terms("What is 西安交大?"), query_terms("茶"), query_terms("to be or not")
    (['西安', '安交', '交大'], ['茶'], ['to', 'be', 'or', 'not'])
    """
    out: list[str] = []
    function_words: list[str] = []
    stem_word = _stems.stem
    for wide, word in _TOKEN.findall(fold(text)):
        if word:
            (function_words if word in STOP_WORDS else out).append(stem_word(word))
        elif len(wide) == 1:
            out.append(wide)
        else:
            out += [first + second for first, second in pairwise(wide)]
    return out or function_words


def term_id(term: str) -> int:
    """Return the number of a term: CRC-32 of its UTF-8 form.

    Two terms share a number with a chance of 1 in 4 billion; their weights then add up, nothing breaks.
    """
    return _ids[term]


def _vector(names: Iterable[str], weights: npt.NDArray[np.float64]) -> TermVector:
    ids, place = np.unique(np.fromiter(map(_ids.__getitem__, names), np.uint32, len(weights)), return_inverse=True)
    return TermVector(ids, np.bincount(place, weights, minlength=len(ids)).astype(np.float32))


def document_vector(text: str) -> TermVector:
    """Return the saturated term frequencies of a passage: ``tf (k1 + 1) / (tf + k1 (1 - b + b length / average))``."""
    counts = Counter(terms(text))
    frequencies = np.fromiter(counts.values(), np.float64, len(counts))
    length_part = K1 * (1 - B + B * frequencies.sum() / AVERAGE_LENGTH)
    return _vector(counts, frequencies * (K1 + 1) / (frequencies + length_part))


def query_vector(text: str) -> TermVector:
    """Return how often each term is asked for."""
    counts = Counter(query_terms(text))
    return _vector(counts, np.fromiter(counts.values(), np.float64, len(counts)))
