"""Tables and notes for people."""

from __future__ import annotations

import logging
import unicodedata
from dataclasses import replace

import pytest
from rich.console import Console
from rich.text import Text

from secondpass.answer.quotes import readable
from secondpass.cli import reranking
from secondpass.cli.output import answer_text, excerpt, hits_table, narrow
from secondpass.types import Answer, Chunk, Citation, Hit, Span, StageScore


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("lexical", ["lexical"]),
        ("BAAI/bge-reranker-v2-m3", ["bge-reranker-", "v2-m3"]),
        ("listwise:openai/qwen-max", ["listwise:", "openai/qwen-", "max"]),
        ("小模型-很长的名字也要能放进一列", ["小模型-", "很长的名字也要", "能放进一列"]),
        ("x" * 99, ["x" * 14, "x" * 14, "x" * 14, "…"]),
        ("", [""]),
    ],
)
def test_a_stages_name_is_broken_at_its_marks(name: str, lines: list[str]) -> None:
    assert narrow(name).split("\n") == lines


def test_a_table_with_long_names_of_models_leaves_room_for_the_passage() -> None:
    stages = ("bm25", "lexical", "Alibaba-NLP/gte-multilingual-reranker-base", "[bold]x[/bold]", "lexical")
    trace = tuple(StageScore(name, place, 1.0 / place, "logit") for place, name in enumerate(stages, start=1))
    text = "西安交通大学由三所学校合并组建。" * 3
    terminal = Console(width=100, record=True, file=None, force_terminal=False)
    with terminal.capture() as captured:
        terminal.print(hits_table([Hit(Chunk("1", text), 1.0, "logit", trace)], "one"))
    shown = captured.get()
    assert "multilingual-" in shown
    assert "[bold]x[/" in shown
    assert shown.count("#2") == shown.count("#5") == 1  # the same reranker twice, each with its own rank
    assert (
        max(sum(1 + (unicodedata.east_asian_width(char) in "WF") for char in line) for line in shown.split("\n")) <= 100
    )
    assert "西安交通" in shown


def underlined(text: Text) -> list[str]:
    return [text.plain[span.start : span.end] for span in text.spans if span.style == "underline"]


@pytest.mark.parametrize(
    ("quote", "words", "said"),
    [
        ("2000年，三校合并为\n一校。", "三校合并为\n一校", "三校合并为 一校"),
        ("- `age` is **600**, and 600 is enough.", "600 is", "600 is"),
        ("- 600 or **600**.", "600**", "600"),
    ],
)
def test_what_answers_is_underlined_in_the_answer(quote: str, words: str, said: str) -> None:
    start = 50 + quote.rindex(words)
    citation = Citation(1, "c", "d", "s", 50, 50 + len(quote), quote, highlight=Span(start, start + len(words)))
    text = answer_text(Answer(f"{readable(quote)} [1]", True, (citation,)))
    assert underlined(text) == [said]
    assert text.plain[: text.spans[-1].start].count(said) == readable(quote[: start - 50]).count(said)
    assert not underlined(answer_text(Answer("文档中没有找到答案", False)))


def test_evidence_is_underlined_in_the_excerpt_where_a_model_points_at_it() -> None:
    text = "前言。\n" * 60 + "答案是  四十二。" + "后记。" * 60
    at = text.index("四十二")
    hit = Hit(Chunk("1", text), 1.0, "logit", evidence=Span(at, at + 3), evidence_confidence=0.9)
    shown = excerpt(hit)
    assert underlined(shown) == ["四十二"]
    assert shown.plain.startswith("…")
    assert shown.plain.endswith("…")
    assert "答案是 四十二" in shown.plain
    sentence = excerpt(replace(hit, evidence_confidence=None))  # a whole sentence of `lexical` is not underlined
    assert sentence.plain == shown.plain
    assert not underlined(sentence)
    assert excerpt(Hit(Chunk("2", "  一\n二 "), 1.0, "logit")).plain == "一 二"


def test_notes_of_one_kind_become_rare_after_ten(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    handler = reranking.NoteHandler()
    for number in range(100):
        handler.emit(logging.makeLogRecord({"msg": "读了 %d 段", "args": (number,)}))
    handler.emit(logging.makeLogRecord({"msg": "another kind"}))
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 11
    assert said[9] == "note: 读了 9 段 (from now on, notes of this kind come every five seconds)"
    assert said[10] == "note: another kind"
    monkeypatch.setattr(reranking, "SECONDS_BETWEEN_LINES", -1.0)
    handler.emit(logging.makeLogRecord({"msg": "读了 %d 段", "args": (100,)}))
    assert capsys.readouterr().err == "note: 读了 100 段\n"
