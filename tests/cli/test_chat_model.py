"""``ask`` and ``compare`` with a chat model behind a real HTTP server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

MERGED = "西安交通大学、西安医科大学、陕西财经学院"
QUESTION = "西安交大由哪几个学校合并的"
QUICK = ("--rerank", "lexical@3")


def test_a_chat_model_answers_and_its_citations_are_checked(
    run_json: Callable[..., Any], indexed: Path, server_url: str
) -> None:
    answer = run_json("ask", QUESTION, *QUICK, "--llm", "openai:quote", "--llm-url", server_url, cwd=indexed)
    assert MERGED in answer["text"]
    assert MERGED in answer["citations"][0]["quote"]
    assert answer["tokens"]["prompt"] > 0
    assert not answer["tokens"]["estimated"]
    assert {"retrieve", "rerank", "first_token", "generate"} <= set(answer["seconds"])


def test_the_words_of_a_chat_model_are_shown_as_they_come(
    run: Callable[..., Any], indexed: Path, server_url: str
) -> None:
    shown = run("ask", QUESTION, *QUICK, "--llm", "openai:quote", "--llm-url", server_url, cwd=indexed)
    assert shown.returncode == 0
    assert shown.stdout.count(MERGED) == 1
    assert "xianjiaoda_excerpt.md" in shown.stdout
    assert "prompt" in shown.stdout


def test_a_citation_of_nothing_is_named(run: Callable[..., Any], indexed: Path, server_url: str) -> None:
    shown = run("ask", QUESTION, *QUICK, "--llm", "openai:fake-citation", "--llm-url", server_url, cwd=indexed)
    assert "note: " in shown.stderr
    assert "9" in shown.stderr


def test_compare_counts_the_tokens_of_both_prompts(
    run_json: Callable[..., Any], indexed: Path, server_url: str
) -> None:
    result = run_json("compare", QUESTION, *QUICK, "--llm", "openai:count", "--llm-url", server_url, cwd=indexed)
    assert result["reranked"]["prompt_tokens"] < result["without"]["prompt_tokens"]
    assert not result["prompt_tokens_estimated"]
    assert MERGED in result["without"]["text"]
    assert MERGED in result["reranked"]["text"]


def test_a_server_that_fails_is_quoted(run: Callable[..., Any], indexed: Path, server_url: str) -> None:
    failed = run("ask", QUESTION, *QUICK, "--llm", "openai:status-404", "--llm-url", server_url, cwd=indexed)
    assert failed.returncode == 2
    assert "404" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_an_embedder_behind_a_server_makes_a_hybrid_index(
    run: Callable[..., Any], run_json: Callable[..., Any], indexed: Path, tmp_path: Path, server_url: str
) -> None:
    documents = str(indexed / "examples" / "documents" / "xianjiaoda")
    done = run("index", documents, "--embedder", "openai:bag-of-words", "--embedder-url", server_url)
    assert done.returncode == 0, done.stderr
    result = run_json("search", QUESTION, *QUICK, cwd=tmp_path)
    assert [stage["stage"] for stage in result["hits"][0]["stages"]][-2:] == ["hybrid", "lexical"]
    dense = run_json("search", QUESTION, "--retrieve", "dense@4", "--no-rerank", cwd=tmp_path)
    assert {hit["scale"] for hit in dense["hits"]} == {"cosine"}
    other = run("index", documents, "--embedder", "openai:other", "--embedder-url", server_url)
    assert other.returncode == 2
    assert "--rebuild" in other.stderr
