"""The map that texts go through before they are cut into tokens: one spelling for what means the same.

Traditional characters become simplified ones, wide forms narrow ones, and Chinese punctuation the English mark of the
same use, which the model has known from its beginning. Every rule maps one character, so that offsets stay exact.
"""

from __future__ import annotations

import io
import unicodedata
from functools import cache
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory

import sentencepiece
from sentencepiece.sentencepiece_model_pb2 import ModelProto

_MARKS = {"。": ".", "、": ",", "—": "-", "–": "-", "·": " ", "・": " ", "…": "..."}
_MARKS |= dict.fromkeys("「」『』《》〈〉“”", '"') | dict.fromkeys("‘’", "'")
_MARKS |= dict.fromkeys("【〔", "[") | dict.fromkeys("】〕", "]")


def rules() -> dict[str, str]:
    """Return what every character of the basic plane that is mapped becomes."""
    fold = _han_fold()
    found = {}
    for code in range(0x80, 0x10000):
        letter = chr(code)
        if unicodedata.category(letter) in {"Cs", "Cn", "Co"}:
            continue
        folded = "".join(fold.get(part, part) for part in unicodedata.normalize("NFKC", letter))
        folded = "".join(_MARKS.get(part, part) for part in folded)
        if folded != letter:
            found[letter] = folded
    return found


@cache
def character_map() -> bytes:
    """Return the rules as a compiled map of sentencepiece, which tokenizers read."""
    with TemporaryDirectory() as place:
        table, text = Path(place) / "rules.tsv", Path(place) / "text.txt"
        hexadecimal = [(" ".join(f"{ord(part):X}" for part in side) for side in rule) for rule in rules().items()]
        table.write_text("".join("\t".join(rule) + "\n" for rule in hexadecimal), encoding="utf-8")
        text.write_text("ab cd ef\n" * 50, encoding="utf-8")
        written = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            input=str(text), model_writer=written, vocab_size=12, hard_vocab_limit=False, minloglevel=2,
            normalization_rule_tsv=str(table),
        )  # fmt: skip
    model = ModelProto()
    model.ParseFromString(written.getvalue())
    compiled: bytes = model.normalizer_spec.precompiled_charsmap
    return compiled


def _han_fold() -> dict[str, str]:
    text = resources.files("secondpass.text").joinpath("han_fold.txt").read_text(encoding="utf-8")
    before, after = text.split("\n")[:2]
    return dict(zip(before, after, strict=True))
