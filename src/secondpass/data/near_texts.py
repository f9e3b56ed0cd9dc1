"""Find texts that resemble one of many, without comparing all: MinHash and banding.

A signature holds, for each of 64 random orders of all runs, the first that the text has; two texts agree in a place as
often as they share runs (Broder, "On the resemblance and containment of documents", 1997). Texts that agree in one of
16 bands of 4 places are then compared exactly: at a resemblance of 0.8 one in 4,900 is missed.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from secondpass.data.training_texts import Shingles, resemblance

BANDS = 16
_ROWS = 4
_PRIME = np.uint64((1 << 61) - 1)
_random = np.random.default_rng(1997)
_FACTOR = _random.integers(1, 1 << 31, (BANDS * _ROWS, 1), np.uint64)
_ADDED = _random.integers(0, 1 << 61, (BANDS * _ROWS, 1), np.uint64)
_OF_BAND = _random.integers(1, 1 << 63, (BANDS, _ROWS), np.uint64) | np.uint64(1)


@dataclass(frozen=True, slots=True)
class Near:
    """The text that one resembles most: the place it was added with, and how much they share."""

    place: str
    resemblance: float


class NearTexts:
    """Texts to compare others with; at most ``most`` are kept, ``left_out`` counts the others."""

    def __init__(self, threshold: float = 0.8, most: int = 100_000) -> None:
        self.threshold = threshold
        self.left_out = 0
        self._most = most
        self._texts: list[tuple[str, Shingles]] = []
        self._bands: defaultdict[int, list[int]] = defaultdict(list)

    def add(self, shingles: Shingles, place: str) -> None:
        """Keep a text by its runs."""
        if len(self._texts) >= self._most:
            self.left_out += 1
            return
        for band in band_keys(shingles).tolist():
            self._bands[band].append(len(self._texts))
        self._texts.append((place, shingles))

    def find(self, shingles: Shingles) -> Near | None:
        """Return the kept text that shares ``threshold`` or more of its runs with this one, the most alike."""
        candidates = {text for band in band_keys(shingles).tolist() for text in self._bands.get(band, ())}
        best: Near | None = None
        for text in sorted(candidates):
            place, kept = self._texts[text]
            shared = resemblance(shingles, kept)
            if shared >= self.threshold and (best is None or shared > best.resemblance):
                best = Near(place, shared)
        return best


def band_keys(shingles: Shingles) -> npt.NDArray[np.uint64]:
    """Return a key for each band of a text's signature, uint64 [16]; texts that agree in a band have one in common."""
    if not len(shingles):
        return np.zeros(0, np.uint64)
    small = shingles % np.uint64((1 << 31) - 1)  # keeps the products below 64 bits
    signature = ((small * _FACTOR + _ADDED) % _PRIME).min(axis=1)  # [64]
    keys: npt.NDArray[np.uint64] = (signature.reshape(BANDS, _ROWS) * _OF_BAND).sum(axis=1, dtype=np.uint64)
    return keys
