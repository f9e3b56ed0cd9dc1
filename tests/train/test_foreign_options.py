"""Options of other trainers become ours, or are refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from secondpass.errors import InputError
from secondpass.models.causal_templates import causal_template
from secondpass.models.profiles import find_profile
from secondpass.train.autotrain_options import from_autotrain
from secondpass.train.flagembedding_options import from_flags, is_flagembedding
from secondpass.train.options import make_options

TUTORIAL = (
    "--model_name_or_path BAAI/bge-reranker-base --train_data ./训练.jsonl --learning_rate 6e-5 --fp16 "
    "--num_train_epochs 5 --per_device_train_batch_size 2 --gradient_accumulation_steps 4 --dataloader_drop_last True "
    "--train_group_size 16 --max_len 512 --weight_decay 0.01 --logging_steps 10 --output_dir out"
).split()


def test_the_tutorials_command_is_understood_and_says_that_max_len_was_ignored_there() -> None:
    assert is_flagembedding(TUTORIAL)
    found = from_flags(TUTORIAL, processes=3)
    options = make_options(found.values, "test")
    assert (options.model, options.train, options.output) == ("BAAI/bge-reranker-base", "./训练.jsonl", "out")
    assert (options.group_size, options.batch_size, options.accumulation) == (16, 2 * 4 * 3, 4)
    assert (options.learning_rate, options.weight_decay, options.epochs, options.warmup) == (6e-5, 0.01, 5.0, 0.0)
    assert (options.max_tokens, options.precision) == (512, "auto")
    said = "\n".join(found.notes)
    assert "FlagEmbedding itself ignores it and cuts at query_max_len + passage_max_len = 160 tokens" in said
    assert "logging_steps is left out: every step is kept" in said


def test_lengths_of_both_texts_are_added_and_defaults_are_theirs() -> None:
    given = ["--model_name_or_path=m", "--train_data=t", "--query_max_len=64", "--passage_max_len", "256"]
    options = make_options(from_flags([*given, "--max_len", "99", "--bf16"], 1).values, "test")
    assert (options.max_tokens, options.precision, options.epochs, options.batch_size) == (320, "bf16", 3.0, 8)
    assert make_options(from_flags(given[:2], 1).values, "test").max_tokens == 160


def test_a_decoders_flags_become_lora_with_the_defaults_of_there() -> None:
    given = ["--model_name_or_path", "模型", "--train_data", "t", "--model_type", "decoder", "--use_lora", "True"]
    options = make_options(
        from_flags([*given, "--lora_rank", "32", "--target_modules", "q_proj", "v_proj"], 1).values, ""
    )
    assert (options.lora_rank, options.lora_alpha, options.lora_dropout) == (32, 16.0, 0.1)
    assert options.lora_targets == "q_proj,v_proj"
    assert (
        make_options(from_flags([*given[:4], "--use_lora", "False", "--lora_rank", "8"], 1).values, "").lora_rank == 0
    )
    assert make_options(from_flags(given[:4], 1).values, "").lora_rank == 0


def test_the_instructions_of_their_language_models_become_the_form_of_input_that_has_them() -> None:
    given = ["--model_name_or_path", "模型", "--train_data", "t", "--query_instruction_for_rerank", "A: "]
    given += ["--query_instruction_format", "{}{}", "--passage_instruction_for_rerank", "B: "]
    found = from_flags([*given, "--passage_instruction_format", "{}{}", "--model_type", "decoder"], 1)
    profile = make_options(found.values, "test").profile
    assert any(f"become profile {profile}" in note for note in found.notes)
    known = find_profile(profile)
    assert known
    template = causal_template(known.template)
    assert template.before[0] == "A: {query}"
    assert template.passage == "B: {passage}"


def test_a_format_without_an_instruction_does_nothing_there_and_here() -> None:
    given = ["--train_data", "t", "--query_instruction_format", "{}：{}", "--query_instruction_for_rerank", ""]
    found = from_flags(given, 1)
    assert "profile" not in found.values
    assert "query_instruction_format is left out: it formats an instruction, and none is given" in found.notes


@pytest.mark.parametrize(
    "flags",
    [
        ["--query_instruction_for_rerank", "为这个问题找段落："],
        ["--passage_instruction_for_rerank", "B: "],
        ["--query_instruction_for_rerank", "A: ", "--passage_instruction_for_rerank", "B: ", "--model_type", "encoder"],
        ["--query_instruction_for_rerank=A: ", "--passage_instruction_for_rerank=B: ", "--query_instruction_format={}"],
    ],
)
def test_other_instructions_are_refused_since_nobody_would_serve_with_them(flags: list[str]) -> None:
    said = r"_instruction_for_rerank is '.*', and is not taken over: .* no library would know\. Accepted are 'A: '"
    with pytest.raises(InputError, match=said):
        from_flags(["--train_data", "t", *flags], 1)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("--train_data a --learning_rte 1", "FlagEmbedding has no option 'learning_rte'. Did you mean learning_rate"),
        ("--train_data a --deepspeed ds.json", "deepspeed is not taken over: set shard = true"),
        ("--train_data a b", "train_data names 2 files; give one"),
        ("--model_name_or_path m", "train_data names 0 files"),
        ("--train_data a --max_len viele", "max_len is 'viele'; accepted is a number"),
        ("a --train_data b", "'a' stands before any flag"),
    ],
)
def test_flags_that_mean_nothing_are_refused_by_name(flags: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        from_flags(flags.split(), 1)


AUTOTRAIN = """
task: {task}
base_model: BAAI/bge-small-zh
project_name: 我的模型
log: tensorboard
backend: local
data:
  path: {path}
  train_split: train
  valid_split: dev
  column_mapping:
    sentence1_column: 问题
    sentence2_column: positive
    sentence3_column: negative
params:
  max_seq_length: 256
  epochs: 2
  batch_size: 4
  lr: 2e-5
  optimizer: adamw_torch
  scheduler: cosine
  gradient_accumulation: 2
  mixed_precision: fp16
hub:
  username: ${{NOBODY}}
  push_to_hub: false
"""


@pytest.mark.parametrize("task", ["sentence-transformers:triplet", "st:triplet"])
def test_an_autotrain_file_trains_a_reranker(task: str, tmp_path: Path) -> None:
    for name in ("train.csv", "dev.jsonl"):
        (tmp_path / name).write_text("", encoding="utf-8")
    file = tmp_path / "config.yml"
    file.write_text(AUTOTRAIN.format(task=task, path=tmp_path), encoding="utf-8")
    found = from_autotrain(file, processes=1)
    options = make_options(found.values, "test")
    assert (options.model, options.output, options.columns) == ("BAAI/bge-small-zh", "我的模型", "query=问题")
    assert (options.train, options.dev) == (str(tmp_path / "train.csv"), str(tmp_path / "dev.jsonl"))
    assert (options.max_tokens, options.epochs, options.batch_size, options.accumulation) == (256, 2.0, 8, 2)
    assert (options.learning_rate, options.schedule, options.tensorboard) == (2e-5, "cosine", True)
    assert "max_seq_length is taken as max_tokens; AutoTrain itself ignores it" in found.notes


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("task: reranker", "task: llm:sft", "task is 'llm:sft'; accepted is reranker, sentence-transformers:triplet"),
        ("backend: local", "backend: spaces", "backend is 'spaces'"),
        ("push_to_hub: false", "push_to_hub: true", "uploaded by nobody"),
        ("  lr: 2e-5", "  learning: 2e-5", "AutoTrain has no option 'learning'"),
        ("adamw_torch", "sgd", "optimizer is 'sgd'"),
        ("params:", "parms:", "AutoTrain has no 'parms'"),
        ("valid_split: dev", "valid_split: test", r"there is no test\.jsonl"),
        ("task: reranker", "task: [", r"config\.yml is no YAML"),
    ],
)
def test_what_an_autotrain_file_cannot_say_here_is_refused(old: str, new: str, said: str, tmp_path: Path) -> None:
    for name in ("train.jsonl", "dev.jsonl"):
        (tmp_path / name).write_text("", encoding="utf-8")
    file = tmp_path / "config.yml"
    file.write_text(AUTOTRAIN.format(task="reranker", path=tmp_path).replace(old, new), encoding="utf-8")
    with pytest.raises(InputError, match=said):
        from_autotrain(file, 1)
