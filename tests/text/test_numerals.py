import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondpass.text.numerals import chinese_number, numeral_terms

DIGITS = "零一二三四五六七八九"


def written(number: int) -> str:
    """Write a number below ten thousand with units, as people do."""
    out, zero = "", False
    for unit, name in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = number // unit % 10
        if digit:
            out += ("零" if zero and out else "") + DIGITS[digit] + name
        zero = not digit
    return out


@given(st.integers(1, 9999))
def test_numerals_with_units_are_read(number: int) -> None:
    assert chinese_number(written(number)) == number


@given(st.integers(1, 99_999_999))
def test_numerals_read_by_place_are_read(number: int) -> None:
    assert chinese_number("".join(DIGITS[int(digit)] for digit in str(number))) == number


@pytest.mark.parametrize(
    ("text", "value"), [("十", 10), ("十五", 15), ("两千", 2000), ("一亿三千万", 130_000_000), ("二〇二四", 2024)]
)
def test_common_writings_are_read(text: str, value: int) -> None:
    assert chinese_number(text) == value


def test_the_three_writings_of_a_number_meet() -> None:
    assert numeral_terms("三校") == numeral_terms("3 schools") == numeral_terms("Three schools") == {"3"}
    assert numeral_terms("１５６個") == {"156"}


@given(st.text())
def test_any_text_can_be_read(text: str) -> None:
    assert all(term for term in numeral_terms(text))
