"""Look at what a run is told to learn from, before anything is trained: what would spoil it, or make it worth less."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from secondpass.data.passages import BadLine
from secondpass.data.token_lengths import TokenLengths
from secondpass.data.training_check import CheckOptions, check
from secondpass.data.training_findings import CheckReport, Finding
from secondpass.data.training_read import Examples
from secondpass.train.groups import answers_of
from secondpass.train.material import Material, open_training
from secondpass.train.options import TrainOptions
from secondpass.train.reading import TokenCounter

_LENGTH_ROWS, _NEAR_ROWS = 2_000, 20_000


def examine(options: TrainOptions, material: Material, reader: TokenCounter, old_evidence: bool = False) -> CheckReport:
    """Check the training file as `secondpass data check` does, in the tokens and up to the length of this run.

    ``old_evidence``: the model points at evidence, and the run does not teach it to.

    Raises:
        InputError: a line of it cannot be used.
    """
    train = open_training(options.train, options)
    lengths = TokenLengths(
        options.model,
        reader.max_tokens,
        reader.special_count,
        estimated=False,
        count=lambda texts: [len(ids) for ids in reader.ids(texts)],
        together=reader.reads_together,
    )
    asked = CheckOptions(_dev(options), lengths, _LENGTH_ROWS, near_rows=_NEAR_ROWS, seed=options.seed)
    problems: list[BadLine] = []
    report = check(train, asked, problems).report
    own = [*_of_groups(options, material), *_of_dev(material), *(_of_answers(material) if old_evidence else ())]
    return replace(report, findings=(*report.findings, *own))


def _dev(options: TrainOptions) -> Examples | None:
    """Return the development set where it is a file; a task folder has no rows to compare."""
    if not options.dev or Path(options.dev).is_dir():
        return None
    return open_training(options.dev, options)


def _of_groups(options: TrainOptions, material: Material) -> list[Finding]:
    """Say where the file has fewer negatives than a group wants, or than the hardest are chosen of."""
    examples = [example for example in material.examples if example.negatives]
    name, wanted = ("hardest_of", options.hardest_of) if options.hardest_of else ("group_size", options.group_size)
    short = [example for example in examples if len(example.negatives) < wanted - 1]
    if not short:
        return []
    most = max(len(example.negatives) for example in examples) + 1
    lost = "there is less to choose from" if options.hardest_of else "their groups are smaller"
    what = f"questions with fewer negatives than {name} = {wanted} wants; {lost}"
    advice = "data mine finds more"
    if len(short) == len(examples) and (most > options.group_size or not options.hardest_of):
        advice = f"{name} = {most} is the most that any question fills"
    places = tuple(example.place for example in short[:5])
    return [Finding("small_groups", "note", len(short), len(examples), what, advice, places)]


def _of_answers(material: Material) -> list[Finding]:
    """Say that the examples could teach a model to point at evidence that is not asked to learn it."""
    answered = [example for example in material.examples if any(answers_of(example))]
    if not answered:
        return []
    what = "questions name their answers; the model points at evidence, and where answers stand is not learned"
    places = tuple(example.place for example in answered[:5])
    counts = len(answered), len(material.examples)
    return [Finding("unused_answers", "note", *counts, what, "evidence = 0.25 teaches it beside the score", places)]


def _of_dev(material: Material) -> list[Finding]:
    """Say where there are too few questions to show a difference."""
    count = len(material.dev)
    if count >= 50:
        return []
    what = "questions to measure on; only a large difference can be shown with so few"
    return [Finding("few_dev_questions", "note", count, count, what, "give more in dev = FILE, 200 or more")]
