"""Whether intervals, tests and thresholds keep what they promise, on simulated rankings and on real ones.

    python benchmarks/intervals.py [--data ../shared/data] [--trials 400] [--parts coverage,real,test,conformal]

A simulated question has 30 passages, of which one to four are relevant; a system gives every passage a number, normally
distributed, to which the relevant ones add a bonus of the question's own. A second system shares part of the noise with
the first. The mean over 200,000 such questions is the truth.

``coverage``: how often the 95% interval of a mean, and of a difference, holds the truth (beside it, the percentiles of
resampled means). ``real``: the same for questions drawn from the real values of the dev sets, whose mean is the truth.
``test``: how often the paired test says p <= 0.05 of two simulated systems of the same quality, and of real differences
with signs drawn by chance. ``conformal``: what share of answers a threshold loses that promises to lose at most alpha,
calibrated on one part and checked on the other, for simulated scores and for the lexical reranker's log-odds; promised
is the mean over all splits.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))  # the lists are those of the lexical benchmark
sys.path.insert(0, str(Path(__file__).parents[1] / "recipes" / "lexical"))
from collection import read_collection

from lexical_quality import Scored, per_query, score_lists
from secondpass.evaluate.conformal import choose_threshold, cut_losses
from secondpass.evaluate.measures import measure_orders, parse_measure
from secondpass.evaluate.statistics import bootstrap_interval, paired_test, wilson_interval

SIZES = (20, 50, 100, 500)
MEASURES = ("nDCG@10", "MRR@10", "hit@3")
PASSAGES = 30
# Mean and spread of the relevant passages' bonus: a weak first stage, a middling one, a good reranker.
QUALITIES = {"weak": (0.8, 0.8), "middling": (1.8, 1.0), "good": (3.0, 1.2)}
TRUTH_QUESTIONS = 200_000
DRAWS = 1000
Values = np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Population:
    """Values of many questions, float64 [Q]; their mean is the truth."""

    name: str
    values: Values


def simulate(quality: tuple[float, float], count: int, generator: np.random.Generator) -> tuple[Values, Values]:
    """Return the ranks of all passages under two systems of one quality, int64 [2, Q, P], and the relevant, bool."""
    mean, spread = quality
    relevant = np.arange(PASSAGES) < generator.choice([1, 1, 1, 2, 3, 4], (count, 1))  # (Q, P)
    bonus = relevant * generator.normal(mean, spread, (count, 1))
    shared = generator.normal(size=(count, PASSAGES))
    systems = [bonus + 0.8 * shared + 0.6 * generator.normal(size=(count, PASSAGES)) for _ in range(2)]
    return np.argsort(-np.stack(systems), axis=2), relevant


def measured(ranks: Values, relevant: Values) -> dict[str, Values]:
    """Return the measures of every question under both systems, float64 [2, Q]."""
    names = [str(passage) for passage in range(PASSAGES)]
    measures = [parse_measure(name) for name in MEASURES]
    qrels = {str(number): {names[place]: 1 for place in np.flatnonzero(row)} for number, row in enumerate(relevant)}
    both = []
    for system in ranks:
        orders = {str(number): [names[place] for place in row] for number, row in enumerate(system.tolist())}
        both.append(measure_orders(measures, orders, qrels))
    return {name: np.array([list(found[name].values()) for found in both]) for name in MEASURES}


def simulated_populations(generator: np.random.Generator, count: int) -> list[Population]:
    populations = []
    for name, quality in QUALITIES.items():
        parts = [measured(*simulate(quality, min(count, 20_000), generator)) for _ in range(0, count, 20_000)]
        for measure in MEASURES:
            values = np.concatenate([part[measure] for part in parts], axis=1)
            populations += [
                Population(f"{name} {measure}", values[0]),
                Population(f"{name} {measure}, difference", values[1] - values[0]),
            ]
    return populations


def percentile_interval(values: Values, generator: np.random.Generator, draws: int) -> tuple[float, float]:
    means = values[generator.integers(0, len(values), (draws, len(values)), dtype=np.uint32)].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def coverage(population: Population, size: int, trials: int, generator: np.random.Generator) -> tuple[float, ...]:
    """Return shares of trials in which our interval and the percentiles hold the truth, and the mean widths."""
    truth = population.values.mean()
    held, widths = np.zeros(2), np.zeros(2)
    for trial in range(trials):
        sample = population.values[generator.integers(0, len(population.values), size)]
        intervals = (
            bootstrap_interval(sample, draws=DRAWS, seed=trial),
            percentile_interval(sample, generator, DRAWS),
        )
        for place, (low, high) in enumerate(intervals):
            held[place] += low - 1e-12 <= truth <= high + 1e-12
            widths[place] += high - low
    return (*(held / trials).tolist(), *(widths / trials).tolist())


def print_coverage(populations: list[Population], trials: int, generator: np.random.Generator) -> None:
    print(f"{'population':42} {'mean':>6} {'usual':>6}" + "".join(f" | n={size:<4} ours  pct. width" for size in SIZES))
    ours: dict[int, list[float]] = {size: [] for size in SIZES}
    for population in populations:
        counts = np.unique(population.values.round(9), return_counts=True)[1]
        line = f"{population.name:42} {population.values.mean():6.3f} {counts.max() / counts.sum():6.0%}"
        for size in SIZES:
            held, percentile, width, _ = coverage(population, size, trials, generator)
            ours[size].append(held)
            line += f" |       {100 * held:5.1f} {100 * percentile:5.1f} {width:.3f}"
        print(line, flush=True)
    for size, shares in ours.items():
        inside = np.mean([0.93 <= share <= 0.97 for share in shares])
        print(
            f"n={size}: mean {100 * np.mean(shares):.1f}, lowest {100 * min(shares):.1f}, highest "
            f"{100 * max(shares):.1f}; {inside:.0%} of the populations between 93 and 97"
        )


def false_alarms(draw: Callable[[int], Values], trials: int) -> float:
    return float(np.mean([paired_test(draw(trial), draws=DRAWS, seed=trial) <= 0.05 for trial in range(trials)]))


def print_tests(simulated: list[Population], real: list[Population], trials: int, seed: int) -> None:
    """False alarms: two systems of one quality; and real differences, whose signs are drawn."""
    generator = np.random.default_rng(seed)
    print(f"{'differences':42}" + "".join(f"  n={size:<4}" for size in SIZES))
    alarms = []
    for population, by_chance in [(p, False) for p in simulated] + [(p, True) for p in real]:
        line = f"{population.name + (', signs by chance' if by_chance else ''):42}"
        for size in SIZES:

            def draw(_: int, population: Population = population, size: int = size, flip: bool = by_chance) -> Values:
                sample = population.values[generator.integers(0, len(population.values), size)]
                return sample * generator.choice([-1.0, 1.0], size) if flip else sample

            alarms.append(false_alarms(draw, trials))
            line += f"  {100 * alarms[-1]:5.1f}%"
        print(line, flush=True)
    print(f"mean {100 * np.mean(alarms):.2f}%, lowest {100 * min(alarms):.1f}%, highest {100 * max(alarms):.1f}%")


def split_risks(best: Values, alpha: float, splits: int, calibration: int, seed: int) -> tuple[Values, int]:
    """Return the share lost on the other questions in every split, and in how many splits no threshold was found."""
    generator = np.random.default_rng(seed)
    risks, none = [], 0
    for _ in range(splits):
        order = generator.permutation(len(best))
        fitted, fresh = best[order[:calibration]], best[order[calibration:]]
        thresholds = np.unique(fitted)
        chosen = choose_threshold(cut_losses(fitted, thresholds), thresholds, alpha)
        none += chosen is None
        risks.append(0.0 if chosen is None else float((fresh < chosen).mean()))
    return np.array(risks), none


def best_log_odds(scored: Scored) -> Values:
    """Return the highest log-odds of a relevant passage, for every question that has one; float64 [Q]."""
    qrels = scored.collection.qrels
    best = [
        max((score for passage, score in passages.items() if qrels[query].get(passage, 0) > 0), default=np.nan)
        for query, passages in scored.lexical.items()
    ]
    return np.array([value for value in best if not np.isnan(value)])


def print_conformal(real: dict[str, Values], splits: int) -> None:
    generator = np.random.default_rng(13)
    print(
        f"{'scores':26} {'alpha':>6} {'fitted on':>9} {'splits':>7} {'lost, mean':>10} {'5%..95% of splits':>18}  none"
    )
    jobs = [(f"simulated, n={size}", generator.normal(2, 1.5, size + 20_000), size) for size in (50, 200, 1000)]
    jobs += [(name, best, len(best) // 2) for name, best in real.items()]
    for name, best, calibration in jobs:
        for alpha in (0.05, 0.1, 0.2):
            risks, none = split_risks(best, alpha, splits, calibration, 13)
            low, high = np.quantile(risks, [0.05, 0.95])
            print(
                f"{name:26} {alpha:6.2f} {calibration:9} {splits:7} {100 * risks.mean():9.2f}% "
                f"{100 * low:8.2f}%..{100 * high:5.2f}%  {none}",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--sets", default="cisi,cranfield,rgb_zh,wikiqa,selqa,squad_dev,cmrc2018")
    parser.add_argument("--trials", type=int, default=400)
    parser.add_argument("--splits", type=int, default=2000)
    parser.add_argument("--parts", default="coverage,real,test,conformal")
    arguments = parser.parse_args()
    parts, generator = arguments.parts.split(","), np.random.default_rng(13)
    trials = arguments.trials
    low, high = wilson_interval(round(0.95 * trials), trials)
    print(f"{trials} trials: a true 95% is measured as {100 * low:.1f}..{100 * high:.1f}")
    simulated = simulated_populations(generator, TRUTH_QUESTIONS) if {"coverage", "test"} & set(parts) else []
    folders = [arguments.data / name for name in arguments.sets.split(",")] if arguments.data.is_dir() else []
    wanted = {"real", "test", "conformal"} & set(parts)
    scored = {folder.name: score_lists(read_collection(folder), "stemmed", "bm25") for folder in folders if wanted}
    real = []
    for name, one in scored.items():
        before, after = per_query(one, one.bm25), per_query(one, one.lexical)
        for measure in ("nDCG@10", "MRR@10"):
            real.append(Population(f"{name} {measure}", after[measure]))
            real.append(Population(f"{name} {measure}, difference", after[measure] - before[measure]))
    if "coverage" in parts:
        print_coverage(simulated, trials, generator)
    if "real" in parts:
        print_coverage(real, trials, generator)
    if "test" in parts:
        differences = [[one for one in each if "difference" in one.name] for each in (simulated, real)]
        print_tests(differences[0], differences[1], trials, 13)
    if "conformal" in parts:
        print_conformal({name: best_log_odds(one) for name, one in scored.items()}, arguments.splits)


if __name__ == "__main__":
    main()
