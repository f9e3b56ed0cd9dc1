"""Tell whether a sentence holds something of the kind that is asked for: a number, a time, a name."""

from __future__ import annotations

import re

from secondpass.answer.question import Question
from secondpass.text.asking import may_answer
from secondpass.text.normalize import fold
from secondpass.text.numerals import numeral_terms

_CAPITALISED = re.compile(r"(?<!^)(?<![.!?]\s)\b[A-Z][\w'-]+")


def holds_candidate(question: Question, text: str) -> bool:
    """Tell whether the sentence holds something of the kind asked for that the question does not say itself."""
    return may_answer(text, question.kind, question.language, fold(question.text))


def holds_new_name(question: Question, text: str) -> bool:
    """Tell whether the sentence holds a capitalised name, not at its start, that the question does not."""
    asked = fold(question.text)
    return any(fold(match.group()) not in asked for match in _CAPITALISED.finditer(text))


def holds_new_number(question: Question, text: str) -> bool:
    """Tell whether the sentence holds a number that the question does not, in any writing."""
    return bool(numeral_terms(text) - question.numbers)
