"""Rerank with any causal language model: how likely it finds the question after the passage.

The score is the mean over the question's tokens of log p(token | prompt, passage, tokens before it), UPR
(arXiv:2204.07496). Numbers of one question are comparable, those of different questions are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from secondpass.errors import InputError
from secondpass.models.batching import make_batch, plan_on, run_batches
from secondpass.models.causal import fingerprint_of
from secondpass.models.causal_engine import check_options, load_language_model
from secondpass.models.causal_pairs import CausalPairBuilder
from secondpass.models.causal_templates import LIKELIHOOD_TEMPLATES
from secondpass.models.causal_tokenizer import LanguageModelTokenizer
from secondpass.models.engine import Batch, EngineOptions, Precision
from secondpass.models.profile_records import RerankerProfile
from secondpass.models.torch_device import memory_errors
from secondpass.text.language import language
from secondpass.types import FloatArray, PassageScore, Scale

_MAX_TOKENS = 2048


def likelihood_profile(name: str, max_tokens: int = _MAX_TOKENS) -> RerankerProfile:
    """Return the profile of a causal language model that is used for query likelihood."""
    return RerankerProfile(
        name, "causal", "log_likelihood", max_tokens, "query-likelihood", windows="max", gives_probability=False
    )


def open_query_likelihood(
    folder: Path, profile: RerankerProfile | None = None, options: EngineOptions | None = None
) -> QueryLikelihoodScorer:
    """Open any causal language model; without a profile, with windows of 2,048 tokens.

    Raises:
        InputError: the folder cannot be loaded, or the profile is for another use.
    """
    options = options or EngineOptions()
    known = profile or likelihood_profile(folder.name)
    if known.template != "query-likelihood":
        raise InputError(
            f"The profile {known.name} is for the input form {known.template!r}, not for query likelihood."
        )
    check_options(options, f"The language model {known.name}")
    return QueryLikelihoodScorer(folder, known, options)


class QueryLikelihoodScorer:
    """Score passages by the mean log-probability of the question's tokens after them; safe to share between threads.

    The prompt is in the question's language, for all of its passages. A chat template is not used.
    """

    def __init__(self, folder: Path, profile: RerankerProfile, options: EngineOptions) -> None:
        self._profile, self._options = profile, options
        self._builders = {
            key: CausalPairBuilder(LanguageModelTokenizer(folder), template, profile)
            for key, template in LIKELIHOOD_TEMPLATES.items()
        }
        self._model = load_language_model(folder, options)
        self._fingerprint = fingerprint_of(folder, profile, options)

    @property
    def name(self) -> str:
        """The model's name."""
        return self._profile.name

    @property
    def scale(self) -> Scale:
        """``log_likelihood``: the mean of natural logarithms, 0 at most."""
        return "log_likelihood"

    @property
    def fingerprint(self) -> str:
        """Changes with weights, prompts, lengths and precision."""
        return self._fingerprint

    @property
    def gives_probability(self) -> bool:
        """False: how likely a question is says nothing about how likely it is answered."""
        return False

    def score(self, query: str, passages: Sequence[str]) -> list[PassageScore]:
        """Score ``passages``, in their order."""
        if not passages:
            return []
        inputs = self._builders[language(query)].inputs(query, passages)
        engine = _LikelihoodEngine(self._model, len(inputs.after), self._options)
        sequences = inputs.sequences
        batches = plan_on(engine.device.type, [len(ids) for ids in sequences])
        made = [make_batch([(sequences[index], 0) for index in batch]) for batch in batches]
        values = np.concatenate(run_batches(engine, made).outputs)[:, 0]
        result = np.empty_like(values)
        result[[index for batch in batches for index in batch]] = values
        return inputs.merge(result.tolist(), self._profile.windows)


class _LikelihoodEngine:
    """The mean log-probability of the last ``count`` tokens of each sequence, float32 [B, 1].

    Sequences are padded on the left, so that questions stand in the same columns and only these go through the head.
    """

    def __init__(self, model: Any, count: int, options: EngineOptions) -> None:
        self.name = "torch"
        self.precision: Precision = options.precision
        self.device = torch.device(options.device)
        self._model, self._count = model, count

    @torch.inference_mode()
    def run(self, batch: Batch) -> FloatArray:
        width = max(len(row) for row in batch.ids)
        ids = torch.zeros((len(batch.ids), width), dtype=torch.int64)
        for index, row in enumerate(batch.ids):
            ids[index, width - len(row) :] = torch.from_numpy(row)
        starts = torch.tensor([width - len(row) for row in batch.ids])[:, None]
        positions = torch.arange(width)[None] - starts
        with memory_errors():
            logits = self._model(
                input_ids=ids.to(self.device),
                attention_mask=(positions >= 0).long().to(self.device),
                position_ids=positions.clamp(min=0).to(self.device),
                logits_to_keep=self._count + 1,
                use_cache=False,
            ).logits[:, :-1]
            chances = torch.log_softmax(logits.float(), dim=-1)
        said = chances.gather(2, ids[:, -self._count :, None].to(self.device))
        values: FloatArray = said[..., 0].mean(dim=1, keepdim=True).cpu().numpy()
        return values
