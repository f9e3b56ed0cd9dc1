"""Cross-encoders: a sequence classifier that reads query and passage together, on any engine.

One with an evidence head (`span_head`) says in the same pass which part of a passage answers.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from secondpass.errors import InputError
from secondpass.models.batching import BatchRun, Planner, begin_batches, filled, make_batch, plan, plan_on
from secondpass.models.checkpoint import Checkpoint, read_checkpoint, reranker_family
from secondpass.models.classifier_scores import LogitReading, logit_reading
from secondpass.models.engine import Batch, EncoderEngine, EngineOptions, Head, StartingEngine, TokenIds
from secondpass.models.engines import open_engine
from secondpass.models.evidence import LIKELY_SPANS, evidence
from secondpass.models.module_list import transformer_folder
from secondpass.models.pair_reading import BCE_CHARACTERS, LongPassages, PairReading, ReadingRules, read_pair
from secondpass.models.probes import check_probes, is_checked, read_probes, remember_checked
from secondpass.models.profile_records import RerankerProfile
from secondpass.models.reading_choices import WindowUnit
from secondpass.models.span_decoding import LONGEST_TOKENS, TokenSpan, best_spans
from secondpass.models.span_head import classifier_head, passage_logits, sequence_logits
from secondpass.models.tokenizer import EncodedText, PairTemplate, TextTokenizer
from secondpass.models.windows import merge_scores
from secondpass.text.answer_spans import LikelySpan
from secondpass.text.spelled_names import respelled
from secondpass.types import FloatArray, PassageScore, Scale, Span

_log = logging.getLogger(__name__)
_LEAST_TOKENS = 32
_PASSAGES_AHEAD = 192
# Positions of these count from after the padding id, so that the table holds that many rows more than tokens.
_SHIFTED_POSITIONS = frozenset({"roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "mpnet", "longformer"})


@dataclass(frozen=True, slots=True)
class CrossEncoderModel:
    """A classifier's folder, read: everything a score depends on but the engine."""

    name: str
    checkpoint: Checkpoint
    tokenizer: TextTokenizer
    template: PairTemplate
    rules: ReadingRules
    logits: LogitReading
    position_limit: int
    head: Head = "classify"
    respells: bool = False


@dataclass(frozen=True, slots=True)
class _Window:
    """What the model says of a window of a passage: its score, and the likeliest spans of its tokens."""

    score: float
    found: tuple[TokenSpan, ...] = ()


class CrossEncoderScorer:
    """A `PairScorer` over a sequence classifier; safe to share between threads.

    ``memory_retries`` counts how often a batch was halved because memory did not suffice, ``queries_cut`` how many
    questions were longer than what is read of them; the scores of such a call are marked as truncated.
    """

    def __init__(self, model: CrossEncoderModel, engine: EncoderEngine, planner: Planner = plan) -> None:
        self._model = model
        self.engine = engine
        self._fingerprint = _fingerprint(model, engine)
        self._plan = planner
        self._lock = threading.Lock()
        self.memory_retries = 0
        self.queries_cut = 0

    @property
    def name(self) -> str:
        """The model's name."""
        return self._model.name

    @property
    def scale(self) -> Scale:
        """What the scores mean."""
        return self._model.logits.scale

    @property
    def max_tokens(self) -> int:
        """The longest input, query and template included."""
        return self._model.rules.max_tokens

    @property
    def gives_probability(self) -> bool:
        """Whether the logistic function of a score is the probability that the authors publish."""
        return self._model.logits.gives_probability

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that change with weights, template, lengths, rules and precision."""
        return self._fingerprint

    def score(self, query: str, passages: Sequence[str]) -> list[PassageScore]:
        """Score ``passages``, in their order.

        Raises:
            InputError: the model gives no number, or memory does not suffice.
        """
        questions = self._questions(query, passages)
        # A GPU computes what is begun while the next passages are read.
        size = _PASSAGES_AHEAD if isinstance(self.engine, StartingEngine) else max(len(passages), 1)
        parts = [slice(start, start + size) for start in range(0, len(passages), size)]
        begun = [self._begin(query, questions[part], passages[part]) for part in parts]
        return [score for wait in begun for score in wait()]

    def _questions(self, query: str, passages: Sequence[str]) -> list[EncodedText]:
        """Return the question as it is read with each passage."""
        if not self._model.respells:
            return self._model.tokenizer.encode([query]) * len(passages)
        asked = [respelled(query, passage) for passage in passages]
        unique = list(dict.fromkeys(asked))
        encoded = dict(zip(unique, self._model.tokenizer.encode(unique), strict=True))
        return [encoded[one] for one in asked]

    def _begin(
        self, query: str, questions: Sequence[EncodedText], passages: Sequence[str]
    ) -> Callable[[], list[PassageScore]]:
        rules = self._model.rules
        texts = [text[:BCE_CHARACTERS] for text in passages] if rules.bce else passages
        shortest = min((min(len(question), rules.room) for question in questions), default=0)
        unwindowed = 0 if self._points else rules.room - shortest + 1
        encoded = self._model.tokenizer.encode(texts, offsets_from=unwindowed)
        readings = [
            read_pair(question, text, one, rules) for question, text, one in zip(questions, texts, encoded, strict=True)
        ]
        self._note_cut_query(questions, readings)
        pairs = [
            self._model.template.join(question.ids[: reading.query_tokens], one.ids[start:end])
            for question, one, reading in zip(questions, encoded, readings, strict=True)
            for start, end in reading.windows
        ]
        paragraphs = [
            window
            for one, reading in zip(encoded, readings, strict=True)
            for window in (one.paragraphs(reading.windows) if self._points else [()] * len(reading.windows))
        ]
        computed = self._compute(pairs, paragraphs)

        def wait() -> list[PassageScore]:
            windows = iter(computed())
            return [
                self._merge(
                    [next(windows) for _ in reading.windows],
                    partial(evidence, query, question.text, one),
                    one,
                    reading,
                    cut=len(text) < len(passage),
                )
                for passage, text, question, one, reading in zip(
                    passages, texts, questions, encoded, readings, strict=True
                )
            ]

        return wait

    @property
    def _points(self) -> bool:
        """Whether the model says which part of a passage answers."""
        return self._model.head == "classify_spans"

    def _merge(
        self,
        windows: list[_Window],
        point: Callable[[Sequence[TokenSpan], int], LikelySpan],
        encoded: EncodedText,
        reading: PairReading,
        cut: bool,
    ) -> PassageScore:
        score, winner = merge_scores([window.score for window in windows], self._model.rules.rule)
        found, window = windows[winner].found, reading.windows[winner]
        pointed = point(found, window[0]) if found else None
        return PassageScore(
            score=score,
            span=pointed.span if pointed else self._window_span(window, encoded),
            tokens=len(encoded),
            windows=len(reading.windows),
            truncated=cut or not reading.whole,
            evidence_confidence=pointed.probability if pointed else None,
        )

    def _window_span(self, window: tuple[int, int], encoded: EncodedText) -> Span | None:
        """Return the window that won, where it is not the whole passage."""
        alone = window == (0, len(encoded))
        return None if alone or self._model.rules.long == "truncate" else encoded.span(*window)

    def _compute(
        self, pairs: Sequence[tuple[TokenIds, int]], paragraphs: Sequence[tuple[int, ...]]
    ) -> Callable[[], list[_Window]]:
        """Begin to compute what the model says of ``pairs``; ``paragraphs``: see `best_spans`, where it points."""
        groups = self._plan([len(ids) for ids, _ in pairs])
        batches = [make_batch([pairs[i] for i in group], limit=self._model.position_limit) for group in groups]
        computed = begin_batches(self.engine, batches)
        return lambda: self._windows(groups, batches, computed(), paragraphs)

    def _windows(
        self,
        groups: Sequence[Sequence[int]],
        batches: Sequence[Batch],
        run: BatchRun,
        paragraphs: Sequence[tuple[int, ...]],
    ) -> list[_Window]:
        """Return what came out of ``batches`` in the order of the pairs."""
        scores = np.zeros(len(paragraphs), dtype=np.float64)
        found: list[tuple[TokenSpan, ...]] = [()] * len(paragraphs)
        for group, batch, output in zip(groups, batches, run.outputs, strict=True):
            logits = sequence_logits(output, _lengths(batch)) if self._points else output
            scores[group] = self._model.logits.scores(logits)
            if self._points:
                for place, span in zip(group, self._spans(batch, output, [paragraphs[i] for i in group]), strict=True):
                    found[place] = span
        if run.retries:
            with self._lock:
                self.memory_retries += run.retries
        if not np.isfinite(scores).all():
            raise InputError(
                f"The model at {self._model.checkpoint.folder} gives {scores[~np.isfinite(scores)][0]} as a score "
                f"({self.engine.name}, {self.engine.precision}): its weights are damaged or too large for this "
                "precision; fetch it again, or compute in f32."
            )
        return [_Window(score, span) for score, span in zip(scores.tolist(), found, strict=True)]

    def _spans(
        self, batch: Batch, output: FloatArray, passages: Sequence[tuple[int, ...]]
    ) -> list[tuple[TokenSpan, ...]]:
        logits = passage_logits(output, _lengths(batch), len(self._model.template.suffix), list(map(sum, passages)))
        return best_spans(logits, passages, LIKELY_SPANS)

    def _note_cut_query(self, questions: Sequence[EncodedText], readings: Sequence[PairReading]) -> None:
        cut = [
            (reading.query_tokens, len(question))
            for question, reading in zip(questions, readings, strict=True)
            if reading.query_tokens < len(question)
        ]
        if cut:
            with self._lock:
                self.queries_cut += 1
            _log.warning("%s reads %d of the question's %d tokens.", self.name, *min(cut))


def _lengths(batch: Batch) -> list[int]:
    return [len(ids) for ids in batch.ids]


def _fingerprint(model: CrossEncoderModel, engine: EncoderEngine) -> str:
    settings: list[object] = [dataclasses.asdict(part) for part in (model.template, model.rules, model.logits)]
    settings += ["respelled"] if model.respells else []
    spans = [LONGEST_TOKENS, LIKELY_SPANS, "chosen by words"] if model.head == "classify_spans" else []
    parts = json.dumps([model.checkpoint.fingerprint(), settings, engine.precision, *spans], sort_keys=True)
    return hashlib.sha256(parts.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class ReadingOptions:
    """What a person may want otherwise than the model's profile says.

    ``max_tokens`` is the longest input, query and template included (None: the model's own limit). ``long`` passages
    are read in windows of tokens or of whole sentences (``unit``), or cut as the reference libraries do.
    """

    max_tokens: int | None = None
    long: LongPassages = "windows"
    unit: WindowUnit = "tokens"


def open_cross_encoder(
    folder: Path,
    profile: RerankerProfile | None = None,
    options: EngineOptions | None = None,
    reading: ReadingOptions | None = None,
    engine: EncoderEngine | None = None,
    name: str = "",
) -> CrossEncoderScorer:
    """Open the cross-encoder in ``folder``; ``engine`` is one that is open already, for the head it has.

    ``name`` is what the scorer is called (empty: the profile's name, or the folder's).

    Raises:
        InputError: the folder holds no cross-encoder, or the longest input is more than the model reads.
    """
    options = options or EngineOptions()
    model = read_cross_encoder(folder, profile, reading, name)
    engine = engine or open_engine(transformer_folder(folder), model.head, options)
    _check_probes(model, engine, options)
    return CrossEncoderScorer(model, engine, _planner(engine, options.device))


def _planner(engine: EncoderEngine, device: str) -> Planner:
    """Return how lengths become batches: on a GPU that computes no padding, by their sum alone."""
    if device == "cpu":
        return plan
    from secondpass.models.torch_encoder import TorchEncoderEngine  # noqa: PLC0415 - only torch runs on other devices

    return filled if isinstance(engine, TorchEncoderEngine) else partial(plan_on, device)


def _check_probes(model: CrossEncoderModel, engine: EncoderEngine, options: EngineOptions) -> None:
    """Compare with the scores that the folder says it had, in f32, once for every state of the folder."""
    folder = model.checkpoint.folder
    probes = read_probes(folder)
    if probes and not is_checked(model.checkpoint.fingerprint()):
        if engine.precision != "f32":
            exact = replace(options, precision="f32")
            engine = open_engine(transformer_folder(folder), model.head, exact)
        check_probes(folder, probes, CrossEncoderScorer(model, engine))
        remember_checked(model.checkpoint.fingerprint())


def read_cross_encoder(
    folder: Path, profile: RerankerProfile | None = None, reading: ReadingOptions | None = None, name: str = ""
) -> CrossEncoderModel:
    """Read all of a cross-encoder but its weights."""
    checkpoint = read_checkpoint(folder)
    family = reranker_family(checkpoint, profile)
    if family != "cross-encoder":
        raise InputError(f"The model at {folder} is of the family {family}, not a cross-encoder.")
    place = folder if (folder / "tokenizer.json").is_file() else transformer_folder(folder)
    tokenizer = TextTokenizer(place)
    segments = int(checkpoint.config.get("type_vocab_size") or 0)
    template = tokenizer.pair_template(segments, least_marks=1 if checkpoint.begins_with_mark else 0)
    positions = position_limit(checkpoint)
    reading = reading or ReadingOptions()
    limit = _max_tokens(checkpoint, tokenizer, profile, reading.max_tokens, positions)
    rules = _rules(limit, template.special_count, profile, reading)
    called = name or (profile.name if profile else folder.name)
    logits, head = logit_reading(checkpoint, profile), classifier_head(transformer_folder(folder))
    respells = profile is not None and profile.respells
    return CrossEncoderModel(called, checkpoint, tokenizer, template, rules, logits, positions, head, respells)


def _rules(
    max_tokens: int, special_tokens: int, profile: RerankerProfile | None, reading: ReadingOptions
) -> ReadingRules:
    truncation = profile.truncation if profile else "longest_first"
    rule = profile.windows if profile else "max"
    if rule == "bce" and reading.long == "truncate":
        truncation = "longest_first"  # what BCEmbedding's compute_score does
    query_limit = profile.query_max_tokens if profile else None
    if truncation == "only_second":
        query_limit = min(query_limit or max_tokens, max_tokens * 3 // 4)  # FlagEmbedding's query_max_length
    return ReadingRules(max_tokens, special_tokens, query_limit, truncation, reading.long, reading.unit, rule)


def _max_tokens(
    checkpoint: Checkpoint,
    tokenizer: TextTokenizer,
    profile: RerankerProfile | None,
    wanted: int | None,
    positions: int,
) -> int:
    written = tokenizer.settings.get("model_max_length")
    # Tokenizers without a limit write 10^30.
    own = min(positions, int(written)) if isinstance(written, int | float) and written > 0 else positions
    limit = min(profile.max_tokens, positions) if profile else own
    if wanted is None:
        return limit
    if not _LEAST_TOKENS <= wanted <= positions:
        raise InputError(
            f"max_tokens is {wanted}; the model at {checkpoint.folder} reads {_LEAST_TOKENS} to {positions} tokens."
        )
    return wanted


def position_limit(checkpoint: Checkpoint) -> int:
    """Return how many tokens the model has positions for; a large number where it has no table of them."""
    config = checkpoint.config
    positions = int(config.get("max_position_embeddings") or config.get("n_positions") or 1_000_000)
    if checkpoint.model_type in _SHIFTED_POSITIONS:
        return positions - int(config.get("pad_token_id") or 0) - 1
    return positions
