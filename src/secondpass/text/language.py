"""Tell Chinese from English, and estimate how long a text is for a language model."""

from __future__ import annotations

import re

from secondpass.types import Language

HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
_HAN = re.compile(f"[{HAN}]")
_WORD = re.compile(r"[A-Za-z]+")

# Measured with a byte-pair vocabulary trained on Chinese and English text: see docs/log.md, 2026-11-20.
_TOKENS_PER_WIDE_CHARACTER = 0.65
_TOKENS_PER_NARROW_CHARACTER = 0.25
_NARROW = re.compile("[\x00-\u024f]")


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

    >>> estimate_tokens("")
    0
    """
    narrow = len(_NARROW.findall(text))
    tokens = narrow * _TOKENS_PER_NARROW_CHARACTER + (len(text) - narrow) * _TOKENS_PER_WIDE_CHARACTER
    return round(tokens) if tokens < 1 else max(1, round(tokens))
