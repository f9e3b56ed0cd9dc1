"""Watch a run for the failure that nobody notices: the loss on the line of a model that has learnt nothing."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

_STEPS = 60
"""Steps that are looked at together; a healthy run has left the line long before."""
_LEAST_DROP = 0.02
"""Share of the line that a loss must have fallen below it by then."""
_LEAST_SPREAD = 0.05
"""Standard deviation of a question's logits below which all are alike; untrained heads have 0.05, trained 1 to 3."""


@dataclass(frozen=True, slots=True)
class Collapse:
    """What was seen, and what to do about it."""

    step: int
    loss: float
    line: float | None
    spread: float

    def __str__(self) -> str:
        stuck = f"the loss is {self.loss:.3f}, that of scores all alike {self.line:.3f}; " if self.line else ""
        return (
            f"Nothing is being learned after {self.step} steps: {stuck}scores of one question lie {self.spread:.3f} "
            'apart. Try head = "mean" where the start is an embedder, loss = "group_softmax", a learning rate two to '
            "five times as high (or a fifth, where the loss jumped), and `secondpass data check`: positives that stand "
            "among negatives, or labels that are all alike, cannot be learnt."
        )


@dataclass(slots=True)
class Watch:
    """Sees every step. ``line``: the loss of a model that has learnt nothing (None: not known for this loss)."""

    line: float | None
    history: list[dict[str, Any]] = field(default_factory=list)
    _losses: deque[float] = field(default_factory=lambda: deque(maxlen=_STEPS))
    _spreads: deque[float] = field(default_factory=lambda: deque(maxlen=_STEPS))
    _step: int = 0

    def see(self, step: int, loss: float, spread: float) -> None:
        """Hear of one step."""
        self._step = step
        self._losses.append(loss)
        self._spreads.append(spread)

    def collapse(self) -> Collapse | None:
        """Return what is wrong, once enough steps were seen to say so."""
        if len(self._losses) < _STEPS:
            return None
        late = list(self._losses)[_STEPS // 2 :]
        loss, spread = sum(late) / len(late), sum(list(self._spreads)[_STEPS // 2 :]) / len(late)
        stuck = self.line is not None and loss > self.line * (1 - _LEAST_DROP)
        alike = spread < _LEAST_SPREAD
        return Collapse(self._step, loss, self.line, spread) if stuck or alike else None
