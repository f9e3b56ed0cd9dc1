"""Say how near question and passages are in meaning where nearness is what is looked for.

Of a topic's passages labels know only from which page they were taken, and of a question asked otherwise that others
are not the same; how near those are nobody said. The bi-encoder that everything starts from knows it, and has it from a
thousand million pairs; what it says is learned as a distribution over a question's passages (`distil`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from recipes.builtin.examples import Example
from torch import Tensor

from secondpass.train.second_language import SentenceEncoder

KINDS = ("topic_", "asked_")
SCALE = 20.0
"""What cosines are multiplied by: the scale of the softmax that the bi-encoder was taught with."""
MAX_TOKENS = 200


def taught(examples: Sequence[Example], folder: Path) -> list[Example]:
    """Return ``examples``, those of `KINDS` last, with the cosines of the bi-encoder in ``folder`` times `SCALE`."""
    chosen = [example for example in examples if example.kind.startswith(KINDS)]
    others = [example for example in examples if not example.kind.startswith(KINDS)]
    texts = list(dict.fromkeys(text for one in chosen for text in (one.query, *one.positives, *one.negatives)))
    with torch.autocast("cpu", torch.bfloat16, enabled=torch.cpu._is_avx512_bf16_supported()):
        vectors = dict(zip(texts, SentenceEncoder(folder, MAX_TOKENS).vectors(texts), strict=True))
    return others + [_with_nearness(example, vectors) for example in chosen]


def _with_nearness(example: Example, vectors: Mapping[str, Tensor]) -> Example:
    passages = torch.stack([vectors[text] for text in (*example.positives, *example.negatives)])
    cosines = SCALE * passages @ vectors[example.query]
    return replace(example, nearness=tuple(round(float(value), 3) for value in cosines))
