"""The texts of the golden numbers: shared by the test and the script that recorded them."""

from __future__ import annotations

from tests.models.tiny_models import EMOJI_AND_WIDE, SENTENCES, Shape

CHINESE = "".join(sentence for sentence in SENTENCES if not sentence.isascii())
ENGLISH = " ".join(sentence for sentence in SENTENCES if sentence.isascii())
QUERIES = {
    "zh": "谁发明了电话？",
    "en": "Who invented the telephone, and in which year?",
    "long zh": CHINESE,
    "long en": ENGLISH,
    "very long": (CHINESE + ENGLISH) * 2,
}
PASSAGES = [
    *SENTENCES,
    EMOJI_AND_WIDE,
    "",
    "。",
    CHINESE,
    ENGLISH,
    CHINESE * 3 + ENGLISH * 3,
    (ENGLISH + CHINESE) * 8,
    "字" * 1300,
    "\n一行\n\n两行　全角空格\t制表",
]
FLAG_CASES = [
    (kind, query, max_tokens)
    for kind in ("bert", "xlm-roberta")
    for query, max_tokens in (("zh", 512), ("en", 512), ("long zh", 100), ("long en", 64), ("very long", 512))
]
BCE_CASES = ["zh", "en", "long zh"]


def golden_shape(kind: str) -> Shape:
    """Return the shape of the model that the numbers were recorded with."""
    return Shape(kind, seed=20)
