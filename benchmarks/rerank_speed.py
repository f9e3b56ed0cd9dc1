"""Compare rerankers on a CPU: ours and the peers, one random model, the same jobs in turns.

    python benchmarks/rerank_speed.py --shape MiniLM-L6 --count 100
    python benchmarks/rerank_speed.py --shape bge-base --count 10 100 1000 --lengths chunks --threads 2 --clock wall
    python benchmarks/rerank_speed.py --shape v2-m3 --engines secondpass-openvino-f32 --count 1 --max-tokens 8192 \\
        --lengths 16 64 256 1024 4096 8000

Every reranker runs in a process of its own; a round gives each the same new job, one after the other, so that a noisy
machine hits all alike. Ratios are those of medians against the first engine named. With one thread the clock is that of
the process (CPU seconds), which load does not distort; with several it is the wall's.

``useful`` is the share of the machine's own speed in matrix products (measured here, same threads: oneDNN's on weights
that are laid out for it, in bf16 where the processor computes that, else in f32; the table says which) that goes into
real tokens: padding counts as waste, work that is left out as done. ``padding`` is how many tokens were computed for
one real token (1.000: no padding). Peers that are not installed are left out and named, and so is a reranker that
refuses, in its words. The weights are random, so that the errors of rounded precisions are a smoke test, not a
statement of quality.
"""

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from scipy.stats import kendalltau
from tokenizers import Tokenizer

from random_models import ENCODERS, SHAPES, Job, Shape, make_job, make_model
from rerank_engines import PEERS

OURS = ["secondpass-openvino-f32", "secondpass-openvino-bf16", "secondpass-onnx-f32", "secondpass-torch-f32"]
WORKER = Path(__file__).with_name("rerank_engines.py")


class RefusalError(Exception):
    """What a reranker says that cannot do its work here."""


@dataclass
class Worker:
    """A reranker in its process, and what was measured of it."""

    name: str
    process: subprocess.Popen[str]
    start: dict[str, float] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    peak_mib: float = 0.0
    scores: list[float] = field(default_factory=list)

    def answer(self) -> dict[str, object]:
        """Read one line of JSON."""
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} died with exit code {self.process.wait()}.")
        found: dict[str, object] = json.loads(line)
        if "error" in found:
            self.process.wait()
            raise RefusalError(f"{self.name} is left out: {found['error']}")
        return found

    def run(self, job: Job, clock: str) -> None:
        """Hand over one job and note how it went."""
        assert self.process.stdin
        print(json.dumps(asdict(job)), file=self.process.stdin, flush=True)
        found = self.answer()
        self.seconds.append(found[clock])  # type: ignore[arg-type]
        self.tokens.append(found["tokens"])  # type: ignore[arg-type]
        self.peak_mib, self.scores = found["peak_mib"], found["scores"]  # type: ignore[assignment]


def open_worker(name: str, folder: Path, threads: int, max_tokens: int) -> Worker:
    """Start a reranker's process and wait until it has loaded the model."""
    limits = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    environment = os.environ | dict.fromkeys(limits, str(threads)) | {"TOKENIZERS_PARALLELISM": "false"}
    command = [sys.executable, "-W", "ignore", str(WORKER), name, str(folder), str(threads), str(max_tokens)]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL if not os.environ.get("SHOW_STDERR") else None,
        text=True,
        env=environment,
    )
    worker = Worker(name, process)
    worker.start = worker.answer()["start"]  # type: ignore[assignment]
    return worker


def matrix_speed(threads: int, hidden: int) -> tuple[float, str]:
    """Return the operations a second of one matrix product of the shape's own size, the best of several, and its type.

    It is in bf16 where the processor computes that itself, else in f32.
    """
    script = (
        "import sys, time, torch\n"
        "threads, hidden = map(int, sys.argv[1:])\n"
        "torch.set_num_threads(threads)\n"
        "name = 'bf16' if torch.ops.mkldnn._is_mkldnn_bf16_supported() else 'f32'\n"
        "kind = torch.bfloat16 if name == 'bf16' else torch.float32\n"
        "x, w = torch.randn(1024, hidden).to(kind), torch.randn(4 * hidden, hidden).to(kind)\n"
        "w = torch.ops.mkldnn._reorder_linear_weight(w, 1024)\n"
        "clock = time.process_time if threads == 1 else time.perf_counter\n"
        "best = 0.0\n"
        "for _ in range(30):\n"
        "    start = clock()\n"
        "    for _ in range(5): torch.ops.mkldnn._linear_pointwise(x, w, None, 'none', [], '')\n"
        "    best = max(best, 5 * 8 * 1024 * hidden * hidden / (clock() - start))\n"
        "print(best, name)"
    )
    command = [sys.executable, "-c", script, str(threads), str(hidden)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"The matrix speed could not be measured: {done.stderr.strip().splitlines()[-1]}")
        return float("nan"), "unknown"
    speed, name = done.stdout.split()
    return float(speed), name


def open_workers(names: list[str], folder: Path, options: argparse.Namespace) -> list[Worker]:
    """Open the rerankers that can work here, and name the others with what they say."""
    workers = []
    for name in names:
        try:
            workers.append(open_worker(name, folder, options.threads, options.max_tokens))
        except RefusalError as refusal:
            print(refusal)
    if not workers:
        raise SystemExit("None of the rerankers works here.")
    return workers


def pair_lengths(folder: Path, job: Job, max_tokens: int) -> list[int]:
    """Return the tokens of every pair, as all engines cut them."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    return [min(max_tokens, len(tokenizer.encode(job.query, passage).ids)) for passage in job.passages]


def accuracy(scores: list[float], reference: list[float]) -> str:
    """Return the largest difference over the spread of the reference, Kendall's tau, and the overlap of the top 10."""
    if len(scores) < 2:
        return f"{abs(scores[0] - reference[0]):.1e} | – | –"
    ours, theirs = np.array(scores), np.array(reference)
    spread = max(float(theirs.std()), 1e-12)
    top = len(set(np.argsort(-ours)[:10]) & set(np.argsort(-theirs)[:10]))
    tau = kendalltau(ours, theirs).statistic
    return f"{np.abs(ours - theirs).max() / spread:.1e} | {tau:.3f} | {top} of {min(10, len(ours))}"


def compare(
    folder: Path, shape: Shape, names: list[str], count: int, lengths: str, options: argparse.Namespace
) -> None:
    """Print the table of one job size."""
    workers = open_workers(names, folder, options)
    jobs = [make_job(folder, count, lengths, seed) for seed in range(options.rounds + 1)]
    for number, job in enumerate(jobs):
        for worker in workers:
            worker.run(job, options.clock)
            if number == 0 and len(jobs) > 1:
                worker.seconds.clear()  # the first job finds cold caches
    pairs = [pair_lengths(folder, job, options.max_tokens) for job in jobs]
    flops = statistics.median(sum(map(shape.useful_flops, lengths)) for lengths in pairs[1:] or pairs)
    real_tokens = sum(map(sum, pairs))
    peak, product = matrix_speed(options.threads, shape.hidden)
    print(
        f"\n{options.shape}, {count} passages, {lengths}, {options.threads} threads, {options.clock} seconds, ", end=""
    )
    print(f"{options.rounds} rounds; one {product} matrix product: {peak / 1e9:.0f} GFLOP/s\n")
    print(f"| reranker | s | times faster | pairs/s | useful GFLOP/s | of one {product} product | padding | peak MiB |"
          " start s | max difference / spread | tau | top 10 |\n" + "| --- " * 12 + "|")  # fmt: skip
    first = statistics.median(workers[0].seconds)
    for worker in workers:
        worker.process.stdin.close()  # type: ignore[union-attr]
        seconds, computed = statistics.median(worker.seconds), sum(worker.tokens)
        padding = f"{computed / real_tokens:.3f}" if computed else "–"
        print(
            f"| {worker.name} | {seconds:.3f} | {first / seconds:.2f} | {count / seconds:.1f}"
            f" | {flops / seconds / 1e9:.0f} | {flops / seconds / peak:.0%}"
            f" | {padding} | {worker.peak_mib:.0f}"
            f" | {worker.start['cpu']:.2f} | {accuracy(worker.scores, workers[0].scores)} |",
            flush=True,
        )


def installed(names: list[str]) -> list[str]:
    """Return the engines that can run here, and name the others."""
    missing = [name for name in names if name in PEERS and importlib.util.find_spec(PEERS[name]) is None]
    for name in missing:
        print(f"{name} is not installed and left out.")
    return [name for name in names if name not in missing]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=ENCODERS, default="MiniLM-L6")
    parser.add_argument("--folder", type=Path, help="an existing model of that shape; otherwise one is made")
    parser.add_argument("--engines", nargs="+", default=["sentence-transformers", *OURS, *list(PEERS)[1:]])
    parser.add_argument("--count", type=int, nargs="+", default=[100], help="passages a job")
    parser.add_argument("--lengths", nargs="+", default=["mixed"], help="mixed, chunks, or tokens a passage")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--clock", choices=["cpu", "wall"], help="default: cpu for one thread, wall for more")
    parser.add_argument("--max-tokens", type=int, default=512, help="where all engines cut a pair")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    options.clock = options.clock or ("cpu" if options.threads == 1 else "wall")
    names, shape = installed(options.engines), SHAPES[options.shape]
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or make_model(shape, Path(temporary))
        started = time.perf_counter()
        for lengths in options.lengths:
            for count in options.count:
                compare(folder, shape, names, count, lengths, options)
        print(f"\n{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
