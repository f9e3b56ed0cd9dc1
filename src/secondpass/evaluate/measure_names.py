"""Names of measures: ``nDCG@10`` as the field writes it, and what else people and tools call it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from secondpass.errors import InputError
from secondpass.text.normalize import fold

MeasureName = Literal["nDCG", "nDCG_burges", "MAP", "MRR", "Recall", "P", "hit", "Judged"]

_SPELLINGS: dict[str, MeasureName] = {
    "ndcg": "nDCG",
    "ndcg_burges": "nDCG_burges",
    "ndcg_exp": "nDCG_burges",
    "map": "MAP",
    "ap": "MAP",
    "average_precision": "MAP",
    "mean_average_precision": "MAP",
    "mrr": "MRR",
    "rr": "MRR",
    "recip_rank": "MRR",
    "reciprocal_rank": "MRR",
    "mean_reciprocal_rank": "MRR",
    "recall": "Recall",
    "r": "Recall",
    "p": "P",
    "precision": "P",
    "hit": "hit",
    "hit_rate": "hit",
    "success": "hit",
    "judged": "Judged",
}
_NEEDS_CUTOFF = ("P", "hit", "Judged")
_FORM = re.compile(r"([a-z_]+?)(?:(?:@|_cut_|_at_|_)([0-9]{1,9}))?")
KNOWN = "nDCG, nDCG_burges, MAP, MRR and Recall, alone or with a cutoff as in nDCG@10; P@k, hit@k, Judged@k"


@dataclass(frozen=True, slots=True)
class Measure:
    """A measure of an order, over its first ``cutoff`` passages (None: over all); prints as it is written."""

    name: MeasureName
    cutoff: int | None = None

    def __str__(self) -> str:
        return self.name if self.cutoff is None else f"{self.name}@{self.cutoff}"


def parse_measure(text: str) -> Measure:
    """Return the measure that ``text`` names, in the spelling of this package, trec_eval, ranx or mteb.

    >>> [str(parse_measure(name)) for name in ("nDCG@10", "ndcg_cut_10", "map_at_1000", "recip_rank", "hit@１")]
    ['nDCG@10', 'nDCG@10', 'MAP@1000', 'MRR', 'hit@1']

    Raises:
        InputError: no measure is called so, or its cutoff is missing or 0.
    """
    written = re.sub(r"[\s-]+", "_", fold(text).strip())
    match = _FORM.fullmatch(written)
    name = _SPELLINGS.get(match[1]) if match else None
    if match is None or name is None:
        raise InputError(f"{text!r} is not a measure{_nearest(written)}. Known are {KNOWN}.")
    cutoff = int(match[2]) if match[2] else None
    if cutoff == 0 or (cutoff is None and name in _NEEDS_CUTOFF):
        raise InputError(f"The measure {text!r} needs a cutoff of 1 or more, such as {name}@10.")
    return Measure(name, cutoff)


def _nearest(written: str) -> str:
    word, _, cutoff = written.partition("@")
    close = get_close_matches(word, _SPELLINGS, n=1)
    if not close:
        return ""
    return f"; the nearest is {_SPELLINGS[close[0]]}{f'@{cutoff}' if cutoff.isdecimal() else ''}"
