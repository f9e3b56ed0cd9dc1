"""Whether probabilities mean what they say."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from secondpass.errors import InputError
from secondpass.evaluate.records import Calibration, Reliability

BINS = 10


def calibrate(
    probabilities: Sequence[float] | npt.NDArray[np.floating], relevant: Sequence[bool] | npt.NDArray[np.bool_]
) -> Calibration:
    """Return the bins of ``probabilities`` and the expected calibration error (Naeini et al. 2015).

    Ten bins of equal width, of which those without a pair are left out. The error is the distance between the mean
    probability and the share relevant in a bin, averaged over pairs. 1.0 belongs to the last bin.

    Raises:
        InputError: a probability lies outside 0 and 1, or there are not as many judgements as probabilities.
    """
    given, truth = np.asarray(probabilities, np.float64), np.asarray(relevant, np.float64)
    if given.shape != truth.shape:
        raise InputError(f"There are {given.size} probabilities and {truth.size} judgements; each needs its own.")
    if not ((given >= 0) & (given <= 1)).all():
        raise InputError(f"Probabilities lie between {given.min():g} and {given.max():g}; accepted is 0 to 1.")
    place = np.minimum((given * BINS).astype(int), BINS - 1)
    pairs = np.bincount(place, minlength=BINS)
    probability = np.bincount(place, given, BINS) / np.maximum(pairs, 1)
    share = np.bincount(place, truth, BINS) / np.maximum(pairs, 1)
    error = float(np.abs(probability - share) @ pairs) / max(len(given), 1)
    bins = tuple(
        Reliability(
            number / BINS, (number + 1) / BINS, int(pairs[number]), float(probability[number]), float(share[number])
        )
        for number in np.flatnonzero(pairs).tolist()
    )
    return Calibration(bins, error)
