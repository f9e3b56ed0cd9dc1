"""Every writing of a small number to plain digits, so that a ranking can be read: ２ ② ❷ ² ₂ 二 第二.

What stands in brackets of any kind comes out in square ones; circled numbers and 第二段 count as bracketed.
"""

from __future__ import annotations

import re
import unicodedata

from secondpass.text.numerals import chinese_number

CHINESE_NUMERAL = "〇零一二两三四五六七八九十百"
_BRACKETS = str.maketrans("［【〔〖「『〈《⟨］】〕〗」』〉》⟩", "[[[[[[[[[]]]]]]]]]")
_CIRCLED_RUNS = ((0x2776, 1), (0x2780, 1), (0x278A, 1), (0x24EB, 11), (0x24F5, 1))  # ❶ ➀ ➊ ⓫ ⓵: NFKC leaves them
_DIGIT_IN_SHAPE = re.compile(
    "[\u2460-\u249b\u24ea-\u24ff\u2776-\u2793\u3220-\u3229\u3251-\u325f\u3280-\u3289\u32b1-\u32bf]"
)
_RAISED = re.compile("[⁰¹²³⁴-⁹₀-₉]+")
_ORDINAL = re.compile(rf"第\s*([{CHINESE_NUMERAL}]+|\d+)\s*[段篇个條条名份号则](?:落|文)?")
_BRACKETED = re.compile(rf"\[\s*([{CHINESE_NUMERAL}]+)\s*\]")
_CHAIN = re.compile(rf"(?<![\w])[{CHINESE_NUMERAL}]+(?:\s*[>≻→,，、;；\n]\s*[{CHINESE_NUMERAL}]+)+(?![\w])")
_LONGEST_NUMERAL = 8
_RUN = re.compile(f"[{CHINESE_NUMERAL}]+")


def plain_numbers(text: str) -> str:
    """Return ``text`` with its numbers in ASCII digits and its brackets square.

    >>> plain_numbers("②＞①、【三】≻［４］ [²]"), plain_numbers("第二段最相关，一共三段"), plain_numbers("二、一、三")
    ('[2]>[1]、[3]≻[4] [2]', '[2]最相关，一共三段', '2、1、3')
    """
    text = _DIGIT_IN_SHAPE.sub(_bracketed, text)
    text = _RAISED.sub(lambda match: unicodedata.normalize("NFKC", match.group()), text).translate(_BRACKETS)
    text = "".join(_plain_character(character) for character in text)
    text = _BRACKETED.sub(lambda match: f"[{_digits(match[1])}]", text)
    text = _ORDINAL.sub(lambda match: f"[{_digits(match[1])}]", text)
    return _CHAIN.sub(lambda match: _RUN.sub(lambda run: _digits(run.group()), match.group()), text)


def _plain_character(character: str) -> str:
    """Fold full-width ASCII only: full folding would join neighbours and change words."""
    if "\uff01" <= character <= "\uff5e" and character not in "，；：！？":
        return chr(ord(character) - 0xFEE0)
    if character.isdecimal() and not character.isascii():
        return str(unicodedata.decimal(character))
    return character


def _bracketed(match: re.Match[str]) -> str:
    code = ord(match.group())
    for first, value in _CIRCLED_RUNS:
        if first <= code < first + 10:
            return f"[{code - first + value}]"
    inside = re.search(rf"\d+|[{CHINESE_NUMERAL}]+", unicodedata.normalize("NFKC", match.group()))
    return f"[{_digits(inside.group())}]" if inside else match.group()


def _digits(numeral: str) -> str:
    if len(numeral) > _LONGEST_NUMERAL:
        return "0"  # nobody shows so many passages
    return str(int(numeral)) if numeral.isdecimal() else str(chinese_number(numeral))
