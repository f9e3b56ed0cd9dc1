"""What settings did, as records: the rows of the grid, and the chosen one on held-out questions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from secondpass.evaluate.conformal import held_out_risk
from secondpass.evaluate.records import Estimate
from secondpass.evaluate.statistics import estimate
from secondpass.tune.choice import Choice, find_curve, look
from secondpass.tune.pool import Flags, Pool
from secondpass.tune.records import HeldOut, Setting, SettingRow
from secondpass.tune.split import Parts


def setting_of(choice: Choice, first_stage: str) -> Setting:
    """Return a choice as a record."""
    setting = choice.outcome.plan.setting(first_stage, choice.top_n)
    return replace(setting, threshold=choice.threshold, scale=choice.outcome.scale)


def make_rows(choices: Sequence[Choice], pool: Pool, parts: Parts, first_stage: str) -> tuple[SettingRow, ...]:
    """Return every setting; those on the curve with the interval of what they keep of held-out questions."""
    curve = set(find_curve([look(choice, pool, parts.choosing) for choice in choices]))
    return tuple(_row(choice, pool, parts, first_stage, place in curve) for place, choice in enumerate(choices))


def _row(choice: Choice, pool: Pool, parts: Parts, first_stage: str, on_curve: bool) -> SettingRow:
    seen, held_out = look(choice, pool, parts.choosing), look(choice, pool, parts.held_out)
    speed = choice.outcome.speed
    interval = None
    if on_curve:
        kept = estimate_kept(choice, parts.held_out & pool.answerable)
        interval = (kept.low, kept.high)
    return SettingRow(
        setting=setting_of(choice, first_stage),
        keep_answer=seen.keep_answer,
        context_tokens=seen.context_tokens,
        ndcg=float(choice.outcome.measures["nDCG@10"][parts.choosing & pool.answerable].mean()),
        p50_ms=speed.p50_ms if speed else None,
        p95_ms=speed.p95_ms if speed else None,
        latency=choice.outcome.latency,
        cost=seen.cost if math.isfinite(seen.cost) else None,
        held_out_keep_answer=held_out.keep_answer,
        held_out_context_tokens=held_out.context_tokens,
        on_curve=on_curve,
        interval=interval,
    )


def estimate_kept(choice: Choice, part: Flags) -> Estimate:
    """Return the share of the questions of ``part`` whose kept passages hold the answer."""
    return held_out_risk(choice.kept_answer[part])


def describe_held_out(choice: Choice, pool: Pool, part: Flags) -> HeldOut:
    """Return what a choice is worth on the questions of ``part``."""
    answerable = part & pool.answerable
    kept = choice.outcome.kept(choice.top_n, choice.threshold)[part]
    return HeldOut(
        questions=int(answerable.sum()),
        keep_answer=estimate_kept(choice, answerable),
        keep_given_pool=estimate_kept(choice, part & pool.in_pool),
        measures={name: estimate(values[answerable].tolist()) for name, values in choice.outcome.measures.items()},
        context_tokens=estimate(choice.tokens[part].tolist()),
        passages=float(kept.sum(axis=1).mean()),
    )
