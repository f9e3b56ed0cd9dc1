"""A training run from its options to the folder of the trained model, and what is said of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator

from secondpass.data.collections import read_task
from secondpass.data.training import TrainExample
from secondpass.data.training_read import good_examples, open_examples
from secondpass.errors import InputError
from secondpass.models.checkpoint import read_checkpoint
from secondpass.models.module_list import transformer_folder
from secondpass.models.source import resolve
from secondpass.train.card import model_card
from secondpass.train.checkpoints import latest_checkpoint, load_checkpoint
from secondpass.train.development import DevList, Measured, lists_of_examples, lists_of_task
from secondpass.train.encoder import PairEncoder, open_classifier
from secondpass.train.loop import Job, Listener, Run, measure_model, parameter_groups, scorer, train
from secondpass.train.options import TrainOptions, as_toml
from secondpass.train.reading import TrainedModel, as_module
from secondpass.train.saving import save_model
from secondpass.train.watch import Collapse

_RUN_FOLDER = ".run"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to: the model on dev before and after (None: there is no dev set), and what went wrong."""

    output: Path
    run: Run
    before: Measured | None
    after: Measured | None
    collapse: Collapse | None


def run_training(options: TrainOptions, listener: Listener, resume: bool = False) -> Outcome:
    """Train as ``options`` say, and write the model to ``options.output``.

    Raises:
        InputError: options, model or data cannot be used; nothing is written.
        StoreError: the disk is full; the last checkpoint is whole.
    """
    if options.threads:
        torch.set_num_threads(options.threads)
    accelerator = Accelerator(mixed_precision=_precision(options))
    source = resolve(options.model)
    examples, dev = read_data(options)
    model = open_model(source.folder, options)
    model.module.to(accelerator.device)
    job = Job(
        options, model, examples, dev, Path(options.output).with_name(Path(options.output).name + _RUN_FOLDER), listener
    )
    _check_resume(job, resume)
    before = measure_model(model, dev, accelerator) if dev else None
    run, collapse = train(job, accelerator, resume)
    best = latest_checkpoint(job.folder / "best")
    if best:
        load_checkpoint(best, model.module, torch.optim.AdamW(parameter_groups(model.module, 0.0)))
    after = measure_model(model, dev, accelerator) if dev else None
    outcome = Outcome(Path(options.output), run, before, after, collapse)
    if accelerator.is_main_process:
        _save(job, outcome, source.folder, accelerator)
    return outcome


def read_data(options: TrainOptions) -> tuple[list[TrainExample], list[DevList]]:
    """Read the examples and the dev lists; without dev data some questions are held back."""
    if not options.train:
        raise InputError("There is nothing to learn from; give train = FILE, in any form that `secondpass data` reads.")
    examples = [example for example in good_examples(open_examples(options.train)) if example.negatives]
    if options.dev:
        return examples, read_dev(options.dev, options)
    held = max(1, round(len(examples) * options.dev_share)) if options.dev_share else 0
    draw = torch.Generator().manual_seed(options.seed)
    order = torch.randperm(len(examples), generator=draw).tolist()
    queries = {examples[index].query.strip() for index in order[:held]}
    kept = [example for example in examples if example.query.strip() not in queries]
    back = [example for example in examples if example.query.strip() in queries]
    return kept, lists_of_examples(back, options.dev_questions, options.seed)


def read_dev(path: str, options: TrainOptions) -> list[DevList]:
    """Read dev lists of a task folder, or of examples."""
    if Path(path).is_dir() and any(Path(path).glob("qrels*")):
        return lists_of_task(read_task(path), options.dev_questions)
    return lists_of_examples(good_examples(open_examples(path)), options.dev_questions, options.seed)


def open_model(folder: Path, options: TrainOptions) -> TrainedModel:
    """Open what is trained; a head is made where there is none."""
    checkpoint = read_checkpoint(folder)
    inner = transformer_folder(folder)
    head = options.head
    if head == "auto":
        head = "own" if checkpoint.kind == "cross-encoder" else "mean"
    dropout = options.dropout if options.dropout >= 0 else None
    module = open_classifier(inner, head, dropout, options.seed)
    if options.gradient_checkpointing:
        module.gradient_checkpointing_enable()  # type: ignore[operator]
    positions = int(checkpoint.config.get("max_position_embeddings") or 512)
    limit = min(options.max_tokens or 512, positions)
    segments = int(checkpoint.config.get("type_vocab_size") or 0)
    reader = PairEncoder(folder if (folder / "tokenizer.json").is_file() else inner, segments, limit)
    pad_id = int(checkpoint.config.get("pad_token_id") or 0)
    return TrainedModel(folder, as_module(module), reader, pad_id, segments > 1)


def _precision(options: TrainOptions) -> str:
    if options.precision != "auto":
        return {"f32": "no", "bf16": "bf16", "fp16": "fp16"}[options.precision]
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported() else "fp16"
    fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return "bf16" if fast else "no"


def _check_resume(job: Job, resume: bool) -> None:
    """Refuse to go on with a run that was told otherwise, and to overwrite one that nobody asked to drop."""
    kept = job.folder / "options.toml"
    written = as_toml(job.options)
    if resume and kept.is_file() and kept.read_text(encoding="utf-8") != written:
        raise InputError(f"The run in {job.folder} was started with other options ({kept}); resume it with those.")
    if resume and latest_checkpoint(job.folder / "latest") is None:
        raise InputError(f"There is no run to resume in {job.folder}.")
    job.folder.mkdir(parents=True, exist_ok=True)
    kept.write_text(written, encoding="utf-8")


def _save(job: Job, outcome: Outcome, source: Path, accelerator: Accelerator) -> None:
    job.model.module.eval()
    card = model_card(job.options, outcome.before, outcome.after, outcome.run.seconds)
    limit = job.model.reader.max_tokens
    save_model(job.model.module.model, source, outcome.output, limit, scorer(job.model, accelerator), job.dev, card)
    (job.folder / "outcome.json").write_text(json.dumps(outcome.run.history), encoding="utf-8")
