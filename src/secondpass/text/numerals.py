"""Numbers in their three writings: 三, 3, three."""

from __future__ import annotations

import re

from secondpass.text.normalize import fold

_DIGITS = {digit: value for value, digit in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_UNITS = {"十": 10, "百": 100, "千": 1000}
_TEN_THOUSAND, _HUNDRED_MILLION = 10_000, 100_000_000
_WORDS = {
    word: value
    for value, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen twenty".split()
    )
} | {"thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90}
_NUMBER = re.compile(
    r"(?P<digits>\d+(?:,\d{3})*(?:\.\d+)?)|(?P<chinese>[〇零一二两三四五六七八九十百千万亿]+)|\b(?P<word>[a-z]+)\b"
)


def chinese_number(text: str) -> int:
    """Return the value of a Chinese numeral, read by place or by units.

    >>> chinese_number("三"), chinese_number("一百五十六"), chinese_number("二〇〇〇"), chinese_number("三万五千")
    (3, 156, 2000, 35000)
    """
    if not any(character in _UNITS or character in "万亿" for character in text):
        return int("".join(str(_DIGITS[character]) for character in text))
    total = section = digit = 0
    for character in text:
        if character in _DIGITS:
            digit = _DIGITS[character]
        elif character in _UNITS:
            section += (digit or 1) * _UNITS[character]
            digit = 0
        elif character == "万":
            total += (section + digit or (0 if total else 1)) * _TEN_THOUSAND
            section = digit = 0
        else:
            total = (total + section + digit or 1) * _HUNDRED_MILLION
            section = digit = 0
    return total + section + digit


def numeral_terms(text: str) -> set[str]:
    """Return the numbers a text mentions, in digits.

    >>> sorted(numeral_terms("三校合并")), sorted(numeral_terms("Three schools, 1,200 students"))
    (['3'], ['1200', '3'])
    """
    numbers: set[str] = set()
    for match in _NUMBER.finditer(fold(text)):
        if digits := match["digits"]:
            numbers.add(digits.replace(",", ""))
        elif chinese := match["chinese"]:
            numbers.add(str(chinese_number(chinese)))
        elif (word := match["word"]) in _WORDS:
            numbers.add(str(_WORDS[word]))
    return numbers
