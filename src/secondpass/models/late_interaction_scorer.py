"""Late interaction as a scorer of passages: encode, compare by MaxSim, and say which window gave most."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from secondpass.errors import InputError
from secondpass.models.checkpoint import read_checkpoint, reranker_family
from secondpass.models.colbert_settings import read_projection
from secondpass.models.engine import EncoderEngine, EngineOptions
from secondpass.models.engines import open_engine
from secondpass.models.late_interaction import (
    LateInteractionEncoder,
    LateInteractionOptions,
    PassageVectors,
    QueryVectors,
)
from secondpass.models.maxsim import MaxSim, open_maxsim, pack, winning_window
from secondpass.models.module_list import transformer_folder
from secondpass.models.probes import check_probes, is_checked, read_probes, remember_checked
from secondpass.models.weight_files import fingerprint
from secondpass.types import PassageScore, Scale

_PASSAGES_AT_ONCE = 512  # their vectors are in memory together: about 50 MB at 180 tokens of 128 numbers


class LateInteractionScorer:
    """A `PairScorer` by late interaction; safe to share between threads.

    ``queries_cut`` counts the questions that were longer than what is read of them; the scores of such a call are
    marked as truncated.
    """

    def __init__(self, encoder: LateInteractionEncoder, maxsim: MaxSim | None = None) -> None:
        self.encoder = encoder
        self._maxsim = maxsim or open_maxsim()
        self._lock = threading.Lock()
        self.queries_cut = 0

    @property
    def name(self) -> str:
        """The checkpoint's name."""
        return self.encoder.name

    @property
    def scale(self) -> Scale:
        """Return maxsim; the mean form too is on this scale, and has a fingerprint of its own."""
        return "maxsim"

    @property
    def gives_probability(self) -> bool:
        """Whether a score can be read as a probability: a sum of cosines cannot."""
        return False

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that change with weights, settings, options and precision."""
        parts = f"{self.encoder.revision} {self.encoder.settings.mean} {self.encoder.engine.precision}"
        return hashlib.blake2b(parts.encode(), digest_size=8).hexdigest()

    def score(self, query: str, passages: Sequence[str]) -> list[PassageScore]:
        """Score ``passages``, in their order."""
        question = self.encoder.encode_query(query)
        if question.truncated:
            with self._lock:
                self.queries_cut += 1
        scores: list[PassageScore] = []
        for first in range(0, len(passages), _PASSAGES_AT_ONCE):
            scores += self._score_part(question, passages[first : first + _PASSAGES_AT_ONCE])
        return scores

    def _score_part(self, question: QueryVectors, texts: Sequence[str]) -> list[PassageScore]:
        passages = self.encoder.encode_documents(texts)
        packed = pack(np.concatenate([one.vectors for one in passages]), [len(one.vectors) for one in passages])
        sums = self._maxsim.score(question.vectors, packed)
        if self.encoder.settings.mean:
            sums = sums / np.float32(len(question.vectors))
        return [_passage_score(total, question, one) for total, one in zip(sums.tolist(), passages, strict=True)]


def _passage_score(total: float, question: QueryVectors, passage: PassageVectors) -> PassageScore:
    windows = len(passage.window_lengths)
    span = None
    if windows > 1:
        span = passage.spans[winning_window(question.vectors, passage.vectors, passage.window_lengths)]
    return PassageScore(total, span, passage.tokens, windows, passage.truncated or question.truncated)


def open_late_interaction(
    folder: Path,
    name: str = "",
    options: LateInteractionOptions | None = None,
    engine_options: EngineOptions | None = None,
    engine: EncoderEngine | None = None,
) -> LateInteractionScorer:
    """Open the late-interaction checkpoint in ``folder``; ``engine`` is one that is open already.

    Raises:
        InputError: the folder holds no late-interaction model, or one with parts that are not known here.
        MissingExtraError: no engine is installed.
    """
    encoder = open_token_encoder(folder, name, options, engine_options, engine)
    _check_probes(folder, encoder)
    return LateInteractionScorer(encoder)


def _check_probes(folder: Path, encoder: LateInteractionEncoder) -> None:
    """Compare with the scores that a folder trained here had, read as the checkpoint says."""
    probes = read_probes(folder)
    if not probes or is_checked(mark := fingerprint(folder)):
        return
    scorer = LateInteractionScorer(LateInteractionEncoder(folder, encoder.engine))
    check_probes(folder, probes, scorer, encoder.engine.precision)
    if encoder.engine.precision == "f32":
        remember_checked(mark)


def open_token_encoder(
    folder: Path,
    name: str = "",
    options: LateInteractionOptions | None = None,
    engine_options: EngineOptions | None = None,
    engine: EncoderEngine | None = None,
) -> LateInteractionEncoder:
    """Open the encoder of the late-interaction checkpoint in ``folder``; see `open_late_interaction`."""
    checkpoint = read_checkpoint(folder)
    family = reranker_family(checkpoint, None)
    if family != "late-interaction":
        raise InputError(
            f"The model at {folder} ({checkpoint.described}) is of the family {family}, not late-interaction."
        )
    if engine is None:
        engine = open_engine(
            transformer_folder(folder), "tokens", engine_options or EngineOptions(), read_projection(folder)
        )
    return LateInteractionEncoder(folder, engine, options, name)
