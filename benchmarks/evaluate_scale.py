"""Evaluate a million pairs: seconds, peak memory, and how soon a finished or a stopped evaluation goes on.

    python benchmarks/evaluate_scale.py --questions 10000 --candidates 100

Passages are synthetic, of words as often as in real text; the lists are drawn from them. Every run is a process of its
own, so that its peak memory is its own.
"""

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from random_models import sentences
from secondpass.data.tasks import Candidate, RankingTask
from secondpass.evaluate.experiment import evaluate
from secondpass.evaluate.options import EvaluationOptions
from secondpass.types import Chunk

PASSAGES = 20_000
SENTENCES = 2_000


def make_task(questions: int, candidates: int) -> RankingTask:
    """Return a task whose lists are drawn by chance, with three relevant passages each."""
    draw = random.Random(5)
    texts = sentences(SENTENCES)
    passages = {f"d{number}": Chunk(f"d{number}", " ".join(draw.sample(texts, 2))) for number in range(PASSAGES)}
    names = list(passages)
    lists, qrels, queries = {}, {}, {}
    for number in range(questions):
        query_id = f"q{number}"
        chosen = draw.sample(names, candidates)
        queries[query_id] = passages[chosen[0]].text[:40]
        lists[query_id] = tuple(Candidate(name) for name in chosen)
        qrels[query_id] = {chosen[0]: 2, chosen[1]: 1, chosen[-1]: 1}
    return RankingTask("synthetic", queries, passages, qrels, lists)


def child(questions: int, candidates: int, systems: list[str], work: str) -> None:
    """Make the task, evaluate, and print what it took."""
    before = time.perf_counter()
    task = make_task(questions, candidates)
    made, memory = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    report = evaluate([task], systems, EvaluationOptions(work=Path(work)))
    seconds = time.perf_counter() - made
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found = {system.name: system.measures["nDCG@10"].mean for system in report.tasks[0].systems}
    print(json.dumps({"task_s": made - before, "task_mb": memory, "evaluate_s": seconds, "peak_mb": peak, "n": found}))


def run(options: argparse.Namespace, work: Path, limit_seconds: float | None = None) -> dict | None:
    """Run a child to its end, or kill it after some seconds."""
    command = [sys.executable, __file__, "--child", str(work), "--questions", str(options.questions)]
    command += ["--candidates", str(options.candidates), *[f"--rerank={name}" for name in options.rerank]]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit_seconds, check=True)
    except subprocess.TimeoutExpired:
        return None
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=10_000)
    parser.add_argument("--candidates", type=int, default=100)
    parser.add_argument("--rerank", action="append", help="default: lexical")
    parser.add_argument("--kill-after", type=float, metavar="SECONDS", help="kill once, then go on")
    parser.add_argument("--child", metavar="FOLDER", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.rerank = options.rerank or ["lexical"]
    if options.child:
        child(options.questions, options.candidates, options.rerank, options.child)
        return
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        if options.kill_after:
            print("killed", run(options, work, options.kill_after))
        print("first ", run(options, work))
        print("again ", run(options, work))
        print(f"store  {sum(path.stat().st_size for path in work.iterdir()) / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
