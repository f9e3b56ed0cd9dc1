"""``search``, ``ask`` and ``compare`` over the example documents."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

MERGED = "西安交通大学、西安医科大学、陕西财经学院"
QUESTION = "西安交大由哪几个学校合并的"
ENGLISH = "For how many seconds do browsers cache CORS responses by default?"
QUICK = ("--rerank", "lexical@3")


@pytest.mark.parametrize(
    ("question", "expected"),
    [(QUESTION, MERGED), (ENGLISH, "600"), ("浏览器缓存 CORS 响应的最长时间默认是多少秒？", "600")],
)
def test_ask_cuts_the_answer_from_the_documents_and_cites_it(
    run_json: Callable[..., Any], indexed: Path, question: str, expected: str
) -> None:
    answer = run_json("ask", question, *QUICK, cwd=indexed)
    assert answer["found"]
    assert expected in answer["text"]
    citation = next(citation for citation in answer["citations"] if expected in citation["quote"])
    hit = answer["hits"][citation["number"] - 1]
    assert hit["chunk"]["id"] == citation["chunk_id"]
    start = citation["start"] - hit["chunk"]["start"]
    assert hit["chunk"]["text"][start:].startswith(citation["quote"])


def test_ask_says_when_the_documents_do_not_answer(run_json: Callable[..., Any], indexed: Path) -> None:
    answer = run_json("ask", "唐朝的首都人口有多少？", *QUICK, cwd=indexed, code=1)
    assert not answer["found"]
    assert answer["citations"] == []


@pytest.mark.parametrize("question", [QUESTION, ENGLISH])
def test_the_model_of_the_package_reranks_and_answers_where_no_reranker_is_named(
    run_json: Callable[..., Any], indexed: Path, question: str
) -> None:
    # However probable its weights say that an answer is: what they hold for possible at all is answered.
    answer = run_json("ask", question, "--min-probability", "1e-9", cwd=indexed)
    assert len(answer["hits"]) == 3
    for hit in answer["hits"]:
        assert [stage["stage"] for stage in hit["stages"]] == ["bm25", "builtin"]
        assert 0 < hit["probability"] < 1
        assert 0 <= hit["evidence"]["start"] < hit["evidence"]["end"] <= len(hit["chunk"]["text"])
    assert answer["found"]
    [citation] = answer["citations"]
    cited = answer["hits"][citation["number"] - 1]["chunk"]
    assert citation["quote"] in cited["text"]
    assert citation["start"] <= citation["highlight"]["start"] < citation["highlight"]["end"] <= citation["end"]


def test_the_model_of_the_package_puts_the_passage_that_answers_first(
    run_json: Callable[..., Any], indexed: Path
) -> None:
    compared = run_json("compare", QUESTION, cwd=indexed)["reranked"]
    assert MERGED in compared["hits"][0]["chunk"]["text"]
    assert [stage["stage"] for stage in compared["hits"][0]["stages"]] == ["bm25", "builtin"]


def test_search_shows_where_each_passage_stood(run_json: Callable[..., Any], indexed: Path) -> None:
    result = run_json(
        "search", QUESTION, "--retrieve", "bm25@20", "--rerank", "lexical@5", "--rerank", "lexical@2", cwd=indexed
    )
    assert len(result["hits"]) == 2
    assert result["candidates"] == 20
    first = result["hits"][0]
    assert [stage["stage"] for stage in first["stages"]] == ["bm25", "lexical", "lexical"]
    assert [stage["scale"] for stage in first["stages"]] == ["bm25", "log_odds", "log_odds"]
    assert set(result["seconds"]) == {"retrieve", "rerank"}


def test_the_table_for_people_names_scores_scales_and_places(run: Callable[..., Any], indexed: Path) -> None:
    shown = run("search", QUESTION, *QUICK, cwd=indexed).stdout
    assert "log_odds" in shown
    assert "bm25" in shown
    assert "xianjiaoda_excerpt.md" in shown.replace("\n", "") or "xianjiaoda" in shown


def test_compare_uses_the_same_candidates_for_both_sides(run_json: Callable[..., Any], indexed: Path) -> None:
    result = run_json("compare", QUESTION, *QUICK, cwd=indexed)
    without, reranked = result["without"], result["reranked"]
    assert len(without["hits"]) == 10
    assert len(reranked["hits"]) == 3
    assert {hit["chunk"]["id"] for hit in reranked["hits"]} <= {hit["chunk"]["id"] for hit in without["hits"]}
    assert MERGED in without["text"]
    assert MERGED in reranked["text"]
    assert reranked["prompt_tokens"] < without["prompt_tokens"]
    assert set(reranked["seconds"]) >= {"retrieve", "rerank", "generate"}
    assert "rerank" not in without["seconds"]


def test_compare_prints_both_contexts_whole_when_asked(run: Callable[..., Any], indexed: Path) -> None:
    shown = run("compare", QUESTION, *QUICK, "--show-passages", cwd=indexed)
    assert shown.returncode == 0
    assert shown.stdout.count("2000年国务院决定将") >= 4  # in both contexts and both answers
    assert "prompt tokens" in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["search", "q", "--retrieve", "bm25@0"], "1 or more"),
        (["search", "q", "--retrieve", "elastic@5"], "known are: bm25, dense, hybrid"),
        (["search", "q", "--rerank", "lexcal@5"], "Did you mean 'lexical'"),
        (["search", "q", "--retrieve", "dense@5"], "has no vectors"),
        (["search", "q", "--weights", "a,b"], "bm25=1,dense=0.5"),
        (["search", "  "], "question is empty"),
        (["ask", "q", "--llm", "qwen"], "named by provider and model"),
        (["search", "q", "--index", "nowhere"], "no index at nowhere"),
    ],
)
def test_a_mistake_gives_one_sentence_and_exit_code_two(
    run: Callable[..., Any], indexed: Path, arguments: list[str], said: str
) -> None:
    done = run(*arguments, cwd=indexed)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_nothing_found_is_exit_code_one(run: Callable[..., Any], indexed: Path) -> None:
    done = run("search", "zzzzqqqq", cwd=indexed)
    assert (done.returncode, done.stdout.strip()) == (1, "nothing found; try other words")
