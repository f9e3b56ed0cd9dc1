"""Settings of one stage and of one family on the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.models.colbert_checkpoints import write_pylate
from tests.models.tiny_causal import make_causal
from tests.models.tiny_models import SENTENCES, Shape, make_model
from tests.models.tiny_seq2seq import make_seq2seq

from secondpass.cli.tune import tune
from secondpass.cli.tune_options import request_from

MONO, QWEN = "castorini/monot5-base-msmarco", "Qwen/Qwen3-Reranker-0.6B"
LIGHTWEIGHT = "bge-reranker-v2.5-gemma2-lightweight"
FAST = ("--engine", "onnx", "--threads", "1", "--offline")
PASSAGES = [*SENTENCES[:6], *SENTENCES[11:17]]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("settings")
    make_model(folder / "tiny", Shape("bert"))
    make_causal(folder / "qwen3", "qwen3")
    make_causal(folder / LIGHTWEIGHT, "gemma2")
    make_seq2seq(folder / "t5")
    write_pylate(folder / "colbert")
    texts = [*PASSAGES, "".join(SENTENCES[:11]) * 6]
    lines = [json.dumps({"id": number, "text": text}, ensure_ascii=False) for number, text in enumerate(texts)]
    (folder / "passages.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return folder


def run(place: Path, *arguments: str) -> tuple[int, list[dict[str, Any]], str]:
    """Return the exit code of ``secondpass rerank``, the passages it wrote, and what it said."""
    command = [sys.executable, "-m", "secondpass", "rerank", "长江有多长？", "--input", "passages.jsonl", *arguments]
    own = {"XDG_CACHE_HOME": str(place / "cache"), "HF_HOME": str(place / "hf"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=place, env=os.environ | own, capture_output=True, text=True, check=False, timeout=120
    )
    assert "Traceback" not in done.stderr
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def test_stages_that_need_a_profile_or_another_engine_stand_behind_the_model_of_the_package(place: Path) -> None:
    stages = ("--rerank", "builtin@4", "--rerank", f"./t5[profile={MONO},engine=torch]@all")
    code, out, said = run(place, *stages, *FAST)
    assert (code, len(out)) == (0, 4), said
    assert {one["scale"] for one in out} == {"log_odds"}
    assert "note: builtin: cross-encoder on onnx f32" in said
    assert f"note: t5: seq2seq like {MONO} on torch f32" in said
    fusion = f"fuse:builtin+./t5[profile={MONO},engine=torch]*2+./qwen3[engine=torch,profile={QWEN}]@3"
    code, out, said = run(place, "--rerank", fusion, *FAST)
    assert (code, len(out)) == (0, 3), said


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--rerank", "builtin@2", "--rerank", "./t5@all", "--profile", MONO), f"'./folder[profile={MONO}]'."),
        (("--rerank", "builtin@2", "--rerank", f"./t5[profile={MONO}]", *FAST), "behind its name: 't5[engine=torch]'."),
        (("--rerank", "./tiny", "--layer", "4"), "only BGE's layerwise and lightweight models give a score after"),
        (("--rerank", "./tiny", "--compress", "2@4"), "only BGE's lightweight model compresses passages"),
        (("--rerank", "./tiny", "--skiplist", "chinese"), "only ColBERT and other late interaction have a skip list"),
        (("--rerank", "./colbert", "--window-unit", "sentences"), "only cross-encoders read long passages"),
        (("--rerank", "./tiny", "--compress", "half"), "compress is 'half'; write how many tokens"),
        (("--rerank", "./tiny[window=8]"), "has the setting 'window' behind the name"),
    ],
)
def test_what_a_stage_cannot_do_is_one_sentence(place: Path, arguments: tuple[str, ...], sentence: str) -> None:
    code, out, said = run(place, *arguments)
    assert (code, out) == (2, [])
    assert sentence in said.splitlines()[-1]


@pytest.mark.parametrize(
    ("name", "options", "settings", "noted"),
    [
        ("tiny", (*FAST, "--max-tokens", "64", "--window-unit", "sentences"), "max-tokens=64,window-unit=sentences",
         "windows of sentences"),
        ("colbert", (*FAST, "--skiplist", "chinese"), "skiplist=chinese", "skip list chinese"),
        (LIGHTWEIGHT, ("--threads", "1", "--layer", "4", "--compress", "4@2,3"), "layer=4,compress=4@2,3",
         "score after layer 4, 4 tokens made one before layer 2, 3"),
    ],
)  # fmt: skip
def test_options_of_a_family_are_reached_by_options_and_by_names(
    place: Path, name: str, options: tuple[str, ...], settings: str, noted: str
) -> None:
    code, by_option, said = run(place, "--rerank", f"./{name}@all", *options)
    assert code == 0, said
    assert f", {noted}, from " in said
    threads = options[options.index("--threads") :][:2]
    engine = options[:2] if "--engine" in options else ()
    assert run(place, "--rerank", f"./{name}[{settings}]@all", *threads, *engine)[1] == by_option
    plain = ("--max-tokens", "64") if name == "tiny" else ("--layer", "4") if name == LIGHTWEIGHT else ()
    assert run(place, "--rerank", f"./{name}@all", *threads, *engine, *plain)[1] != by_option


def test_tune_repeats_what_a_family_was_asked_for_and_takes_names_with_settings() -> None:
    name = "./minicpm[compress=4@2,3]"
    asked = ["--window-unit", "sentences", "--skiplist", "chinese", "--layer", "4", "--compress", "4@2,3"]
    with tune.make_context("tune", ["task", "--rerank", name, "--rerank", "lexical", *asked]) as context:
        request = request_from(dict(context.params))
    assert request.names == (name, "lexical")
    assert list(request.options.command_options) == asked
