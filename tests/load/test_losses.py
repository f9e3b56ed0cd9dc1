"""What was not read of a document is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from docx import Document as WordDocument

from secondpass import Workbench
from secondpass.load.losses import losses_of
from secondpass.types import Document


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({"replaced_characters": 3}, "3 characters could not be decoded"),
        ({"damaged_pages": 2}, "2 damaged pages"),
        ({"pages_without_text": 1}, "OCR"),
        ({"cut_off": True}, "the end of the file is missing"),
        ({"extraction": "tags stripped"}, "tags were stripped"),
        ({"extraction": "whole page"}, "the whole page was taken"),
    ],
)
def test_a_loss_is_said_in_words(metadata: dict[str, object], said: str) -> None:
    (loss,) = losses_of(Document("d", "文", "d.pdf", metadata=metadata))  # type: ignore[arg-type]
    assert loss.location == "d.pdf"
    assert said in loss.what


def test_a_whole_document_loses_nothing() -> None:
    metadata = {"media_type": "text/html", "encoding": "utf-8", "extraction": "main text", "pages": 3}
    assert list(losses_of(Document("d", "text", "d.html", metadata=metadata))) == []


def test_a_word_document_with_a_header_says_that_it_was_left_out(
    tmp_path: Path, word_bytes: Callable[..., bytes]
) -> None:
    document = WordDocument()
    document.add_paragraph("西安交通大学在西安。")
    document.sections[0].header.paragraphs[0].text = "页眉"
    (tmp_path / "a.docx").write_bytes(word_bytes(document))
    with Workbench(tmp_path / "index") as workbench:
        report = workbench.index(tmp_path / "a.docx")
    assert [loss.what for loss in report.losses] == [
        "1 parts with text were left out: footnotes, comments, headers or footers"
    ]
