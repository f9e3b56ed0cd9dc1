"""What a model says that reads two passages at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from secondpass.types import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Comparisons:
    """What a comparator says of P pairs.

    ``probabilities``, float32 [P]: that the first passage of a pair is the more relevant one. ``cut``, bool [P, 2]: the
    end of the first, of the second passage was not read.
    """

    probabilities: FloatArray
    cut: npt.NDArray[np.bool_]


class PassageComparator(Protocol):
    """Reads a question with two passages and says which is the more relevant; safe to share between threads."""

    @property
    def name(self) -> str:
        """The model's name."""
        ...

    def compare(self, query: str, pairs: Sequence[tuple[str, str]]) -> Comparisons:
        """Compare each pair; every pair is one sequence through the model."""
        ...
