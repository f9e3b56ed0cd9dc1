"""Find the setting that meets a wish: how deep, which rerankers, how many passages, from which score on.

Every reranker reads the deepest lists once; all settings follow by arithmetic. One half of the questions chooses, the
other half says what the choice is worth, so that choosing does not flatter itself; the threshold is fitted on one part
of that half, and checked on the rest.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version

from secondpass.config import RETRIEVERS
from secondpass.data.tasks import RankingTask
from secondpass.errors import InputError
from secondpass.evaluate.candidates import TaskLists
from secondpass.evaluate.first_stages import BM25, DENSE, BM25Order, DenseOrder, FirstStage, GivenOrder
from secondpass.evaluate.options import FirstStageName
from secondpass.evaluate.running import Progress, Silence
from secondpass.rerank.pairs import PairReranker
from secondpass.tune.choice import (
    Choice,
    check_wishes,
    choices_of,
    choose,
    look,
    make_choice,
    say_what_fails,
)
from secondpass.tune.commands import command_lines
from secondpass.tune.grid import DEPTHS, TOP_N, PlanOutcome, make_plans, run_plan, top_ns
from secondpass.tune.measuring import RealRun, can_be_measured, corrected, run_for_real
from secondpass.tune.pool import Pool, make_pool
from secondpass.tune.records import (
    HeldOut,
    RerankerSpeed,
    ThresholdPromise,
    TuningReport,
    Wishes,
)
from secondpass.tune.rows import describe_held_out, make_rows, setting_of
from secondpass.tune.scores import Clock, Order, RunOrder, read_order
from secondpass.tune.speed import Speed, measure_speed, tokens_read
from secondpass.tune.split import Parts, count_parts, split_questions
from secondpass.tune.threshold import check_threshold, fit_threshold, kept_lists, risks, why_none
from secondpass.types import Embedder, Reranker

_MOST_MEASURINGS = 5
_FEW_QUESTIONS = 100


@dataclass(frozen=True, slots=True)
class TuningOptions:
    """How tuning is done.

    ``first_stage``: what orders the candidates (None: the order of the lists where it means something, else our BM25);
    ``embedder``: for ``dense``. ``depths``, ``top_ns``: what is tried. ``min_grade``: the lowest grade that counts as
    holding the answer. ``clock``: what times are taken with. ``command_options``: how rerankers were opened, for the
    commands that are shown.
    """

    first_stage: FirstStageName | None = None
    embedder: Embedder | None = None
    depths: Sequence[int] = DEPTHS
    top_ns: Sequence[int] = TOP_N
    min_grade: int = 1
    clock: Clock = time.perf_counter
    command_options: tuple[str, ...] = ()


def tune(
    task: RankingTask,
    rerankers: Mapping[str, Reranker],
    wishes: Wishes | None = None,
    options: TuningOptions | None = None,
    progress: Progress | None = None,
) -> TuningReport:
    """Find the setting of ``rerankers`` (by the names that commands call them) that meets ``wishes``.

    Raises:
        InputError: a wish means nothing, too few questions have an answer, or nothing is there to choose from.
    """
    wishes, options = wishes or Wishes(), options or TuningOptions()
    check_wishes(wishes)
    lists = TaskLists(task, top_k=max(options.depths))
    stage, progress = choose_first_stage(lists, options), progress or Silence()
    pool = make_pool(lists, stage, max(options.depths), options.min_grade, progress)
    if not pool.depth:
        raise InputError(f"No question of {task.name!r} has candidates; there is nothing to choose from.")
    parts = split_questions(pool)
    search = _Search(pool, parts, rerankers, wishes, options, progress)
    search.read(task.name)
    return search.report(task.name, _name_of(stage, task))


def choose_first_stage(lists: TaskLists, options: TuningOptions) -> FirstStage:
    """Return what orders the candidates before any reranker.

    Raises:
        InputError: ``dense`` without an embedder.
    """
    ordered = bool(lists.task.first_stage) and not lists.retrieved
    name = options.first_stage or ("given" if ordered else BM25)
    if name == DENSE:
        if options.embedder is None:
            raise InputError("The first stage dense needs an embedder; name one with --embedder.")
        return DenseOrder(lists, options.embedder)
    return BM25Order(lists) if name == BM25 else GivenOrder(lists)


def _name_of(stage: FirstStage, task: RankingTask) -> str:
    """Return the first stage's name, as commands call it where they know it."""
    if stage.name in RETRIEVERS:
        return stage.name
    return task.first_stage.lower() if task.first_stage.lower() in RETRIEVERS else task.first_stage or stage.name


class _Search:
    """One search: what rerankers read, and what is chosen by it."""

    def __init__(
        self,
        pool: Pool,
        parts: Parts,
        rerankers: Mapping[str, Reranker],
        wishes: Wishes,
        options: TuningOptions,
        progress: Progress,
    ) -> None:
        self.pool, self.parts, self.rerankers = pool, parts, rerankers
        self.wishes, self.options, self.progress = wishes, options, progress
        self.wanted = risks(wishes)
        self.orders: dict[str, Order] = {}
        self.speeds: dict[str, Speed | None] = {}

    def read(self, task: str) -> None:
        """Have every reranker read what it must, and time it."""
        for name, reranker in self.rerankers.items():
            self.progress.begin(task, name, len(self.pool.queries), 0)
            self.orders[name] = read_order(reranker, self.pool, self.progress.advance, self.options.clock)
            ran = isinstance(self.orders[name], RunOrder)
            self.progress.message(f"timing {name}")
            self.speeds[name] = None if ran else measure_speed(reranker, self.pool, self.options.clock)

    def report(self, task: str, first_stage: str) -> TuningReport:
        """Choose, and say what the choice is worth."""
        outcomes = self._outcomes()
        choices = [choice for outcome in outcomes for choice in self._choices(outcome)]
        choices, place, met, run = self._choose(choices)
        seen = [look(choice, self.pool, self.parts.choosing) for choice in choices]
        failed = [] if met else say_what_fails(seen, self.wishes, place)
        chosen, promise, no_threshold = self._with_threshold(choices[place])
        held_out = self._held_out(chosen)
        failed += self._missed_when_held_out(held_out) if met else []
        setting = setting_of(chosen, first_stage)
        speed = chosen.outcome.speed
        return TuningReport(
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            version=version("secondpass"),
            task=task,
            first_stage=first_stage,
            split=count_parts(self.pool, self.parts),
            wishes=self.wishes,
            speeds=tuple(self._speed(name) for name in self.rerankers),
            rows=make_rows(choices, self.pool, self.parts, first_stage),
            chosen=setting,
            held_out=held_out,
            p50_ms=speed.p50_ms if speed else None,
            p95_ms=speed.p95_ms if speed else None,
            latency=chosen.outcome.latency,
            met=not failed,
            failed=tuple(failed),
            threshold=promise,
            no_threshold=no_threshold,
            commands=command_lines(setting, self.options.command_options),
            notes=(*_notes_on_questions(self.pool), *_notes_on(run)),
        )

    def _outcomes(self) -> list[PlanOutcome]:
        outcomes = []
        quick_first = sorted(self.rerankers, key=self._usual_seconds)
        for plan in make_plans(self.options.depths, quick_first, self.pool.depth):
            self.progress.message(" > ".join((f"{plan.depth} passages", *plan.stages)))
            outcomes.append(run_plan(plan, self.pool, self.orders, self.speeds))
        return outcomes

    def _usual_seconds(self, name: str) -> float:
        """Return what a reranker takes for the whole lists of a question; those that are run on each list come last."""
        speed = self.speeds[name]
        return math.inf if speed is None else float(speed.seconds(tokens_read(self.pool).sum(axis=1)).mean())

    def _choices(self, outcome: PlanOutcome) -> list[Choice]:
        kept = list(top_ns(outcome, self.options.top_ns))
        return choices_of(outcome, self.pool, kept, self.parts.choosing, self.wanted)

    def _choose(self, choices: list[Choice]) -> tuple[list[Choice], int, bool, RealRun | None]:
        """Choose by estimated times, measure the choice, and choose again where that says otherwise."""
        runs: dict[object, RealRun] = {}
        for measured in range(_MOST_MEASURINGS + 1):
            seen = [look(choice, self.pool, self.parts.choosing) for choice in choices]
            place, met = choose(seen, self.wishes)
            choice = choices[place]
            plan = choice.outcome.plan
            done = choice.outcome.latency == "measured" or not can_be_measured(choice.outcome, self.rerankers)
            if done or measured == _MOST_MEASURINGS:
                break
            self.progress.message(f"measuring {setting_of(choice, '')}")
            run = run_for_real(choice, self.pool, self.rerankers, self.parts.held_out, self.options.clock)
            if run is None:
                break
            runs[plan] = run
            choices = [corrected(one, choice.outcome, run.outcome) for one in choices]
        return choices, place, met, runs.get(plan)

    def _with_threshold(self, choice: Choice) -> tuple[Choice, ThresholdPromise | None, str]:
        """Fit the threshold on questions of its own; a choice without one gets it as an offer."""
        bare = make_choice(choice.outcome, self.pool, choice.top_n)
        if not choice.outcome.takes_threshold:
            return bare, None, _no_scale(choice.outcome)
        lists = kept_lists(choice.outcome, self.pool, choice.top_n)
        fitted = fit_threshold(lists, self.parts.calibrating, self.wanted)
        if fitted is None:
            return bare, None, why_none(lists, self.parts.calibrating, self.wanted)
        parts = (self.parts.calibrating, self.parts.checking)
        promise = check_threshold(choice.outcome, self.pool, choice.top_n, fitted, parts)
        asked = choice.threshold is not None or self.wishes.alpha is not None
        return (make_choice(choice.outcome, self.pool, choice.top_n, fitted[0]) if asked else bare), promise, ""

    def _held_out(self, chosen: Choice) -> HeldOut:
        """Look at the choice on questions that neither it nor its threshold was made with."""
        part = self.parts.held_out if chosen.threshold is None else self.parts.checking
        return describe_held_out(chosen, self.pool, part)

    def _missed_when_held_out(self, held_out: HeldOut) -> list[str]:
        wished, found = self.wishes.keep_answer, held_out.keep_answer
        if wished is None or found.high >= wished:
            return []
        return [
            f"On {held_out.questions} held-out questions the setting keeps {found.mean:.1%} of answers "
            f"({found.low:.1%} to {found.high:.1%}): less than the {wished:.1%} wished for."
        ]

    def _speed(self, name: str) -> RerankerSpeed:
        reranker, speed = self.rerankers[name], self.speeds[name]
        pairs = reranker.counts.passages if isinstance(reranker, PairReranker) else int(self.pool.lengths.sum())
        if speed is None:
            return RerankerSpeed(name, pairs, None, None, 0)
        return RerankerSpeed(name, pairs, speed.per_call, speed.per_token, len(speed.ratios))


def _no_scale(outcome: PlanOutcome) -> str:
    if not outcome.plan.stages:
        return "Without a reranker there is no score to hold a threshold against."
    return (
        f"{outcome.plan.stages[-1]} gives scores on the scale {outcome.scale}, which do not mean the same for every "
        "question: no threshold can be held against them."
    )


def _notes_on_questions(pool: Pool) -> list[str]:
    answerable = int(pool.answerable.sum())
    if answerable >= _FEW_QUESTIONS:
        return []
    return [
        f"{answerable} answerable questions are few: with others, every figure may be quite another (see the intervals)"
    ]


def _notes_on(run: RealRun | None) -> list[str]:
    if run is None:
        return []
    notes = [f"the time of the chosen setting was measured on {run.questions} questions"]
    if run.differing:
        notes.append(
            f"on {run.differing} of {run.questions} questions that were run the passages kept differ from the "
            "arithmetic: scores that are almost equal depend on what is read beside them"
        )
    return notes
