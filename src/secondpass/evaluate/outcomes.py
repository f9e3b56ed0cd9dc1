"""What a system made of one question, as it is kept: places, scores and cost; no text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from secondpass.types import Scale

Positions = npt.NDArray[np.uint32]
Scores = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """The order that a system gave to one question's candidates.

    ``positions``: uint32 [K], places in the question's list of candidates, best first; what the system cut is not
    there. ``scores``, ``probabilities``: float64 [K]; None where the system gives no probabilities. ``pairs`` were
    computed in ``seconds``, ``known`` came from the score cache, of ``truncated`` a part was not read.
    ``answer``: measures of the answer that was made of the first passages, where answers are evaluated.
    """

    positions: Positions
    scores: Scores
    scale: Scale
    probabilities: Scores | None = None
    seconds: float = 0.0
    pairs: int = 0
    known: int = 0
    truncated: int = 0
    answer: Mapping[str, float] = field(default_factory=dict)


def pack(outcome: Outcome) -> bytes:
    """Return ``outcome`` as bytes: a line of JSON, then the arrays."""
    facts = {
        "kept": len(outcome.positions),
        "scale": outcome.scale,
        "probabilities": outcome.probabilities is not None,
        "seconds": outcome.seconds,
        "pairs": outcome.pairs,
        "known": outcome.known,
        "truncated": outcome.truncated,
        "answer": dict(outcome.answer),
    }
    arrays = [outcome.positions.astype("<u4").tobytes(), outcome.scores.astype("<f8").tobytes()]
    if outcome.probabilities is not None:
        arrays.append(outcome.probabilities.astype("<f8").tobytes())
    return json.dumps(facts).encode() + b"\n" + b"".join(arrays)


def unpack(content: bytes) -> Outcome:
    """Return what `pack` was given."""
    line, _, rest = content.partition(b"\n")
    facts = json.loads(line)
    kept = facts["kept"]
    probabilities = np.frombuffer(rest, "<f8", kept, 12 * kept) if facts["probabilities"] else None
    return Outcome(
        positions=np.frombuffer(rest, "<u4", kept).astype(np.uint32),
        scores=np.frombuffer(rest, "<f8", kept, 4 * kept).astype(np.float64),
        scale=facts["scale"],
        probabilities=None if probabilities is None else probabilities.astype(np.float64),
        seconds=facts["seconds"],
        pairs=facts["pairs"],
        known=facts["known"],
        truncated=facts["truncated"],
        answer=facts["answer"],
    )
