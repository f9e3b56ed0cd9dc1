"""What is said when the documents do not say it."""

from __future__ import annotations

from secondpass.types import Language

NOT_FOUND: dict[Language, str] = {"en": "not found in the documents", "zh": "文档中没有找到答案"}
