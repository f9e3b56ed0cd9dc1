"""Options from files and settings, and back."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from secondpass.errors import InputError
from secondpass.train.options import TrainOptions, as_toml, read_options


def test_a_file_and_settings_make_options_and_settings_win(tmp_path: Path) -> None:
    file = tmp_path / "训练.toml"
    file.write_text('model = "模型"\nlearning_rate = 1e-5\nepochs = 5\n', encoding="utf-8")
    options = read_options(file, ["learning_rate=2e-5", "stop_on_collapse=false", "train=数据.jsonl"])
    assert options == TrainOptions(
        model="模型", learning_rate=2e-5, epochs=5.0, stop_on_collapse=False, train="数据.jsonl"
    )


def test_options_written_and_read_again_are_the_same(tmp_path: Path) -> None:
    options = TrainOptions(model='a "quoted" \\ 名字', minutes=2.5, gradient_checkpointing=True, max_tokens=64)
    (tmp_path / "again.toml").write_text(as_toml(options), encoding="utf-8")
    assert read_options(tmp_path / "again.toml") == options


def test_every_option_has_words_that_help_shows() -> None:
    assert all(known.metadata["help"].endswith((".", ")", ":")) for known in dataclasses.fields(TrainOptions))


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("learning_rte=1", "Did you mean learning_rate"),
        ("epochs=many", "accepted is a number of 0 or more"),
        ("group_size=1", "a whole number of 2 or more"),
        ("precision=fp8", "auto or f32 or bf16 or fp16"),
        ("tensorboard=maybe", "true or false"),
        ("epochs", "write name=value"),
        ("hardest_of=4", r"--set: hardest_of is 4 and group_size 8: .* Give hardest_of more, such as 32, or 0\."),
        ("absolute=-1", "absolute is '-1'; accepted is a number of 0 or more"),
    ],
)
def test_what_means_nothing_is_refused_with_what_is_accepted(setting: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_options(None, [setting])


def test_a_group_can_be_the_hardest_of_more_in_whatever_order_it_is_said() -> None:
    assert read_options(None, ["hardest_of=6", "group_size=3"]).hardest_of == 6
    assert read_options(None, ["hardest_of=0"]).hardest_of == 0


def test_a_file_that_is_no_toml_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("model = [", encoding="utf-8")
    with pytest.raises(InputError, match=r"bad\.toml is no TOML"):
        read_options(tmp_path / "bad.toml")
    with pytest.raises(InputError, match=r"none\.toml cannot be read"):
        read_options(tmp_path / "none.toml")
