"""Open the cross-encoder that another one imitates in training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from secondpass.errors import InputError
from secondpass.models.checkpoint import read_checkpoint
from secondpass.models.module_list import transformer_folder
from secondpass.models.source import resolve
from secondpass.models.weight_files import SPANS_FILE
from secondpass.train.encoder import ClassifierScores, open_classifier
from secondpass.train.evidence import EvidenceScores
from secondpass.train.imitation import Teacher
from secondpass.train.options import TrainOptions

_TOKENIZER = "tokenizer.json"


def open_teacher(options: TrainOptions, learner: nn.Module, tokenizer: Path) -> Teacher | None:
    """Return the teacher that ``options`` name for ``learner``, which reads with the tokenizer in ``tokenizer``.

    Raises:
        InputError: what is named is no cross-encoder with one score, or its tokens or states are of another kind.
    """
    if not options.teacher:
        return None
    folder = resolve(options.teacher).folder
    checkpoint = read_checkpoint(folder)
    if checkpoint.kind != "cross-encoder" or len(checkpoint.labels) != 1:
        raise InputError(
            f"The teacher at {folder} is a {checkpoint.kind} ({checkpoint.described}); states are imitated of a "
            "cross-encoder with one score. Scores of any other teacher are learned with distil."
        )
    inner = transformer_folder(folder)
    own = folder if (folder / _TOKENIZER).is_file() else inner
    module: Any = open_classifier(inner, "own", 0.0, options.seed)
    wide, config = module.config.hidden_size, _config(learner)
    if config.hidden_size != wide or (own / _TOKENIZER).read_bytes() != (tokenizer / _TOKENIZER).read_bytes():
        raise InputError(
            f"The teacher at {folder} has states of {wide} numbers and the model {config.hidden_size}, or they cut "
            "texts into other tokens; states are imitated of the model that this one was made smaller from. Scores of "
            "any other teacher are learned with distil."
        )
    points = bool(options.evidence) and (folder / SPANS_FILE).is_file()
    scores = EvidenceScores(module, folder) if points else ClassifierScores(module)
    if not points:
        scores.keep_states()
    return Teacher(scores, scores.seen)


def _config(module: Any) -> Any:
    return module.config
