"""What a question asks for, in the units and terms by which passages are compared with it.

A *term* carries meaning: an English content word, a number, a pair of Chinese characters. *Units* are single words
and characters; they find what is said with the same characters in other places (交大 in 交通大学).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from secondpass.rerank.lexical_units import cut, is_wide, unit_of
from secondpass.text.asking import Kind, question_kind
from secondpass.text.language import language
from secondpass.text.normalize import fold
from secondpass.text.rarity import rarity
from secondpass.text.terms import STOP_WORDS, terms
from secondpass.types import FloatArray, Language

IntArray = npt.NDArray[np.int64]

MAX_TERMS = 256
"""A longer question is compared by its 256 heaviest terms; no question that people ask has as many."""
_WEAK_PAIR = 0.3  # a pair with a function character, such as 的大, is mostly no word
_STEM_PREFIX = 5  # words with the same beginning are akin: invention, inventor

# Words that ask and do not stand in the answer; folded, so that 么 and 麼 are both 幺.
_ASKING = re.compile(
    r"什幺时候|什幺|甚幺|为何|多少|怎[幺样]*|如何|哪[一些个里儿]?|是?谁|请问|吗|呢|是否|何[时处地人种]"
    r"|几(?=[个名年月日号人次岁位家部本支种所座条届])"
)
_FUNCTION_CHARACTERS = frozenset(
    "的是了在和与及或也都由被把对为有其之吗呢啊吧就而并于以从到这那此该等着过个因则所上中下后前时年月日不"
)
_Token = tuple[str, str]  # (unit, token)


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """A question as numbers: U units numbered from 1, T terms, P adjacent pairs of units.

    A pair's key is ``first * stride + second``. Weights are background IDF.
    """

    folded: str
    language: Language
    kind: Kind
    unit_ids: dict[str, int]
    unit_weights: FloatArray  # float32 [U + 1]; 0 for function words
    function_weights: FloatArray  # float32 [U + 1]; 0 for all others
    term_of_unit: IntArray  # int64 [U + 1]; -1 where a unit is no term by itself
    term_weights: FloatArray  # float32 [T]; times how often the question says it
    is_number: npt.NDArray[np.bool_]  # [T]
    pair_keys: IntArray  # int64 [P], ascending
    pair_terms: IntArray  # int64 [P]; -1 where a pair is a phrase and no term
    prefixes: dict[str, int]  # the beginnings of English terms, with their unit

    @property
    def asks(self) -> bool:
        """Whether it asks for something that a sentence can hold; a statement to be confirmed names a topic."""
        return self.kind not in {"", "yes_no"}

    @property
    def stride(self) -> int:
        """The factor of pair keys: one more than there are units."""
        return len(self.unit_ids) + 1


def _runs(text: str) -> list[list[_Token]]:
    """Cut into runs of tokens with nothing but white space between them."""
    runs: list[list[_Token]] = [[]]
    for token in cut(text):
        unit = unit_of(token)
        if unit:
            runs[-1].append((unit, token))
        else:
            runs.append([])
    return [run for run in runs if run]


def _is_function(item: _Token) -> bool:
    return item[1] in STOP_WORDS or item[0] in _FUNCTION_CHARACTERS


def _is_character(item: _Token) -> bool:
    return len(item[1]) == 1 and is_wide(item[1])


def _unit_rarity(item: _Token) -> float:
    unit, token = item
    if is_wide(token):
        return rarity(token)
    return rarity(unit if unit[0].isdigit() else terms(token)[0])


class _Builder:
    """Collects the weights of a question's units, terms and pairs, run by run."""

    def __init__(self, runs: list[list[_Token]], asked_runs: list[list[_Token]]) -> None:
        """Read ``runs``; words that only ask, in ``asked_runs`` alone, get a number and no weight."""
        self.unit_ids: dict[str, int] = {}
        for run in (*runs, *asked_runs):
            for unit, _ in run:
                self.unit_ids.setdefault(unit, len(self.unit_ids) + 1)
        self.stride = len(self.unit_ids) + 1
        self.only_functions = all(_is_function(item) for run in runs for item in run)
        self.unit_weights = np.zeros(self.stride, np.float32)
        self.function_weights = np.zeros(self.stride, np.float32)
        self.terms: dict[int, float] = {}  # a unit's number or a pair's key -> weight
        self.numbers: set[int] = set()
        self.pairs: set[int] = set()
        for run in runs:
            self._read(run)

    def _read(self, run: list[_Token]) -> None:
        for index, item in enumerate(run):
            number = self.unit_ids[item[0]]
            weight = _unit_rarity(item)
            function = _is_function(item) and not self.only_functions
            if function:
                self.function_weights[number] = weight + 0.3  # the commonest have no rarity at all
            else:
                self.unit_weights[number] = weight
            neighbours = run[max(0, index - 1) : index] + run[index + 1 : index + 2]
            in_pair = _is_character(item) and any(map(_is_character, neighbours))
            if not function and not in_pair:
                self.terms[number] = self.terms.get(number, 0.0) + weight
                if item[0][0].isdigit():
                    self.numbers.add(number)
            if index + 1 < len(run):
                self._pair(item, run[index + 1])

    def _pair(self, first: _Token, second: _Token) -> None:
        key = self.unit_ids[first[0]] * self.stride + self.unit_ids[second[0]]
        self.pairs.add(key)
        if _is_character(first) and _is_character(second):
            weak = not self.only_functions and (_is_function(first) or _is_function(second))
            weight = rarity(first[1] + second[1]) * (_WEAK_PAIR if weak else 1.0)
            self.terms[key] = self.terms.get(key, 0.0) + weight

    def prefixes(self, kept: dict[int, int]) -> dict[str, int]:
        """Return the beginnings of long words that are terms."""
        return {
            unit[:_STEM_PREFIX]: number
            for unit, number in reversed(self.unit_ids.items())
            if len(unit) >= _STEM_PREFIX and unit.isascii() and unit.isalpha() and number in kept
        }


def read_question(text: str) -> Question:
    """Read a question."""
    folded = fold(text)
    lang = language(text)
    runs = _runs(_ASKING.sub(" ? ", folded) if lang == "zh" else folded) or _runs(folded)
    builder = _Builder(runs, _runs(folded))
    heaviest = sorted(builder.terms.items(), key=lambda item: -item[1])[:MAX_TERMS]
    kept = {key: index for index, (key, _) in enumerate(heaviest)}
    pairs = sorted(builder.pairs)
    return Question(
        folded=folded,
        language=lang,
        kind=question_kind(folded, lang),
        unit_ids=builder.unit_ids,
        unit_weights=builder.unit_weights,
        function_weights=builder.function_weights,
        term_of_unit=np.array([kept.get(number, -1) for number in range(builder.stride)], np.int64),
        term_weights=np.array([weight for _, weight in heaviest], np.float32),
        is_number=np.array([key in builder.numbers for key, _ in heaviest], bool),
        pair_keys=np.array(pairs, np.int64),
        pair_terms=np.array([kept.get(key, -1) for key in pairs], np.int64),
        prefixes=builder.prefixes(kept),
    )


def prefix_of(unit: str) -> str:
    """Return the beginning by which a word is akin to others; the empty one where it is too short."""
    return unit[:_STEM_PREFIX] if len(unit) >= _STEM_PREFIX else ""
