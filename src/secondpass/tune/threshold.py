"""A lowest score that carries a promise: conformal risk control (arXiv:2208.02814) on questions of its own.

The promise holds in the mean over draws of questions for calibration, for any distribution, if the questions to come
are like those (exchangeable). With n questions no risk below 1/(n + 1) can be promised.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from typing import Literal

import numpy as np

from secondpass.evaluate.conformal import choose_threshold, cut_losses, held_out_risk
from secondpass.tune.grid import PlanOutcome
from secondpass.tune.pool import Flags, Pool, any_of
from secondpass.tune.records import ThresholdPromise, Wishes
from secondpass.tune.scores import Scores

DEFAULT_ALPHA = 0.05
_DIGITS = 6  # as `secondpass.rerank.threshold.MinScore` prints
_MOST_THRESHOLDS = 2000


@dataclass(frozen=True, slots=True)
class Risk:
    """What is promised to be at most ``alpha``.

    ``of_kept``: the answers that the threshold loses, of those in the kept lists. ``of_all``: the answers that are lost
    by whatever, of all answerable questions.
    """

    kind: Literal["of_kept", "of_all"]
    alpha: float

    @property
    def least(self) -> int:
        """The fewest questions with which it can be promised: 1/(n + 1) <= alpha."""
        return math.ceil(round(1 / self.alpha - 1, 9))

    @property
    def promise(self) -> str:
        """It, in words."""
        if self.kind == "of_all":
            return f"at least {1 - self.alpha:.1%} of answerable questions keep their answer, whatever loses it"
        return f"the threshold loses at most {self.alpha:.1%} of the answers that it is given"


def risks(wishes: Wishes) -> tuple[Risk, ...]:
    """Return what the wishes want promised."""
    asked = []
    if wishes.keep_answer is not None:
        asked.append(Risk("of_all", 1 - wishes.keep_answer))
    if wishes.alpha is not None or not asked:
        asked.append(Risk("of_kept", DEFAULT_ALPHA if wishes.alpha is None else wishes.alpha))
    return tuple(asked)


@dataclass(frozen=True, slots=True, eq=False)
class KeptLists:
    """The kept lists of one setting, as far as a threshold changes them.

    ``best`` float64 [Q]: the highest number of a relevant passage in the list, -inf without one; ``answerable``.
    """

    best: Scores
    answerable: Flags

    def of(self, risk: Risk, part: Flags) -> Scores:
        """Return ``best`` of the questions of ``part`` that ``risk`` is about."""
        about = self.answerable if risk.kind == "of_all" else self.best > -np.inf
        chosen: Scores = self.best[part & about]
        return chosen


def kept_lists(outcome: PlanOutcome, pool: Pool, top_n: int) -> KeptLists:
    """Return what the ``top_n`` passages of every question say to a threshold."""
    relevant = pool.taken(pool.relevant, outcome.order) & outcome.kept(top_n)
    best = np.where(relevant, outcome.values, -np.inf).max(axis=1, initial=-np.inf)
    return KeptLists(best, pool.answerable)


def fit_threshold(lists: KeptLists, part: Flags, wanted: tuple[Risk, ...]) -> tuple[float, Risk] | None:
    """Return the highest threshold that keeps all ``wanted`` risks on ``part``, and the risk that decides it.

    None where one of them cannot be kept.
    """
    fitted: list[tuple[float, Risk]] = []
    for risk in wanted:
        best = lists.of(risk, part)
        threshold = _fit(best, risk.alpha) if len(best) >= risk.least else None
        if threshold is None:
            return None
        fitted.append((threshold, risk))
    return min(fitted, key=lambda found: found[0])


def _fit(best: Scores, alpha: float) -> float | None:
    """Return the highest of the numbers in ``best`` whose risk is at most ``alpha``: an answer below it is lost."""
    numbers = np.unique(best[best > -np.inf])
    if len(numbers) > _MOST_THRESHOLDS:
        numbers = numbers[np.linspace(0, len(numbers) - 1, _MOST_THRESHOLDS).astype(int)]
    if not len(numbers):
        return None
    chosen = choose_threshold(cut_losses(best, numbers), numbers, alpha)
    return None if chosen is None else rounded_down(float(chosen))


def rounded_down(value: float) -> float:
    """Return ``value`` as a command line shows it, never more: a higher one would lose what was promised.

    >>> rounded_down(0.12345678), rounded_down(-2.34567891)
    (0.123456, -2.34568)
    """
    number = Decimal(value)
    if not number:
        return 0.0
    step = Decimal(1).scaleb(number.adjusted() - _DIGITS + 1)
    return float(number.quantize(step, rounding=ROUND_FLOOR))


def why_none(lists: KeptLists, part: Flags, wanted: tuple[Risk, ...]) -> str:
    """Say why `fit_threshold` found none."""
    for risk in wanted:
        count = len(lists.of(risk, part))
        if count < risk.least:
            which = "answerable" if risk.kind == "of_all" else "that keep their answer"
            return (
                f"A promise of {risk.alpha:.1%} needs {risk.least} questions for calibration {which} "
                f"(1/(n + 1) <= {risk.alpha:g}); there are {count}. Label more questions, or accept a higher risk."
            )
    return (
        "No threshold can be added: the setting without one loses as many answers on the questions for calibration as "
        "may be lost."
    )


def check_threshold(
    outcome: PlanOutcome, pool: Pool, top_n: int, fitted: tuple[float, Risk], parts: tuple[Flags, Flags]
) -> ThresholdPromise:
    """Return what is promised of a threshold, and what it does on held-out questions.

    ``parts``: the questions it was fitted on, and those to check it on.
    """
    value, risk = fitted
    calibrating, checking = parts
    lists = kept_lists(outcome, pool, top_n)
    lost = lists.of(risk, checking) < value
    lost_of_kept = lists.of(Risk("of_kept", risk.alpha), checking) < value
    before, after = outcome.kept(top_n)[checking], outcome.kept(top_n, value)[checking]
    tokens = pool.taken(pool.tokens, outcome.order)[checking]
    nothing = ~any_of(after)
    empty = ~pool.in_pool[checking]
    return ThresholdPromise(
        value=value,
        scale=outcome.scale,
        promise=risk.promise,
        alpha=risk.alpha,
        calibrated_on=len(lists.of(risk, calibrating)),
        risk=held_out_risk(lost),
        lost=held_out_risk(lost_of_kept),
        checked_on=len(lost),
        passages=(float(before.sum(axis=1).mean()), float(after.sum(axis=1).mean())),
        context_tokens=(float((tokens * before).sum(axis=1).mean()), float((tokens * after).sum(axis=1).mean())),
        nothing_left=float(nothing[empty].mean()) if empty.any() else None,
        empty_of=int(empty.sum()),
        nothing_left_answerable=float(nothing[~empty].mean()) if (~empty).any() else 0.0,
    )
