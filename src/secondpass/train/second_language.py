"""Teach an embedder to read a second language: a sentence gets the vector that its translation has.

The body stays as it is, and so do the vectors of the pieces it knows; what is learned are those of the new pieces
(Artetxe et al., arXiv:1910.11856). The teacher is the embedder itself, or another, in the first language (Reimers and
Gurevych, arXiv:2004.09813): the student's vector of the new sentence comes near the teacher's of the known one, and
nearer than the teacher's of other sentences.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional
from transformers import AutoModel

from secondpass.models.batching import plan
from secondpass.models.tokenizer import TextTokenizer
from secondpass.train.encoder import quiet

_log = logging.getLogger(__name__)
_TOKENS_AT_ONCE = 4096
_BATCHES_SORTED_TOGETHER = 40
_SECONDS_BETWEEN_NOTES, _SECONDS_BETWEEN_CHECKPOINTS = 30.0, 180.0
_COSINE_WEIGHT, _TEMPERATURE = 20.0, 0.05
_VECTORS, _STATE = "teacher.safetensors", "state.safetensors"


@dataclass(frozen=True, slots=True)
class LanguageOptions:
    """How the pieces from ``first_piece`` on are learned; texts are cut at ``max_tokens``, lengths count tokens."""

    first_piece: int
    epochs: float = 2.0
    learning_rate: float = 1e-3
    batch_size: int = 128
    max_tokens: int = 80
    warmup_steps: int = 20
    seed: int = 13


class SentenceEncoder:
    """An encoder whose vector of a text is the mean of its tokens', brought to length 1."""

    def __init__(self, folder: Path, max_tokens: int) -> None:
        with quiet():
            self.model: Any = AutoModel.from_pretrained(folder, use_safetensors=True, trust_remote_code=False).eval()
        self._tokenizer = TextTokenizer(folder)
        template = self._tokenizer.pair_template(0)
        self._around = template.prefix, template.suffix
        self._max_tokens = max_tokens - len(template.prefix) - len(template.suffix)

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of ``texts``, cut, special tokens around them."""
        before, after = self._around
        return [[*before, *one.ids[: self._max_tokens].tolist(), *after] for one in self._tokenizer.encode(texts)]

    def __call__(self, ids: Sequence[Sequence[int]]) -> Tensor:
        """Return float32 [B, D]."""
        width = max(map(len, ids))
        rows = torch.zeros(len(ids), width, dtype=torch.long)
        mask = torch.zeros(len(ids), width, dtype=torch.long)
        for row, one in enumerate(ids):
            rows[row, : len(one)] = torch.tensor(one)
            mask[row, : len(one)] = 1
        states = self.model(input_ids=rows, attention_mask=mask).last_hidden_state * mask[..., None]
        return functional.normalize(states.sum(dim=1) / mask.sum(dim=1, keepdim=True), dim=1)

    @torch.no_grad()
    def vectors(self, texts: Sequence[str]) -> Tensor:
        """Return the vectors of many texts, float32 [N, D]."""
        ids = self.ids(texts)
        found = torch.zeros(len(ids), self.model.config.hidden_size)
        for group in plan([len(one) for one in ids], _TOKENS_AT_ONCE):
            found[torch.tensor(group)] = self([ids[place] for place in group])
        return found


def learn_language(
    student: Path, teacher: Path, pairs: Sequence[tuple[str, str]], output: Path, options: LanguageOptions
) -> None:
    """Learn from ``pairs`` of a sentence in the new language and one in the known, and write the student to ``output``.

    What was done is kept beside ``output``, so that an interrupted run goes on where it was.
    """
    kept = output.with_name(f"{output.name}.run")
    kept.mkdir(parents=True, exist_ok=True)
    wanted = _teacher_vectors(teacher, [known for _, known in pairs], kept, options)
    encoder = SentenceEncoder(student, options.max_tokens)
    _learn(encoder, encoder.ids([new for new, _ in pairs]), wanted, kept, options)
    encoder.model.save_pretrained(output)


def _teacher_vectors(folder: Path, texts: Sequence[str], kept: Path, options: LanguageOptions) -> Tensor:
    if not (kept / _VECTORS).is_file():
        started = time.monotonic()
        vectors = SentenceEncoder(folder, options.max_tokens).vectors(texts)
        _write({"vectors": vectors}, kept / _VECTORS)
        _log.info("the teacher read %s sentences in %.0f s", f"{len(texts):,}", time.monotonic() - started)
    return load_file(kept / _VECTORS)["vectors"]


def _learn(
    encoder: SentenceEncoder, ids: Sequence[Sequence[int]], wanted: Tensor, kept: Path, options: LanguageOptions
) -> None:
    for parameter in encoder.model.parameters():
        parameter.requires_grad_(False)
    weight = encoder.model.get_input_embeddings().weight.requires_grad_(True)
    optimizer = torch.optim.Adam([weight], lr=options.learning_rate, betas=(0.9, 0.98))
    steps = int(options.epochs * len(ids) / options.batch_size)
    first, lengths = _taken_up(weight, optimizer, kept), [len(one) for one in ids]
    started = said = saved = time.monotonic()
    for step in range(first, steps):
        for group in optimizer.param_groups:
            group["lr"] = options.learning_rate * min(1, (step + 1) / options.warmup_steps) * (1 - step / steps)
        batch = _batch(lengths, step, options)
        vectors, goal = encoder([ids[place] for place in batch]), wanted[torch.tensor(batch)]
        near = 1 - (vectors * goal).sum(dim=1).mean()
        apart = functional.cross_entropy(vectors @ goal.T / _TEMPERATURE, torch.arange(len(batch)))
        optimizer.zero_grad()
        loss: Tensor = _COSINE_WEIGHT * near + apart
        loss.backward()  # type: ignore[no-untyped-call]
        weight.grad[: options.first_piece] = 0
        optimizer.step()
        now = time.monotonic()
        if now - said > _SECONDS_BETWEEN_NOTES:
            said, left = now, (now - started) / (step + 1 - first) * (steps - step - 1)
            _log.info("%d/%d steps, cosine %.3f, about %.0f s left", step + 1, steps, 1 - float(near), left)
        if now - saved > _SECONDS_BETWEEN_CHECKPOINTS:
            saved = now
            _keep(weight, optimizer, step + 1, kept)


def _batch(lengths: Sequence[int], step: int, options: LanguageOptions) -> list[int]:
    """Return the places of a step's sentences: of like lengths, in an order that follows from step and seed alone."""
    a_pass = len(lengths) // options.batch_size
    epoch, number = divmod(step, a_pass)
    draw = np.random.default_rng((options.seed, epoch))
    order = draw.permutation(len(lengths))[: a_pass * options.batch_size]
    pool = _BATCHES_SORTED_TOGETHER * options.batch_size
    pools = [order[start : start + pool] for start in range(0, len(order), pool)]
    ordered = np.concatenate([one[np.argsort(np.take(lengths, one), kind="stable")] for one in pools])
    place = int(draw.permutation(a_pass)[number]) * options.batch_size
    return [int(one) for one in ordered[place : place + options.batch_size]]


def _keep(weight: Tensor, optimizer: torch.optim.Adam, step: int, kept: Path) -> None:
    moments = optimizer.state[weight]
    state = {"weight": weight.detach(), "first": moments["exp_avg"], "second": moments["exp_avg_sq"]}
    state |= {"updates": moments["step"].reshape(1), "step": torch.tensor([step])}
    _write(state, kept / _STATE)


def _write(tensors: dict[str, Tensor], path: Path) -> None:
    """Write ``tensors``; what was there before stays until all of it is on the disk."""
    partial = path.with_suffix(".part")
    save_file(tensors, partial)
    os.replace(partial, path)


def _taken_up(weight: Tensor, optimizer: torch.optim.Adam, kept: Path) -> int:
    """Bring back an interrupted run; return the step it goes on with."""
    if not (kept / _STATE).is_file():
        return 0
    state = load_file(kept / _STATE)
    with torch.no_grad():
        weight.copy_(state["weight"])
    optimizer.state[weight] = {
        "step": state["updates"].reshape(()), "exp_avg": state["first"], "exp_avg_sq": state["second"],
    }  # fmt: skip
    return int(state["step"])
