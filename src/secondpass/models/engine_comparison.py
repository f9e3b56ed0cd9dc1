"""Every engine and precision on the same passages: how fast each is here, and how far its scores are from exact ones.

Shipped jobs are made of the texts that int8 is calibrated with; whoever wants to know what a precision does to the
order of their own passages gives those.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np

from secondpass.errors import InputError, MissingExtraError
from secondpass.models.checkpoint import read_checkpoint, reranker_family
from secondpass.models.colbert_settings import read_projection
from secondpass.models.cross_encoder import ReadingOptions, open_cross_encoder
from secondpass.models.engine import Batch, EncoderEngine, EngineName, EngineOptions, Head, Precision
from secondpass.models.engines import installed_engines, open_engine, precisions_of
from secondpass.models.late_interaction import LateInteractionOptions
from secondpass.models.late_interaction_scorer import open_late_interaction
from secondpass.models.module_list import transformer_folder
from secondpass.models.parity import Parity, compare
from secondpass.models.profiles import RerankerProfile
from secondpass.models.quantize import calibration_texts
from secondpass.models.span_head import classifier_head
from secondpass.types import FloatArray, PairScorer

Jobs: TypeAlias = Sequence[tuple[str, Sequence[str]]]
"""Questions, each with its passages."""
_SHIPPED_QUESTIONS, _PASSAGES_EACH = 12, 12
_REFERENCES: tuple[EngineName, ...] = ("torch", "onnx", "openvino", "numpy")
"""torch first: its forward pass shares nothing with the graphs that the other two run."""


@dataclass(frozen=True, slots=True)
class EngineResult:
    """One engine at one precision: its speed in real tokens a second, and its parity with the reference.

    ``refusal`` says why it cannot compute this model; the numbers are None then.
    """

    engine: EngineName
    precision: Precision
    tokens_per_second: float | None = None
    parity: Parity | None = None
    refusal: str = ""
    is_reference: bool = False


class TimedEngine:
    """An engine that counts the tokens it is given and the seconds it takes."""

    def __init__(self, engine: EncoderEngine) -> None:
        self._engine = engine
        self.tokens, self.seconds = 0, 0.0

    @property
    def name(self) -> str:
        """The engine's name."""
        return self._engine.name

    @property
    def precision(self) -> Precision:
        """The engine's precision."""
        return self._engine.precision

    def run(self, batch: Batch) -> FloatArray:
        """Run the batch and count it."""
        start = time.perf_counter()
        output = self._engine.run(batch)
        self.seconds += time.perf_counter() - start
        self.tokens += sum(len(ids) for ids in batch.ids)
        return output


def shipped_jobs() -> list[tuple[str, list[str]]]:
    """Return twelve questions with twelve passages each, Chinese and English, out of the calibration texts."""
    texts = calibration_texts()
    step = len(texts) / _SHIPPED_QUESTIONS
    firsts = [int(index * step) for index in range(_SHIPPED_QUESTIONS)]
    return [
        (texts[first][0], [texts[(first + offset) % len(texts)][1] for offset in range(_PASSAGES_EACH)])
        for first in firsts
    ]


@dataclass(frozen=True, slots=True)
class RerankingEncoder:
    """A cross-encoder or late-interaction model in a folder, and how its engines and scorers are opened.

    ``max_tokens``: the longest input, of late interaction the longest passage (None: the model's own).
    """

    folder: Path
    profile: RerankerProfile | None
    head: Head
    max_tokens: int | None = None

    def engine(self, options: EngineOptions) -> EncoderEngine:
        """Open an engine; see `open_engine`."""
        projection = read_projection(self.folder) if self.head == "tokens" else None
        return open_engine(transformer_folder(self.folder), self.head, options, projection)

    def scorer(self, engine: EncoderEngine) -> PairScorer:
        """Return the model's scorer on an open engine."""
        if self.head == "tokens":
            lengths = LateInteractionOptions(document_length=self.max_tokens)
            return open_late_interaction(self.folder, options=lengths, engine=engine)
        reading = ReadingOptions(self.max_tokens)
        return open_cross_encoder(self.folder, self.profile, reading=reading, engine=engine)

    def reference(self, threads: int | None = None) -> EncoderEngine:
        """Open the engine that says what the exact scores are.

        Raises:
            InputError: none of the installed engines computes this model in float32.
            MissingExtraError: none is installed.
        """
        refusals: list[InputError] = []
        for name in (name for name in _REFERENCES if name in installed_engines()):
            try:
                return self.engine(EngineOptions(name, threads=threads))
            except InputError as error:
                refusals.append(error)
        raise refusals[-1] if refusals else MissingExtraError("Computing scores", "onnx")


def reranking_encoder(folder: Path, profile: RerankerProfile | None, max_tokens: int | None = None) -> RerankingEncoder:
    """Look at the model in ``folder``.

    Raises:
        InputError: it is no reranking encoder.
    """
    family = reranker_family(read_checkpoint(folder), profile)
    if family not in {"cross-encoder", "late-interaction"}:
        raise InputError(
            f"The model at {folder} is of the family {family}, which torch alone computes; accepted here are "
            "cross-encoders and late-interaction models."
        )
    head = classifier_head(transformer_folder(folder)) if family == "cross-encoder" else "tokens"
    return RerankingEncoder(folder, profile, head, max_tokens)


def compare_engines(
    model: RerankingEncoder,
    jobs: Jobs,
    options: EngineOptions | None = None,
    precisions: Sequence[Precision] = (),
) -> Iterator[EngineResult]:
    """Score ``jobs`` with the reference first, then with every installed engine that can, and yield each result.

    ``options.name`` other than auto, and ``precisions``, leave out the others; threads are those of ``options``.

    Raises:
        InputError: no engine computes the model in float32, or the named engine is not known.
        MissingExtraError: no engine is installed.
    """
    options = options or EngineOptions()
    exact_engine = model.reference(options.threads)
    reference = next(name for name in _REFERENCES if name == exact_engine.name)
    speed, exact = _scored(model, exact_engine, jobs)
    yield EngineResult(reference, "f32", speed, job_parity(exact, exact), is_reference=True)
    del exact_engine
    names = installed_engines() if options.name == "auto" else [options.name]
    for name, precision in [(one, precision) for one in names for precision in precisions_of(one)]:
        if (name, precision) == (reference, "f32") or (precisions and precision not in precisions):
            continue
        try:
            engine = model.engine(replace(options, name=name, precision=precision))
            speed, scores = _scored(model, engine, jobs)
        except InputError as error:
            yield EngineResult(name, precision, refusal=str(error))
            continue
        yield EngineResult(name, precision, speed, job_parity(exact, scores))


def _scored(model: RerankingEncoder, engine: EncoderEngine, jobs: Jobs) -> tuple[float, list[FloatArray]]:
    """Return real tokens a second (wall time), and the scores of each job, float32 [N]; the first is warmed up on."""
    timed = TimedEngine(engine)
    scorer = model.scorer(timed)
    scorer.score(*jobs[0])
    timed.tokens, timed.seconds = 0, 0.0
    scores = [
        np.array([one.score for one in scorer.score(question, passages)], dtype=np.float32)
        for question, passages in jobs
    ]
    return timed.tokens / max(timed.seconds, 1e-9), scores


def job_parity(exact: Sequence[FloatArray], scores: Sequence[FloatArray]) -> Parity:
    """Compare two scorings of the same jobs.

    Differences and their spread are over all scores; tau and the ten best are the means over the questions.
    """
    total = compare(np.concatenate(exact), np.concatenate(scores))
    each = [compare(a, b) for a, b in zip(exact, scores, strict=True)]
    return replace(
        total,
        kendall_tau=float(np.mean([one.kendall_tau for one in each])),
        top10_overlap=float(np.mean([one.top10_overlap for one in each])),
    )
