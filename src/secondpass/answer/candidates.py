"""Tell whether a sentence holds something of the kind that is asked for: a number, a time, a name."""

from __future__ import annotations

import re

from secondpass.answer.question import Kind, Question
from secondpass.text.normalize import fold
from secondpass.text.numerals import numeral_terms

_MONTH = "jan|feb|mar|apr|may|june?|july?|aug|sep|oct|nov|dec|monday|tuesday|wednesday|thursday|friday|saturday|sunday"
_NUMERAL = "[〇零一二三四五六七八九十百千万亿两半几\\d]"
# The hundred most frequent family names cover about 85% of people in China; a name needs no more to be guessed at.
_FAMILY_NAMES = (
    "赵钱孙李周吴郑王冯陈蒋沈韩杨朱秦许何吕张孔曹严金魏陶姜戚谢邹苏潘葛范彭鲁韦马方任袁柳唐罗薛贺汤毕郝安常于傅卞齐康伍余顾"
    "孟平黄穆萧尹"
)
_CANDIDATES: dict[Kind, re.Pattern[str]] = {
    "when": re.compile(
        rf"\b\d{{3,4}}s?\b|\b(?:{_MONTH})[a-z]*\b|centur|decade|{_NUMERAL}+(?:年|月|日|世纪|时|点)|[春夏秋冬]季|年代",
        re.IGNORECASE,
    ),
    "where": re.compile(
        r"\b(?:in|at|near|from|to|of|is|was)\s+(?:the\s+)?[A-Z]\w+|\w[省市县国州区镇村岛洲山河湖海]|位于|地处"
    ),
    "why": re.compile(
        r"\b(?:because|due to|since|so that|in order to|caus|result|reason|therefore)|因|由于|为了|以便|导致|所以|故",
        re.IGNORECASE,
    ),
    "count": re.compile(
        rf"\d[\d.,]*|{_NUMERAL}+|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|dozen|hundred|thousand|million|half)\b"
    ),
    "list": re.compile(r"、|,.*\band\b|,.*,|和|及|与|《"),
    "who": re.compile(rf"·|[者家人王帝长官员师子士]|先生|女士|教授|博士|总统|[{_FAMILY_NAMES}]"),
}
_CAPITALISED = re.compile(r"(?<!^)(?<![.!?]\s)\b[A-Z][\w'-]+")


def holds_candidate(question: Question, text: str) -> bool:
    """Tell whether the sentence holds something of the kind asked for that the question does not say itself.

    True for kinds that have no outward sign.
    """
    pattern = _CANDIDATES.get(question.kind)
    if pattern is None:
        return True
    asked = fold(question.text)
    return any(fold(match.group()) not in asked for match in pattern.finditer(text))


def holds_new_name(question: Question, text: str) -> bool:
    """Tell whether the sentence holds a capitalised name, not at its start, that the question does not."""
    asked = fold(question.text)
    return any(fold(match.group()) not in asked for match in _CAPITALISED.finditer(text))


def holds_new_number(question: Question, text: str) -> bool:
    """Tell whether the sentence holds a number that the question does not, in any writing."""
    return bool(numeral_terms(text) - question.numbers)
