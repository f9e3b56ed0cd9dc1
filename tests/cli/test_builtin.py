"""The model of the package on the command line; a tiny random one of the same layout stands in its place."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.models.pointing_folders import make_pointing

from secondpass.cli.doctor_models import model_checks
from secondpass.cli.main import cli
from secondpass.models import builtin_model
from secondpass.rerank.names import release_rerankers

FAST = ("--engine", "onnx", "--threads", "1", "--offline")
FROM_FILE = ("--input", "passages.jsonl", "--rerank", "builtin@all", *FAST)
PASSAGES = [{"id": "甲", "text": "长江全长六千三百公里。"}, {"id": "b", "text": "The river is long."}]
Call = Callable[..., Result]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pointing(tmp_path_factory.mktemp("package") / "builtin")


@pytest.fixture
def call(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Call]:
    monkeypatch.setattr(builtin_model, "BUILTIN_FOLDER", folder)
    monkeypatch.chdir(tmp_path)
    release_rerankers()

    lines = [json.dumps(passage, ensure_ascii=False) for passage in PASSAGES]
    (tmp_path / "passages.jsonl").write_text("\n".join(lines), encoding="utf-8")

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(cli, list(arguments))

    yield run
    release_rerankers()


def test_rerank_writes_evidence_confidence_and_probability(call: Call) -> None:
    done = call("rerank", "长江有多长？", *FROM_FILE)
    assert done.exit_code == 0, done.output
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    for row in rows:
        start, end = row["evidence"]
        assert row["text"][start:end].strip()
        assert 0 < row["evidence_confidence"] <= 1
        assert 0 < row["probability"] < 1
    lowest = (rows[0]["probability"] + rows[1]["probability"]) / 2
    kept = call("rerank", "长江有多长？", *FROM_FILE, "--min-probability", f"{lowest}")
    assert [json.loads(line)["id"] for line in kept.stdout.splitlines()] == [rows[0]["id"]]


def test_two_lowest_scores_are_refused_and_a_probability_is_one(call: Call) -> None:
    both = call("rerank", "长江", *FROM_FILE, "--min-score", "logit=0", "--min-probability", "0.5")
    assert both.exit_code == 2
    assert "give one of them" in both.stderr
    assert call("rerank", "长江", *FROM_FILE, "--min-probability", "1.5").exit_code == 2


def test_search_and_ask_carry_the_confidence_in_json(call: Call, indexed: Path) -> None:
    index = ("--index", str(indexed / ".secondpass"))
    found = json.loads(call("search", "西安交大", *index, "--rerank", "builtin@3", *FAST, "--json").stdout)
    assert all(0 < hit["evidence_confidence"] <= 1 for hit in found["hits"])
    asked = json.loads(call("ask", "西安交大", *index, "--rerank", "builtin@3", *FAST, "--json").stdout)
    assert [hit["evidence_confidence"] for hit in asked["hits"]] == [
        hit["evidence_confidence"] for hit in found["hits"]
    ]


@pytest.mark.parametrize("question", ["西安交大由哪几个学校合并的", "How long do browsers cache CORS responses?"])
def test_ask_answers_from_the_evidence_above_the_probability_asked_for_and_not_below(
    call: Call, indexed: Path, question: str
) -> None:
    asking = (question, "--index", str(indexed / ".secondpass"), "--rerank", "builtin@3", *FAST, "--json")
    highest = json.loads(call("search", *asking).stdout)["hits"][0]["probability"]
    above = json.loads(call("ask", *asking, "--min-probability", f"{highest + 1e-6}").stdout)
    assert (above["found"], above["citations"]) == (False, [])
    below = json.loads(call("ask", *asking, "--min-probability", f"{highest - 1e-6}").stdout)
    assert below["found"]
    chunk = below["hits"][0]["chunk"]
    assert {(one["number"], one["chunk_id"]) for one in below["citations"]} == {(1, chunk["id"])}  # the one hit above
    for citation in below["citations"]:  # words may speak for a sentence without the evidence
        first, end = citation["start"], citation["end"]
        evidence = [chunk["start"] + place for place in below["hits"][0]["evidence"].values()]
        held = first < max(evidence) and min(evidence) < end
        assert citation["highlight"] == ({"start": evidence[0], "end": evidence[1]} if held else None)


def test_the_commands_on_models_know_it(call: Call, folder: Path, tmp_path: Path) -> None:
    rows = {row["name"]: row for row in json.loads(call("models", "list", "--cached", "--json").stdout)}
    [copy] = rows["builtin"]["cached"]
    assert (copy["hub"], copy["folder"]) == ("package", str(folder))
    assert copy["bytes"] == sum(file.stat().st_size for file in folder.iterdir())
    assert "in the package" in call("models", "list").stdout
    assert call("models", "path", "builtin").stdout.strip() == str(folder)
    assert "is here already" in call("models", "fetch", "builtin").stdout
    exported = call("models", "export", "builtin", str(tmp_path / "导出.onnx"))
    assert exported.exit_code == 0, exported.output
    assert "logits" in exported.stdout
    compared = call("models", "parity", "builtin", "--engine", "onnx", "--precision", "f32", "--threads", "1", "--json")
    assert max(row["max_difference"] for row in json.loads(compared.stdout)) < 1e-3


def test_the_doctor_says_whether_it_is_there(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {check.what: check for check in model_checks()}["model builtin"]
    assert (found.status, found.found.split(",")[0]) == ("ok", "comes with the package")
    monkeypatch.setattr(builtin_model, "BUILTIN_FOLDER", tmp_path / "没有")
    lacking = {check.what: check for check in model_checks()}["model builtin"]
    assert lacking.status != "ok"
    assert "reinstall" in lacking.mend
