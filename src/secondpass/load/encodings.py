"""Bytes to text, whatever encoding they were saved in.

Detection decodes strictly with every candidate and keeps the text that a small model of Chinese and western writing
finds most likely: the description length of the text in bits, so that candidates which turn the same bytes into fewer
or more characters compare fairly. Measured against charset-normalizer in docs/log.md: on short Chinese texts in
encodings other than UTF-8 a general detector is wrong too often.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from math import log2

from secondpass.errors import InputError

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark is its beginning
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_BINARY_MARKS = (
    (b"%PDF-", "a PDF file"),
    (b"PK\x03\x04", "a zip or Office file"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office file"),
    (b"\x89PNG\r\n", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"\x1f\x8b\x08", "a gzip file"),
    (b"\x7fELF", "a program"),
    (b"SQLite format 3\x00", "an SQLite database"),
)
CANDIDATES = ("utf-8", "gb18030", "big5hkscs", "utf-16-le", "utf-16-be", "cp1252")
_ALIASES = {"gb2312": "gb18030", "gbk": "gb18030", "cp936": "gb18030", "big5": "big5hkscs", "cp950": "big5hkscs",
            "ascii": "utf-8", "iso8859-1": "cp1252", "latin-1": "cp1252", "utf-8-sig": "utf-8",
            "utf-16": "utf-16-le", "iso8859-15": "iso8859-15"}  # fmt: skip

_SCORED_CHARACTERS = 20_000
_MOST_REPLACED = 0.01  # of the characters, where a few bytes of a long text are damaged
_MOST_BITS_PER_CHARACTER = 15.5  # 99.9% of real stretches of 20 characters stay below 15.2
_LEAST_FREQUENT_SHARE = 0.12  # real stretches of 100 characters: 0.17 and more; Korean read as Chinese: 0.03
_MOST_ACCENTS_SHARE = 0.3


@dataclass(frozen=True, slots=True)
class Decoded:
    """A text, the encoding it was saved in, and how many damaged characters were replaced by U+FFFD."""

    text: str
    encoding: str
    replaced: int = 0


def decode(data: bytes, location: str, declared: str | None = None) -> Decoded:
    """Return the text of ``data``.

    Args:
        data: the whole file.
        location: named in errors.
        declared: the encoding a header or a tag names; believed where the bytes allow it.

    Raises:
        InputError: the bytes are no text, or no candidate encoding fits.
    """
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return _decode_marked(data[len(mark) :], encoding, location)
    _refuse_known_binary(data, location)
    believed = _decode_declared(data, declared)
    if believed is not None:
        _refuse_control_characters(believed.text, location)
        return believed
    if b"\0" not in data:
        text = _strictly(data, "utf-8")
        if text is not None:
            _refuse_control_characters(text, location)
            return Decoded(text, "utf-8")
    return _detect(data, location)


def _decode_marked(data: bytes, encoding: str, location: str) -> Decoded:
    text = data.decode(encoding, "replace")
    replaced = text.count("\ufffd")
    if replaced > max(1, len(text) * _MOST_REPLACED):
        raise InputError(
            f"{location} starts with the mark of {encoding.upper()}, but {replaced} of its {len(text)} characters are "
            "not valid in it; save it again as UTF-8."
        )
    _refuse_control_characters(text, location)
    return Decoded(text, encoding, replaced)


def _decode_declared(data: bytes, declared: str | None) -> Decoded | None:
    if not declared:
        return None
    try:
        encoding = codecs.lookup(declared.strip()).name
    except (LookupError, ValueError):
        return None
    encoding = _ALIASES.get(encoding, encoding)
    if encoding == "cp1252" and any(byte > 0x7F for byte in data) and _strictly(data, "utf-8") is not None:
        encoding = "utf-8"  # servers declare ISO-8859-1 for whatever they send
    text = _strictly(data, encoding)
    return None if text is None else Decoded(text, encoding)


def _strictly(data: bytes, encoding: str) -> str | None:
    try:
        text = codecs.decode(data, encoding)
    except (UnicodeError, LookupError, ValueError, TypeError):  # TypeError: "base64" and such are codecs too
        return None
    return text if isinstance(text, str) else None


def _refuse_known_binary(data: bytes, location: str) -> None:
    for mark, name in _BINARY_MARKS:
        if data.startswith(mark):
            raise InputError(f"{location} looks like a binary file ({name}) although its name says text; rename it.")


_CONTROL = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")


def _refuse_control_characters(text: str, location: str) -> None:
    count = len(_CONTROL.findall(text))
    if count > max(2, len(text) // 200):
        raise InputError(
            f"{location} looks like a binary file ({count} control characters in {len(text)}); only text is accepted."
        )


def _detect(data: bytes, location: str) -> Decoded:
    candidates = [Decoded(text, name) for name in CANDIDATES if (text := _strictly(data, name)) is not None]
    candidates += _with_damage(data)
    scored = sorted(((_bits(candidate.text), number) for number, candidate in enumerate(candidates)))
    if scored:
        bits, number = scored[0]
        best = candidates[number]
        length = min(len(best.text), _SCORED_CHARACTERS)
        if bits <= _MOST_BITS_PER_CHARACTER * length and _reads_like_writing(best.text):
            _refuse_control_characters(best.text, location)
            return best
    if b"\0" in data:
        raise InputError(f"{location} looks like a binary file (it holds NUL bytes); only text is accepted.")
    raise InputError(
        f"{location} cannot be read as text; tried {', '.join(CANDIDATES)}; save it as UTF-8, or leave it out."
    )


def _with_damage(data: bytes) -> list[Decoded]:
    """Return readings of long texts in which a few bytes are damaged."""
    found: list[Decoded] = []
    for encoding in ("utf-8", "gb18030", "big5hkscs"):
        text = data.decode(encoding, "replace")
        replaced = text.count("\ufffd")
        if 0 < replaced <= len(text) * _MOST_REPLACED:
            found.append(Decoded(text, encoding, replaced))
    return found


# --- how likely a text is -----------------------------------------------------------------------------------------

# The most frequent characters of Chinese, simplified and traditional.
_FREQUENT = frozenset(
    "的一是不了在人有我他这中大来上个国和说们为子时道你出得也那要下以生会可以自着去之过家学对她里后小么心多天而能好都然没日于起还发成事"
    "只作当想看文无开手十用主行方又如前所本见经头面公同三已老从动两长知民样现分将外但身些与高意进把法此实回二理美点月明其种声全工己话儿"
    "者向情部正名定女问力机给等几很业最间新什打便位因重被走电四第门相次东政海口使教西再平真听世气信北少关并内加化由却代军产入先山五太"
    "水万市眼体别处总才场师书比住员九笑性通目华报立马命张活难神数件安表原车白应路期叫死常提感金何更反合放做系计或司利受光王果亲界及今"
    "京务制解各任至清物台象记边共风战干接它许八特觉望直服毛林题建南度统色字请交爱让认算论百吃义科怎元社术结六功指思非流每青管夫连远资"
    "這來個國說們為時會過學對後麼還發當無開見經頭從動兩長樣現將與進實點種聲話兒間機給幾業問電門東氣關並內產場師書員報馬張難數體別處總"
    "應車親務邊戰風統請愛讓認論義萬結連遠資區們廣帶類館軍織級"
)
_CLASS_SIZES = {"word": 52, "mark": 43, "frequent": 640, "common": 6500, "rare": 21000, "wide_mark": 40, "accent": 60,
                "western_mark": 40, "kana": 180, "other": 60_000, "wrong": 70_000}  # fmt: skip
_CLASS_WEIGHT = {"word": 0.60, "mark": 0.20, "frequent": 0.45, "common": 0.30, "rare": 0.001, "wide_mark": 0.10,
                 "accent": 0.03, "western_mark": 0.01, "kana": 0.004, "other": 0.0004, "wrong": 0.000001}  # fmt: skip
_SWITCH_BITS = 4.0  # from a Chinese character to a letter and back without a blank: it happens, but seldom
_ACCENT_ALONE_BITS = 4.0  # an accented letter stands in a word, and two in a row are seldom
_WIDE_CLASSES = frozenset({"frequent", "common", "rare", "kana"})
_WIDE_MARKS = frozenset("，。、；：？！“”‘’（）《》「」『』【】—…·　\uff05～")
_WESTERN_MARKS = frozenset("€\u201aƒ„…†‡‰\u2039Œ‘’“”•–—™\u203aœ¡¢£§©«®°±²³·º»¼½¾¿×\xa0")


def _bits(text: str) -> float:
    """Return the description length of the text's beginning, in bits."""
    sample = text[:_SCORED_CHARACTERS]
    total = 0.0
    before = "mark"
    for character in sample:
        kind, bits = _weigh(character)
        total += bits
        if (kind in _WIDE_CLASSES and before in ("word", "accent")) or (before in _WIDE_CLASSES and kind == "word"):
            total += _SWITCH_BITS
        if (kind == "accent" and before != "word") or (before == "accent" and kind != "word"):
            total += _ACCENT_ALONE_BITS
        before = kind
    return total


def _reads_like_writing(text: str) -> bool:
    """Tell writing from what other encodings look like (Korean, Cyrillic): frequent characters are frequent in it."""
    kinds = Counter(_weigh(character)[0] for character in text[:_SCORED_CHARACTERS])
    chinese = kinds["frequent"] + kinds["common"] + kinds["rare"]
    letters = kinds["word"] + kinds["accent"]
    rarely_frequent = chinese >= 40 and kinds["frequent"] < _LEAST_FREQUENT_SHARE * chinese
    mostly_accents = letters >= 20 and kinds["accent"] > _MOST_ACCENTS_SHARE * letters
    return not rarely_frequent and not mostly_accents


@cache
def _weigh(character: str) -> tuple[str, float]:
    kind = _kind(character)
    return kind, -log2(_CLASS_WEIGHT[kind] / _CLASS_SIZES[kind])


def _kind(character: str) -> str:  # noqa: C901, PLR0911  (one table in the form of questions)
    code = ord(character)
    if code < 0x80:
        if character.isalpha():
            return "word"
        return "mark" if character.isprintable() or character in "\n\r\t" else "wrong"
    if character in _FREQUENT:
        return "frequent"
    if 0x4E00 <= code <= 0x9FFF:
        return "common" if _is_common(character) else "rare"
    if character in _WIDE_MARKS or 0xFF01 <= code <= 0xFF5E:
        return "wide_mark"
    if 0xC0 <= code <= 0xFF and code not in (0xD7, 0xF7):
        return "accent"
    if character in _WESTERN_MARKS:
        return "western_mark"
    if 0x3041 <= code <= 0x30FF:
        return "kana"
    if code < 0xA0 or 0xD800 <= code <= 0xF8FF or code >= 0xFFF0 or not character.isprintable():
        return "wrong"
    if 0x3400 <= code <= 0x4DBF or 0x20000 <= code <= 0x323AF:
        return "rare"
    return "other"


def _is_common(character: str) -> bool:
    """Tell whether a character is of the first level of GB 2312 or Big5, where each puts what is in daily use."""
    for encoding, first, last in (("gb2312", 0xB0, 0xD7), ("big5", 0xA4, 0xC6)):
        try:
            lead = character.encode(encoding)[0]
        except UnicodeEncodeError:
            continue
        if first <= lead <= last:
            return True
    return False
