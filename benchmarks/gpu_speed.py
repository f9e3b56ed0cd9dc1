"""Compare rerankers on a GPU: ours and the peers in bf16, one random model, the same jobs in turns, one process.

    python benchmarks/gpu_speed.py --shape v2-m3 --count 100 1000
    python benchmarks/gpu_speed.py --shape qwen3-0.6b --count 100

Peers run in batches of each given size (``--batch``; their defaults are 32 and 128) and the best of these counts.
``useful`` is the share of the card's own speed in one large bf16 product, measured here, that goes into real tokens:
padding counts as waste, work that is left out as done. The last columns compare with sentence-transformers in f32 on
the same device. Peers that are not installed are left out and named. ``--device cpu`` tries the program itself where
there is no card; its times say nothing.
"""

import argparse
import importlib
import importlib.util
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from sentence_transformers import CrossEncoder
from sentence_transformers.base.modules import Transformer
from sentence_transformers.cross_encoder.modules import LogitScore
from transformers import AutoTokenizer

from random_models import SHAPES, Job, make_job, make_model
from rerank_speed import accuracy, pair_lengths
from secondpass.models.causal import open_causal
from secondpass.models.causal_templates import causal_template
from secondpass.models.cross_encoder import ReadingOptions, open_cross_encoder
from secondpass.models.engine import EngineOptions
from secondpass.models.profile_records import RerankerProfile

Scorer = Callable[[str, Sequence[str]], list[float]]
PRODUCT = {"cuda": 8192, "cpu": 1024}
"""Rows and columns of the product that the card's speed is measured with."""


@dataclass
class Entry:
    """A reranker, and what was measured of it."""

    name: str
    score: Scorer
    own: bool = False
    seconds: list[float] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    peak_mib: float = 0.0

    def run(self, job: Job, device: str) -> None:
        """Score one job and note how it went."""
        _wait(device)
        if device != "cpu":
            torch.cuda.reset_peak_memory_stats()
            torch.backends.cuda.enable_cudnn_sdp(not self.own)  # we switch it off, peers find torch as it comes
        start = time.perf_counter()
        self.scores = self.score(job.query, job.passages)
        _wait(device)
        self.seconds.append(time.perf_counter() - start)
        if device != "cpu":
            self.peak_mib = torch.cuda.max_memory_allocated() / 2**20


def _wait(device: str) -> None:
    if device != "cpu":
        torch.cuda.synchronize()


def ours(folder: Path, options: argparse.Namespace) -> Scorer:
    """Open secondpass in bf16 on the device."""
    engine = EngineOptions("torch", "bf16", device=options.device)
    if SHAPES[options.shape].causal:
        profile = RerankerProfile("random", "causal", "log_odds", options.max_tokens, "qwen3")
        scorer = open_causal(folder, profile, engine)
    else:
        scorer = open_cross_encoder(folder, None, engine, ReadingOptions(options.max_tokens, "truncate"))
    return lambda query, passages: [score.score for score in scorer.score(query, passages)]


def sentence_transformers(folder: Path, options: argparse.Namespace, batch: int, dtype: torch.dtype) -> Scorer:
    """Open sentence-transformers, a causal model with its module for the logits of two words."""
    settings = {"dtype": dtype}
    if SHAPES[options.shape].causal:
        model = _logit_score(folder, options, settings)
    else:
        model = CrossEncoder(str(folder), max_length=options.max_tokens, device=options.device, model_kwargs=settings)

    def score(query: str, passages: Sequence[str]) -> list[float]:
        pairs = [_qwen3_form(query, text) if SHAPES[options.shape].causal else (query, text) for text in passages]
        found = model.predict(pairs, batch_size=batch, activation_fn=torch.nn.Identity(), show_progress_bar=False)
        return [float(x) for x in found]

    return score


def _logit_score(folder: Path, options: argparse.Namespace, settings: dict[str, torch.dtype]) -> object:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    yes, no = (tokenizer(word, add_special_tokens=False)["input_ids"][0] for word in ("yes", "no"))
    reader = Transformer(str(folder), transformer_task="text-generation", model_kwargs=settings)
    return CrossEncoder(modules=[reader, LogitScore(yes, no)], device=options.device)


def _qwen3_form(query: str, passage: str) -> tuple[str, str]:
    form = causal_template("qwen3")
    known = {"instruction": form.instruction, "query": query}
    before = "".join(piece.format(**known) for piece in form.before)
    return before + form.passage.format(passage=passage, **known) + form.after[0], ""


def flag_embedding(folder: Path, options: argparse.Namespace, batch: int) -> Scorer:
    """Open FlagEmbedding: FlagReranker, or of a causal model FlagLLMReranker, which reads it in its own form."""
    peer, gpu = importlib.import_module("FlagEmbedding"), options.device != "cpu"
    settings = {"devices": [options.device], "batch_size": batch, "max_length": options.max_tokens}
    if SHAPES[options.shape].causal:
        model = peer.FlagLLMReranker(str(folder), use_bf16=gpu, **settings)
    else:  # it has f32 and f16 alone
        model = peer.FlagReranker(str(folder), use_fp16=gpu, **settings)
    return lambda query, passages: [float(x) for x in model.compute_score([[query, text] for text in passages])]


def entries(folder: Path, options: argparse.Namespace) -> list[Entry]:
    """Open all rerankers: the reference, ours, and the peers in batches of each size."""
    found = []
    exact = sentence_transformers(folder, options, 32, torch.float32)
    found.append(Entry("sentence-transformers, f32, batches of 32", exact))
    found.append(Entry("secondpass, bf16", ours(folder, options), own=True))
    for batch in options.batch:
        scorer = sentence_transformers(folder, options, batch, torch.bfloat16)
        found.append(Entry(f"sentence-transformers, bf16, batches of {batch}", scorer))
    if importlib.util.find_spec("FlagEmbedding") is None:
        print("FlagEmbedding is not installed and left out.")
        return found
    flags = [(batch, flag_embedding(folder, options, batch)) for batch in options.batch]
    return found + [Entry(f"FlagEmbedding, 16 bits, batches of {batch}", scorer) for batch, scorer in flags]


def product_speed(device: str) -> float:
    """Return the operations a second of one bf16 product, the best of several."""
    size, best = PRODUCT[device.partition(":")[0]], 0.0
    one = torch.randn(size, size, device=device, dtype=torch.bfloat16)
    for _ in range(20):
        _wait(device)
        start = time.perf_counter()
        _ = one @ one
        _wait(device)
        best = max(best, 2 * size**3 / (time.perf_counter() - start))
    return best


def compare(folder: Path, some: list[Entry], count: int, lengths: str, options: argparse.Namespace) -> None:
    """Print the table of one job size."""
    shape = SHAPES[options.shape]
    jobs = [make_job(folder, count, lengths, seed) for seed in range(options.rounds + 1)]
    for entry in some:
        entry.seconds.clear()
    for number, job in enumerate(jobs):
        for entry in some:
            entry.run(job, options.device)
            if number == 0:
                entry.seconds.clear()  # the first job warms up
    flops = statistics.median(
        sum(map(shape.useful_flops, pair_lengths(folder, job, options.max_tokens))) for job in jobs[1:]
    )
    speed = product_speed(options.device)
    own = statistics.median(some[1].seconds)
    where = torch.cuda.get_device_name() if options.device != "cpu" else "cpu"
    print(f"\n{options.shape}, {count} passages, {lengths}, {where}, {options.rounds} rounds; one product of")
    print(f"{PRODUCT[options.device.partition(':')[0]]} x as many: {speed / 1e12:.1f} TFLOP/s\n")
    print("| reranker | s | ours is so many times faster | pairs/s | useful TFLOP/s | of one product | peak MiB |"
          " max difference / spread | tau | top 10 |\n" + "| --- " * 10 + "|")  # fmt: skip
    for entry in some:
        seconds = statistics.median(entry.seconds)
        useful = flops / seconds
        print(
            f"| {entry.name} | {seconds:.4f} | {seconds / own:.2f} | {count / seconds:.0f} | {useful / 1e12:.1f}"
            f" | {useful / speed:.0%} | {entry.peak_mib:.0f} | {accuracy(entry.scores, some[0].scores)} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, default="v2-m3")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--count", type=int, nargs="+", default=[100, 1000], help="passages a job")
    parser.add_argument("--lengths", nargs="+", default=["mixed"], help="mixed, chunks, or tokens a passage")
    parser.add_argument("--batch", type=int, nargs="+", default=[32, 128], help="batch sizes of the peers")
    parser.add_argument("--max-tokens", type=int, help="where all cut a pair (512; language models: 8192, nowhere)")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    # sentence-transformers cuts the end of a language model's form with the passage: all read passages whole instead.
    options.max_tokens = options.max_tokens or (8192 if SHAPES[options.shape].causal else 512)
    with tempfile.TemporaryDirectory() as temporary:
        folder = make_model(SHAPES[options.shape], Path(temporary))
        some = entries(folder, options)
        for lengths in options.lengths:
            for count in options.count:
                compare(folder, some, count, lengths, options)


if __name__ == "__main__":
    main()
