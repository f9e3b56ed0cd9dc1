"""Open what is trained: weights, head, tokenizer, and the longest input."""

from __future__ import annotations

from pathlib import Path

from secondpass.errors import InputError
from secondpass.models.checkpoint import Checkpoint, read_checkpoint
from secondpass.models.cross_encoder import position_limit
from secondpass.models.module_list import transformer_folder
from secondpass.train.encoder import ClassifierScores, PairEncoder, open_classifier
from secondpass.train.options import TrainOptions
from secondpass.train.reading import TrainedModel

_USUAL_TOKENS, _LEAST_TOKENS = 512, 16


def open_model(folder: Path, options: TrainOptions) -> TrainedModel:
    """Open the model in ``folder`` for training; a head is made where there is none.

    Raises:
        InputError: the model is of a kind that cannot be trained here, or reads no inputs as long as asked for.
    """
    checkpoint = read_checkpoint(folder)
    if checkpoint.kind not in {"cross-encoder", "bi-encoder"} or checkpoint.needs_own_code:
        raise InputError(
            f"The model at {folder} is a {checkpoint.kind} ({checkpoint.described}); what is trained here are sequence "
            "classifiers, embedders and plain encoders that transformers computes without code of their own."
        )
    inner = transformer_folder(folder)
    dropout = options.dropout if options.dropout >= 0 else None
    head = _head(checkpoint, options)
    module = open_classifier(inner, head, dropout, options.seed)
    if options.gradient_checkpointing:
        module.gradient_checkpointing_enable()  # type: ignore[operator]
    segments = int(checkpoint.config.get("type_vocab_size") or 0)
    tokenizer = folder if (folder / "tokenizer.json").is_file() else inner
    reader = PairEncoder(tokenizer, segments, _max_tokens(checkpoint, options))
    pad_id = int(checkpoint.config.get("pad_token_id") or 0)
    return TrainedModel(tokenizer, ClassifierScores(module), reader, pad_id, segments > 1, new_head=head != "own")


def _head(checkpoint: Checkpoint, options: TrainOptions) -> str:
    if options.head == "auto":
        return "own" if checkpoint.kind == "cross-encoder" and len(checkpoint.labels) == 1 else "mean"
    if options.head == "own" and checkpoint.kind == "cross-encoder" and len(checkpoint.labels) != 1:
        raise InputError(
            f"The head of the model at {checkpoint.folder} has {len(checkpoint.labels)} outputs; a reranker is trained "
            'with one. Take head = "mean" or "first".'
        )
    return options.head


def _max_tokens(checkpoint: Checkpoint, options: TrainOptions) -> int:
    positions = position_limit(checkpoint)
    if not options.max_tokens:
        return min(_USUAL_TOKENS, positions)
    if not _LEAST_TOKENS <= options.max_tokens <= positions:
        raise InputError(
            f"max_tokens is {options.max_tokens}; the model at {checkpoint.folder} reads {_LEAST_TOKENS} to "
            f"{positions} tokens."
        )
    return options.max_tokens
