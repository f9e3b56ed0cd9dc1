"""The experiment: every system orders the same candidates, question by question, and is measured in the same way.

What a system makes of a question is kept on the way (`secondpass.evaluate.outcome_store`), so that a killed evaluation
goes on where it was; figures are made of what was kept, so that its report equals that of an undisturbed one.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from secondpass.data.tasks import RankingTask
from secondpass.evaluate.comparison import compare_task, correct, measured_task
from secondpass.evaluate.measures import CONVENTIONS, parse_measure
from secondpass.evaluate.options import EvaluationOptions
from secondpass.evaluate.outcome_store import OutcomeStore
from secondpass.evaluate.overall import MeasuredTask, Sampling, overall_results
from secondpass.evaluate.records import Report, TaskResult
from secondpass.evaluate.run_files import write_runs
from secondpass.evaluate.running import Desk, Progress, Silence
from secondpass.evaluate.systems import RunSystem, open_systems
from secondpass.evaluate.task_run import run_task
from secondpass.types import Json, Reranker

System = str | Reranker | RunSystem
_CPU_FILE = Path("/proc/cpuinfo")


def evaluate(
    tasks: Iterable[RankingTask],
    systems: Sequence[System],
    options: EvaluationOptions | None = None,
    progress: Progress | None = None,
) -> Report:
    """Measure ``systems`` on ``tasks``, beside a random order, the first stages, their fusion, and the ceiling.

    A system is a name (``lexical@10``, ``lexical@20>BAAI/bge-reranker-v2-m3@10``, ``bm25-only``), a reranker, or a run.
    ``tasks`` may be a generator: each is let go before the next is read.

    Raises:
        InputError: a name means nothing, or a task has nothing to measure.
        StoreError: the folder of outcomes cannot be used.
    """
    options = options or EvaluationOptions()
    measures = [parse_measure(name) for name in options.measures]
    names = [str(measure) for measure in measures]
    sampling = Sampling(options.draws, options.seed)
    opened = open_systems(systems, options.rerankers)
    results: list[TaskResult] = []
    measured: list[MeasuredTask] = []
    with OutcomeStore(options.work) as store, OutcomeStore() as scratch:
        desk = Desk(store, scratch, progress or Silence(), options.fresh)
        for task in tasks:
            run = run_task(task, opened, measures, options, desk)
            if options.runs_out:
                write_runs(options.runs_out, run, options.ties)
            results.append(compare_task(run, names, sampling, options.top_n))
            measured.append(measured_task(run))
    overall = overall_results(measured, names, sampling)
    corrected, corrected_overall = correct(results, overall, names)
    return Report(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        version=version("secondpass"),
        measures=tuple(names),
        tasks=corrected,
        overall=corrected_overall,
        conventions=_conventions(options),
        machine=_machine(),
        options=_options(systems, options),
    )


def _conventions(options: EvaluationOptions) -> tuple[str, ...]:
    ties = {
        "given": "Equal scores keep the order in which a system returned the passages.",
        "trec": "Equal scores (in 32 bits) are ordered by passage id, from the last, as trec_eval does.",
    }
    missing = {
        "zero": "A question without candidates counts 0 in every measure.",
        "omit": "A question without candidates is left out of every mean.",
    }
    return (
        ties[options.ties],
        missing[options.missing],
        *CONVENTIONS[2:],  # all but those on ties and on missing lists, which the options decide
        "What a reranker cuts (@N) counts as missed too.",
        "The random order is the exact mean over all orders; the ceiling is the best order of the candidates.",
        f"Intervals: 95%, the studentised bootstrap over questions, {options.draws:,} draws.",
        "p: two-sided paired randomisation test; p (Holm): corrected for all tests of a measure in this report.",
        "All tasks together: every task counts the same; questions are drawn within their tasks.",
        "Times: wall milliseconds of a question's rerank without the first stage; scores from a cache are not timed.",
    )


def _machine() -> dict[str, str]:
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count() or 1),
        "load at the end": load,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def _processor() -> str:
    try:
        lines = _CPU_FILE.read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or "unknown")


def _options(systems: Sequence[System], options: EvaluationOptions) -> dict[str, Json]:
    """Return what whoever repeats the evaluation needs."""
    engine = options.rerankers.engine
    return {
        "systems": [system if isinstance(system, str) else system.name for system in systems],
        "baseline": options.baseline,
        "first_stage": options.first_stage,
        "embedder": options.embedder.name if options.embedder else None,
        "sample": options.sample,
        "top_k": options.top_k,
        "top_n": options.top_n,
        "missing": options.missing,
        "ties": options.ties,
        "draws": options.draws,
        "seed": options.seed,
        "engine": engine.name,
        "precision": engine.precision,
        "threads": engine.threads,
        "device": engine.device,
        "max_tokens": options.rerankers.max_tokens,
    }
