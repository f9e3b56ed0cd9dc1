"""The loss of an embedder on a few examples, as LM_Cocktail computes it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from secondpass.data.training import TrainExample
from secondpass.merge.losses import LossOptions, ModelLoss, usable_examples
from secondpass.models.batching import make_batch, plan, run_batches
from secondpass.models.engine import EncoderEngine, TokenIds
from secondpass.models.engines import open_engine
from secondpass.models.model_folder import read_json
from secondpass.models.module_list import transformer_folder
from secondpass.models.tokenizer import TextTokenizer
from secondpass.types import FloatArray

_SHARPNESS = 0.05
_NEGATIVES = 7
_SHIFTED = ("roberta", "xlm-roberta", "camembert", "mpnet")


def contrastive_loss(name: str, folder: Path, examples: Sequence[TrainExample], options: LossOptions) -> ModelLoss:
    """Return InfoNCE of an embedder over batches of questions, the mean of the batches.

    For question i of a batch, l_i = -log softmax_j(cos(q_i, p_j) / 0.05) at its first positive, over the first
    positives and up to 7 negatives of all questions of the batch; vectors are those of the first token
    (LM-Cocktail, arXiv:2311.13534, as its code computes it, where negatives are drawn by chance).

    Raises:
        InputError: no example has passages of both sides, or no engine computes the model.
    """
    usable = usable_examples(examples)
    encoder = FirstTokenEncoder(folder, options)
    losses, chances = [], []
    for first in range(0, len(usable), options.batch):
        batch = usable[first : first + options.batch]
        groups = [[one.positives[0], *one.negatives[:_NEGATIVES]] for one in batch]
        passages = encoder.encode([text for group in groups for text in group])
        questions = encoder.encode([one.query for one in batch])
        logits = (questions @ passages.T).astype(np.float64) / _SHARPNESS
        starts = np.cumsum([0, *(len(group) for group in groups[:-1])])
        own = logits[np.arange(len(batch)), starts]
        losses.append(float(np.mean(np.logaddexp.reduce(logits, axis=1) - own)))
        chances.append(math.log(len(passages)))
    skipped = len(examples) - len(usable)
    return ModelLoss(name, float(np.mean(losses)), float(np.mean(chances)), len(usable), skipped, "contrastive")


class FirstTokenEncoder:
    """Turns texts into the vectors of their first tokens."""

    def __init__(self, folder: Path, options: LossOptions) -> None:
        place = transformer_folder(folder)
        config = read_json(place / "config.json")
        self._tokenizer = TextTokenizer(folder if (folder / "tokenizer.json").is_file() else place)
        self._template = self._tokenizer.pair_template(1)
        self._engine: EncoderEngine = open_engine(place, "tokens", options.reranker.engine)
        positions = int(config.get("max_position_embeddings") or 512)
        if config.get("model_type") in _SHIFTED:
            positions -= int(config.get("pad_token_id") or 0) + 1
        self._limit = min(options.reranker.max_tokens or positions, positions)

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """Encode ``texts``; float32 [N, D], rows of length 1."""
        sequences = [self._framed(one.ids) for one in self._tokenizer.encode(texts)]
        vectors: list[FloatArray] = [np.empty(0, np.float32)] * len(sequences)
        planned = plan([len(ids) for ids in sequences])
        batches = [
            make_batch([(sequences[i], len(sequences[i])) for i in group], limit=self._limit) for group in planned
        ]
        for group, output in zip(planned, run_batches(self._engine, batches).outputs, strict=True):
            starts = np.cumsum([0, *(len(sequences[index]) for index in group[:-1])])
            for index, start in zip(group, starts, strict=True):
                vectors[index] = output[start]
        stacked = np.stack(vectors)
        return np.asarray(stacked / np.maximum(np.linalg.norm(stacked, axis=1, keepdims=True), 1e-12), np.float32)

    def _framed(self, ids: TokenIds) -> TokenIds:
        room = self._limit - len(self._template.prefix) - len(self._template.suffix)
        return np.concatenate([self._template.prefix, ids[:room], self._template.suffix], dtype=np.int64)
