"""``secondpass models export``, ``parity`` and ``clean``, as processes of their own."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from tests.models.colbert_checkpoints import write_pylate
from tests.models.model_folders import write_json
from tests.models.tiny_models import Shape, make_model

from secondpass.errors import InputError
from secondpass.models import exporting
from secondpass.models.engine import EngineOptions
from secondpass.models.engine_comparison import reranking_encoder
from secondpass.models.graph_export import export_onnx
from secondpass.models.onnx import OnnxEngine
from secondpass.models.quantize import calibration_texts, pair_batches

QUESTION = "首都是哪里？"
LINES = "".join(
    json.dumps({"id": str(number), "text": text}, ensure_ascii=False) + "\n"
    for number, text in enumerate(["北京是首都。", "It rained all day.", "长江是最长的河流。"])
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("models") / "小模型", Shape("xlm-roberta"))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SECONDPASS_CACHE", str(tmp_path / "缓存"))
    return tmp_path / "缓存"


def test_one_exported_file_runs_by_itself_and_gives_the_exact_logits(
    run: Callable[..., Any], folder: Path, tmp_path: Path
) -> None:
    done = run("models", "export", str(folder), "模型.onnx")
    assert done.returncode == 0, done.stderr
    assert "input_ids int64 [batch, length]; attention_mask int64 [batch, length]" in done.stdout
    assert "logits float [batch, 1]" in done.stdout
    assert "kB" in done.stdout
    assert [path.name for path in tmp_path.iterdir() if path.name != "缓存"] == ["模型.onnx"]
    (tmp_path / "elsewhere").mkdir()
    alone = (tmp_path / "模型.onnx").rename(tmp_path / "elsewhere" / "模型.onnx")
    session = onnxruntime.InferenceSession(str(alone))
    exact = OnnxEngine(folder, "classify", EngineOptions(threads=1))
    for batch in list(pair_batches(folder, calibration_texts()[:4], 512, 1)):
        ids = batch.ids[0][None]
        (logits,) = session.run(["logits"], {"input_ids": ids, "attention_mask": np.ones_like(ids)})
        assert np.abs(logits - exact.run(batch)).max() < 1e-4


def test_an_exported_folder_is_a_reranker_with_the_same_scores(
    run: Callable[..., Any], run_json: Callable[..., Any], folder: Path, tmp_path: Path
) -> None:
    said = run_json("models", "export", str(folder), "made", cwd=tmp_path)
    assert said["outputs"] == ["logits float [batch, 1]"]
    assert said["bytes"] == sum(path.stat().st_size for path in (tmp_path / "made").iterdir())
    assert said["max_difference"] < 1e-4 < said["spread"]
    scores = []
    for name in (str(folder), "made"):
        done = run("rerank", QUESTION, "--rerank", f"{name}@all", "--engine", "onnx", stdin=LINES)
        assert done.returncode == 0, done.stderr
        scores.append({row["id"]: row["score"] for row in map(json.loads, done.stdout.splitlines())})
    assert scores[0].keys() == scores[1].keys() == {"0", "1", "2"}
    assert all(abs(scores[0][key] - scores[1][key]) < 1e-4 for key in scores[0])
    again = run("models", "export", str(folder), "made")
    assert again.returncode == 2
    assert "made exists already" in again.stderr


def test_token_vectors_are_exported_with_their_projection(run_json: Callable[..., Any], tmp_path: Path) -> None:
    said = run_json("models", "export", str(write_pylate(tmp_path / "colbert")), "vectors", cwd=tmp_path)
    assert said["outputs"] == ["token_vectors float [batch, length, 16]"]
    assert said["max_difference"] < 1e-4
    assert sorted(path.name for path in (tmp_path / "vectors").iterdir()) == [
        "model.onnx", "model.weights", "tokenizer.json", "tokenizer_config.json",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"model_type": "deberta-v2", "architectures": ["DebertaV2ForSequenceClassification"]}, "is 'deberta-v2'"),
        ({"model_type": "qwen3", "architectures": ["Qwen3ForCausalLM"]}, "language model without a known profile"),
    ],
)
def test_what_cannot_be_written_is_refused_and_leaves_nothing(
    run: Callable[..., Any], folder: Path, tmp_path: Path, config: dict[str, Any], words: str
) -> None:
    other = make_model(tmp_path / "另一个", Shape("xlm-roberta"))
    write_json(other / "config.json", json.loads((other / "config.json").read_text("utf-8")) | config)
    done = run("models", "export", str(other), "out.onnx")
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.glob("*out.onnx*"))


def test_a_file_that_differs_from_the_exact_scores_is_not_kept(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make_model(tmp_path / "other", Shape("xlm-roberta", seed=8))

    def of_another_model(encoder: Path, target: Path, *rest: Any) -> None:
        export_onnx(other, target, *rest)

    monkeypatch.setattr(exporting, "export_onnx", of_another_model)
    with pytest.raises(InputError, match=r"is not kept: over 2\d pairs its numbers are up to"):
        exporting.export_model(reranking_encoder(folder, None), tmp_path / "out")
    assert not list(tmp_path.glob("*out*"))


def test_parity_compares_every_engine_and_precision_with_exact_scores(
    run_json: Callable[..., Any], folder: Path, tmp_path: Path
) -> None:
    rows = run_json("models", "parity", str(folder), "--threads", "1", cwd=tmp_path)
    assert rows[0]["reference"]
    assert (rows[0]["engine"], rows[0]["precision"], rows[0]["max_difference"]) == ("torch", "f32", 0.0)
    found = {(row["engine"], row["precision"]): row for row in rows}
    assert set(found) == {
        ("torch", "f32"), ("torch", "bf16"), ("openvino", "f32"), ("openvino", "bf16"), ("openvino", "int8"),
        ("onnx", "f32"), ("onnx", "int8"), ("numpy", "f32"),
    }  # fmt: skip
    for (_, precision), row in found.items():
        if "refusal" in row:
            assert precision == "bf16"  # on a processor that does not know it
            continue
        assert row["tokens_per_second"] > 0
        assert row["spread"] > 0
        assert row["difference_by_spread"] == pytest.approx(row["max_difference"] / row["spread"])
        assert (row["max_difference"] < 1e-4) == (precision == "f32")
        assert row["kendall_tau"] > (0.999 if precision == "f32" else 0.85)
        assert row["top10_overlap"] > 0.9


def test_parity_over_your_own_pairs_with_one_engine_is_a_table(
    run: Callable[..., Any], folder: Path, tmp_path: Path
) -> None:
    job = {"query": QUESTION, "passages": [{"text": text} for text in ("北京是首都。", "It rained.", " ", "长江")]}
    (tmp_path / "自己.jsonl").write_text(json.dumps(job, ensure_ascii=False) + "\n", encoding="utf-8")
    done = run("models", "parity", str(folder), "--engine", "onnx", "--precision", "int8", "--pairs", "自己.jsonl")
    assert done.returncode == 0, done.stderr
    assert "3 pairs of 1 questions" in done.stdout
    lines = [line.split() for line in done.stdout.replace("│", " ").splitlines() if " int8 " in line or " f32 " in line]
    assert [line[0] for line in lines] == ["torch", "onnx"]
    (tmp_path / "leer.jsonl").write_text('{"query": "q", "passages": []}\n', encoding="utf-8")
    nothing = run("models", "parity", str(folder), "--pairs", "leer.jsonl")
    assert nothing.returncode == 2
    assert "nothing to compare" in nothing.stderr
    (tmp_path / "kaputt.jsonl").write_text('{"query": 3}\n', encoding="utf-8")
    broken = run("models", "parity", str(folder), "--pairs", "kaputt.jsonl")
    assert broken.returncode == 2
    assert "kaputt.jsonl:1" in broken.stderr


LONG = "北京是中华人民共和国的首都，人口超过两千万。长江全长六千三百公里，是亚洲最长的河流。" * 20


def scores_of(run: Callable[..., Any], name: str, *options: str) -> dict[str, dict[str, Any]]:
    lines = LINES + json.dumps({"id": "long", "text": LONG}, ensure_ascii=False) + "\n"
    arguments = ("--rerank", f"{name}@all", "--engine", "onnx", *options)
    done = run("rerank", QUESTION * 9, *arguments, stdin=lines)
    assert done.returncode == 0, done.stderr
    return {row["id"]: row for row in map(json.loads, done.stdout.splitlines())}


def same_scores(one: dict[str, dict[str, Any]], other: dict[str, dict[str, Any]]) -> bool:
    return all(abs(one[key]["score"] - other[key]["score"]) < 1e-4 for key in one) and all(
        one[key].get("evidence") == other[key].get("evidence")
        and ("probability" in one[key]) == ("probability" in other[key])
        for key in one
    )


def recorded(folder: Path, profile: str, max_tokens: int) -> Path:
    """Write into config.json what training writes: by which profile the model was taught, and at which length."""
    config = json.loads((folder / "config.json").read_text("utf-8"))
    write_json(folder / "config.json", config | {"secondpass": {"profile": profile, "max_tokens": max_tokens}})
    return folder


def test_an_exported_folder_is_read_by_the_profile_and_length_that_were_given(
    run: Callable[..., Any], folder: Path, tmp_path: Path
) -> None:
    options = ("--profile", "cross-encoder/ms-marco-MiniLM-L6-v2", "--max-tokens", "64")
    wanted = scores_of(run, str(folder), *options)
    assert not same_scores(wanted, scores_of(run, str(folder)))
    done = run("models", "export", str(folder), "made", *options)
    assert done.returncode == 0, done.stderr
    assert same_scores(scores_of(run, "made"), wanted)
    done = run("models", "export", str(folder), "short", "--max-tokens", "64")
    assert done.returncode == 0, done.stderr
    assert same_scores(scores_of(run, "short"), scores_of(run, str(folder), "--max-tokens", "64"))


def test_an_exported_folder_keeps_the_recorded_profile(run: Callable[..., Any], tmp_path: Path) -> None:
    trained = recorded(make_model(tmp_path / "训练", Shape("xlm-roberta")), "BAAI/bge-reranker-base", 80)
    wanted = scores_of(run, str(trained))
    done = run("models", "export", str(trained), "made")
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "made" / "config.json").read_text("utf-8"))["secondpass"] == {
        "profile": "BAAI/bge-reranker-base", "max_tokens": 80,
    }  # fmt: skip
    assert same_scores(scores_of(run, "made"), wanted)


def test_parity_reads_by_the_profile_the_length_and_the_record(
    run: Callable[..., Any], run_json: Callable[..., Any], folder: Path, tmp_path: Path
) -> None:
    """A spread is of the exact scores: two readings that differ have two, and one reading has one."""
    job = {"query": QUESTION * 9, "passages": [{"text": LONG[start:]} for start in (0, 40, 90)]}
    (tmp_path / "jobs.jsonl").write_text(json.dumps(job, ensure_ascii=False) + "\n", encoding="utf-8")
    trained = recorded(make_model(tmp_path / "训练", Shape("xlm-roberta")), "BAAI/bge-reranker-base", 80)

    def spread(name: Path, *options: str) -> float:
        arguments = ("--pairs", "jobs.jsonl", "--engine", "onnx", "--precision", "f32", *options)
        rows = run_json("models", "parity", str(name), *arguments, cwd=tmp_path)
        assert rows[1]["max_difference"] < 1e-4
        return float(rows[0]["spread"])

    plain = spread(folder)
    given = spread(folder, "--profile", "BAAI/bge-reranker-base", "--max-tokens", "80")
    assert abs(given - plain) > 1e-3
    assert spread(trained) == pytest.approx(given, abs=1e-5)
    assert abs(spread(folder, "--max-tokens", "64") - plain) > 1e-3
    for words, options in (
        ("no profile named 'bge'", ("--profile", "bge")),
        ("reads 32 to 512", ("--max-tokens", "9")),
    ):
        done = run("models", "parity", str(folder), *options)
        assert done.returncode == 2
        assert words in done.stderr


def test_clean_says_what_would_go_and_then_removes_it(
    run: Callable[..., Any], run_json: Callable[..., Any], folder: Path, tmp_path: Path, cache: Path
) -> None:
    OnnxEngine(folder, "classify", EngineOptions(threads=1))
    (graph,) = (cache / "engines").iterdir()
    assert run_json("models", "clean", "--all", cwd=tmp_path)["removed"] == []  # opened in this minute
    os.utime(graph, (1e9, 1e9))
    would = run_json("models", "clean", "--dry-run", cwd=tmp_path)
    assert (would["removed"], would["kept"]) == ([graph.name], 0)
    assert would["bytes"] > 10_000
    assert graph.is_dir()
    done = run("models", "clean")
    assert done.returncode == 0
    assert "1 graphs removed" in done.stdout
    assert not list((cache / "engines").iterdir())
