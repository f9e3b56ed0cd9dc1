"""Which setting meets the wishes: decided on the questions for choosing alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from secondpass.errors import InputError
from secondpass.tune.grid import PlanOutcome
from secondpass.tune.pool import Flags, Pool, any_of
from secondpass.tune.records import Wishes
from secondpass.tune.scores import Scores
from secondpass.tune.threshold import Risk, fit_threshold, kept_lists

_MS_OF_A_TOKEN = 1.0
"""Roughly what a chat model takes to read a token of context; it makes tokens and reranking one cost."""


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """A setting of the grid: a plan, how many passages are kept, and perhaps a lowest score.

    ``in_list`` bool [Q]: one of the ``top_n`` passages is relevant, ``kept_answer``: one that the threshold keeps too.
    ``tokens`` float64 [Q]: of kept passages.
    """

    outcome: PlanOutcome
    top_n: int
    threshold: float | None
    in_list: Flags
    kept_answer: Flags
    tokens: Scores

    @property
    def p95_ms(self) -> float | None:
        """The estimated or measured time, None where nothing says it."""
        return self.outcome.speed.p95_ms if self.outcome.speed else None


@dataclass(frozen=True, slots=True)
class Seen:
    """What a choice is worth on the questions for choosing: of ``answerable`` ones, the share that keeps its answer.

    ``without_threshold``: the same of the setting without its threshold, which is fitted anew on other questions and
    brings a promise of its own.
    """

    keep_answer: float
    without_threshold: float
    context_tokens: float
    answerable: int
    p95_ms: float
    cost: float


def make_choice(outcome: PlanOutcome, pool: Pool, top_n: int, threshold: float | None = None) -> Choice:
    """Return a setting with what it keeps of every question."""
    relevant = pool.taken(pool.relevant, outcome.order)
    kept = outcome.kept(top_n, threshold)
    return Choice(
        outcome=outcome,
        top_n=top_n,
        threshold=threshold,
        in_list=any_of(relevant & outcome.kept(top_n)),
        kept_answer=any_of(relevant & kept),
        tokens=(pool.taken(pool.tokens, outcome.order) * kept).sum(axis=1).astype(np.float64),
    )


def choices_of(
    outcome: PlanOutcome, pool: Pool, top_ns: Sequence[int], choosing: Flags, wanted: tuple[Risk, ...]
) -> list[Choice]:
    """Return a plan's settings; each also with the threshold that the questions for choosing allow."""
    found = []
    for top_n in top_ns:
        found.append(make_choice(outcome, pool, top_n))
        if outcome.takes_threshold:
            fitted = fit_threshold(kept_lists(outcome, pool, top_n), choosing, wanted)
            if fitted is not None:
                found.append(make_choice(outcome, pool, top_n, fitted[0]))
    return found


def look(choice: Choice, pool: Pool, part: Flags) -> Seen:
    """Return what ``choice`` is worth on the questions of ``part``."""
    answerable = part & pool.answerable
    tokens = float(choice.tokens[part].mean())
    speed = choice.outcome.speed
    return Seen(
        keep_answer=float(choice.kept_answer[answerable].mean()),
        without_threshold=float(choice.in_list[answerable].mean()),
        context_tokens=tokens,
        answerable=int(answerable.sum()),
        p95_ms=speed.p95_ms if speed else math.inf,
        cost=speed.p50_ms + tokens * _MS_OF_A_TOKEN if speed else math.inf,
    )


def check_wishes(wishes: Wishes) -> None:
    """Refuse wishes that nothing can meet, or that mean nothing.

    Raises:
        InputError: a share is not between 0 and 1, or the cheapest setting is wished for without a bound.
    """
    for name, share in (("keep-answer", wishes.keep_answer), ("alpha", wishes.alpha)):
        if share is not None and not 0 < share < 1:
            raise InputError(f"{name} is {share:g}; it is a share between 0 and 1 (both excluded), such as 0.95.")
    if wishes.prefer == "cheap" and wishes.keep_answer is None:
        raise InputError(
            "The cheapest setting of all keeps nothing; with --prefer cheap say what must be kept, such as "
            "--keep-answer 0.95."
        )


def shortfalls(seen: Seen, wishes: Wishes) -> dict[str, float]:
    """Return by how much each wish is missed, as a share of it; 0 where it is met.

    Answers must be kept with a margin, because the best of many settings looks better than it is: what counts is the
    share less its standard error, with one answer more than was seen taken for lost (so that few questions, all of
    them kept, prove little).
    """
    missed = {}
    if wishes.latency_seconds is not None:
        missed["latency"] = seen.p95_ms / (wishes.latency_seconds * 1000) - 1
    if wishes.context_tokens is not None:
        missed["context_tokens"] = seen.context_tokens / max(wishes.context_tokens, 1e-9) - 1
    if wishes.keep_answer is not None:
        missed["keep_answer"] = 1 - surely_kept(seen) / wishes.keep_answer
    return {name: share if share > 1e-12 else 0.0 for name, share in missed.items()}


def surely_kept(seen: Seen) -> float:
    """Return the share of answers that a setting without its threshold keeps, less what it may owe to chance."""
    share = seen.without_threshold * seen.answerable / (seen.answerable + 1)
    return share - math.sqrt(share * (1 - share) / seen.answerable)


def choose(seen: Sequence[Seen], wishes: Wishes) -> tuple[int, bool]:
    """Return the place of the setting to use, and whether it meets the wishes; else it is the nearest one."""
    missed = [sum(shortfalls(one, wishes).values()) for one in seen]
    meeting = [place for place, share in enumerate(missed) if not share]
    if not meeting:
        nearest = min(range(len(seen)), key=lambda place: (missed[place], -seen[place].keep_answer, seen[place].cost))
        return nearest, False
    if wishes.prefer == "quality":
        meeting = _as_good_as_the_best(seen, meeting)
    return min(meeting, key=lambda place: (seen[place].cost, -seen[place].keep_answer)), True


def _as_good_as_the_best(seen: Sequence[Seen], places: Sequence[int]) -> list[int]:
    """Return those that keep as many answers as the best of ``places``, less the standard error of its share."""
    best = max(seen[place].keep_answer for place in places)
    error = math.sqrt(best * (1 - best) / seen[places[0]].answerable)
    return [place for place in places if seen[place].keep_answer >= best - error]


def find_curve(seen: Sequence[Seen]) -> list[int]:
    """Return the places of settings that no other one beats in kept answers at the same or a lower cost."""
    curve: list[int] = []
    best = -1.0
    for place in sorted(range(len(seen)), key=lambda place: (seen[place].cost, -seen[place].keep_answer)):
        if seen[place].keep_answer > best and math.isfinite(seen[place].cost):
            curve.append(place)
            best = seen[place].keep_answer
    return curve


def say_what_fails(seen: Sequence[Seen], wishes: Wishes, nearest: int) -> list[str]:
    """Return a sentence for every wish that no setting meets, or for wishes that none meets together."""
    said = []
    alone = {name: min(shortfalls(one, wishes)[name] for one in seen) for name in shortfalls(seen[nearest], wishes)}
    if alone.get("latency"):
        fastest = min(one.p95_ms for one in seen)
        said.append(
            f"No setting reranks within {(wishes.latency_seconds or 0) * 1000:g} ms: the least is {fastest:.0f}."
        )
    if alone.get("context_tokens"):
        least = min(one.context_tokens for one in seen)
        said.append(f"No setting keeps to {wishes.context_tokens:g} tokens of context: the least is {least:.0f}.")
    if alone.get("keep_answer"):
        most = max(seen, key=surely_kept)
        said.append(
            f"No setting is sure to keep {wishes.keep_answer:.1%} of answers: the most is {most.without_threshold:.1%} "
            f"of {most.answerable} questions, {surely_kept(most):.1%} less what may be chance."
        )
    names = [name.replace("_", " ") for name, share in shortfalls(seen[nearest], wishes).items() if share]
    if not said:
        said.append(f"Each wish can be met, but not all together: the nearest setting misses {' and '.join(names)}.")
    return said
