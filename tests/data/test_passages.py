"""Reranking jobs as JSON lines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from tests.rerank.scorers import CharacterScorer

from secondpass.data.passages import BadLine, Job, as_hits, read_jobs, read_passages, rerank_job
from secondpass.errors import InputError
from secondpass.rerank.ordering import order_by_score
from secondpass.rerank.pairs import PairReranker
from secondpass.types import Hit


class LongestFirst:
    """A reranker that likes long passages."""

    name = "longest"

    def rerank(self, query: str, hits: Sequence[Hit], top_n: int | None = None) -> list[Hit]:
        lengths = np.array([len(hit.chunk.text) for hit in hits], dtype=np.float32)
        return order_by_score(hits, lengths, self.name, "unknown", top_n)


def job(**fields: object) -> str:
    return json.dumps({"id": 1, "query": "西安", "passages": []} | fields, ensure_ascii=False)


def test_the_same_object_comes_back_with_its_passages_reordered(tmp_path: Path) -> None:
    passages = [{"id": 7, "text": "短", "extra": [1]}, {"id": "b", "text": "长一些", "title": None, "score": 0.5}]
    path = tmp_path / "jobs.jsonl"
    path.write_text(job(passages=passages, note="保留") + "\n", encoding="utf-8")
    (read,) = read_jobs(str(path))
    assert isinstance(read, Job)
    result = rerank_job(read, LongestFirst())
    assert result["note"] == "保留"
    assert result["passages"] == [
        {
            "id": "b",
            "text": "长一些",
            "title": None,
            "score_before": 0.5,
            "rank": 1,
            "score": 3.0,
            "scale": "unknown",
            "rank_before": 2,
        },
        {"id": 7, "text": "短", "extra": [1], "rank": 2, "score": 1.0, "scale": "unknown", "rank_before": 1},
    ]
    assert passages[1] == {"id": "b", "text": "长一些", "title": None, "score": 0.5}


def test_evidence_is_said_with_how_sure_the_reranker_is_of_it() -> None:
    read = Job(1, {"query": "西安"}, "西安", [{"text": "在西安", "evidence_confidence": 0.1}, {"text": "sun"}])
    best, last = rerank_job(read, PairReranker(CharacterScorer(points=True)))["passages"]
    assert (best["evidence"], best["evidence_confidence"]) == ([1, 2], 1.0)
    assert not {"evidence", "evidence_confidence"} & last.keys()


def test_equal_identities_do_not_mix_up_passages() -> None:
    read = Job(1, {"query": "q"}, "q", [{"id": 1, "text": "a"}, {"id": 1, "text": "bb"}])
    assert [passage["text"] for passage in rerank_job(read, LongestFirst())["passages"]] == ["bb", "a"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{oops", "no JSON"),
        ("[1]", "a JSON list"),
        (job(query=3), '"query" is a int'),
        ('{"passages": []}', '"query" is missing'),
        (job(passages="x"), '"passages" is a str'),
        (job(passages=["x"]), "passage 1: the passage is a str"),
        (job(passages=[{"id": 1, "text": "a"}, {"id": 2}]), 'passage 2: "text" is missing'),
        (job(passages=[{"text": "a", "title": 4}]), '"title" is a int'),
        ("[" * 100_000, "nested too deep"),
    ],
)
def test_a_bad_line_is_named_by_number_and_the_rest_is_read(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "jobs.jsonl"
    path.write_text(f"{job()}\n\n{line}\n{job()}\n", encoding="utf-8")
    first, bad, last = read_jobs(str(path))
    assert isinstance(first, Job)
    assert isinstance(last, Job)
    assert isinstance(bad, BadLine)
    assert bad.number == 3
    assert f"{path}:3" in bad.reason
    assert said in bad.reason


def test_a_job_without_passages_stays_as_it_is() -> None:
    read = Job(1, {"query": "q", "passages": []}, "q", [])
    assert rerank_job(read, LongestFirst()) == {"query": "q", "passages": []}


def test_a_file_of_passages_makes_one_job(tmp_path: Path) -> None:
    path = tmp_path / "passages.jsonl"
    path.write_text('{"id": 1, "text": "甲"}\n{"id": 2, "text": "乙"}\n', encoding="utf-8")
    assert [passage["text"] for passage in read_passages(str(path), "q").passages] == ["甲", "乙"]
    path.write_text('{"id": 1, "text": "甲"}\n{"id": 2}\n', encoding="utf-8")
    with pytest.raises(InputError, match=r"passages\.jsonl:2.*missing"):
        read_passages(str(path), "q")


@pytest.mark.parametrize("score", [None, "high", True, float("nan"), float("inf")])
def test_a_score_that_is_no_number_counts_as_none(score: object) -> None:
    assert as_hits([{"text": "a", "score": score}])[0].score == 0.0
