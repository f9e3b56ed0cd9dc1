"""Make the examples that teach to point above all: passages with their answers alone, among examples to rank.

A passage alone costs a fifth of a question with the hardest of its wrong passages, and says as much of where an answer
stands; what ranks keeps its share so that ranking is not forgotten.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from recipes.builtin.examples import LENGTHS, LONGEST, Example, holds, windows
from recipes.builtin.sources import QuestionSet, read_questions

from secondpass.text.language import language

WINDOWS = 3
ANSWERED = ("squad_dev", "cmrc2018", "drcd")
RANKED = 4
"""Of so many examples to rank one is taken, and all of which a teacher says how near their passages are."""


def answered_alone(data: Path, draw: random.Random) -> list[Example]:
    """Return ``WINDOWS`` passages with the answer, and nothing else, for each answered question."""
    return [example for name in ANSWERED for example in _alone(read_questions(data, name), draw)]


def pointing_examples(alone: Sequence[Example], ranked: Sequence[Example], draw: random.Random) -> list[Example]:
    """Return the passages ``alone``, and a share of ``ranked``."""
    taught = [example for example in ranked if example.nearness]
    others = [example for example in ranked if not example.nearness]
    found = [*alone, *taught, *draw.sample(others, len(others) // RANKED)]
    draw.shuffle(found)
    return found


def _alone(questions: QuestionSet, draw: random.Random) -> list[Example]:
    """Return the whole passage of each question, and windows of it that hold the answer."""
    code = language(next(iter(questions.passages.values())))
    found = []
    for question in questions.questions:
        for name in question.relevant[:1]:
            text = questions.passages.get(name, "")
            sizes = draw.sample(LENGTHS[code], WINDOWS - 1)
            cut = [text[: LONGEST[code]], *(window for size in sizes for window in windows(text, size))]
            held = list(dict.fromkeys(passage for passage in cut if holds(passage, question.answers)))
            found += [
                Example(f"evidence_{questions.name}", question.text, (passage,), (), question.answers)
                for passage in held[:WINDOWS]
            ]
    return found
