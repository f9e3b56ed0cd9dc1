"""The training loop, from the first step to the last on one page.

Everything a step needs follows from its number and the seed, so that a run that was stopped goes on as if it had not
been, and two devices with half of the questions each compute what one computes with all of them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from secondpass.train.ahead import Steps, StepWork, read_parts, reader_count, steps_ahead
from secondpass.train.checkpoints import keep_only, latest_checkpoint, load_checkpoint, read_state, save_checkpoint
from secondpass.train.development import MEASURES, Measured
from secondpass.train.devices import in_step, prepare, summed
from secondpass.train.evidence import parted
from secondpass.train.groups import Group, Schedule, share_of
from secondpass.train.hardest import hardest
from secondpass.train.interruption import Interruption
from secondpass.train.losses import Groups, Loss, LossOptions, nothing_learned, open_loss
from secondpass.train.material import Material
from secondpass.train.metrics import Listener
from secondpass.train.options import TrainOptions
from secondpass.train.quick import quick_on_cpu
from secondpass.train.reading import TrainedModel
from secondpass.train.scoring import measure_model
from secondpass.train.watch import STATES_FIRST, Collapse, Watch


@dataclass(slots=True)
class Run:
    """How far a run has come: what a checkpoint keeps beside the weights.

    ``first`` and ``best`` are measurements on dev, before the first step and of the best weights.
    """

    step: int = 0
    best_step: int = -1
    since_best: int = 0
    seconds: float = 0.0
    pairs: int = 0
    first: Measured | None = None
    best: Measured | None = None
    recent: list[tuple[float, float | None, float]] = field(default_factory=list)
    scaler: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """What is trained on what. ``folder`` keeps checkpoints, ``listener`` hears what happens."""

    options: TrainOptions
    model: TrainedModel
    material: Material
    folder: Path
    listener: Listener


@dataclass(frozen=True, slots=True)
class Trained:
    """How a run ended, and the module and weights it ended with: those that measured best, where there is a dev set."""

    run: Run
    module: nn.Module
    collapse: Collapse | None
    interrupted: bool


def total_steps(options: TrainOptions, questions: int) -> int:
    """Return how many steps a run over ``questions`` has, unless time ends it."""
    steps_an_epoch = Schedule(questions, options.batch_size, options.seed).steps_an_epoch
    return options.max_steps or max(1, math.ceil(options.epochs * steps_an_epoch))


def train(job: Job, accelerator: Accelerator, resume: bool) -> Trained:
    """Train ``job.model`` in place."""
    options = job.options
    loss = open_loss(options.loss, loss_options(options))
    steps = total_steps(options, len(job.material.examples))
    every = options.evaluate_every or max(1, steps // 10)
    module, optimizer = prepare(job.model, options, accelerator)
    run = _taken_up(job, module, optimizer, accelerator) if resume else Run()
    watch = Watch(run.recent, STATES_FIRST if options.teacher else 0)
    every_work = Steps(job.model.reader, job.material.examples, options, accelerator)
    works = steps_ahead(every_work, run.step, steps, reader_count(options, accelerator))
    if run.step == 0:
        _measure(job, run, module, accelerator)
    before, started = run.seconds, time.monotonic()
    saved, collapse, asked = run.seconds, None, 0.0
    with Interruption() as interruption:
        while (progress := _progress(run, steps, options.minutes * 60)) < 1:
            for group in optimizer.param_groups:
                group["lr"] = group["speed"] * options.learning_rate * rate_factor(progress, steps, options)
            torch.manual_seed(options.seed + run.step * 1009 + accelerator.process_index)  # of dropout
            module.train()
            work = next(works)
            groups = work.groups
            sums = _step(job, work, module, optimizer, accelerator, loss)
            sizes = [min(len(group.passages), options.group_size) for group in groups]
            ranked = [size for size in sizes if size > 1]
            # One clock, and one answer to whether to stop, for all processes.
            clock = before + time.monotonic() - started if accelerator.is_main_process else 0.0
            *sums, run.seconds, asked = summed([*sums, clock, interruption.asked], accelerator)
            run.step += 1
            run.pairs += sum(sizes)
            value, spread = (total / max(len(ranked), 1) for total in sums[:2])
            line = _line(ranked, options)
            if ranked:
                watch.see(value, line, spread / options.temperature)
            record = {"event": "step", "step": run.step, "steps": steps, "loss": value, "line": line, "spread": spread}
            record |= {"evidence": sums[2] / sums[3]} if sums[3] else {}
            record |= {"imitation": sums[4] / len(groups)} if options.teacher else {}
            job.listener(record | {"rate": rate_of(optimizer), "seconds": run.seconds, "pairs": run.pairs})
            collapse = watch.collapse(run.step)
            stop = bool(asked) or bool(collapse and options.stop_on_collapse)
            if run.step % every == 0 or run.step == steps:
                _measure(job, run, module, accelerator)
                stop |= bool(options.patience) and run.since_best >= options.patience
                saved = -math.inf  # what measured best and how far the run is are kept together
            if stop or run.seconds - saved > options.checkpoint_minutes * 60:
                _keep(job, run, module, optimizer, accelerator)
                saved = run.seconds
            if stop:
                break
        if run.step < steps and run.step % every and not asked:  # time ended the run between two measurements
            _measure(job, run, module, accelerator)
    _keep(job, run, module, optimizer, accelerator)
    return Trained(run, module, collapse, bool(asked) and run.step < steps)


def _step(
    job: Job, work: StepWork, module: nn.Module, optimizer: Any, accelerator: Accelerator, loss: Loss
) -> list[float]:
    """Take one step on this process's share of the groups of ``work``.

    Return the sums of its losses, of its spreads, of what was lost on answers' places and how many of those, and of
    what groups are away from the teacher.
    """
    parts = work.parts
    if parts is None:
        mine: Sequence[Group] = share_of(work.groups, accelerator.process_index, accelerator.num_processes)
        mine = hardest(job.model, mine, job.options, accelerator)
        parts = read_parts(mine, job.model.reader, job.options, accelerator.device)
    sums = torch.zeros(5, device=accelerator.device)
    for number, (part, read) in enumerate(parts):
        last = number == len(parts) - 1
        with nullcontext() if last else accelerator.no_sync(module), quick_on_cpu(accelerator.device):
            batches, order, shape = job.model.taken(read, part, accelerator.device)
            with accelerator.autocast():
                scores, places, apart = parted(module(in_step(batches, job.options), order))
            filled = shape(scores)
            losses = (loss(filled) * (filled.there.sum(dim=1) > 1)).sum()
            none = torch.zeros(1, device=accelerator.device)
            places = none if places is None else places
            imitated = none[0] if apart is None else apart.mean() * len(part)
            learned = losses + job.options.evidence * places.sum() + job.options.imitate * imitated
            # Gradients of processes are averaged; every group of the step counts once.
            accelerator.backward(learned * accelerator.num_processes / len(work.groups))
        said = [losses, _spread(filled).sum(), places.sum(), (places > 0).sum(), imitated]
        sums += torch.stack([one.detach() for one in said])
    if job.options.max_gradient_norm:
        accelerator.clip_grad_norm_(module.parameters(), job.options.max_gradient_norm)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return [float(value) for value in sums]


def _spread(groups: Groups) -> Tensor:
    """Return the standard deviation of each group's scores, float32 [G]."""
    there = groups.there.float()
    count = there.sum(dim=1)
    scores = groups.scores.detach()
    mean = (scores * there).sum(dim=1) / count
    return (((scores - mean[:, None]) ** 2 * there).sum(dim=1) / count).sqrt()


def _line(sizes: Sequence[int], options: TrainOptions) -> float | None:
    """Return the loss of a model that scores all passages alike of groups of ``sizes``.

    Of passages that were chosen for being hard it says nothing: a model that orders most of them well loses more. Nor
    is it known what scores all alike lose against a teacher's; and who imitates one learns its states first.
    """
    if options.hardest_of or options.distil or options.teacher:
        return None
    lines = [nothing_learned(options.loss, size, loss_options(options)) for size in sizes]
    known = [line for line in lines if line is not None]
    return sum(known) / len(known) if known else None


def loss_options(options: TrainOptions) -> LossOptions:
    """Return what the options say of losses."""
    return LossOptions(options.margin, options.temperature, options.positive_weight, options.absolute, options.distil)


def rate_of(optimizer: Any) -> float:
    """Return the learning rate of the last step."""
    return float(optimizer.param_groups[0]["lr"])


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


def _measure(job: Job, run: Run, module: nn.Module, accelerator: Accelerator) -> None:
    """Measure on dev, and keep the weights where they are the best so far."""
    options, lists = job.options, job.material.dev
    if not lists:
        return
    found = measure_model(job.model, lists, measures_of(options), options, accelerator)
    run.first = run.first or found
    run.since_best += 1
    if run.best is None or _standing(found, options) > _standing(run.best, options):
        run.best_step, run.best, run.since_best = run.step, found, 0
        state: dict[str, Any] | None = {} if accelerator.is_main_process else None
        save_checkpoint(job.folder / "best", run.step, module, None, state)
    record = {"event": "dev", "step": run.step, **found.means, "loss": found.loss, "line": found.line}
    job.listener({**record, "spread": found.spread, "best": run.best_step == run.step, "questions": len(lists)})


def _standing(measured: Measured, options: TrainOptions) -> tuple[float, float]:
    """Return what is compared: the deciding measure, and where it is the same the loss."""
    return measured.means[options.measure], -measured.loss


def measures_of(options: TrainOptions) -> tuple[str, ...]:
    """Return the names of what is measured, the one that decides first."""
    return tuple(dict.fromkeys((options.measure, *MEASURES)))


def _keep(job: Job, run: Run, module: nn.Module, optimizer: Any, accelerator: Accelerator) -> None:
    run.scaler = accelerator.scaler.state_dict() if accelerator.scaler else None
    state = asdict(run) if accelerator.is_main_process else None
    save_checkpoint(job.folder / "latest", run.step, module, optimizer.optimizer, state)
    if accelerator.is_main_process:
        keep_only(job.folder / "latest", run.step)
        keep_only(job.folder / "best", run.best_step)
    accelerator.wait_for_everyone()


def _taken_up(job: Job, module: nn.Module, optimizer: Any, accelerator: Accelerator) -> Run:
    """Return the run as its last checkpoint has it, weights and optimizer with it."""
    place = latest_checkpoint(job.folder / "latest")
    if place is None:
        return Run()
    load_checkpoint(place, module, optimizer.optimizer)
    state = read_state(place)
    for name in ("first", "best"):
        state[name] = Measured(**state[name]) if state[name] else None
    run = Run(**{key: value for key, value in state.items() if key in Run.__slots__})
    if accelerator.scaler and run.scaler:
        accelerator.scaler.load_state_dict(run.scaler)
    return run
