"""Mining hard negatives."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from secondpass.data import training_mine
from secondpass.data.corpus_source import CorpusSource
from secondpass.data.negative_filters import Margins
from secondpass.data.negative_sources import FoundPassage
from secondpass.data.row_miner import MineOptions
from secondpass.data.teacher import Teacher
from secondpass.data.training_mine import MineReport, mine
from secondpass.data.training_read import good_examples, open_examples
from secondpass.errors import InputError
from secondpass.rerank.lexical import LexicalReranker
from secondpass.types import Hit, StageScore

TOPICS = ("城墙", "钟楼", "大雁塔", "兵马俑", "华清池", "回民街")


def write(path: Path, *records: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records), encoding="utf-8")
    return path


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    passages = [
        {
            "_id": f"{topic}{n}",
            "title": topic,
            "text": f"西安的{topic}第{n}段：这里讲{topic}的历史{n * 37}年，与别处不同{n}。",
        }
        for topic in TOPICS
        for n in range(8)
    ]
    return write(tmp_path / "corpus.jsonl", *passages)


def passage(topic: str, n: int) -> str:
    return f"{topic} 西安的{topic}第{n}段：这里讲{topic}的历史{n * 37}年，与别处不同{n}。"


def mined(
    tmp_path: Path, corpus: Path, rows: Sequence[dict[str, Any]], options: MineOptions, teacher: Teacher | None = None
) -> tuple[MineReport, list[dict[str, Any]]]:
    data = write(tmp_path / "in.jsonl", *rows)
    with CorpusSource(corpus) as source:
        report = mine(open_examples(data), source, tmp_path / "out.jsonl", options, teacher)
    lines = (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()
    return report, [json.loads(line) for line in lines]


def test_negatives_come_from_the_window_with_where_they_came_from(tmp_path: Path, corpus: Path) -> None:
    row = {"query": "城墙的历史", "pos": [passage("城墙", 3)]}
    useless = {"query": "没有答案", "docs": ["钟楼"], "labels": [0]}
    report, _ = mined(tmp_path, corpus, [useless], MineOptions())
    assert (report.rows, report.without_positive, report.mined) == (1, 1, 0)
    report, (out,) = mined(tmp_path, corpus, [row], MineOptions((2, 6), 3, near=1.0))
    provenance = out["provenance"]["negatives"]
    assert len(out["neg"]) == 3
    assert passage("城墙", 3) not in out["neg"]
    assert all(one["source"] == "bm25" and 2 <= one["rank"] <= 6 for one in provenance)
    assert [one["rank"] for one in provenance] == sorted(one["rank"] for one in provenance)
    assert out["neg"] == [passage(one["id"][:-1], int(one["id"][-1])) for one in provenance]
    assert (report.mined, report.short) == (3, 0)
    (read,) = good_examples(open_examples(tmp_path / "out.jsonl"))
    assert read.provenance["negatives"] == provenance


def test_no_positive_of_the_question_becomes_a_negative(tmp_path: Path, corpus: Path) -> None:
    rows = [
        {"query": "城墙的历史", "pos": [passage("城墙", 0)]},
        {"query": "城墙的歷史？", "pos": [passage("城墙", 1), passage("城墙", 2) + "了"]},
    ]
    report, out = mined(tmp_path, corpus, rows, MineOptions((1, 8), 8, near=0.8))
    right = {passage("城墙", n) for n in (0, 1, 2)}
    assert not right & {text for row in out for text in row["neg"]} - {passage("城墙", 2)}
    assert passage("城墙", 2) not in out[1]["neg"]
    assert report.rejected["a positive of the question"] >= 3
    assert report.rejected["nearly a positive"] >= 1


def test_given_negatives_stay_and_count_or_are_replaced(tmp_path: Path, corpus: Path) -> None:
    row = {
        "query": "钟楼的历史",
        "pos": [passage("钟楼", 0)],
        "neg": ["完全无关的话"],
        "pos_scores": [1],
        "neg_scores": [0],
    }
    _, (kept,) = mined(tmp_path, corpus, [row], MineOptions((1, 20), 3, near=1.0))
    assert kept["neg"][0] == "完全无关的话"
    assert len(kept["neg"]) == 3
    assert kept["provenance"]["negatives"][0]["source"] == "given"
    assert "pos_scores" not in kept
    (tmp_path / "out.jsonl").unlink()
    _, (replaced,) = mined(tmp_path, corpus, [row], MineOptions((1, 20), 3, near=1.0, keep_given=False))
    assert "完全无关的话" not in replaced["neg"]
    assert len(replaced["neg"]) == 3


def test_a_margin_leaves_out_what_a_teacher_holds_for_right(tmp_path: Path, corpus: Path) -> None:
    row = {"query": "城墙的历史第3段", "pos": [passage("城墙", 3)]}
    teacher = Teacher(LexicalReranker())
    _, (out,) = mined(tmp_path, corpus, [row], MineOptions((1, 30), 30, near=1.0), teacher)
    limit = 0.95 * sigmoid(out["pos_scores"][0])
    assert out["neg"]
    assert all(sigmoid(score) < limit for score in out["neg_scores"])
    assert out["provenance"]["teacher"] == "lexical"
    (tmp_path / "out.jsonl").unlink()
    least = 0.5 * (out["pos_scores"][0] - min(out["neg_scores"]))
    strict = MineOptions((1, 30), 30, margins=Margins(None, absolute=least), near=1.0)
    report, (narrow,) = mined(tmp_path, corpus, [row], strict, teacher)
    assert max(narrow["neg_scores"]) <= narrow["pos_scores"][0] - least
    assert report.rejected["too near to the positive for the teacher"] > 0
    assert report.short == 1


def sigmoid(score: float) -> float:
    return float(1 / (1 + 2.718281828459045**-score))


class Lister:
    """A reranker that gives an order alone: passages with the figure 0 first."""

    name = "lister"

    def __init__(self) -> None:
        self.calls = 0

    def rerank(self, query: str, hits: Sequence[Hit], top_n: int | None = None) -> list[Hit]:
        self.calls += 1
        ordered = sorted(hits, key=lambda hit: "第0段" not in hit.chunk.text)
        return [
            Hit(hit.chunk, 0.0, "rank_only", (StageScore(self.name, rank, 0.0, "rank_only"),))
            for rank, hit in enumerate(ordered, start=1)
        ]


def test_an_order_alone_becomes_scores_and_keeps_what_stands_below_the_positive(tmp_path: Path, corpus: Path) -> None:
    row = {"query": "城墙的历史", "pos": [passage("城墙", 5)]}
    lister = Lister()
    _, (out,) = mined(tmp_path, corpus, [row], MineOptions((1, 10), 4, near=1.0, fill=True), Teacher(lister))
    assert passage("城墙", 0) not in out["neg"]
    assert max(out["neg_scores"]) < out["pos_scores"][0]
    assert out["provenance"]["teacher_scale"] == "rank_only"
    assert lister.calls == 1


def test_what_is_missing_is_drawn_by_lot_only_when_asked(tmp_path: Path, corpus: Path) -> None:
    row = {"query": "城墙", "pos": [passage("城墙", 0)]}
    report, (few,) = mined(tmp_path, corpus, [row], MineOptions((1, 3), 6, near=1.0))
    assert report.short == 1
    assert len(few["neg"]) < 6
    (tmp_path / "out.jsonl").unlink()
    report, (out,) = mined(tmp_path, corpus, [row], MineOptions((1, 3), 6, near=1.0, fill=True))
    drawn = [one for one in out["provenance"]["negatives"] if one["source"] == "random"]
    assert len(out["neg"]) == 6
    assert len(drawn) == report.drawn == 6 - len(few["neg"])
    assert len(set(out["neg"])) == 6


def test_a_torn_run_goes_on_where_it_was_and_ends_as_an_undisturbed_one(
    tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_mine, "_QUESTIONS_AT_ONCE", 4)
    rows = [{"query": f"{topic}的历史{n}", "pos": [passage(topic, n)]} for topic in TOPICS for n in range(3)]
    options = MineOptions((1, 10), 3, choose="random")
    report, whole = mined(tmp_path, corpus, rows, options)
    assert (report.rows, report.known) == (18, 0)
    out, part = tmp_path / "out.jsonl", tmp_path / "out.jsonl.part"
    lines = out.read_bytes().splitlines(keepends=True)
    out.unlink()
    asked: list[int] = []

    class Listening(CorpusSource):
        def find(self, queries: Sequence[str], top_k: int) -> list[list[FoundPassage]]:
            asked.append(len(queries))
            if len(asked) == 3:
                raise KeyboardInterrupt
            return super().find(queries, top_k)

    data = tmp_path / "in.jsonl"
    with Listening(corpus) as source, pytest.raises(KeyboardInterrupt):
        mine(open_examples(data), source, out, options)
    assert part.read_bytes() == b"".join(lines[:8])
    part.write_bytes(b"".join(lines[:8]) + lines[8][:50])  # as a killed process leaves it
    with Listening(corpus) as source:
        report = mine(open_examples(data), source, out, options)
    assert (report.known, report.rows) == (8, 18)
    assert out.read_bytes() == b"".join(lines)
    assert asked == [4, 4, 4, 4, 4, 2]
    assert [one.name for one in tmp_path.iterdir() if ".part" in one.name] == []
    assert len(whole) == 18


def test_work_begun_with_other_settings_is_not_gone_on_with(tmp_path: Path, corpus: Path) -> None:
    data = write(tmp_path / "in.jsonl", {"query": "城墙", "pos": ["墙"]})
    with CorpusSource(corpus) as source:
        (tmp_path / "out.jsonl.part").write_text('{"query": "城墙", "pos": ["墙"]}\n', encoding="utf-8")
        (tmp_path / "out.jsonl.part.settings.json").write_text('{"negatives": 3}', encoding="utf-8")
        with pytest.raises(InputError, match=r"begun with other settings.*remove it"):
            mine(open_examples(data), source, tmp_path / "out.jsonl", MineOptions())
        with pytest.raises(InputError, match="the lower first"):
            mine(open_examples(data), source, tmp_path / "o2", MineOptions((5, 2)))


def test_a_corpus_without_ids_and_a_broken_one(tmp_path: Path) -> None:
    plain = write(tmp_path / "pool.jsonl", {"text": "西安城墙"}, {"text": " "}, {"text": "钟楼"})
    with CorpusSource(plain) as source:
        assert len(source) == 2
        assert source.find(["城墙"], 5)[0][0].id == "1"
        assert {one.text for one in source.draw(5, random.Random(1))} == {"西安城墙", "钟楼"}
    with pytest.raises(InputError, match=r"twice\.jsonl:2: the id 'a' stands on line 1 too"):
        CorpusSource(write(tmp_path / "twice.jsonl", {"_id": "a", "text": "甲"}, {"_id": "a", "text": "乙"}))
    with pytest.raises(InputError, match=r'bad\.jsonl:1: there is no "text"'):
        CorpusSource(write(tmp_path / "bad.jsonl", {"_id": "a"}))
