"""What a run learns from and what it is measured on, read from the files that its options name."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from secondpass.data.collections import read_task
from secondpass.data.training import TrainExample
from secondpass.data.training_groups import grouped
from secondpass.data.training_read import Examples, ReadOptions, good_examples, open_examples
from secondpass.data.training_split import SplitOptions, plan_split
from secondpass.data.training_texts import text_key
from secondpass.errors import InputError
from secondpass.train.development import DevList, drawn, lists_of_examples, lists_of_task
from secondpass.train.groups import answers_of
from secondpass.train.losses import NEED_TEACHER
from secondpass.train.options import TrainOptions, column_names


@dataclass(frozen=True, slots=True)
class Material:
    """Examples to learn from, lists to measure on (``general``: those of other work), and what was left out."""

    examples: list[TrainExample]
    dev: list[DevList]
    general: list[DevList]
    notes: tuple[str, ...] = ()


def read_material(options: TrainOptions) -> Material:
    """Read everything that ``options`` name; without dev data a part of the questions is held back.

    Raises:
        InputError: a file cannot be used, or there is nothing to learn from.
    """
    if not options.train:
        raise InputError("There is nothing to learn from; give train = FILE, in any form that `secondpass data` reads.")
    notes: list[str] = []
    examples = [
        example for example in _questions(open_training(options.train, options)) if _teaches(example, options, notes)
    ]
    notes = [f"{count:,} {what}" for what, count in Counter(notes).items()]
    if not any(example.negatives for example in examples):
        raise InputError(
            f"{options.train} has no question with both a positive and a negative, so that there is nothing to learn "
            "from; `secondpass data mine` finds negatives."
        )
    _check_teaching(examples, options)
    if options.dev:
        dev = read_lists(options.dev, options, notes)
        examples = _without_leaks(examples, dev, options, notes)
    else:
        examples, dev = _held_back(examples, options, notes)
    general = read_lists(options.general, options, notes) if options.general else []
    return Material(examples, dev, general, tuple(notes))


def _check_teaching(examples: list[TrainExample], options: TrainOptions) -> None:
    """Refuse examples that lack what the options learn from."""
    if options.loss in NEED_TEACHER and any(example.negative_scores is None for example in examples):
        raise InputError(
            f"The loss {options.loss} learns from a teacher's scores, and examples of {options.train} have none; give "
            "pos_scores and neg_scores, or take another loss, such as group_softmax."
        )
    if options.distil and not any(example.negative_scores for example in examples):
        raise InputError(
            f"distil is {options.distil:g}, and no example of {options.train} has a teacher's scores; give pos_scores "
            "and neg_scores, or leave distil out."
        )
    if options.evidence and not options.teacher and not any(any(answers_of(example)) for example in examples):
        raise InputError(
            f"evidence is {options.evidence:g}, and no example of {options.train} names its answers, so that nothing "
            'says where they stand; give "answers": ["..."] beside the positives, or leave evidence out.'
        )


def digest(material: Material) -> str:
    """Return 16 hexadecimal digits that change with anything that is learnt from or measured on."""
    found = hashlib.sha256()
    for part in (material.examples, material.dev, material.general):
        for one in part:
            found.update(repr(replace(one, place="") if isinstance(one, TrainExample) else one).encode())
        found.update(b"|")
    return found.hexdigest()[:16]


def read_lists(path: str, options: TrainOptions, notes: list[str]) -> list[DevList]:
    """Read the lists of a task folder, or of examples; of many, some are drawn.

    Raises:
        InputError: nothing can be measured with them.
    """
    if Path(path).is_dir() and any(Path(path).glob("qrels*")):
        lists = lists_of_task(read_task(path))
    else:
        lists = lists_of_examples(_questions(open_training(path, options)), options.seed)
    if not lists:
        raise InputError(
            f"{path} has no question with both a relevant passage and another one; nothing can be measured."
        )
    return _some(lists, path, options, notes)


def open_training(path: str, options: TrainOptions) -> Examples:
    """Find out what the training data at ``path`` is, its columns named as ``options`` say; of a folder, ``train``."""
    return open_examples(path, ReadOptions(columns=column_names(options)))


def _questions(examples: Examples) -> Iterator[TrainExample]:
    """Yield an example a question: of pairs, the rows of a question are brought together."""
    good = good_examples(examples)
    return grouped(good, Counter()) if examples.form == "pairs" else good


def _teaches(example: TrainExample, options: TrainOptions, notes: list[str]) -> bool:
    """Say whether a question teaches anything: an order or, its answers named, where in its passage they stand."""
    if not example.positives:
        notes.append("questions without a positive, left out")
        return False
    if example.prompt:
        notes.append("prompts of examples, left out: a model is taught in the form of input in which it is served")
    if example.negatives:
        return True
    points = options.evidence > 0 and any(answers_of(example)) and options.loss not in NEED_TEACHER
    notes.append(f"questions without a negative, {'which teach only where answers stand' if points else 'left out'}")
    return points


def _without_leaks(
    examples: list[TrainExample], dev: list[DevList], options: TrainOptions, notes: list[str]
) -> list[TrainExample]:
    """Leave out of training what is measured on: a question learnt by heart shows nothing."""
    measured = {text_key(one.query) for one in dev}
    kept = [example for example in examples if text_key(example.query) not in measured]
    if len(kept) < len(examples):
        count = len(examples) - len(kept)
        notes.append(f"{count:,} questions of {options.train} are measured on too, and left out of training")
    if not kept:
        raise InputError(
            f"All questions of {options.train} are measured on in {options.dev} too; give other questions to learn "
            "from, or no dev: a part is then held back."
        )
    return kept


def _held_back(
    examples: list[TrainExample], options: TrainOptions, notes: list[str]
) -> tuple[list[TrainExample], list[DevList]]:
    """Part the examples so that neither a question nor a right passage is on both sides."""
    if not options.dev_share or len(examples) < 2:
        return examples, []
    try:
        plan = plan_split(examples, SplitOptions(options.dev_share, "document", seed=options.seed))
    except InputError as error:
        notes.append(f"nothing is held back to measure on: {error}")
        return examples, []
    kept = [example for example, is_dev in zip(examples, plan.dev, strict=True) if not is_dev]
    held = [example for example, is_dev in zip(examples, plan.dev, strict=True) if is_dev]
    notes.append(f"{len(held):,} of {len(examples):,} questions are held back to measure on")
    return kept, _some(lists_of_examples(held, options.seed), options.train, options, notes)


def _some(lists: list[DevList], path: str, options: TrainOptions, notes: list[str]) -> list[DevList]:
    some = drawn(lists, options.dev_questions, options.seed)
    if len(some) < len(lists):
        notes.append(f"measured on {len(some):,} of {len(lists):,} questions of {path}, drawn at random")
    return some
