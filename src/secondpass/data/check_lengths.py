"""How long questions and passages are, and how much of them a model would not read."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from secondpass.data.reservoir import Reservoir
from secondpass.data.token_lengths import TokenLengths
from secondpass.data.training import TrainExample
from secondpass.data.training_findings import Finding, SeenExample
from secondpass.types import Json

_MANY = 0.1  # of the passages: so many cut ones cost quality


class LengthCheck:
    """A `Collector` of lengths, measured at the end on a sample of ``size`` rows."""

    def __init__(self, lengths: TokenLengths, size: int, seed: int) -> None:
        self._lengths = lengths
        self._sample: Reservoir[TrainExample] = Reservoir(size, seed)
        self._size = size
        self._facts: dict[str, Json] = {}

    def see(self, row: SeenExample) -> None:
        """Keep an example for the sample."""
        self._sample.add(row.example)

    @property
    def bound(self) -> str:
        """What was not looked at."""
        if self._sample.added <= self._size:
            return ""
        return f"lengths: a sample of {self._size:,} of {self._sample.added:,} rows"

    def facts(self) -> dict[str, Json]:
        """Return the figures, after `findings`."""
        return self._facts

    def findings(self) -> Iterator[Finding]:
        """Measure the sample, and say what would be cut."""
        lengths, rows = self._lengths, self._sample.sample
        queries = np.array(lengths.count([row.query for row in rows]), np.int64)
        passages = [(number, text) for number, row in enumerate(rows) for text in (*row.positives, *row.negatives)]
        if not passages:
            return
        of_row = np.array([number for number, _ in passages])
        counts = np.array(lengths.count([text for _, text in passages]), np.int64)
        beside = lengths.special + (queries[of_row] if lengths.together else 0)
        beyond = np.maximum(counts + beside - lengths.limit, 0)
        cut = int((beyond > 0).sum())
        lost = float(np.minimum(beyond, counts).sum() / max(counts.sum(), 1))
        self._facts = {
            "tokens_of": lengths.name or "estimated",
            "limit": lengths.limit,
            "query_tokens": _quantiles(queries),
            "passage_tokens": _quantiles(counts),
            "cut_passages": cut / len(passages),
            "cut_tokens": lost,
        }
        if cut:
            measure = "estimated tokens" if lengths.estimated else f"tokens of {lengths.name}"
            places = [rows[of_row[place]].place for place in np.flatnonzero(beyond)[:5]]
            yield Finding(
                "too_long",
                "warning" if cut > _MANY * len(passages) else "note",
                cut,
                len(passages),
                f"passages that are not read whole with their question at {lengths.limit:,} {measure}; "
                f"{lost:.1%} of all passage tokens are cut off",
                "raise the limit, or cut passages as they will be cut when served: the two should be alike",
                tuple(dict.fromkeys(places)),
            )


def _quantiles(values: np.ndarray[tuple[int], np.dtype[np.int64]]) -> dict[str, Json]:
    return {name: int(np.quantile(values, share)) for name, share in (("median", 0.5), ("p95", 0.95), ("most", 1.0))}
