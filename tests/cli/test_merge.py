"""``secondpass merge`` as a process of its own: what is written, said and refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.merge.families import EXAMPLES, make_family, read_tensors
from tests.models.tiny_models import Shape, make_model

from secondpass.cli.main import main

ROOT = Path(__file__).parents[2]
Run = Callable[..., Any]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a base and two models tuned from it, and examples."""
    base, tuned, other = make_family(tmp_path)
    base.rename(tmp_path / "my-base-reranker")
    tuned.rename(tmp_path / "my-tuned-reranker")
    other.rename(tmp_path / "法律")
    lines = "".join(json.dumps(example, ensure_ascii=False) + "\n" for example in EXAMPLES)
    (tmp_path / "例子.jsonl").write_text(lines, encoding="utf-8")
    return tmp_path


@pytest.fixture
def refused(place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run the command in this process; return what it says when it ends with 2 and has written nothing."""

    def call(*arguments: str) -> str:
        before = sorted(place.iterdir())
        monkeypatch.chdir(place)
        monkeypatch.setattr("sys.argv", ["secondpass", "merge", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 2
        assert sorted(place.iterdir()) == before
        return capsys.readouterr().err

    return call


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECONDPASS_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def test_a_mix_is_written_and_said_in_two_lines(run: Run, place: Path):
    done = run("merge", "mix", "my-base-reranker=1/4", "法律=3/4", "--out", "合并", cwd=place)
    assert done.returncode == 0, done.stderr
    assert "合并: " in done.stdout
    assert "by mix of my-base-reranker=0.25 + 法律=0.75" in done.stdout
    a, b, c = (read_tensors(place / name) for name in ("my-base-reranker", "法律", "合并"))
    assert all(np.allclose(c[name], 0.25 * a[name] + 0.75 * b[name], atol=1e-6) for name in c)


def test_the_example_configuration_runs_as_it_is_written(run: Run, place: Path):
    done = run("merge", "--config", str(ROOT / "configs" / "merge.toml"), cwd=place)
    assert done.returncode == 0, done.stderr
    assert (place / "merged-reranker" / "merge.json").is_file()


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(run: Run, run_json: Run, place: Path):
    before = sorted(place.iterdir())
    done = run("merge", "ties", "my-tuned-reranker", "法律", "--base", "my-base-reranker", "--dry-run", cwd=place)
    assert done.returncode == 0, done.stderr
    assert "would merge my-tuned-reranker=0.5 + 法律=0.5 over my-base-reranker by ties (density 0.2" in done.stdout
    assert "they share an ancestor" in done.stdout
    said = run_json("merge", "slerp", "my-base-reranker", "法律", "--position", "0.25", "--dry-run", cwd=place)
    assert (said["position"], said["tensors"], said["files"]) == (0.25, 57, 1)
    assert sorted(place.iterdir()) == before


def test_dare_and_ties_are_options_of_the_same_shape(run_json: Run, place: Path):
    models = ("my-tuned-reranker", "法律", "--base", "my-base-reranker")
    one = run_json("merge", "dare", *models, "--drop", "0.5", "--seed", "7", "--out", "a", cwd=place)
    again = run_json(
        "merge", "dare", *models, "--drop", "0.5", "--seed", "7", "--out", "b", "--dtype", "bf16", cwd=place
    )
    assert (one["drop"], one["seed"], one["base"]) == (0.5, 7, "my-base-reranker")
    assert again["bytes"] * 2 == one["bytes"]


def test_a_cocktail_shows_losses_and_weights_and_keeps_them(run: Run, run_json: Run, place: Path):
    options = ("--examples", "例子.jsonl", "--temperature", "0.5", "--engine", "onnx")
    done = run("merge", "cocktail", "my-tuned-reranker", "法律", *options, "--out", "a", cwd=place)
    assert done.returncode == 0, done.stderr
    assert "ranking loss over 4 groups; weights at T = 0.5" in done.stdout
    said = run_json("merge", "cocktail", "my-tuned-reranker", "法律", *options, "--out", "b", cwd=place)
    losses = [one["loss"] for one in said["losses"]]
    shares = np.exp(-np.array(losses) / 0.5)
    assert said["weights"] == pytest.approx((shares / shares.sum()).tolist())
    lineage = json.loads((place / "b" / "merge.json").read_text(encoding="utf-8"))
    assert lineage["found"]["temperature"] == 0.5
    assert [one["loss"] for one in lineage["found"]["losses"]] == losses


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("mix", "my-base-reranker=0.2", "法律=0.2", "--out", "m"), "sum to 0.4"),
        (("mix", "my-base-reranker", "--out", "m"), "at least two models"),
        (("mix", "my-base-reranker", "法律"), "Name a new folder with --out"),
        (("mix", "my-base-reranker", "法律", "--out", "my-tuned-reranker"), "my-tuned-reranker exists already"),
        (("mix", "my-base-reranker", "没有", "--out", "m"), "There is no model folder at '没有'"),
        (("mix", "my-base-reranker", "法律", "--out", "m", "--shard-size", "big"), "'big' is no size"),
        (("slerp", "my-base-reranker=0.5", "法律=0.5", "--position", "0.5", "--out", "m"), "not both"),
        (("slerp", "my-base-reranker", "法律", "my-tuned-reranker", "--out", "m"), "3 are named"),
        (("ties", "my-base-reranker", "法律", "--out", "m"), "Missing option '--base'"),
        (("dare", "法律=1.5", "my-tuned-reranker=-0.5", "--base", "my-base-reranker", "--signs", "ties", "--out", "m"),
         "above 0"),
        (("cocktail", "my-base-reranker=0.5", "法律=0.5", "--examples", "例子.jsonl", "--out", "m"), "leave them out"),
        (("cocktail", "my-base-reranker", "法律", "--examples", "fehlt.jsonl", "--out", "m"), "fehlt.jsonl"),
        (("cocktail", "my-base-reranker", "法律", "--examples", "例子.jsonl", "--temperature", "0", "--out", "m"),
         "The temperature is 0"),
        (("--config", "fehlt.toml"), "fehlt.toml cannot be read"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_sentence_and_nothing_is_written(refused: Callable[..., str], arguments, words):
    assert words in refused(*arguments)


def test_models_that_do_not_fit_are_said_with_what_differs(refused: Callable[..., str], place: Path):
    make_model(place / "两类", Shape("xlm-roberta", labels=2))
    said = refused("mix", "my-base-reranker", "两类", "--out", "m")
    assert "两类 cannot be merged with my-base-reranker: their settings differ" in said
    assert "num_labels is 1 in my-base-reranker, 2 in 两类" in said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("method = 'mixx'\nmodels = ['a', 'b']", "Did you mean 'mix'?"),
        ("models = ['a', 'b']", "there is no method"),
        ("method = 'mix'", "models must be a list"),
        ("method = 'mix'\nmodels = ['a', 'b']\noutt = 'm'", "No such option '--outt'"),
        ("method = 'mix'\nmodels = ['a', 'b']\nout = { a = 1 }", "out is a dict"),
        ("method =", "is not TOML"),
    ],
)
def test_a_configuration_that_means_nothing_is_refused_by_name(
    refused: Callable[..., str], place: Path, text: str, words: str
):
    (place / "合并.toml").write_text(text, encoding="utf-8")
    said = refused("--config", "合并.toml")
    assert "合并.toml" in said
    assert words in said
