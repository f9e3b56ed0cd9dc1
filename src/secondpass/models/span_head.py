"""The evidence head of a classifier: which token of a passage begins, and which ends, what answers the question.

It reads the states that go into the classifier's last layer, of which nothing but the first token is computed, so that
one pass gives both. Libraries that do not know the file read the folder as the classifier it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from secondpass.errors import InputError
from secondpass.models.engine import Head
from secondpass.models.weight_files import SPANS_FILE
from secondpass.models.weights import read_tensors
from secondpass.types import FloatArray

_WEIGHT, _BIAS = "weight", "bias"


@dataclass(frozen=True, slots=True, eq=False)
class SpanHead:
    """``states @ weight.T + bias`` are each token's logits of being the first, and the last, of the evidence.

    ``weight``: float32 [2, H]. ``bias``: float32 [2].
    """

    weight: FloatArray
    bias: FloatArray


def classifier_head(folder: Path) -> Head:
    """Return the head to open an engine with for the classifier in ``folder``."""
    return "classify_spans" if (folder / SPANS_FILE).is_file() else "classify"


def read_span_head(folder: Path, hidden: int) -> SpanHead:
    """Read the evidence head in ``folder``, whose encoder has ``hidden`` numbers a token.

    Raises:
        InputError: there is none, it is damaged, or it is another model's.
    """
    path = folder / SPANS_FILE
    if not path.is_file():
        raise InputError(f"The model at {folder} has no {SPANS_FILE}, so that it cannot point at evidence.")
    tensors = read_tensors(path)
    wanted = {_WEIGHT: (2, hidden), _BIAS: (2,)}
    found = {name: tensor.raw.shape for name, tensor in tensors.items()}
    if found != wanted:
        raise InputError(
            f"{path} holds {_shapes(found)}; the evidence head of this model is {_shapes(wanted)}. Copy the model "
            "again, or delete the file to score without evidence."
        )
    weight, bias = (np.array(tensors[name].read()) for name in (_WEIGHT, _BIAS))
    if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
        raise InputError(f"{path} holds numbers that are not finite; copy the model again.")
    return SpanHead(weight, bias)


def beside_tokens(logits: FloatArray, token_logits: FloatArray, lengths: Sequence[int]) -> FloatArray:
    """Return float32 [T, C + 2]: before each token's two logits those of its sequence.

    ``logits``: float32 [B, C]. ``token_logits``: float32 [T, 2], sequence after sequence, of ``lengths`` tokens each.
    """
    repeated = np.repeat(np.asarray(logits, np.float32), lengths, axis=0)
    return np.concatenate([repeated, np.asarray(token_logits, np.float32)], axis=1)


def sequence_logits(output: FloatArray, lengths: Sequence[int]) -> FloatArray:
    """Return each sequence's logits, float32 [B, C], of what `beside_tokens` made."""
    firsts = np.cumsum([0, *lengths[:-1]])
    return output[firsts, :-2]


def passage_logits(output: FloatArray, lengths: Sequence[int], behind: int, counts: Sequence[int]) -> FloatArray:
    """Return the two logits of each passage's tokens, float32 [sum of counts, 2], of what `beside_tokens` made.

    The passage of a sequence are its last ``counts[i]`` tokens but the ``behind`` ones of the template.
    """
    ends = np.cumsum(lengths) - behind
    return np.concatenate([output[end - count : end, -2:] for end, count in zip(ends, counts, strict=True)])


def _shapes(tensors: dict[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name} {list(shape)}" for name, shape in tensors.items()) or "nothing"
