"""``secondpass tune`` and ``secondpass label``, as a person meets them."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click import UsageError
from click.testing import CliRunner

from secondpass import Workbench
from secondpass.cli.main import cli
from secondpass.errors import InputError
from secondpass.evaluate.labelling_files import read_about
from secondpass.tune.files import read_tuning

Run = Callable[..., Any]
QUICK = ("--rerank", "lexical")
CITIES = ["西安", "北京", "上海", "广州", "成都", "Lisbon", "Paris", "Berlin", "Madrid", "Vienna"]
RIVERS = ["长江", "黄河", "渭河", "珠江", "锦江", "Tagus", "Seine", "Spree", "Manzanares", "Danube"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a task of 40 questions, documents, an index of them, and questions on it."""
    folder = tmp_path_factory.mktemp("tune")
    task, documents = folder / "城市 task", folder / "documents"
    task.mkdir()
    documents.mkdir()
    passages, queries, qrels, asked = [], [], [], []
    for number, (city, river) in enumerate(zip(CITIES, RIVERS, strict=True)):
        chinese = number < 5
        texts = [
            f"{city}位于{river}边，人口{number + 1}百万。" if chinese else f"{city} lies on the {river} river.",
            f"{city}的天气很好。" if chinese else f"The weather in {city} is fine.",
        ]
        (documents / f"{city}.md").write_text("\n\n".join(texts), encoding="utf-8")
        passages += [{"_id": f"{city}-{place}", "text": text} for place, text in enumerate(texts)]
        for form in range(4):
            mark = "？" * form if chinese else "?" * form
            question = f"{city}位于哪条河边{mark}" if chinese else f"On which river does {city} lie{mark}"
            queries.append({"_id": f"{city}{form}", "text": question})
            qrels.append(f"{city}{form}\t0\t{city}-0\t1")
            asked.append({"_id": f"{city}{form}", "text": question, "answers": [river], "docs": [f"{city}.md"]})
    (task / "corpus.jsonl").write_text(lines(passages), encoding="utf-8")
    (task / "queries.jsonl").write_text(lines(queries), encoding="utf-8")
    (task / "qrels.tsv").write_text("\n".join(qrels) + "\n", encoding="utf-8")
    (folder / "questions.jsonl").write_text(lines(asked), encoding="utf-8")
    (folder / "plain.jsonl").write_text(lines(queries[::2]), encoding="utf-8")
    with Workbench(folder / ".secondpass") as workbench:
        workbench.index(documents)
    return folder


def lines(records: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def test_one_screen_says_the_setting_its_worth_its_promise_and_the_command(run: Run, place: Path) -> None:
    done = run("tune", "城市 task", "--keep-answer", "0.7", "--alpha", "0.2", "--prefer", "cheap", *QUICK, cwd=place)
    assert done.returncode == 0, done.stderr
    said = done.stdout
    assert re.search(r"^use: bm25@\d+", said, re.MULTILINE)
    assert "held-out questions" in said
    assert "40 questions, 40 with an answer" in said
    assert "answers kept" in said
    assert '$ secondpass ask "..." --retrieve bm25@' in said
    assert len(said.splitlines()) <= 45


def test_everything_goes_into_files_and_json(run: Run, run_json: Run, place: Path, tmp_path: Path) -> None:
    to_json = ("--retrieve", "bm25@10", "--out", str(tmp_path / "t.json"))
    found = run_json("tune", "城市 task", *QUICK, *to_json, cwd=place)
    report = read_tuning(tmp_path / "t.json")
    assert found["task"] == report.task == "城市 task"
    assert {row.setting.depth for row in report.rows} <= {5, 10}
    run("tune", "城市 task", *QUICK, "--depths", "5", "--out", str(tmp_path / "t.toml"), cwd=place)
    assert "rerank" in tomllib.loads((tmp_path / "t.toml").read_text(encoding="utf-8"))


def test_a_wish_that_cannot_be_met_ends_with_one_and_says_which(run: Run, place: Path) -> None:
    done = run("tune", "城市 task", *QUICK, "--keep-answer", "0.999", cwd=place)
    assert done.returncode == 1
    assert "nearest: " in done.stdout
    assert "No setting is sure to keep 99.9% of answers" in done.stdout


def test_questions_on_the_index_are_tuned_with_their_answers(run_json: Run, place: Path) -> None:
    found = run_json("tune", "--questions", "questions.jsonl", "--context-tokens", "200", *QUICK, cwd=place)
    assert found["first_stage"] == "bm25"
    assert found["split"]["questions"] == found["split"]["answerable"] == 40
    assert found["held_out"]["keep_answer"]["mean"] > 0.9
    assert found["commands"][0].startswith('secondpass ask "..." --retrieve bm25@')


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["城市 task", "--rerank", "lexical@3"], "write 'lexical'"),
        (["城市 task", "--rerank", "mmr"], "gives no scores"),
        (["城市 task", "--budget", "200ms"], "leave --min-score and --budget out"),
        (["城市 task", "--prefer", "cheap"], "keeps nothing"),
        (["城市 task", "--depths", "5,-1"], "whole numbers from 1 on"),
        (["城市 task", "--latency", "fast"], "200ms or 1.5s"),
        (["城市 task", "--first-stage", "dense"], "--embedder"),
        (["城市 task", "--retrieve", "hybrid@50"], "searched by bm25 only"),
        ([], "nothing to evaluate on"),
    ],
)
def test_what_means_nothing_here_is_refused_in_a_sentence(
    place: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(place)
    done = CliRunner().invoke(cli, ["tune", *arguments], standalone_mode=False)
    assert isinstance(done.exception, InputError | UsageError)
    assert said in str(done.exception)


def test_a_model_labels_questions_and_tuning_uses_its_labels(
    run: Run, run_json: Run, place: Path, tmp_path: Path, server_url: str
) -> None:
    out = str(tmp_path / "标签.tsv")
    model = ("--llm", "openai:rank", "--llm-url", server_url, "--retrieve", "bm25@2", "--out", out)
    labelled = run("label", "plain.jsonl", *model, cwd=place)
    assert labelled.returncode == 0, labelled.stderr
    assert "grades by the model" in labelled.stdout
    assert read_about(out)["judge"] == "rank"
    again = run("label", "plain.jsonl", *model, cwd=place)
    assert "0 calls" in again.stdout
    tuned = run_json("tune", "--questions", "plain.jsonl", "--qrels", out, "--retrieve", "bm25@2", cwd=place)
    assert tuned["split"]["questions"] == 20
    assert tuned["split"]["answerable"] >= 10
    tried = {tuple(stage["reranker"] for stage in row["setting"]["stages"]) for row in tuned["rows"]}
    assert {("lexical",), ("builtin",)} <= tried


def test_labels_are_compared_with_those_of_people(run_json: Run, place: Path, tmp_path: Path, server_url: str) -> None:
    lists = [
        {"qid": f"{city}{form}", "kind": "constructed", "pids": [f"{city}-0", f"{city}-1"]}
        for city in CITIES
        for form in range(2)
    ]
    folder = tmp_path / "listed"
    folder.mkdir()
    for name in ("corpus.jsonl", "queries.jsonl", "qrels.tsv"):
        (folder / name).write_bytes((place / "城市 task" / name).read_bytes())
    (folder / "candidates.jsonl").write_text(lines(lists), encoding="utf-8")
    model = ("--llm", "openai:rank", "--llm-url", server_url, "--out", "q.tsv")
    found = run_json("label", str(folder), *model, cwd=tmp_path)
    assert found["agreement"]["pairs"] == 40
    assert found["agreement"]["kappa"] > 0
