"""The training loop, from the first step to the last on one page.

Everything a step needs follows from its number and the seed, so that a run that was stopped goes on as if it had not
been, and two devices with half of the questions each compute what one computes with all of them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from secondpass.data.training import TrainExample
from secondpass.train.checkpoints import latest_checkpoint, load_checkpoint, read_state, save_checkpoint
from secondpass.train.development import DevList, Measured, ScorePassages, measure
from secondpass.train.groups import Group, Schedule, step_groups
from secondpass.train.losses import Groups, Loss, LossOptions, nothing_learned, open_loss
from secondpass.train.options import TrainOptions
from secondpass.train.reading import TrainedModel
from secondpass.train.watch import Collapse, Watch
from secondpass.types import FloatArray

Listener = Callable[[dict[str, Any]], None]
"""Hears what happens, one record at a time: ``{"event": "step" | "dev" | "note", ...}``."""


@dataclass(slots=True)
class Run:
    """How far a run has come: what a checkpoint keeps beside the weights."""

    step: int = 0
    best_step: int = -1
    best_value: float = -math.inf
    since_best: int = 0
    seconds: float = 0.0
    cut: int = 0
    pairs: int = 0
    spread: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Job:
    """What is trained on what. ``folder`` keeps checkpoints, ``best`` is handed the weights that measured best."""

    options: TrainOptions
    model: TrainedModel
    examples: Sequence[TrainExample]
    dev: Sequence[DevList]
    folder: Path
    listener: Listener


def train(job: Job, accelerator: Accelerator, resume: bool) -> tuple[Run, Collapse | None]:
    """Train ``job.model`` in place; it ends with the weights that measured best on dev, where there is a dev set."""
    options = job.options
    loss = open_loss(options.loss, LossOptions(options.margin, options.temperature, options.positive_weight))
    schedule = Schedule(len(job.examples), options.batch_size, options.seed)
    steps = options.max_steps or max(1, math.ceil(options.epochs * schedule.steps_an_epoch))
    every = options.evaluate_every or max(1, steps // 10)
    optimizer = torch.optim.AdamW(parameter_groups(job.model.module, options.weight_decay), lr=options.learning_rate)
    run = Run()
    if resume and (place := latest_checkpoint(job.folder)):
        load_checkpoint(place, job.model.module, optimizer)
        run = Run(**{key: value for key, value in read_state(place).items() if key in Run.__slots__})
    module, optimizer = accelerator.prepare(job.model.module, optimizer)
    watch = Watch(nothing_learned(options.loss, options.group_size), history=run.history)
    if run.step == 0:
        _measure(job, run, accelerator, optimizer, steps)
    saved = started = time.monotonic()
    before = run.seconds
    collapse = None
    module.train()
    while run.step < steps:
        progress = _progress(run, steps, options.minutes * 60)
        if progress >= 1:
            break
        for group in optimizer.param_groups:
            group["lr"] = options.learning_rate * rate_factor(progress, steps, options)
        torch.manual_seed(options.seed + run.step * 1009 + accelerator.process_index)  # of dropout
        groups = step_groups(job.examples, schedule, run.step, options.group_size)
        value, spread = _step(job, groups, module, optimizer, accelerator, loss)
        run.step += 1
        run.seconds = before + time.monotonic() - started
        run.pairs += sum(len(group.passages) for group in groups)
        run.spread = spread
        watch.see(run.step, value, spread)
        record = {"event": "step", "step": run.step, "steps": steps, "loss": value, "spread": spread}
        job.listener(record | {"rate": optimizer.param_groups[0]["lr"], "seconds": run.seconds, "pairs": run.pairs})
        if run.step % every == 0 or run.step == steps:
            _measure(job, run, accelerator, optimizer, steps)
            module.train()
            if options.patience and run.since_best >= options.patience:
                break
        collapse = watch.collapse()
        if collapse and options.stop_on_collapse:
            break
        if time.monotonic() - saved > options.checkpoint_minutes * 60:
            _keep(job, run, accelerator, optimizer)
            saved = time.monotonic()
    _keep(job, run, accelerator, optimizer)
    return run, collapse


def _step(
    job: Job, groups: Sequence[Group], module: nn.Module, optimizer: Any, accelerator: Accelerator, loss: Loss
) -> tuple[float, float]:
    """Take one step on this process's share of ``groups``; return the loss of all of them, and the spread."""
    mine = groups[accelerator.process_index :: accelerator.num_processes]
    parts = [mine[place :: job.options.accumulation] for place in range(job.options.accumulation)]
    parts = [part for part in parts if part]
    total, spread = torch.zeros((), device=accelerator.device), torch.zeros((), device=accelerator.device)
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        with nullcontext() if last else accelerator.no_sync(module):
            batches, order, shape = job.model.batches(part, accelerator.device)
            with accelerator.autocast():
                scores = module(batches, order)
            filled = shape(scores)
            losses = loss(filled).sum()
            # Gradients of processes are averaged; every group of the step counts once.
            accelerator.backward(losses * accelerator.num_processes / len(groups))
        total += losses.detach()
        spread += _spread(filled).sum()
    if job.options.max_gradient_norm:
        accelerator.clip_grad_norm_(module.parameters(), job.options.max_gradient_norm)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    sums: Any = accelerator.reduce(torch.stack([total, spread]), reduction="sum")
    return float(sums[0]) / len(groups), float(sums[1]) / len(groups)


def _spread(groups: Groups) -> Tensor:
    """Return the standard deviation of each group's scores, float32 [G]."""
    there = groups.there.float()
    count = there.sum(dim=1)
    scores = groups.scores.detach()
    mean = (scores * there).sum(dim=1) / count
    return (((scores - mean[:, None]) ** 2 * there).sum(dim=1) / count).sqrt()


def parameter_groups(module: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Return the trained parameters, matrices apart from biases and norms, which do not decay."""
    trained = [(name, value) for name, value in module.named_parameters() if value.requires_grad]
    matrices = [value for _, value in trained if value.ndim > 1]
    others = [value for _, value in trained if value.ndim < 2]
    return [{"params": matrices, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]


def rate_factor(progress: float, steps: int, options: TrainOptions) -> float:
    """Return the share of the highest learning rate at ``progress`` (0 to 1) of a run of ``steps``.

    >>> options = TrainOptions(warmup=0.2)
    >>> [round(rate_factor(part, 10, options), 3) for part in (0.0, 0.1, 0.2, 0.6, 0.9)]
    [0.5, 1.0, 1.0, 0.5, 0.125]
    """
    warm = min(options.warmup if options.warmup < 1 else options.warmup / steps, 1.0)
    if progress < warm:
        return min(1.0, (progress * steps + 1) / (warm * steps))
    past = (progress - warm) / (1 - warm)
    if options.schedule == "constant":
        return 1.0
    return 1 - past if options.schedule == "linear" else 0.5 * (1 + math.cos(math.pi * past))


def _progress(run: Run, steps: int, limit_seconds: float) -> float:
    """Return how much of the run is done, by steps or, where time is the limit, by time; 1 is the end."""
    by_steps = run.step / steps
    return max(by_steps, run.seconds / limit_seconds) if limit_seconds else by_steps


def _measure(job: Job, run: Run, accelerator: Accelerator, optimizer: Any, steps: int) -> None:
    """Measure on dev, and keep the weights where they are the best so far."""
    if not job.dev:
        return
    found = measure_model(job.model, job.dev, accelerator)
    value = found.means[job.options.measure]
    run.since_best += 1
    if value > run.best_value:
        run.best_step, run.best_value, run.since_best = run.step, value, 0
        if accelerator.is_main_process:
            save_checkpoint(job.folder / "best", run.step, job.model.module, optimizer.optimizer, {})
    record = {"step": run.step, **found.means, "dev_loss": found.loss, "dev_spread": found.spread}
    run.history.append(record)
    job.listener({"event": "dev", "steps": steps, "best": run.best_step == run.step, **record})


def measure_model(model: TrainedModel, lists: Sequence[DevList], accelerator: Accelerator) -> Measured:
    """Measure ``model`` as it stands; gradients and dropout are off."""
    model.module.eval()
    return measure(lists, scorer(model, accelerator))


def scorer(model: TrainedModel, accelerator: Accelerator) -> ScorePassages:
    """Return what scores passages with ``model`` as it stands."""

    @torch.inference_mode()
    def score(query: str, passages: Sequence[str]) -> FloatArray:
        group = Group(query, tuple(passages), (0.0,) * len(passages))
        batches, order, _ = model.batches([group], accelerator.device)
        with accelerator.autocast():
            values: FloatArray = model.module(batches, order).float().cpu().numpy()
        return values

    return score


def _keep(job: Job, run: Run, accelerator: Accelerator, optimizer: Any) -> None:
    if accelerator.is_main_process:
        state = {name: getattr(run, name) for name in Run.__slots__ if name != "step"}
        save_checkpoint(job.folder / "latest", run.step, job.model.module, optimizer.optimizer, state)
    accelerator.wait_for_everyone()
