"""Groups of passages a second in training: ours beside sentence-transformers' and FlagEmbedding's trainer, one run.

    python benchmarks/train_speed.py --model FOLDER --data ../shared/data/squad_dev --steps 12

The same model with a new head on the first token, the same questions and passages, f32 or bf16 (autocast), softmax loss
(in sentence-transformers: ListNet with labels x 100, which is the same), AdamW. Every trainer runs in a process of its
own; seconds are counted from the end of the third step on. On a machine that others use, CPU seconds are what counts.
A trainer that is not installed is left out.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

WARM_UP = 3
PACKAGES = {
    "secondpass": "secondpass",
    "sentence-transformers": "sentence_transformers",
    "FlagEmbedding": "FlagEmbedding",
}


class Clock:
    """Counts wall and CPU seconds from the end of step `WARM_UP` on."""

    def __init__(self) -> None:
        self.steps, self.wall, self.cpu = 0, 0.0, 0.0

    def step(self) -> None:
        self.steps += 1
        if self.steps == WARM_UP:
            self.wall, self.cpu = time.perf_counter(), time.process_time()

    def found(self, batch: int) -> dict[str, float]:
        groups = (self.steps - WARM_UP) * batch
        wall, cpu = time.perf_counter() - self.wall, time.process_time() - self.cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return {"groups_per_second": groups / wall, "groups_per_cpu_second": groups / cpu, "peak_mb": peak}


def ours(job: dict[str, Any]) -> dict[str, float]:
    from secondpass.train.options import TrainOptions
    from secondpass.train.run import run_training

    clock = Clock()
    found: dict[str, float] = {}

    def hear(record: dict[str, Any]) -> None:
        if record["event"] == "step":
            clock.step()
            if record["step"] == job["steps"]:
                found.update(clock.found(job["batch"]))

    options = TrainOptions(
        model=job["model"], train=job["rows"], output=f"{job['place']}/ours", head="first", group_size=job["group"],
        batch_size=job["batch"], max_steps=job["steps"], max_tokens=job["tokens"], precision=job["precision"],
        dev_share=0, checkpoint_minutes=1e6, learning_rate=5e-5, stop_on_collapse=False,
    )  # fmt: skip
    run_training(options, hear)
    return found


def sentence_transformers(job: dict[str, Any]) -> dict[str, float]:
    from datasets import Dataset
    from sentence_transformers import CrossEncoder, CrossEncoderTrainer, CrossEncoderTrainingArguments
    from sentence_transformers.cross_encoder.losses import ListNetLoss

    rows = [json.loads(line) for line in Path(job["rows"]).read_text(encoding="utf-8").splitlines()]
    data = Dataset.from_dict({
        "query": [row["query"] for row in rows],
        "docs": [[row["pos"][0], *row["neg"][: job["group"] - 1]] for row in rows],
        "labels": [[100.0] + [0.0] * (job["group"] - 1) for _ in rows],
    })  # fmt: skip
    model = CrossEncoder(job["model"], num_labels=1, max_length=job["tokens"], device="cpu")
    arguments = CrossEncoderTrainingArguments(
        output_dir=f"{job['place']}/st", per_device_train_batch_size=job["batch"], max_steps=job["steps"],
        learning_rate=5e-5, bf16=job["precision"] == "bf16", use_cpu=True, save_strategy="no", report_to=[],
        disable_tqdm=True,
    )  # fmt: skip
    clock = Clock()
    trainer = CrossEncoderTrainer(model=model, args=arguments, train_dataset=data, loss=ListNetLoss(model),
                                  callbacks=[timing(clock)])  # fmt: skip
    trainer.train()
    return clock.found(job["batch"])


def flag_embedding(job: dict[str, Any]) -> dict[str, float]:
    from FlagEmbedding.abc.finetune.reranker import (
        AbsRerankerDataArguments,
        AbsRerankerModelArguments,
        AbsRerankerTrainingArguments,
    )
    from FlagEmbedding.finetune.reranker.encoder_only.base import EncoderOnlyRerankerRunner

    runner = EncoderOnlyRerankerRunner(
        model_args=AbsRerankerModelArguments(model_name_or_path=job["model"]),
        data_args=AbsRerankerDataArguments(
            train_data=[job["rows"]], train_group_size=job["group"], query_max_len=job["tokens"] // 4,
            passage_max_len=job["tokens"] - job["tokens"] // 4,
        ),
        training_args=AbsRerankerTrainingArguments(
            output_dir=f"{job['place']}/fe", per_device_train_batch_size=job["batch"], max_steps=job["steps"],
            learning_rate=5e-5, bf16=job["precision"] == "bf16", use_cpu=True, save_strategy="no", report_to=[],
            disable_tqdm=True, dataloader_drop_last=True,
        ),
    )  # fmt: skip
    clock = Clock()
    runner.trainer.add_callback(timing(clock))
    runner.trainer.train()
    return clock.found(job["batch"])


def timing(clock: Clock) -> Any:
    from transformers import TrainerCallback

    class Timing(TrainerCallback):
        def on_step_end(self, *_: Any, **__: Any) -> None:
            clock.step()

    return Timing()


TRAINERS = {"secondpass": ours, "sentence-transformers": sentence_transformers, "FlagEmbedding": flag_embedding}


def write_rows(data: str, place: Path, count: int, group: int) -> tuple[Path, float]:
    """Write ``count`` questions with ``group`` passages each; return the file, and the mean number of characters."""
    from secondpass.data.training_folders import FolderFiles
    from secondpass.data.training_read import ReadOptions, good_examples, open_examples

    files = FolderFiles(candidates=str(Path(data) / "candidates.jsonl"), qrels=str(Path(data) / "qrels.tsv"))
    source = open_examples(data, ReadOptions(files=files) if Path(data).is_dir() else None)
    enough = (one for one in good_examples(source) if one.positives and len(one.negatives) >= group - 1)
    rows = [
        {"query": one.query, "pos": [one.positives[0]], "neg": list(one.negatives[: group - 1])}
        for one in itertools.islice(enough, count)
    ]
    path = place / "rows.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path, len(rows)


def mean_tokens(model: str, rows: Path, limit: int) -> float:
    from secondpass.models.source import resolve
    from secondpass.train.encoder import PairEncoder

    reader = PairEncoder(resolve(model).folder, 2, limit)
    lengths = []
    for line in rows.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        lengths += [len(pair.ids) for pair in reader.encode(row["query"], [*row["pos"], *row["neg"]]).pairs]
    return sum(lengths) / len(lengths)


def matrix_gflops(precision: str, hidden: int) -> float:
    """Measure products of the model's own shapes: [1024, H] x [H, 4H], a CPU second."""
    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    left, right = torch.randn(1024, hidden, dtype=kind), torch.randn(hidden, 4 * hidden, dtype=kind)
    for _ in range(5):
        left @ right
    best = 0.0
    for _ in range(5):
        started = time.process_time()
        for _ in range(20):
            left @ right
        best = max(best, 20 * 2 * 1024 * hidden * 4 * hidden / (time.process_time() - started) / 1e9)
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="a folder with a BERT-like encoder")
    parser.add_argument("--data", required=True, help="a folder with candidates, or a file of examples")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--group", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=256)
    parser.add_argument("--precision", choices=("f32", "bf16"), default="f32")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    if given.one:
        name, _, job = given.one.partition("=")
        print("FOUND " + json.dumps(TRAINERS[name](json.loads(job))))
        return
    with tempfile.TemporaryDirectory() as folder:
        rows, count = write_rows(given.data, Path(folder), given.batch * given.steps, given.group)
        job = {"model": given.model, "rows": str(rows), "place": folder, "steps": given.steps, "batch": given.batch,
               "group": given.group, "tokens": given.tokens, "precision": given.precision}  # fmt: skip
        tokens = mean_tokens(given.model, rows, given.tokens)
        config = json.loads((Path(given.model) / "config.json").read_text(encoding="utf-8"))
        hidden, layers = config["hidden_size"], config["num_hidden_layers"]
        weights = layers * (4 * hidden**2 + 2 * hidden * config["intermediate_size"])
        flops = 6 * weights * tokens * given.group
        gflops = matrix_gflops(given.precision, hidden)
        print(f"{count} questions, groups of {given.group}, {tokens:.0f} tokens a pair, {given.precision}, "
              f"{given.threads} threads, products {gflops:.0f} GFLOP per CPU second")  # fmt: skip
        print(f"{'':24}{'groups/s':>10}{'per CPU s':>11}{'peak MB':>9}{'of products':>13}{'ours is':>9}")
        results = {name: run_one(name, job, given) for name in TRAINERS if find_spec(PACKAGES[name])}
    for name, found in results.items():
        ratio = results["secondpass"]["groups_per_cpu_second"] / found["groups_per_cpu_second"]
        share = found["groups_per_cpu_second"] * flops / gflops / 1e9
        print(f"{name:24}{found['groups_per_second']:>10.2f}{found['groups_per_cpu_second']:>11.2f}"
              f"{found['peak_mb']:>9,.0f}{share:>12.0%}{ratio:>8.2f}x")  # fmt: skip


def run_one(name: str, job: dict[str, Any], given: argparse.Namespace) -> dict[str, float]:
    command = [sys.executable, __file__, "--model", given.model, "--data", given.data,
               "--threads", str(given.threads), "--one", f"{name}={json.dumps(job)}"]  # fmt: skip
    environment = os.environ | {"OMP_NUM_THREADS": str(given.threads)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    line = next((line for line in done.stdout.splitlines() if line.startswith("FOUND ")), None)
    if line is None:
        sys.exit(f"{name} failed:\n{done.stderr[-2000:]}")
    found: dict[str, float] = json.loads(line.removeprefix("FOUND "))
    return found


if __name__ == "__main__":
    main()
