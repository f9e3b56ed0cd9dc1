"""What a question asks for: its kind, and the terms that a passage should hold to answer it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from secondpass.text.language import HAN, language
from secondpass.text.normalize import fold
from secondpass.text.numerals import numeral_terms
from secondpass.text.rarity import rarity
from secondpass.text.terms import STOP_WORDS, query_terms, words
from secondpass.types import Language

Kind = Literal["list", "who", "when", "where", "count", "why", "how", "what", "yes_no"]
"""What would answer: a list of things, a person, a time, a place, a number, a reason, a way, anything, yes or no."""

# Tried in order, on folded text (traditional characters arrive simplified; fold makes 麼 幺).
_KINDS: dict[Language, tuple[tuple[Kind, str], ...]] = {
    "zh": (
        ("list", r"哪些|哪几|哪[二两三四五六七八九十]|有什[么幺]|分别|包括"),
        (
            "when",
            r"何时|什[么幺]时[候间]|哪一?[年天日月]|[几何]年|几月|几[点时]|哪[一个]*(?:年代|时期|朝代|世纪)|年份|日期",
        ),
        ("who", r"谁|哪一?位|何人|哪[一个]*人|什[么幺]人|[叫是]什[么幺]名字"),
        ("where", r"哪里|哪儿|何[处地]|哪[一个座]*(?:国|省|市|城|地|县|州|洲|区|岛)|什[么幺]地[方区]|位于"),
        ("count", r"多少|几|多[大长高远久深宽重快]|(?:人口|面积|[高长宽深]度|海拔|金额|比例|年龄)(?:是|为|有)"),
        ("why", r"为什[么幺]|为何|为啥|原因|何以|怎[么幺]会"),
        ("how", r"怎[么幺样]|如何"),
        ("yes_no", r"吗[?？]?\s*$|是否|是不是|能不能|有没有|会不会"),
    ),
    "en": (
        (
            "when",
            r"\bwhen\b|\b(?:what|which) (?:\w+ )?(?:year|date|day|month|decade|century|time|era|period)\b",
        ),
        ("who", r"\bwh(?:o|om|ose)\b|\b(?:what|which) (?:person|man|woman|king|queen|president|author)\b"),
        (
            "count",
            r"\bhow (?:many|much|long|old|far|tall|often|large|big|high|fast|deep|wide|heavy|hot|cold)\b"
            r"|\bwhat (?:\w+ )?(?:percent(?:age)?|number|amount|population|age|price|cost|size)\b"
            r"|\bwhat (?:\w+ )?(?:length|height|distance|rate|speed)\b",
        ),
        (
            "where",
            r"\bwhere\b"
            r"|\b(?:what|which) (?:\w+ )?(?:country|city|state|place|location|region|town|county|continent|area)\b",
        ),
        ("why", r"\bwhy\b|\bfor what reason\b|\bwhat (?:caused|causes|reason)\b"),
        (
            "list",
            r"\bwh(?:at|ich) (?:are|were|two|three|four|five|six|several)\b|\b(?:list|name) (?:the|all)\b",
        ),
        ("how", r"\bhow\b"),
        ("yes_no", r"^\W*(?:is|are|was|were|do|does|did|can|could|should|would|will|has|have|had)\b"),
    ),
}
_PATTERNS = {code: tuple((kind, re.compile(pattern)) for kind, pattern in kinds) for code, kinds in _KINDS.items()}

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


def kind_of(text: str, code: Language) -> Kind:
    """Return what kind of answer a question asks for.

    >>> kind_of("西安交大由哪几个学校合并的", "zh"), kind_of("How many schools were merged?", "en")
    ('list', 'count')
    """
    folded = fold(text)
    return next((kind for kind, pattern in _PATTERNS[code] if pattern.search(folded)), "what")


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
    return Question(text, code, kind_of(text, code), weights, _segments(asked), names, numbers)
