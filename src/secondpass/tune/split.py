"""Which questions a setting is chosen with, which its threshold is fitted on, and which neither has seen."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from secondpass.errors import InputError
from secondpass.tune.pool import Flags, Pool
from secondpass.tune.records import Split

LEAST_ANSWERABLE = 8
_PARTS = ("choosing", "calibrating", "choosing", "checking")


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """Flags of the questions, bool [Q] each; every question is in exactly one part: half, a quarter, a quarter."""

    choosing: Flags
    calibrating: Flags
    checking: Flags

    @property
    def held_out(self) -> Flags:
        """The questions that no setting is chosen with."""
        return ~self.choosing


def split_questions(pool: Pool) -> Parts:
    """Split by a hash of the questions' ids, which does not change when other questions are added or taken away.

    Questions whose answer is among the candidates, those whose answer is not, and those without an answer are split
    each for themselves, so that every part has its share of them.

    Raises:
        InputError: too few questions have an answer.
    """
    answerable = int(pool.answerable.sum())
    if answerable < LEAST_ANSWERABLE:
        raise InputError(
            f"{answerable} of {len(pool.queries)} questions have a relevant passage; tuning needs {LEAST_ANSWERABLE} "
            "of them at least, and hundreds for figures to rely on. Label more questions (`secondpass label`)."
        )
    kind = pool.answerable.astype(int) + pool.in_pool
    part_of = np.empty(len(pool.queries), np.int64)
    for value in np.unique(kind):
        rows = np.flatnonzero(kind == value)
        part_of[_hashed(pool.query_ids, rows.tolist())] = np.arange(len(rows)) % len(_PARTS)
    names = np.array(_PARTS)[part_of]
    return Parts(*(names == name for name in ("choosing", "calibrating", "checking")))


def count_parts(pool: Pool, parts: Parts) -> Split:
    """Return how many questions there are for what."""
    flags = (pool.answerable, pool.in_pool, parts.choosing, parts.calibrating, parts.checking)
    return Split(len(pool.queries), *(int(flag.sum()) for flag in flags))


def _hashed(query_ids: Sequence[str], rows: Sequence[int]) -> list[int]:
    """Return ``rows`` in the order of a hash of their questions' ids."""
    return sorted(rows, key=lambda row: hashlib.blake2b(query_ids[row].encode("utf-8", "surrogatepass")).digest())
