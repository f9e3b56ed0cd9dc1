"""``secondpass evaluate``: tasks in, a table, JSON and files out; mistakes in one sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from rich.cells import cell_len
from tests.evaluate.mteb_data import rows_of, small_task, write_lines
from tests.evaluate.small_tasks import lines, make_task, write_task

from secondpass.answer.extract import ExtractiveAnswerer
from secondpass.cli.evaluate import evaluate
from secondpass.config import make_reranker, reader_of
from secondpass.evaluate.answer_scores import f1, words_of
from secondpass.evaluate.report_files import read_report_json
from secondpass.types import Chunk, Hit

ARGUMENTS = ["--measures", "nDCG@10,MAP,hit@3", "--work", "work"]
QUICK = ("--rerank", "lexical")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with two tasks in ``集``: one with lists, one without."""
    monkeypatch.chdir(tmp_path)
    write_task(make_task(40), tmp_path / "集" / "有列表")
    write_task(make_task(12), tmp_path / "集" / "plain", kind=None)
    (tmp_path / "集" / "no task").mkdir()
    return tmp_path


def call(*arguments: str, code: int = 0) -> Any:
    done = CliRunner().invoke(evaluate, [*arguments, *ARGUMENTS], standalone_mode=False)
    if code == 0 and done.exception:
        raise done.exception
    return done


def test_one_command_measures_all_tasks_of_a_folder(folder: Path) -> None:
    done = call("集", "--rerank", "bm25-only", "--rerank", "lexical", "--rerank", "lexical@20>lexical@3", "--json")
    report = json.loads(done.stdout)
    assert [task["name"] for task in report["tasks"]] == ["plain", "有列表"]
    for task in report["tasks"]:
        assert [system["name"] for system in task["systems"]] == [
            "random", "bm25", "lexical", "lexical@20>lexical@3", "ceiling",
        ]  # fmt: skip
    assert {row["name"] for row in report["overall"]} == {system["name"] for system in report["tasks"][0]["systems"]}
    assert "left out, because they are no task: no task" in done.stderr
    assert "the best passages by our BM25" in " ".join(report["tasks"][0]["notes"])
    assert (folder / "work").is_dir()


def test_the_table_shows_bounds_intervals_tests_costs_and_texts_and_stays_in_its_width(folder: Path) -> None:
    shown = call("集/有列表", "--rerank", "lexical", "--rerank", "lexical@1").stdout
    for wanted in ("random", "bm25 =", "ceiling", "[95%]", "won/tied/lost", "p<.001", "pairs/s", "context", "≈"):
        assert wanted in shown
    assert "no fusion of first stages" in shown
    assert "worse" in shown  # what cuts all but one passage loses most of the relevant ones
    assert "questions that got worst" in shown
    assert "cut" in shown
    assert max(cell_len(line) for line in shown.splitlines()) <= 120


def test_a_narrow_terminal_says_which_measures_it_leaves_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("secondpass.cli.evaluate.console", lambda: __import__("rich.console").console.Console(width=80))
    shown = call("集/有列表", *QUICK).stdout
    assert "too narrow for MAP, hit@3" in shown
    assert max(cell_len(line) for line in shown.splitlines()) <= 80


def test_all_files_are_written(folder: Path) -> None:
    written = ("--out", "报告.json", "--report", "页.html", "--runs-out", "runs")
    done = call("集/plain", *QUICK, *written, "--sample", "5", "--top-k", "7")
    report = read_report_json(folder / "报告.json")
    assert (report.tasks[0].queries, report.tasks[0].of_queries, report.tasks[0].pairs) == (5, 12, 32)
    assert "<html" in (folder / "页.html").read_text(encoding="utf-8")
    run = (folder / "runs" / "plain" / "lexical.trec").read_text(encoding="utf-8").splitlines()
    assert len(run) == 32
    assert "written: 报告.json" in done.stderr


def test_a_second_run_goes_on_from_what_is_known_unless_it_is_told_otherwise(folder: Path) -> None:
    first = call("集/有列表", *QUICK, "--json")
    again = call("集/有列表", *QUICK, "--json")
    assert "lexical: 40 of 40 questions are known from before" in again.stderr
    assert json.loads(first.stdout)["tasks"] == json.loads(again.stdout)["tasks"]
    assert "known from before" not in call("集/有列表", *QUICK, "--json", "--fresh").stderr


def test_trec_files_are_a_task(folder: Path) -> None:
    call("集/有列表", *QUICK, "--runs-out", "runs")
    texts = ["--corpus", "集/有列表/corpus.jsonl", "--queries", "集/有列表/queries.jsonl"]
    run = ["--run", "runs/有列表/bm25.trec", "--qrels", "集/有列表/qrels.tsv"]
    task = json.loads(call(*run, *texts, *QUICK, "--json").stdout)["tasks"][0]
    assert (task["name"], task["baseline"], task["queries"]) == ("bm25.trec", "given", 40)
    with pytest.raises(Exception, match="--run needs --qrels"):
        call(*run)


def test_runs_are_compared_without_any_text(folder: Path) -> None:
    whole = json.loads(call("集/有列表", *QUICK, "--runs-out", "runs", "--json").stdout)["tasks"][0]
    runs = ["--runs", "runs/有列表/bm25.trec", "--runs", "runs/有列表/lexical.trec", "--qrels", "集/有列表/qrels.tsv"]
    task = json.loads(call(*runs, "--json").stdout)["tasks"][0]
    assert task["baseline"] == "bm25"
    assert [system["name"] for system in task["systems"]] == ["random", "bm25", "lexical", "ceiling"]
    for here, there in zip(task["systems"], whole["systems"], strict=True):
        assert here["measures"] == there["measures"]
    with pytest.raises(Exception, match="--runs needs --qrels"):
        call("--runs", "runs/有列表/bm25.trec")


def test_labelled_lists_are_a_task_on_which_the_quick_and_the_default_reranker_are_measured(folder: Path) -> None:
    rows = [
        {
            "query": f"西安交大在哪里？{n}",
            "positive": ["西安交通大学在西安。"],
            "negative": ["北京大学在北京。", f"茶 {n}"],
        }
        for n in range(4)
    ]
    lines(folder / "列表.jsonl", rows)
    task = json.loads(call("列表.jsonl", "--json").stdout)["tasks"][0]
    assert (task["language"], task["queries"], task["pairs"]) == ("zh", 4, 12)
    measured = {system["name"]: system["measures"]["MAP"]["mean"] for system in task["systems"]}
    assert list(measured) == ["random", "bm25", "lexical", "builtin", "ceiling"]
    assert measured["random"] < measured["builtin"] <= 1


def test_the_user_s_questions_on_the_index(run_json: Callable[..., Any], indexed: Path) -> None:
    questions = [
        {"question": "西安交大由哪几个学校合并的", "answers": ["西安交通大学、西安医科大学、陕西财经学院"]},
        {"question": "For how many seconds do browsers cache CORS responses by default?", "answers": ["600"]},
    ]
    lines(indexed / "问题.jsonl", questions)
    report = run_json(
        "evaluate", "--questions", "问题.jsonl", "--retrieve", "bm25@20", "--rerank", "lexical@3", cwd=indexed
    )
    task = report["tasks"][0]
    assert (task["name"], task["baseline"], task["queries"], task["pairs"]) == ("问题", "given", 2, 40)
    assert "lexical@3" in [system["name"] for system in task["systems"]]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "There is nothing to evaluate on"),
        (["nowhere"], "nowhere"),
        (["集/有列表", "--rerank", "lexcal"], "Did you mean 'lexical'"),
        (["集/有列表", *QUICK, "--baseline", "bge"], "there are: bm25, lexical"),
        (["集/有列表", "--first-stage", "dense"], "no embedder was named"),
        (["集/有列表", "--rerank", "lexical", "--rerank", "lexical"], "named twice"),
    ],
)
def test_a_mistake_is_one_sentence(arguments: list[str], said: str, folder: Path) -> None:
    with pytest.raises(Exception, match=said) as caught:
        call(*arguments)
    assert type(caught.value).__name__ == "InputError"
    assert "\n" not in str(caught.value)


def test_mistakes_end_the_process_with_2(run: Callable[..., Any], tmp_path: Path) -> None:
    done = run("evaluate", "nowhere")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("secondpass: ")


def test_an_interrupted_evaluation_says_how_to_go_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("secondpass.cli.evaluate_progress.EvaluationProgress.advance", interrupt)
    done = CliRunner().invoke(evaluate, ["集/有列表", *QUICK, *ARGUMENTS], standalone_mode=False)
    assert done.exit_code != 0
    assert "is kept in work: the same command goes on from there" in done.stderr


def test_lists_of_a_first_stage_are_reranked_in_their_own_order(folder: Path) -> None:
    write_task(replace(make_task(12)), folder / "first", kind="first_stage")
    task = json.loads(call("first", *QUICK, "--json").stdout)["tasks"][0]
    assert task["baseline"] == "given"
    task = json.loads(call("first", *QUICK, "--json", "--first-stage", "bm25").stdout)["tasks"][0]
    assert task["baseline"] == "bm25"


@pytest.mark.slow
def test_a_task_of_mteb_from_local_files_and_results_that_mteb_reads(folder: Path) -> None:
    mteb = pytest.importorskip("mteb", reason="pip install 'secondpass[mteb]'")
    for part, rows in rows_of(small_task(questions=6)).items():
        write_lines(folder / "数据" / f"{part}.jsonl", rows)
    local = ["--mteb", "T2Reranking", "--mteb-data", "数据", "--mteb-results", "结果"]
    task = json.loads(call(*local, *QUICK, "--json").stdout)["tasks"][0]
    assert (task["name"], task["queries"]) == ("T2Reranking", 6)
    read = mteb.TaskResult.from_disk(folder / "结果" / "lexical" / "T2Reranking.json")
    (lexical,) = (system for system in task["systems"] if system["name"] == "lexical")
    assert read.get_score() == pytest.approx(lexical["measures"]["MAP"]["mean"])
    assert sorted(path.name for path in (folder / "结果").iterdir()) == ["bm25", "lexical"]


def test_answers_are_scored_where_a_task_has_references(folder: Path) -> None:
    rows = [
        {
            "query": "西安交大在哪里？",
            "answers": ["西安"],
            "positive": ["西安交通大学在西安。"],
            "negative": ["茶在杭州。"],
        },
        {
            "query": "Where is Paris?",
            "answers": ["France"],
            "positive": ["Paris is in France."],
            "negative": ["Tea is hot."],
        },
        {"query": "茶在哪里？", "positive": ["茶在杭州。"], "negative": ["西安交通大学在西安。"]},
    ]
    lines(folder / "问答.jsonl", rows)
    done = call("问答.jsonl", *QUICK, "--answers", "--top-n", "1")
    assert "answers from the first passages" in done.stdout
    task = json.loads(call("问答.jsonl", *QUICK, "--answers", "--top-n", "1", "--json").stdout)["tasks"][0]
    (lexical,) = (system for system in task["systems"] if system["name"] == "lexical")
    assert lexical["answers"]["answer in context"]["mean"] == 1.0
    assert lexical["answers"]["citation precision"]["mean"] == 1.0
    assert 0 < lexical["answers"]["F1"]["mean"] < 1
    assert not task["systems"][0]["answers"]


def test_answers_are_those_that_ask_gives(folder: Path) -> None:
    """With a reranker that points at evidence they come from it; the words of two languages say nothing."""
    positive = "首先安装它。推荐的密码哈希算法是 Argon2。它很安全。"
    question, reference = "Which password hashing algorithm is recommended?", ["Argon2"]
    row = {"query": question, "answers": reference, "positive": [positive], "negative": ["茶在杭州。"]}
    lines(folder / "问答.jsonl", [row])
    task = json.loads(call("问答.jsonl", "--rerank", "builtin", "--answers", "--top-n", "1", "--json").stdout)["tasks"][
        0
    ]
    reranker = reader_of(make_reranker(["builtin"]))
    assert reranker is not None
    hits = reranker.rerank(question, [Hit(Chunk("p", positive, "p", 0, len(positive)), 1.0, "bm25")])
    said = words_of(ExtractiveAnswerer().answer(question, hits))
    assert "Argon2" in said
    (builtin,) = (system for system in task["systems"] if system["name"] == "builtin")
    assert builtin["answers"]["F1"]["mean"] == pytest.approx(f1(said, reference, "en"))
    assert builtin["answers"]["answered"]["mean"] == 1.0
    (bm25,) = (system for system in task["systems"] if system["name"] == "bm25")
    assert bm25["answers"]["answered"]["mean"] == 0.0
