"""What rounded precisions cost on a model that knows something.

    python benchmarks/precision.py --data ../shared/data --folder FOLDER [--threads 1]

FOLDER holds a cross-encoder; where it is empty, one is trained into it first (`precision_model`: some minutes). Dev
lists are scored by every engine and precision; each is compared with the first. On random weights the scores of one
list lie close together, and every rounding reorders them; here they lie apart as far as a trained model puts them.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import ir_measures
import numpy as np
from ir_measures import nDCG

from secondpass.models.cross_encoder import CrossEncoderScorer, ReadingOptions, open_cross_encoder
from secondpass.models.engine import EngineOptions

sys.path.insert(0, str(Path(__file__).parents[1] / "recipes" / "lexical"))
from collection import Bm25, read_collection

ENGLISH = ("selqa", "wikiqa", "squad_dev", "noveleval", "semeval2016_ql")
CHINESE = ("cmrc2018", "drcd", "covid_pairs_zh", "rgb_zh")
ENGINES = "openvino-f32,openvino-bf16,openvino-int8,onnx-f32,onnx-int8,torch-f32,torch-bf16"
MAX_TOKENS = 256
COLUMNS = (
    "sets", "engine", "max d", "of the spread", "rms, of it", "tau", "top 10 shared", "same top 10", "same top 3",
    "same first", "nDCG@10", "CPU s",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class JudgedList:
    """A question of a dev split with its passages, no text twice; ``grades``: float64 [N], 0 for the irrelevant."""

    query: str
    passages: list[str]
    grades: np.ndarray
    bm25: np.ndarray


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far scores are from the reference's, over the lists of some sets.

    ``rms`` is the size of the differences. ``tau`` is the mean over lists. The shares say how many lists have the same
    best passages (as a set; of lists that are longer); ``overlap`` how many of the ten best those are on average.
    ``ndcg`` is nDCG@10.
    """

    furthest: float
    rms: float
    spread: float
    tau: float
    overlap: float
    top10: float
    top3: float
    first: float
    ndcg: float


def dev_lists(folder: Path, count: int) -> list[JudgedList]:
    """Return the first ``count`` lists of a dev split."""
    collection = read_collection(folder)
    bm25 = Bm25(collection.passages.values())
    made = []
    for query_id in [key for key in collection.query_ids("dev") if collection.candidates.get(key)][:count]:
        query, grades = collection.queries[query_id][0], collection.qrels[query_id]
        by_text = {collection.passages[key].text: key for key in reversed(collection.candidates[query_id])}
        keys = [key for key in collection.candidates[query_id] if by_text[collection.passages[key].text] == key]
        texts = [collection.passages[key].text for key in keys]
        made.append(
            JudgedList(query, texts, np.array([grades.get(key, 0) for key in keys]), bm25.score_of(query, keys))
        )
    return made


def scores_of(scorer: CrossEncoderScorer, lists: Sequence[JudgedList]) -> list[np.ndarray]:
    return [np.array([found.score for found in scorer.score(one.query, one.passages)]) for one in lists]


def tau(exact: np.ndarray, found: np.ndarray) -> float:
    """Return Kendall's tau over the pairs that ``exact`` tells apart: texts of unknown words are one text to a model.

    >>> tau(np.array([3.0, 2.0, 2.0, 1.0]), np.array([4.0, 2.0, 1.0, 1.0]))
    0.8
    """
    first, second = np.triu_indices(len(exact), 1)
    wanted, given = np.sign(exact[first] - exact[second]), np.sign(found[first] - found[second])
    apart = wanted != 0
    return float((wanted * given)[apart].mean()) if apart.any() else 1.0


def best(scores: np.ndarray, count: int) -> set[int]:
    return set(np.argsort(-scores, kind="stable")[:count].tolist())


def mean_ndcg(lists: Sequence[JudgedList], scores: Sequence[np.ndarray]) -> float:
    qrels, run = {}, {}
    for number, (one, found) in enumerate(zip(lists, scores, strict=True)):
        qrels[str(number)] = {str(i): int(grade) for i, grade in enumerate(one.grades) if grade}
        order = np.argsort(-found, kind="stable")
        run[str(number)] = {str(i): float(-rank) for rank, i in enumerate(order)}
    return float(ir_measures.calc_aggregate([nDCG @ 10], qrels, run)[nDCG @ 10])


def agreement(lists: Sequence[JudgedList], exact: Sequence[np.ndarray], found: Sequence[np.ndarray]) -> Agreement:
    """Compare ``found`` with ``exact``, one float array a list each."""
    pairs = list(zip(exact, found, strict=True))

    def shared(count: int) -> list[float]:
        return [len(best(a, count) & best(b, count)) / count for a, b in pairs if len(a) > count] or [1.0]

    def same(count: int) -> float:
        return float(np.mean([share == 1 for share in shared(count)]))

    difference = np.concatenate(found) - np.concatenate(exact)
    return Agreement(
        furthest=float(np.abs(difference).max()),
        rms=float(np.sqrt(np.mean(difference**2))),
        spread=float(np.std(np.concatenate(exact))),
        tau=float(np.mean([tau(a, b) for a, b in pairs])),
        overlap=float(np.mean(shared(10))),
        top10=same(10),
        top3=same(3),
        first=same(1),
        ndcg=mean_ndcg(lists, found),
    )


def print_sets(sets: dict[str, list[JudgedList]], exact: dict[str, list[np.ndarray]]) -> None:
    print("| set | lists | passages | nDCG@10 by chance | BM25 | model, f32 |\n" + "| --- " * 6 + "|")
    draw = np.random.default_rng(0)
    for name, lists in sets.items():
        chance = np.mean([mean_ndcg(lists, [draw.random(len(one.passages)) for one in lists]) for _ in range(5)])
        row = (chance, mean_ndcg(lists, [one.bm25 for one in lists]), mean_ndcg(lists, exact[name]))
        size = np.mean([len(one.passages) for one in lists])
        print(f"| {name} | {len(lists)} | {size:.1f} | " + " | ".join(f"{value:.3f}" for value in row) + " |")


def print_agreement(label: str, spec: str, found: Agreement, exact_ndcg: float, seconds: float) -> None:
    cells = [
        label,
        spec,
        f"{found.furthest:.1e}",
        f"{found.furthest / found.spread:.1%}",
        f"{found.rms / found.spread:.2%}",
        f"{found.tau:.4f}",
        *(f"{share:.1%}" for share in (found.overlap, found.top10, found.top3, found.first)),
        f"{found.ndcg:.4f} ({found.ndcg - exact_ndcg:+.4f})",
        f"{seconds:.1f}",
    ]
    print("| " + " | ".join(cells) + " |", flush=True)


def open_scorer(folder: Path, spec: str, threads: int) -> CrossEncoderScorer:
    name, _, precision = spec.partition("-")
    options = EngineOptions(name, precision, threads)  # type: ignore[arg-type]
    return open_cross_encoder(folder, None, options, ReadingOptions(MAX_TOKENS, "truncate"))


def compare_engines(
    folder: Path, specs: Sequence[str], sets: dict[str, list[JudgedList]], threads: int, each: bool
) -> None:
    """Print a row for each engine and language, and where asked for, for each set."""
    exact: dict[str, list[np.ndarray]] = {}
    groups = {"English": [n for n in sets if n not in CHINESE], "Chinese": [n for n in sets if n in CHINESE]}
    groups |= {name: [name] for name in sets} if each else {}
    for spec in specs:
        scorer = open_scorer(folder, spec, threads)
        found, seconds = {}, {}
        for name, lists in sets.items():
            start = time.process_time()
            found[name] = scores_of(scorer, lists)
            seconds[name] = time.process_time() - start
        if not exact:
            exact = found
            print_sets(sets, exact)
            print(f"\nAgainst {spec}; CPU seconds of {threads} thread(s).\n")
            print("| " + " | ".join(COLUMNS) + " |\n" + "| --- " * len(COLUMNS) + "|")
        for label, names in groups.items():
            lists, a, b = ([x for n in names for x in part[n]] for part in (sets, exact, found))
            if lists:
                own = mean_ndcg(lists, a)
                print_agreement(label, spec, agreement(lists, a, b), own, sum(seconds[n] for n in names))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True, help="a cross-encoder; trained here where there is none")
    parser.add_argument("--engines", default=ENGINES, help="the first is what the others are compared with")
    parser.add_argument("--sets", nargs="+", default=[*ENGLISH, *CHINESE])
    parser.add_argument("--lists", type=int, default=60, help="lists of each set")
    parser.add_argument("--each", action="store_true", help="a row for each set too")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    if not (options.folder / "model.safetensors").is_file():
        from precision_model import trained_model  # noqa: PLC0415 - torch, only where something is trained

        trained_model(options.data, options.folder, options.threads)
    sets = {name: dev_lists(options.data / name, options.lists) for name in options.sets}
    compare_engines(options.folder, options.engines.split(","), sets, options.threads, options.each)


if __name__ == "__main__":
    main()
