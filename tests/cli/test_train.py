"""``secondpass train`` as a person meets it."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from tests.models.tiny_causal import make_causal
from tests.models.tiny_models import Shape, make_model

from secondpass.cli import train_progress
from secondpass.cli.train import train
from secondpass.errors import InputError, MissingExtraError
from secondpass.train.options import TrainOptions, read_options

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("cli-train") / "reranker", Shape("bert", layers=1))


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """The configurations name the examples from there."""
    monkeypatch.chdir(ROOT)


def call(*arguments: str) -> Result:
    return CliRunner().invoke(train, arguments, standalone_mode=False, catch_exceptions=False)


def settings(**values: Any) -> Sequence[str]:
    return [part for name, value in values.items() for part in ("--set", f"{name}={value}")]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["train-causal-lora.toml", "train-late-interaction.toml"])
def test_the_recipes_of_other_families_run_as_they_are_written(name: str, tmp_path: Path) -> None:
    if "causal" in name:
        start = make_causal(tmp_path / "语言模型", "qwen3", num_hidden_layers=1)
    else:
        start = make_model(tmp_path / "编码器", Shape("bert", layers=1))
        config = json.loads((start / "config.json").read_text(encoding="utf-8"))
        (start / "config.json").write_text(json.dumps(config | {"architectures": ["BertForMaskedLM"]}), "utf-8")
    output = tmp_path / "精排"
    done = call(
        f"configs/{name}",
        *settings(model=start, output=output, max_steps=1, threads=1, precision="f32", dev_questions=4),
    )
    assert done.return_value in (0, None), done.output
    card = (output / "README.md").read_text(encoding="utf-8")
    assert ("lora_rank = 16" in card) == (output / "adapter" / "adapter_model.safetensors").is_file()
    assert ('family = "late-interaction"' in card) == (output / "1_Dense" / "model.safetensors").is_file()
    assert (output / "probes.json").is_file()


@pytest.mark.parametrize("name", ["train-triplets.toml", "train-groups.toml"])
def test_the_tutorials_recipes_run_as_they_are_written(name: str, model: Path, tmp_path: Path) -> None:
    recipe = read_options(f"configs/{name}")
    if name == "train-triplets.toml":
        assert (recipe.batch_size, recipe.epochs, recipe.learning_rate, recipe.warmup) == (8, 5.0, 1e-5, 100.0)
    else:
        assert (recipe.group_size, recipe.accumulation, recipe.learning_rate) == (16, 4, 6e-5)
        assert (recipe.weight_decay, recipe.epochs, recipe.precision) == (0.01, 5.0, "auto")
    output = tmp_path / "精排"
    short = settings(model=model, output=output, max_steps=2, threads=1, precision="f32", max_tokens=96)
    done = call(f"configs/{name}", *short)
    assert done.return_value in (0, None), done.output
    assert "4 of 41 questions are held back to measure on" in done.stderr
    assert "nothing learned" in done.stderr
    assert "95% intervals" in done.stdout
    assert "do not call it an improvement" in " ".join(done.stdout.split())
    assert (output / "model.safetensors").is_file()
    assert "nDCG@10 | " in (output / "README.md").read_text(encoding="utf-8")


def test_a_run_that_learns_nothing_ends_with_1_and_says_why(model: Path, tmp_path: Path) -> None:
    values = settings(model=model, output=tmp_path / "out", train="examples/train_groups.jsonl", learning_rate=0,
                      threads=1, precision="f32", max_tokens=32, group_size=2, batch_size=1, max_steps=200,
                      evaluate_every=100)  # fmt: skip
    done = call(*values, "--json")
    assert done.return_value == 1
    record = json.loads(done.stdout)
    assert record["failed"] is True
    assert record["steps"] == 60
    assert "Nothing is being learned after 60 steps" in record["collapse"]
    assert done.stderr.count("\n") < 6


def test_flagembeddings_command_line_is_shown_as_a_file_of_ours() -> None:
    flags = (
        "--model_name_or_path 模型 --train_data t.jsonl --train_group_size 16 --max_len 512 --output_dir out".split()
    )
    shown = call("--show", *flags, *settings(learning_rate=1e-4)).stdout
    assert 'model = "模型"' in shown
    assert "group_size = 16" in shown
    assert "learning_rate = 0.0001" in shown
    with pytest.raises(InputError, match="FlagEmbedding has no option 'trane_group_size'"):
        call("--show", "--trane_group_size", "16", *flags[:4])


def test_an_autotrain_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "autotrain.yaml"
    file.write_text(
        "task: reranker\nbase_model: 模型\ndata:\n  path: examples/train_triplets.jsonl\nparams:\n  lr: 1e-5\n",
        encoding="utf-8",
    )
    shown = call("--show", str(file)).stdout
    assert 'train = "examples/train_triplets.jsonl"' in shown
    assert "learning_rate = 1e-05" in shown


def test_help_lists_every_option_and_imports_no_torch() -> None:
    code = (
        "import sys\nfrom secondpass.cli.main import cli\n"
        "cli(['train', '--help'], standalone_mode=False)\n"
        "print('heavy', sorted({'torch', 'transformers', 'accelerate', 'yaml'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("heavy []\n")
    for known in dataclasses.fields(TrainOptions):
        assert f"  {known.name} " in done.stdout


def test_what_is_not_installed_is_named_with_the_command_that_mends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("secondpass.cli.train.find_spec", lambda name: None if name == "accelerate" else object())
    with pytest.raises(MissingExtraError, match=r"Training \(accelerate\).*pip install 'secondpass\[train\]'"):
        call(*settings(model="m", train="t"))


def test_wrong_names_are_refused_before_anything_is_imported() -> None:
    with pytest.raises(InputError, match="Did you mean learning_rate"):
        call(*settings(learning_rte=1))


@pytest.mark.parametrize(("minutes", "left"), [(2.0, "about 30 s left"), (0.0, "about 17 min left")])
def test_the_time_left_ends_with_the_time_limit(
    minutes: float, left: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = [100.0]
    monkeypatch.setattr("secondpass.cli.train_progress.time.monotonic", lambda: clock[0])
    progress = train_progress.TrainProgress(quiet=False)
    progress.hear(
        {"event": "start", "step": 0, "steps": 111, "minutes": minutes, "devices": "cpu", "folder": "tuned.run"}
    )
    clock[0] = 190.0
    progress.hear({"event": "step", "step": 9, "loss": 0.5, "line": 1.386, "seconds": 90.0})
    assert f"9/111 steps, 0.10/s, {left}, loss 0.500 (nothing learned: 1.386)" in capsys.readouterr().err
