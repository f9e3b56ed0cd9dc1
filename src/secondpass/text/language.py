"""Tell Chinese from English, and estimate how long a text is for a language model."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from secondpass.types import Language

HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
LANGUAGE_NAMES: Mapping[Language, str] = {"en": "English", "zh": "Chinese"}
_HAN = re.compile(f"[{HAN}]")
_WORD = re.compile(r"[A-Za-z]+")

# Rules of thumb: published vocabularies need 0.5 to 1 token for a Chinese character and 0.2 to 0.3 for an English one.
_TOKENS_PER_WIDE_CHARACTER = 0.65
_TOKENS_PER_NARROW_CHARACTER = 0.25


def language(text: str) -> Language:
    """Return ``"zh"`` where Chinese carries the text, else ``"en"``.

    A Chinese character weighs as much as an English word, so that a Chinese question full of product names stays
    Chinese.

    >>> language("FastAPI 教程推荐哪种密码哈希算法？"), language("What does 西安 mean?")
    ('zh', 'en')
    """
    han = len(_HAN.findall(text))
    return "zh" if han > len(_WORD.findall(text)) else "en"


def estimate_tokens(text: str) -> int:
    """Estimate the tokens a language model would count; rough (about +-25%), and to be shown as an estimate.

    >>> estimate_tokens(""), estimate_tokens("西安交通大学"), estimate_tokens("forty characters of plain English text.")
    (0, 4, 10)
    """
    wide = (len(text.encode("utf-8", "replace")) - len(text)) / 2  # Chinese takes three bytes, English one
    return math.ceil(wide * _TOKENS_PER_WIDE_CHARACTER + (len(text) - wide) * _TOKENS_PER_NARROW_CHARACTER)
