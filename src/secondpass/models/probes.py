"""Pairs with the scores that a model had when it was saved: a lost head, or changed weights, are noticed at load.

The other libraries load a classifier's weights without its head, make a random one, and say little; such a folder
looks like any other.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from secondpass.errors import InputError
from secondpass.models.engine import Precision
from secondpass.models.engine_files import cache_folder, write_atomically
from secondpass.types import PairScorer

_log = logging.getLogger(__name__)
PROBES = "probes.json"
_LARGEST_DIFFERENCE: Mapping[Precision, float] = {"f32": 1e-2, "bf16": 0.5, "int8": 1.0}
"""What rounding may change; a lost head changes more."""
_MOST = 8
_REMEMBERED = 500


@dataclass(frozen=True, slots=True)
class Probe:
    """A pair, and the score it had in f32."""

    query: str
    passage: str
    score: float


def read_probes(folder: Path) -> list[Probe]:
    """Return the pairs that are kept in ``folder``; none where there are none.

    Raises:
        InputError: the file is broken.
    """
    path = folder / PROBES
    if not path.is_file():
        return []
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        return [Probe(str(row["query"]), str(row["passage"]), float(row["score"])) for row in rows][:_MOST]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} cannot be read ({error}); it holds pairs with their scores, by which a damaged model is noticed. "
            "Copy the model again, or delete the file to use it unchecked."
        ) from error


def write_probes(folder: Path, probes: Sequence[Probe]) -> None:
    """Keep pairs and their scores with the model in ``folder``."""
    partial = folder / f"{PROBES}.part"
    partial.write_text(json.dumps([asdict(one) for one in probes], ensure_ascii=False, indent=1), encoding="utf-8")
    partial.replace(folder / PROBES)


def check_probes(folder: Path, probes: Sequence[Probe], scorer: PairScorer, precision: Precision = "f32") -> None:
    """Compare what ``scorer`` gives the pairs kept in ``folder`` with the scores, in f32, kept beside them.

    Raises:
        InputError: a score is another one; the message says which.
    """
    for probe, found in zip(probes, probe_scores(scorer, probes), strict=True):
        if not abs(found - probe.score) <= _LARGEST_DIFFERENCE[precision]:
            raise InputError(
                f"The model at {folder} does not give the scores it had when it was saved: {found:.4f} instead of "
                f"{probe.score:.4f} for {probe.query!r} with {probe.passage[:40]!r}. Its weights or settings are no "
                "longer those that were trained; a library that does not know its head puts a random one in its "
                f"place. Copy the model again, or delete {PROBES} to use it as it is."
            )


def is_checked(fingerprint: str) -> bool:
    """Say whether a folder with this fingerprint gave the right scores before."""
    return fingerprint in _known()


def remember_checked(fingerprint: str) -> None:
    """Note that a folder gives the right scores, so that it costs nothing next time."""
    try:
        write_atomically(_file(), json.dumps([*_known(), fingerprint][-_REMEMBERED:]))
    except OSError as error:
        _log.info("What was checked cannot be kept in %s: %s", _file(), error)


def probe_scores(scorer: PairScorer, probes: Sequence[Probe]) -> list[float]:
    """Return what ``scorer`` gives the pairs."""
    return [scorer.score(probe.query, [probe.passage])[0].score for probe in probes]


def _file() -> Path:
    return cache_folder() / "probed.json"


def _known() -> list[str]:
    try:
        known = json.loads(_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):  # nothing was checked yet, or somebody broke the file: checked again
        return []
    return [str(one) for one in known] if isinstance(known, list) else []
