"""How much word counts add to what the model reads: the share that orders dev lists best, and the line that calibrates.

For each language the share of the `lexical` log-odds is tried from nothing to twice the model's own, on lists as they
come, and of those whose mean nDCG@10, every set counting the same, is within a point of the best, the middle one is
taken: lists are few, their mean has a standard error of more than a point, and the best alone is chance. Where question
and passage differ in language words say nothing. Then a line makes chances of the sum (`calibration`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from recipes.builtin.calibration import Floats, Line, calibration_error, fit_line
from recipes.builtin.sources import lines

from secondpass.evaluate.measures import measure_run, parse_measure
from secondpass.rerank.blend import CROSSING, KINDS, Share, pair_kind, word_log_odds
from secondpass.rerank.lexical import LexicalReranker
from secondpass.text.language import language
from secondpass.types import PairScorer

MEASURE = parse_measure("nDCG@10")
RATIOS = np.arange(0, 2.01, 0.1)
AS_GOOD = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class ScoredList:
    """A question's passages: which set, which kind of pairs, and float64 [N] of scores, log-odds and relevance."""

    name: str
    kind: str
    scores: Floats
    lexical: Floats
    relevant: Floats

    def moved(self, line: Line) -> ScoredList:
        """Return the list with its scores on ``line``."""
        return replace(self, scores=line.slope * self.scores + line.shift)

    def together(self, share: Share) -> Floats:
        """Return what is read and what words say as log-odds, float64 [N]."""
        return share.score * self.scores + share.lexical * self.lexical + share.shift


def score_lists(scorer: PairScorer, dev: Path) -> list[ScoredList]:
    """Score every list of the file ``dev`` by ``scorer`` and by words."""
    lexical, found = LexicalReranker(), []
    for row in lines(dev):
        passages = list(dict.fromkeys([*row["pos"], *row["neg"]]))
        words = np.array(word_log_odds(lexical, row["query"], passages))
        scores = np.array([one.score for one in scorer.score(row["query"], passages)])
        relevant = np.array([float(passage in row["pos"]) for passage in passages])
        kind = pair_kind(language(row["query"]), passages[0])
        found.append(ScoredList(row["provenance"]["kind"], kind, scores, words, relevant))
    return found


def gains(lists: Sequence[ScoredList], scores: Sequence[Floats]) -> dict[str, float]:
    """Return each set's mean nDCG@10 with ``scores``, float64 [N] a list; of equal scores the wrong ones come first."""
    run = {str(number): {str(place): score for place, score in enumerate(row)} for number, row in enumerate(scores)}
    qrels = {
        str(number): {str(place): int(grade) for place, grade in enumerate(one.relevant)}
        for number, one in enumerate(lists)
    }
    by_set: dict[str, list[float]] = defaultdict(list)
    for one, value in zip(lists, measure_run([MEASURE], run, qrels)[str(MEASURE)].values(), strict=True):
        by_set[one.name].append(value)
    return {name: float(np.mean(values)) for name, values in by_set.items()}


def mean_gain(lists: Sequence[ScoredList], ratio: float) -> float:
    """Return the mean over sets of the mean nDCG@10 with ``ratio`` times the lexical log-odds added."""
    reached = gains(lists, [one.together(Share(1.0, ratio, 0.0)) for one in lists])
    return float(np.mean(list(reached.values())))


def fit_ratio(lists: Sequence[ScoredList]) -> float:
    """Return how much the lexical log-odds weigh beside what is read."""
    reached = np.array([mean_gain(lists, ratio) for ratio in RATIOS])
    return float(np.median(RATIOS[reached >= reached.max() - AS_GOOD]))


def fit_share(lists: Sequence[ScoredList], given: Sequence[ScoredList], kind: str) -> Share:
    """Return the share of one kind of pairs: how much words count by lists as they come, the chances by ``lists``."""
    return _calibrated(lists, 0.0 if kind == CROSSING else fit_ratio(given))


def _calibrated(lists: Sequence[ScoredList], ratio: float) -> Share:
    together = np.concatenate([one.together(Share(1.0, ratio, 0.0)) for one in lists])
    line = fit_line(together, np.concatenate([one.relevant for one in lists]))
    return Share(round(line.slope, 4), round(line.slope * ratio, 4), round(line.shift, 4))


def fit_shares(lists: Sequence[ScoredList], given: Sequence[ScoredList]) -> dict[str, Share]:
    """Return the shares of all kinds of pairs."""
    of_kind = [[[one for one in some if one.kind == kind] for some in (lists, given)] for kind in KINDS]
    return {kind: fit_share(*both, kind) for kind, both in zip(KINDS, of_kind, strict=True)}


def whole_line(lists: Sequence[ScoredList]) -> Line:
    """Return the line that makes chances of what is read alone, for libraries that add no words."""
    same = [one for one in lists if one.kind != CROSSING]
    return fit_line(np.concatenate([one.scores for one in same]), np.concatenate([one.relevant for one in same]))


def calibration_errors(lists: Sequence[ScoredList], shares: Mapping[str, Share], folds: int = 2) -> dict[str, float]:
    """Return the expected calibration error of each kind of pairs, each half of the lists by the line of the other."""
    found = {}
    for kind in KINDS:
        members = [one for one in lists if one.kind == kind]
        chances, relevant = [], []
        for fold in range(folds):
            rest = [one for place, one in enumerate(members) if place % folds != fold]
            share = _calibrated(rest, shares[kind].lexical / shares[kind].score)
            for one in members[fold::folds]:
                chances.append(one.together(share))
                relevant.append(one.relevant)
        found[kind] = calibration_error(np.concatenate(chances), np.concatenate(relevant))
    return found


def all_gains(lists: Sequence[ScoredList], shares: Mapping[str, Share]) -> dict[str, dict[str, float]]:
    """Return each set's mean nDCG@10 by words, by what is read, and by both."""
    return {
        "lexical": gains(lists, [one.lexical for one in lists]),
        "read": gains(lists, [one.scores for one in lists]),
        "both": gains(lists, [one.together(shares[one.kind]) for one in lists]),
    }
