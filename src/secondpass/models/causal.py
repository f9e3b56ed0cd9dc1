"""Rerankers that are causal language models: one logit, or the difference of two, after a fixed form of input.

Which form is said by the model's profile; without one nothing is scored, because the numbers would mean nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from secondpass.errors import InputError
from secondpass.models.causal_classifier import load_decoder_classifier
from secondpass.models.causal_engine import CausalEngine, SequenceEngine, check_options, load_language_model
from secondpass.models.causal_pairs import CausalPairBuilder
from secondpass.models.causal_templates import CausalTemplate, causal_template
from secondpass.models.causal_tokenizer import LanguageModelTokenizer
from secondpass.models.checkpoint import read_checkpoint
from secondpass.models.engine import EngineOptions
from secondpass.models.probes import check_probes, is_checked, read_probes, remember_checked
from secondpass.models.profile_records import RerankerProfile
from secondpass.models.profiles import recorded_profile
from secondpass.models.weight_files import fingerprint
from secondpass.types import PassageScore, Scale


class LogitScorer:
    """Score passages by what a language model says next after reading question and passage."""

    def __init__(
        self, name: str, fingerprint: str, profile: RerankerProfile, builder: CausalPairBuilder, engine: SequenceEngine
    ) -> None:
        self._name, self._fingerprint = name, fingerprint
        self._profile, self._builder, self._engine = profile, builder, engine

    @property
    def name(self) -> str:
        """The model's name."""
        return self._name

    @property
    def scale(self) -> Scale:
        """``logit`` of one token, or ``log_odds`` between two."""
        return self._profile.scale

    @property
    def fingerprint(self) -> str:
        """Changes with weights, template, instruction, lengths and precision."""
        return self._fingerprint

    @property
    def gives_probability(self) -> bool:
        """Whether the authors publish the logistic function of the score as a probability."""
        return self._profile.gives_probability

    def score(self, query: str, passages: Sequence[str]) -> list[PassageScore]:
        """Score ``passages``, in their order."""
        if not passages:
            return []
        inputs = self._builder.inputs(query, passages)
        values = self._engine.values(inputs)
        scores = values[:, 0] - values[:, 1] if values.shape[1] == 2 else values[:, 0]
        return inputs.merge(scores.tolist(), self._profile.windows)


def open_causal(
    folder: Path,
    profile: RerankerProfile | None,
    options: EngineOptions | None = None,
    instruction: str | None = None,
) -> LogitScorer:
    """Open a causal reranker.

    ``instruction`` takes the place of the template's own (Qwen3: what is looked for; mxbai: the same, none by default;
    BGE: the prompt at the end); it may be Chinese.

    Raises:
        InputError: there is no profile, the folder cannot be loaded, or the options do not fit a language model.
    """
    options = options or EngineOptions()
    known = require_profile(folder, profile, "causal")
    check_options(options, f"The language model {known.name}")
    template = causal_template(known.template)
    tokenizer = LanguageModelTokenizer(folder)
    builder = CausalPairBuilder(tokenizer, template, known, instruction)
    engine = _open_engine(folder, template, tokenizer, options)
    _check_probes(folder, engine, known.template)
    mark = fingerprint_of(folder, known, options, builder.instruction)
    return LogitScorer(known.name, mark, known, builder, engine)


def _open_engine(
    folder: Path, template: CausalTemplate, tokenizer: LanguageModelTokenizer, options: EngineOptions
) -> CausalEngine:
    """Open what gives the logits of the template's words, or the one logit of a classifier that was made of them."""
    if read_checkpoint(folder).kind == "cross-encoder":
        return CausalEngine(load_decoder_classifier(folder, options), [0], options)
    words = (template.positive, template.negative) if template.negative else (template.positive,)
    return CausalEngine(load_language_model(folder, options), [tokenizer.first_id(word) for word in words], options)


def _check_probes(folder: Path, engine: CausalEngine, template: str) -> None:
    """Compare with the scores that a folder trained here had, read as it was taught; in another form there are none."""
    probes, known = read_probes(folder), recorded_profile(folder)
    if not probes or known is None or known.template != template or is_checked(mark := fingerprint(folder)):
        return
    builder = CausalPairBuilder(LanguageModelTokenizer(folder), causal_template(known.template), known)
    check_probes(folder, probes, LogitScorer(known.name, mark, known, builder, engine), engine.precision)
    if engine.precision == "f32":
        remember_checked(mark)


def require_profile(folder: Path, profile: RerankerProfile | None, *families: str) -> RerankerProfile:
    """Return ``profile``, or say why a language model is not scored without one."""
    if profile is None or profile.family not in families:
        found = "no profile" if profile is None else f"a profile of the family {profile.family!r}"
        raise InputError(
            f"The language model in {folder} has {found}; without the form of input it was trained on its numbers "
            f"mean nothing. Accepted are profiles of the family {' or '.join(families)}: name the known model it was "
            "made from."
        )
    return profile


def fingerprint_of(folder: Path, profile: RerankerProfile, options: EngineOptions, *details: object) -> str:
    """Return 16 hexadecimal digits that change with everything a score depends on."""
    parts = (fingerprint(folder), profile.template, profile.max_tokens, profile.query_max_tokens, profile.windows)
    return hashlib.sha256(repr((*parts, options.precision, options.device, *details)).encode()).hexdigest()[:16]
