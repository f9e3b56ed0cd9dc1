"""A training run from its options to the folder of the trained model, and what is said of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator

from secondpass.data.training_findings import CheckReport
from secondpass.errors import InputError
from secondpass.models.source import resolve
from secondpass.train.card import model_card
from secondpass.train.checkpoints import checkpoint_of, latest_checkpoint, load_checkpoint, trained_weights
from secondpass.train.development import Measured
from secondpass.train.devices import open_accelerator
from secondpass.train.doctor import examine
from secondpass.train.loop import Job, Run, Trained, measures_of, total_steps, train
from secondpass.train.material import digest, read_material
from secondpass.train.metrics import Curves, Listener, MetricsFile
from secondpass.train.opening import open_model
from secondpass.train.options import TrainOptions, as_toml
from secondpass.train.saving import check_output, probe_pairs, save_model
from secondpass.train.scoring import measure_model, score_lists
from secondpass.train.verdict import Verdict, judge
from secondpass.train.watch import Collapse

_OPTIONS, _DATA, _GENERAL = "options.toml", "data.digest", "general.json"
_METRICS, _OUTCOME = "metrics.jsonl", "outcome.json"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to: verdicts on dev and on the general set (none where nothing was measured), what went wrong."""

    output: Path
    run: Run
    verdicts: tuple[Verdict, ...]
    collapse: Collapse | None
    notes: tuple[str, ...]

    @property
    def failed(self) -> bool:
        """Whether nothing was learned, or what was to get better got worse."""
        return self.collapse is not None or any(verdict.kind == "worse" for verdict in self.verdicts[:1])


def run_training(
    options: TrainOptions,
    listener: Listener,
    resume: bool = False,
    checked: Callable[[CheckReport], None] | None = None,
) -> Outcome | None:
    """Train as ``options`` say, and write the model to ``options.output``; None on all processes but the first.

    ``checked`` hears what the data look like, before anything is trained.

    Raises:
        InputError: options, model or data cannot be used; nothing is written.
        StoreError: the disk is full; the last checkpoint is whole.
        KeyboardInterrupt: the run was interrupted, and can be resumed.
    """
    accelerator = open_accelerator(options)
    first = accelerator.is_main_process
    check_output(Path(options.output))
    material = read_material(options)
    with accelerator.main_process_first():
        source = resolve(options.model).folder
    model = open_model(source, options)
    folder = run_folder(options)
    step = _started(folder, options, digest(material), resume, accelerator)
    if first and checked and not step:
        checked(examine(options, material, model.reader, model.old_evidence))
    model.module.to(accelerator.device)
    with _heard_by(folder, options, listener if first else None, step) as hear:
        return _run(Job(options, model, material, folder, hear), source, accelerator, step)


def _run(job: Job, source: Path, accelerator: Accelerator, step: int) -> Outcome | None:
    """Measure, train, measure, write."""
    for note in (*job.material.notes, *job.model.notes):
        job.listener({"event": "note", "step": step, "text": note})
    steps = total_steps(job.options, len(job.material.examples))
    where = {"folder": str(job.folder), "devices": _devices(accelerator)}
    job.listener({"event": "start", "step": step, "steps": steps, "minutes": job.options.minutes, **where})
    general = _general_before(job, accelerator, step)
    trained = train(job, accelerator, resume=step > 0)
    if trained.interrupted:
        text = f"interrupted after step {trained.run.step:,}; all of it is kept in {job.folder}: go on with --resume"
        job.listener({"event": "note", "step": trained.run.step, "text": text})
        raise KeyboardInterrupt
    return _finish(job, trained, general, source, accelerator)


def run_folder(options: TrainOptions) -> Path:
    """Return the folder that a run keeps its checkpoints and metrics in, beside its output."""
    output = Path(options.output)
    return output.with_name(f"{output.name}.run")


def _started(folder: Path, options: TrainOptions, data: str, resume: bool, accelerator: Accelerator) -> int:
    """Return the step from which the run goes on, its folder being there; what is left of a finished run goes.

    Raises:
        InputError: there is nothing to resume, it was told otherwise, or an unfinished run would be lost.
    """
    place, kept = latest_checkpoint(folder / "latest"), folder / _OPTIONS
    written = as_toml(options)
    if resume:
        if place is None:
            raise InputError(f"There is no run to resume in {folder}.")
        if _decides(kept.read_text(encoding="utf-8")) != _decides(written):
            raise InputError(f"The run in {folder} was started with other options ({kept}); resume it with those.")
        if (folder / _DATA).read_text(encoding="utf-8") != data:
            raise InputError(
                f"The run in {folder} was started with other data: {options.train} or what is measured on was changed "
                "since. Bring the files back, or delete the folder to start anew."
            )
        return int(place.name.rpartition("-")[2])
    if place is not None and not (folder / _OUTCOME).is_file():
        raise InputError(
            f"There is an unfinished run in {folder}; go on with --resume, or delete the folder to start anew."
        )
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        kept.write_text(written, encoding="utf-8")
        (folder / _DATA).write_text(data, encoding="utf-8")
    accelerator.wait_for_everyone()
    return 0


def _decides(written: str) -> list[str]:
    """Return the lines of options that a result depends on."""
    free = ("threads", "checkpoint_minutes", "tensorboard", "shard")
    return [line for line in written.splitlines() if not line.startswith(("#", *(f"{name} =" for name in free)))]


def _unheard(_: dict[str, Any]) -> None:
    """Hear nothing."""


@contextmanager
def _heard_by(folder: Path, options: TrainOptions, listener: Listener | None, step: int) -> Iterator[Listener]:
    """Yield what tells everyone who listens; on processes but the first nobody does."""
    if listener is None:
        yield _unheard
        return
    curves = Curves(folder / "tensorboard", step) if options.tensorboard else None
    listeners: list[Listener] = [MetricsFile(folder / _METRICS, step), *([curves] if curves else []), listener]

    def hear(record: dict[str, Any]) -> None:
        for one in listeners:
            one(record)

    try:
        yield hear
    finally:
        if curves:
            curves.close()


def _devices(accelerator: Accelerator) -> str:
    precision = {"no": "f32"}.get(accelerator.mixed_precision, accelerator.mixed_precision)
    processes = f"{accelerator.num_processes} processes, " if accelerator.num_processes > 1 else ""
    return f"{processes}{accelerator.device.type}, {precision}"


def _general_before(job: Job, accelerator: Accelerator, step: int) -> Measured | None:
    """Measure what must not be forgotten before the first step; a resumed run measured it then."""
    lists, path = job.material.general, job.folder / _GENERAL
    if not lists:
        return None
    if step and path.is_file():
        return Measured(**json.loads(path.read_text(encoding="utf-8")))
    found = measure_model(job.model, lists, measures_of(job.options), job.options, accelerator)
    if accelerator.is_main_process:
        path.write_text(json.dumps(asdict(found)), encoding="utf-8")
    return found


def _finish(
    job: Job, trained: Trained, general: Measured | None, source: Path, accelerator: Accelerator
) -> Outcome | None:
    """Take the best weights, judge them, and write the model."""
    options, run = job.options, trained.run
    if best := checkpoint_of(job.folder / "best", run.best_step):
        load_checkpoint(best, trained.module, None)
    verdicts = []
    if run.first and run.best:
        verdicts.append(judge("dev", job.material.dev, run.first, run.best))
    if general:
        after = measure_model(job.model, job.material.general, measures_of(options), options, accelerator)
        verdicts.append(judge("general", job.material.general, general, after))
    weights = trained_weights(trained.module)
    accelerator.wait_for_everyone()
    if not accelerator.is_main_process:
        return None
    outcome = Outcome(Path(options.output), run, tuple(verdicts), trained.collapse, _notes(job, run))
    _write(job, outcome, source, weights)
    return outcome


def _notes(job: Job, run: Run) -> tuple[str, ...]:
    cutting, notes = job.model.cutting, [*job.material.notes, *job.model.notes]
    if job.model.new_head and run.first:
        notes.append(
            "the head is new and ordered by chance before: that it got better than chance says little, so compare it "
            "with rerankers and the first stage by `secondpass evaluate`"
        )
    if run.best_step == 0:
        notes.append("no measurement was better than the start: the model is the one that training started from")
    elif run.best_step > 0:
        notes.append(f"the weights are those of step {run.best_step:,} of {run.step:,}, which measured best")
    if cutting.cut:
        share = cutting.cut / cutting.pairs
        notes.append(f"{share:.1%} of the pairs were longer than {job.model.reader.max_tokens:,} tokens and were cut")
    return tuple(notes)


def _write(job: Job, outcome: Outcome, source: Path, weights: dict[str, Any]) -> None:
    """Write the model from a module that is no longer wrapped, in f32, and the outcome beside the checkpoints."""
    plain = open_model(source, replace(job.options, gradient_checkpointing=False, dropout=-1.0, teacher=""))
    if unknown := plain.module.load_state_dict(weights, strict=False).unexpected_keys:
        raise KeyError(f"trained weights without a place: {unknown[:3]}")
    plain.module.eval()
    pairs = [one for one in probe_pairs(job.material.dev) if plain.reader.fits(one.query, one.passages[0])]
    scores = score_lists(plain, pairs, replace(job.options, shard=False), torch.device("cpu"))
    probes = [(one, float(values[0])) for one, values in zip(pairs, scores, strict=True)]
    card = model_card(job.options, outcome.verdicts, outcome.run.seconds, outcome.notes)
    save_model(plain.write, outcome.output, probes, card)
    record = json.dumps(outcome_record(outcome), ensure_ascii=False, indent=1)
    (job.folder / _OUTCOME).write_text(record, encoding="utf-8")


def outcome_record(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome as a record for JSON."""
    return {
        "output": str(outcome.output),
        "failed": outcome.failed,
        "steps": outcome.run.step,
        "best_step": outcome.run.best_step,
        "pairs": outcome.run.pairs,
        "seconds": outcome.run.seconds,
        "collapse": outcome.collapse and str(outcome.collapse),
        "notes": list(outcome.notes),
        "verdicts": [asdict(verdict) | {"said": str(verdict)} for verdict in outcome.verdicts],
    }
