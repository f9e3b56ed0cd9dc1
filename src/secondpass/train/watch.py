"""Watch a run for the failure that nobody notices: the loss on the line of a model that has learnt nothing."""

from __future__ import annotations

from dataclasses import dataclass, field

_STEPS = 60
"""Steps that are looked at together; a healthy run has left the line long before."""
_LEAST_DROP = 0.02
"""Share of the line that a loss must have fallen below it by then."""
_LEAST_SPREAD = 0.05
"""Standard deviation of a question's logits below which all are alike; untrained heads have 0.05, trained 1 to 3."""

STATES_FIRST = 1000
"""Steps in which a model beside a teacher may score all passages alike: states come right first (docs/log.md)."""


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
    """Sees every step; ``recent`` is what it remembers of the last ones: loss, line and spread of each.

    Of the first ``silent`` steps nothing is said. The line of a step is the loss of a model that has learnt nothing
    (None: not known for this loss).
    """

    recent: list[tuple[float, float | None, float]] = field(default_factory=list)
    silent: int = 0

    def see(self, loss: float, line: float | None, spread: float) -> None:
        """Hear of one step."""
        self.recent.append((loss, line, spread))
        del self.recent[:-_STEPS]

    def collapse(self, step: int) -> Collapse | None:
        """Return what is wrong, once enough steps were seen to say so."""
        if len(self.recent) < _STEPS or step < self.silent:
            return None
        late = self.recent[_STEPS // 2 :]
        loss, spread = sum(one[0] for one in late) / len(late), sum(one[2] for one in late) / len(late)
        lines = [one[1] for one in late if one[1] is not None]
        line = sum(lines) / len(lines) if lines else None
        stuck = line is not None and loss > line * (1 - _LEAST_DROP)
        alike = spread < _LEAST_SPREAD
        return Collapse(step, loss, line, spread) if stuck or alike else None
