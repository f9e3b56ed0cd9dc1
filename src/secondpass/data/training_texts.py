"""Texts of training data, compared: the same but for writing, nearly the same, without words, broken by an encoding."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from secondpass.text.language import HAN
from secondpass.text.normalize import fold

Shingles: TypeAlias = npt.NDArray[np.uint64]
"""Hashes of the runs of a text, uint64 [R], ascending and unique."""

_WORD = re.compile(r"\w+")
_UNIT = re.compile(rf"[{HAN}]|[^\W{HAN}]+")
_LETTER = re.compile(r"[^\W\d_]")
# What UTF-8 looks like that was read as Latin-1 or GBK, and what decoders put in place of what they cannot read.
_MOJIBAKE = re.compile("[\ufffd\x80-\x9f]|â€|Ã[\xa0-\xbf]|ï»¿|锟斤拷|烫烫烫|屯屯屯")
_KEYS_KEPT, _SHINGLES_KEPT = 16_384, 4_096  # passages come again and again, as negatives of other questions
_RUN_OF_WORDS, _RUN_OF_CHARACTERS = 3, 3
_FACTORS = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], np.uint64)


def same_form(text: str) -> str:
    """Return what two texts share that differ only in case, width, white space, punctuation or Chinese writing.

    >>> same_form("西安，在 哪裡？") == same_form("西安在哪里")
    True
    """
    return "".join(_WORD.findall(fold(text))) or text.strip()


@lru_cache(_KEYS_KEPT)
def text_key(text: str) -> int:
    """Return 64 bits that are equal for texts of the same form."""
    return int.from_bytes(blake2b(same_form(text).encode("utf-8", "replace"), digest_size=8).digest(), "little")


def has_letters(text: str) -> bool:
    """Tell whether a text has a letter of any writing.

    >>> has_letters("12.5%"), has_letters("第 3"), has_letters("……")
    (False, True, False)
    """
    return _LETTER.search(text) is not None


def is_mojibake(text: str) -> bool:
    """Tell whether a text shows signs of having been read in a wrong encoding.

    >>> is_mojibake("cafÃ©"), is_mojibake("锟斤拷"), is_mojibake("西安 café")
    (True, True, False)
    """
    return not text.isascii() and _MOJIBAKE.search(text) is not None


@lru_cache(_SHINGLES_KEPT)
def passage_shingles(text: str) -> Shingles:
    """Return the runs of three words or Chinese characters of a passage; a shorter one is one run."""
    units = _UNIT.findall(fold(text))
    return _runs([zlib.crc32(unit.encode("utf-8", "replace")) for unit in units], _RUN_OF_WORDS)


def query_shingles(text: str) -> Shingles:
    """Return the runs of three characters of a question, which has too few words."""
    return _runs([ord(character) for character in same_form(text)], _RUN_OF_CHARACTERS)


def _runs(units: Sequence[int], length: int) -> Shingles:
    values: Shingles = np.array(units, np.uint64)
    if len(values) < length:
        return np.unique((values * _FACTORS[: len(values)]).sum(keepdims=True, dtype=np.uint64))
    count = len(values) - length + 1
    total = np.zeros(count, np.uint64)
    for place in range(length):
        total += (values[place : place + count] + np.uint64(1)) * _FACTORS[place]
    return np.unique(total ^ (total >> np.uint64(29)))


def resemblance(first: Shingles, second: Shingles) -> float:
    """Return the part of their runs that two texts share, 0 to 1 (Broder 1997).

    >>> round(resemblance(passage_shingles("西安交通大学在西安。"), passage_shingles("西安交通大学，在西安！")), 1)
    1.0
    """
    shorter, longer = sorted((len(first), len(second)))
    if not shorter:
        return 0.0
    shared = len(np.intersect1d(first, second, assume_unique=True))
    return float(shared / (shorter + longer - shared))


def may_resemble(first: Shingles, second: Shingles, threshold: float) -> bool:
    """Tell whether two texts can share ``threshold`` of their runs, by their numbers alone."""
    shorter, longer = sorted((len(first), len(second)))
    return shorter >= threshold * longer
