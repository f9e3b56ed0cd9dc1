"""The flags of FlagEmbedding's reranker training, as ours.

``torchrun --nproc_per_node 2 -m FlagEmbedding.finetune.reranker.encoder_only.base --train_data ...`` becomes ``torchrun
--nproc_per_node 2 -m secondpass train --train_data ...``. What is not given has the default it has there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from secondpass.errors import InputError
from secondpass.train.foreign_options import Names, Translated, number, take_over

_PLACE = "FlagEmbedding's flags"
_OURS_DOES = "it is always so here"
_NAMES = Names(
    trainer="FlagEmbedding",
    same={
        "model_name_or_path": "model", "output_dir": "output", "train_group_size": "group_size",
        "learning_rate": "learning_rate", "num_train_epochs": "epochs", "max_steps": "max_steps",
        "weight_decay": "weight_decay", "max_grad_norm": "max_gradient_norm", "seed": "seed",
        "gradient_checkpointing": "gradient_checkpointing", "lora_rank": "lora_rank", "lora_alpha": "lora_alpha",
        "lora_dropout": "lora_dropout",
    },
    without_effect={
        "overwrite_output_dir": "a model that was trained here is replaced, nothing else is",
        "dataloader_drop_last": "every step has the same number of questions here",
        "cache_dir": "HF_HOME says where models are kept", "cache_path": "nothing is cached",
        "config_name": "the model's own is read", "tokenizer_name": "the model's own is read",
        "token": "HF_TOKEN is read", "trust_remote_code": "a model's own code is never run",
        "logging_steps": "every step is kept in metrics.jsonl", "logging_dir": "metrics lie beside the model",
        "logging_strategy": _OURS_DOES, "logging_first_step": _OURS_DOES,
        "save_steps": "checkpoint_minutes says how often", "save_strategy": "checkpoint_minutes says how often",
        "save_total_limit": "the last checkpoint and the best weights are kept", "save_safetensors": _OURS_DOES,
        "dataloader_num_workers": "reading is no bottleneck here", "dataloader_pin_memory": _OURS_DOES,
        "ddp_find_unused_parameters": "they are found and left out", "ddp_backend": "torchrun's is taken",
        "pad_to_multiple_of": "pairs are packed by length", "remove_unused_columns": "columns are told by their names",
        "local_rank": "torchrun says it", "disable_tqdm": "--quiet says it", "run_name": "the output's name is taken",
        "gradient_checkpointing_kwargs": _OURS_DOES, "do_train": _OURS_DOES, "optim": "it is AdamW",
        "max_example_num_per_dataset": "all examples are read", "use_fast_tokenizer": "tokenizer.json is read",
        "sep_token": "it stands between an instruction and a text, which encoders have none of",
        "model_type": "the model itself says what it is", "use_flash_attn": "torch chooses how attention is computed",
        "save_merged_lora_model": "the merged model is written, and the adapter beside it",
        "sub_batch_size": "accumulation says it, and FlagEmbedding does nothing with it either",
    },
    refused={
        "deepspeed": "set shard = true to spread a model over processes (FSDP)",
        "shuffle_ratio": "texts are not shuffled",
        "modules_to_save": "only the updates are trained beside the weights; lora_rank = 0 trains all weights",
        "from_peft": "merge the adapter into its model first", "raw_peft": "merge the adapter into its model first",
    },
)  # fmt: skip
_HANDLED = (
    "train_data", "per_device_train_batch_size", "gradient_accumulation_steps", "query_max_len", "passage_max_len",
    "max_len", "warmup_ratio", "warmup_steps", "fp16", "bf16", "lr_scheduler_type", "report_to",
    "knowledge_distillation", "use_lora", "target_modules", "query_instruction_for_rerank", "query_instruction_format",
    "passage_instruction_for_rerank", "passage_instruction_format",
)  # fmt: skip
_QUERY_TOKENS, _PASSAGE_TOKENS = 32, 128
_LORA = {"lora_rank": 64, "lora_alpha": 16.0, "lora_dropout": 0.1}
"""FlagEmbedding's defaults, in finetune/reranker/decoder_only/base/arguments.py."""
_SIDES = ("query", "passage")
_FORM, _FORM_WORDS = "BAAI/bge-reranker-v2-gemma", ("A: ", "B: ")
"""The words before question and passage of FlagEmbedding's language models, and the form of input that has them."""


def is_flagembedding(arguments: Sequence[str]) -> bool:
    """Say whether a command line is one of FlagEmbedding's."""
    flags = {argument.partition("=")[0].lstrip("-").replace("-", "_") for argument in arguments if argument[:2] == "--"}
    return not flags.isdisjoint({"model_name_or_path", "train_data", "train_group_size"})


def from_flags(arguments: Sequence[str], processes: int) -> Translated:
    """Translate a command line; ``processes`` share a step.

    Raises:
        InputError: a flag is none of FlagEmbedding's, or one that cannot be taken over.
    """
    given = _read(arguments)
    found = take_over(given, _NAMES, _HANDLED, _PLACE)
    found.values.setdefault("epochs", 3.0)
    found.values.setdefault("weight_decay", 0.0)
    found.values["train"] = _only_file(given)
    accumulation = number(given, "gradient_accumulation_steps", 1, _PLACE)
    found.values["accumulation"] = accumulation
    found.values["batch_size"] = number(given, "per_device_train_batch_size", 8, _PLACE) * accumulation * processes
    found.values["warmup"] = _warmup(given)
    found.values["schedule"] = {"constant_with_warmup": "constant"}.get(
        str(given.get("lr_scheduler_type", "linear")), str(given.get("lr_scheduler_type", "linear"))
    )
    found.values["precision"] = "bf16" if _yes(given, "bf16") else "auto" if _yes(given, "fp16") else "f32"
    if _yes(given, "fp16"):
        found.notes.append("fp16 becomes precision auto: bf16 where the machine has it, fp16 on an older GPU, else f32")
    found.values["tensorboard"] = "tensorboard" in str(given.get("report_to", ""))
    if _yes(given, "knowledge_distillation"):
        found.values["loss"] = "kl"
        found.notes.append("knowledge_distillation becomes loss kl; FlagEmbedding adds the one-hot loss to it")
    _set_lengths(given, found)
    _set_lora(given, found)
    _set_instructions(given, found)
    return found


def _read(arguments: Sequence[str]) -> dict[str, Any]:
    """Return flags with their values: ``--fp16`` alone is true, several values are a list."""
    given: dict[str, Any] = {}
    name = ""
    for argument in arguments:
        if argument.startswith("--"):
            name, equals, value = argument[2:].partition("=")
            name = name.replace("-", "_")
            given[name] = [value] if equals else []
        elif name:
            given[name].append(argument)
        else:
            raise InputError(f"{_PLACE}: {argument!r} stands before any flag.")
    return {name: True if not values else values[0] if len(values) == 1 else values for name, values in given.items()}


def _only_file(given: Mapping[str, Any]) -> str:
    files = given.get("train_data")
    if not isinstance(files, str):
        count = len(files) if isinstance(files, list) else 0
        raise InputError(f"{_PLACE}: train_data names {count} files; give one, with all examples.")
    return files


def _warmup(given: Mapping[str, Any]) -> float:
    steps = number(given, "warmup_steps", 0, _PLACE, float)
    return float(steps or number(given, "warmup_ratio", 0.0, _PLACE, float))


def _set_lengths(given: Mapping[str, Any], found: Translated) -> None:
    query, passage = (
        number(given, "query_max_len", _QUERY_TOKENS, _PLACE),
        number(given, "passage_max_len", _PASSAGE_TOKENS, _PLACE),
    )
    own = "query_max_len" in given or "passage_max_len" in given
    if "max_len" in given and not own:
        found.values["max_tokens"] = number(given, "max_len", 0, _PLACE)
        found.notes.append(
            f"max_len is taken as max_tokens = {found.values['max_tokens']}; FlagEmbedding itself ignores it and cuts "
            f"at query_max_len + passage_max_len = {query + passage} tokens"
        )
        return
    found.values["max_tokens"] = query + passage
    found.notes.append(
        f"max_tokens = {query + passage}, query_max_len + passage_max_len; of a pair too long the longer text is cut"
    )
    if "max_len" in given:
        found.notes.append("max_len is left out: FlagEmbedding ignores it too")


def _set_lora(given: Mapping[str, Any], found: Translated) -> None:
    """Take over what is said of LoRA; what is not said of it has FlagEmbedding's default once it is asked for."""
    named = {"use_lora", "target_modules", *_LORA}
    if named.isdisjoint(given):
        return
    if "use_lora" in given and not _yes(given, "use_lora"):
        for name in _LORA:
            found.values.pop(name, None)
        return
    for name, value in _LORA.items():
        found.values.setdefault(name, value)
    targets = given.get("target_modules", [])
    found.values["lora_targets"] = ",".join([targets] if isinstance(targets, str) else targets)


def _set_instructions(given: Mapping[str, Any], found: Translated) -> None:
    """Take over the words that FlagEmbedding writes before texts where a form of input has them; refuse others."""
    words = [given.get(f"{side}_instruction_for_rerank") or "" for side in _SIDES]
    formats = [given.get(f"{side}_instruction_format", "{}{}") for side in _SIDES]
    for side, word in zip(_SIDES, words, strict=True):
        if not word and f"{side}_instruction_format" in given:
            found.notes.append(f"{side}_instruction_format is left out: it formats an instruction, and none is given")
    if not any(words):
        return
    if tuple(words) == _FORM_WORDS and formats == ["{}{}", "{}{}"] and given.get("model_type") != "encoder":
        found.values["profile"] = _FORM
        found.notes.append(f"the instructions 'A: ' and 'B: ' become profile {_FORM}, whose form of input has them")
        return
    side, word = next((side, word) for side, word in zip(_SIDES, words, strict=True) if word)
    raise InputError(
        f"{_PLACE}: {side}_instruction_for_rerank is {word!r}, and is not taken over: a model taught with words "
        "before its texts has to be served with them, and no library would know. Accepted are 'A: ' and 'B: ', of a "
        "language model; write others into the texts of the examples, and of what will be reranked."
    )


def _yes(given: Mapping[str, Any], name: str) -> bool:
    return str(given.get(name, "false")).lower() in {"true", "1", "yes"}
