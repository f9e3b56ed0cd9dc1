"""The files that are shipped: other libraries load them as they are, and read the same numbers off them."""

from __future__ import annotations

import json

import pytest
import torch
from sentence_transformers import CrossEncoder
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from secondpass.models.builtin_model import builtin_folder
from secondpass.models.cross_encoder import ReadingOptions, open_cross_encoder
from secondpass.models.engine import EngineOptions
from secondpass.models.profiles import find_profile

LIMIT_BYTES = 40_000_000
QUESTION_ZH, QUESTION_EN = "长江有多长？", "Who invented the telephone?"
PASSAGES = (
    "长江全长约6300公里，是亚洲第一长河。", "黄河流经九个省区。", "長江全長約六千三百公里。",
    "Alexander Graham Bell was awarded the first US patent for the telephone in 1876.", "Rivers flow to the sea. " * 30,
)  # fmt: skip


@pytest.mark.parametrize("question", [QUESTION_ZH, QUESTION_EN])
def test_transformers_and_sentence_transformers_read_the_same_scores(question: str) -> None:
    folder = builtin_folder()
    scorer = open_cross_encoder(folder, None, EngineOptions("onnx", threads=1), ReadingOptions(256))
    ours = [one.score for one in scorer.score(question, PASSAGES)]
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder, trust_remote_code=False).eval()
    inputs = tokenizer([question] * len(PASSAGES), list(PASSAGES), padding=True, return_tensors="pt")
    with torch.no_grad():
        theirs = model(**inputs).logits[:, 0].tolist()
    assert theirs == pytest.approx(ours, abs=1e-4)
    predicted = CrossEncoder(str(folder), device="cpu").predict([(question, text) for text in PASSAGES])
    assert predicted.tolist() == pytest.approx(ours, abs=1e-4)


def test_what_is_shipped_is_small_and_holds_no_code() -> None:
    files = [path for path in builtin_folder().iterdir() if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= LIMIT_BYTES
    assert {path.suffix for path in files} <= {".json", ".safetensors", ".md"}
    config = json.loads((builtin_folder() / "config.json").read_text(encoding="utf-8"))
    assert "auto_map" not in config


@pytest.mark.parametrize(
    ("question", "passage", "read", "evidence"),
    [
        (
            "Which three schools were merged into the new Xi'an Jiaotong University?",
            "2000年国务院决定将西安交通大学、西安医科大学、陕西财经学院三校合并，组建新的西安交通大学。",
            "Which three schools were merged into the new 西安交通 University?",
            "西安交通大学、西安医科大学、陕西财经学院",
        ),
        (
            "赵州桥在哪个省？",
            "The Zhaozhou Bridge is in the south of Hebei Province.",
            "Zhaozhou桥在哪个省？",
            "Hebei Province",
        ),
    ],
)
def test_names_are_read_as_the_passage_writes_them(question: str, passage: str, read: str, evidence: str) -> None:
    folder = builtin_folder()
    options = EngineOptions("onnx", threads=1)
    as_written, by_name = (
        open_cross_encoder(folder, None, options),
        open_cross_encoder(folder, find_profile("builtin"), options),
    )
    other = "另一段文字。" if question.isascii() else "Another text."
    found, beside = by_name.score(question, [passage, other])
    assert found.score == pytest.approx(as_written.score(read, [passage])[0].score, abs=1e-5)
    assert found.score > as_written.score(question, [passage])[0].score + 1
    assert found.span is not None
    assert evidence in passage[found.span.start : found.span.end]
    assert beside.score == pytest.approx(as_written.score(question, [other])[0].score, abs=1e-5)
    assert by_name.fingerprint != as_written.fingerprint
