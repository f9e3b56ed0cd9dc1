"""``secondpass rerank``: passages from anywhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

JOBS = [
    {
        "id": "a",
        "query": "西安交大在哪里？",
        "passages": [{"id": 1, "text": "北京大学在北京。"}, {"id": 2, "text": "西安交通大学在西安。"}],
    },
    {"id": "b", "query": "Where is Paris?", "passages": [{"id": 1, "text": "Paris is in France.", "title": "Paris"}]},
    {"id": "c", "query": "empty", "passages": []},
]
QUICK = ("--rerank", "lexical@all")


def lines(*records: object) -> str:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def test_jobs_pass_through_a_pipe_in_their_order(run: Callable[..., Any]) -> None:
    done = run("rerank", *QUICK, stdin=lines(*JOBS))
    assert done.returncode == 0, done.stderr
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert [result["id"] for result in results] == ["a", "b", "c"]
    assert [passage["id"] for passage in results[0]["passages"]] == [2, 1]
    assert [passage["rank"] for passage in results[0]["passages"]] == [1, 2]
    assert {passage["scale"] for passage in results[0]["passages"]} == {"log_odds"}
    assert results[2]["passages"] == []


def test_the_model_of_the_package_reranks_where_none_is_named(run: Callable[..., Any]) -> None:
    done = run("rerank", stdin=lines(*JOBS))
    assert done.returncode == 0, done.stderr
    assert "note: builtin: cross-encoder on " in done.stderr
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert [passage["id"] for passage in results[0]["passages"]] == [2, 1]
    for passage in (*results[0]["passages"], *results[1]["passages"]):
        assert 0 < passage["probability"] < 1
        assert 0 < passage["evidence_confidence"] <= 1
        start, end = passage["evidence"]
        assert 0 <= start < end <= len(passage["text"])
    assert results[2]["passages"] == []


def test_a_blank_question_keeps_the_given_order_whole_whatever_is_asked_of_scores_and_time(
    run: Callable[..., Any],
) -> None:
    blank = {**JOBS[0], "id": "blank", "query": " \u3000"}
    lowest = ("--min-score", "logit=-2"), ("--min-probability", "0.5"), ("--budget", "30s")
    for options in ((), *lowest, ("--budget", "30s", "--min-probability", "0.5")):
        done = run("rerank", "--rerank", "builtin@all", *options, stdin=lines(JOBS[0], blank, JOBS[1]))
        assert done.returncode == 0, done.stderr
        first, second, third = [json.loads(line) for line in done.stdout.splitlines()]
        assert [passage["id"] for passage in second["passages"]] == [1, 2]
        assert {passage["scale"] for passage in second["passages"]} == {"rank_only"}
        assert [job["id"] for job in (first, third)] == ["a", "b"]
        assert {passage["scale"] for passage in first["passages"]} <= {"logit"}
        assert ("the question is blank" in done.stderr) == any(option.startswith("--min") for option in options)
    alone = run("rerank", " ", "--rerank", "lexical@all", "--min-score", "log_odds=50", stdin=lines(*blank["passages"]))
    assert [json.loads(line)["id"] for line in alone.stdout.splitlines()] == [1, 2]


def test_a_bad_line_is_named_and_the_rest_is_done(run: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text(lines(JOBS[0]) + "oops\n" + lines(JOBS[1]), encoding="utf-8")
    done = run("rerank", "--input", "in.jsonl", "--output", "out.jsonl", *QUICK)
    assert done.returncode == 1
    assert "in.jsonl:2: this is no JSON" in done.stderr
    assert len((tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()) == 2


def test_strict_stops_at_a_bad_line_and_leaves_the_output_as_it_was(run: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text(lines(JOBS[0]) + "oops\n", encoding="utf-8")
    (tmp_path / "out.jsonl").write_text("before", encoding="utf-8")
    done = run("rerank", "--input", "in.jsonl", "--output", "out.jsonl", "--strict", *QUICK)
    assert done.returncode == 2
    assert "in.jsonl:2" in done.stderr
    assert (tmp_path / "out.jsonl").read_text(encoding="utf-8") == "before"


def test_a_query_with_lines_of_passages(run: Callable[..., Any]) -> None:
    done = run("rerank", "西安交大在哪里？", "--rerank", "lexical@1", stdin=lines(*JOBS[0]["passages"]))  # type: ignore[misc]
    (passage,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert (passage["id"], passage["rank"], passage["rank_before"]) == (2, 1, 2)


def test_a_trec_run_comes_back_reranked(run: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "run.trec").write_text(
        "q1 Q0 d1 1 9 t\nq1 Q0 d2 2 8 t\nq1 Q0 gone 3 7 t\nq2 Q0 d1 1 1 t\n", encoding="utf-8"
    )
    (tmp_path / "corpus.jsonl").write_text(
        lines({"_id": "d1", "text": "北京大学在北京。"}, {"_id": "d2", "text": "西安交通大学在西安。"}),
        encoding="utf-8",
    )
    (tmp_path / "queries.jsonl").write_text(lines({"_id": "q1", "text": "西安交大在哪里？"}), encoding="utf-8")
    done = run("rerank", "--run", "run.trec", "--corpus", "corpus.jsonl", "--queries", "queries.jsonl", *QUICK)
    assert done.returncode == 1
    assert [line.split()[:4] for line in done.stdout.splitlines()] == [["q1", "Q0", "d2", "1"], ["q1", "Q0", "d1", "2"]]
    assert "1 passages are not in corpus.jsonl (gone" in done.stderr
    assert "query 'q2' is not in queries.jsonl" in done.stderr


def test_a_run_without_texts_is_refused(run: Callable[..., Any]) -> None:
    done = run("rerank", "--run", "run.trec")
    assert done.returncode == 2
    assert "--corpus and --queries" in done.stderr
