"""Passages of a file found by terms, by vectors and by both, in parts of any size."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from tests.models.tiny_models import Shape, make_model

from secondpass.data.corpus_source import CorpusSource, CorpusStage
from secondpass.data.row_miner import MineOptions
from secondpass.data.teacher import Teacher
from secondpass.data.training_mine import mine
from secondpass.data.training_read import open_examples
from secondpass.errors import InputError
from secondpass.rerank.names import open_reranker
from secondpass.rerank.options import RerankerOptions
from secondpass.retrieve import collection_bm25, collection_vectors
from secondpass.types import FloatArray

QUERIES = ["西安的大学 page", "北京的城墙 page", "第3段"]


class Letters:
    """An embedder that counts some characters, in eighths, so that all sums are exact."""

    name, revision, dimension = "letters", "1", 8

    def encode_query(self, texts: Sequence[str]) -> FloatArray:
        return np.array([[text.count(one) / 8 for one in "西安北京大学校城"] for text in texts], np.float32)

    def encode_document(self, texts: Sequence[str]) -> FloatArray:
        return self.encode_query(texts)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    passages = [
        {"_id": f"d{n}", "text": f"第{n}段：{'西安北京'[n % 4]}{'大学学校城墙'[n % 6]} page {n}" * (1 + n % 3)}
        for n in range(60)
    ]
    path = tmp_path / "corpus.jsonl"
    path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in passages), encoding="utf-8")
    return path


@pytest.mark.parametrize("stage", ["bm25", "dense", "hybrid"])
def test_a_corpus_in_small_parts_gives_what_the_whole_gives(
    stage: CorpusStage, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedder = None if stage == "bm25" else Letters()
    with CorpusSource(corpus, stage=stage, embedder=embedder) as source:
        whole = source.find(QUERIES, 8)
        assert source.name == ("bm25" if stage == "bm25" else f"{stage} letters")
    assert [[one.rank for one in found] for found in whole] == [list(range(1, 9))] * 3
    monkeypatch.setattr(collection_bm25, "_PASSAGES_AT_ONCE", 7)
    monkeypatch.setattr(collection_vectors, "_PASSAGES_AT_ONCE", 5)
    monkeypatch.setattr(collection_vectors, "_NUMBERS_AT_ONCE", 40)
    heard: list[tuple[str, int, int | None]] = []
    with CorpusSource(corpus, lambda *said: heard.append(said), stage, embedder) as source:
        assert source.find(QUERIES, 8) == whole
        assert [source.find([query], 8)[0] for query in QUERIES] == whole
    assert heard[59] == ("passages of the corpus read", 60, None)
    assert (("passages of the corpus encoded", 60, 60) in heard) == (stage != "bm25")


def test_hybrid_is_the_fusion_of_both_ranks(corpus: Path) -> None:
    lists = []
    for stage in ("bm25", "dense"):
        with CorpusSource(corpus, stage=stage, embedder=Letters()) as source:  # type: ignore[arg-type]
            lists.append({one.id: one.rank or 0 for one in source.find(QUERIES[:1], 100)[0]})
    with CorpusSource(corpus, stage="hybrid", embedder=Letters()) as source:
        (found,) = source.find(QUERIES[:1], 10)
    for one in found:
        expected = sum(1 / (60 + ranks[one.id]) for ranks in lists if one.id in ranks)
        assert one.score == pytest.approx(expected)
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)


def test_a_stage_that_needs_an_embedder_says_so(corpus: Path) -> None:
    with pytest.raises(InputError, match=r"found by dense with an embedder; name it \(--embedder NAME\)"):
        CorpusSource(corpus, stage="dense")


def test_a_model_in_a_folder_is_a_teacher_of_what_vectors_found(corpus: Path, tmp_path: Path) -> None:
    make_model(tmp_path / "老师", Shape("xlm-roberta"))
    row = {"query": "西安的大学", "pos": ["第0段：西大 page 0"], "neg": ["北京的城墙"]}
    (tmp_path / "in.jsonl").write_text(json.dumps(row, ensure_ascii=False) + "\n", encoding="utf-8")
    teacher = Teacher(open_reranker(str(tmp_path / "老师"), RerankerOptions()))
    options = MineOptions((1, 20), 4, near=1.0)
    with CorpusSource(corpus, stage="dense", embedder=Letters()) as source:
        report = mine(open_examples(tmp_path / "in.jsonl"), source, tmp_path / "out.jsonl", options, teacher)
    out = json.loads((tmp_path / "out.jsonl").read_text(encoding="utf-8"))
    assert (len(out["neg"]), len(out["neg_scores"]), report.rows) == (1 + report.mined, 1 + report.mined, 1)
    assert report.mined + report.rejected["too near to the positive for the teacher"] >= 1
    assert out["provenance"]["teacher_scale"] == "logit"
    assert {one["source"] for one in out["provenance"]["negatives"]} <= {"given", "dense letters"}
