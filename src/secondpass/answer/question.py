"""What a question asks for: its kind, and the terms that a passage should hold to answer it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from secondpass.text.asking import Kind, question_kind
from secondpass.text.language import HAN, language
from secondpass.text.normalize import fold
from secondpass.text.numerals import numeral_terms
from secondpass.text.rarity import rarity
from secondpass.text.terms import STOP_WORDS, query_terms, words
from secondpass.types import Language

# Words of asking and of grammar. Pairs of characters that hold one of them are chance: 是哪, 的创, 了多.
_ASKING_ZH = re.compile(
    r"为什[么幺]|什[么幺]时候|什[么幺]|甚[么幺]|怎[么幺]样?|如何|多少|请问|是否|哪[一几些个位里儿种年]*|几[个位名种所次]|何[时处地人]|为何"
    r"|谁|吗|呢|吧|的|了|是|由|被|在|和|与|及|或|叫做?|称为|有(?!限)|几|个|其|这|那|该|之|把|将|从|到|对|为|以|中|请"
)
_STRADDLE_GAP, _STRADDLE_SHARE = 1.5, 0.25
_NAME_EN = re.compile(r"\b[A-Z][\w'-]*")
_RUN = re.compile(f"[{HAN}]+")


@dataclass(frozen=True, slots=True)
class Question:
    """A question made ready to be looked for.

    ``weights`` holds the rarity of each term asked for; ``segments`` the terms word by word, or, in Chinese, by what
    stands between words of asking and grammar (西安交大 | 校长); ``names`` the terms that a passage must hold to be
    about the same thing: capitalised words, and in a Chinese question all Latin words and numbers.
    """

    text: str
    language: Language
    kind: Kind
    weights: dict[str, float]
    segments: tuple[tuple[str, ...], ...]
    names: frozenset[str]
    numbers: frozenset[str]


def _weights(wanted: list[str]) -> dict[str, float]:
    """Return the rarity of each term; little for a pair of characters that only straddles two words.

    密码哈希 gives 密码, 码哈, 哈希: the middle one is rare because it is nothing.
    """
    rarities = [rarity(term) for term in wanted]
    weights: dict[str, float] = {}
    for place, (term, value) in enumerate(zip(wanted, rarities, strict=True)):
        straddles = (
            0 < place < len(wanted) - 1
            and len(term) == 2
            and wanted[place - 1][1:] == term[0]
            and wanted[place + 1][:1] == term[1]
            and max(rarities[place - 1], rarities[place + 1]) < value - _STRADDLE_GAP
        )
        weights[term] = max(weights.get(term, 0.0), value * (_STRADDLE_SHARE if straddles else 1.0))
    return weights


def _segments(asked: str) -> tuple[tuple[str, ...], ...]:
    segments = (tuple(query_terms(word)) for word in words(asked) if word not in STOP_WORDS)
    return tuple(dict.fromkeys(segment for segment in segments if segment))


@lru_cache(maxsize=256)
def read_question(text: str) -> Question:
    """Take a question apart."""
    code = language(text)
    asked = _ASKING_ZH.sub(" ", fold(text)) if code == "zh" else text
    wanted = query_terms(asked) or query_terms(text)
    numbers = frozenset(numeral_terms(text))
    weights = _weights(wanted)
    latin = text if code == "zh" else " ".join(_NAME_EN.findall(text.lstrip()[1:]))
    names = frozenset(term for term in query_terms(latin) if not _RUN.match(term) and term in weights)
    return Question(text, code, question_kind(fold(text), code) or "what", weights, _segments(asked), names, numbers)
