"""Late interaction: query and passage become vectors apart from each other, one per token, and MaxSim compares them.

ColBERT (arXiv:2004.12832), ColBERTv2 (arXiv:2112.01488), PyLate and sentence-transformers' multi-vector encoders.

A passage longer than the model reads is encoded in windows. Its score is the sum over the query's vectors of the
nearest vector in any window: the same as late interaction with the union of the windows' vectors. The maximum is taken
before the sum, so a passage that says one thing at its top and another at its end has both counted, and no window is
scored by itself. The reported span is the window that gives most of that sum.
"""

from __future__ import annotations

import hashlib
import logging
import string
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from secondpass.errors import InputError
from secondpass.models.batching import plan, rounded_width, run_batches
from secondpass.models.colbert_settings import ColbertSettings, read_projection, read_settings
from secondpass.models.engine import Batch, EncoderEngine, TokenIds
from secondpass.models.module_list import transformer_folder
from secondpass.models.tokenizer import EncodedText, TextTokenizer
from secondpass.models.weight_files import fingerprint
from secondpass.models.windows import token_windows
from secondpass.types import FloatArray, Span

_log = logging.getLogger(__name__)

Skiplist = Literal["checkpoint", "chinese"]
_FULL_WIDTH = "".join(chr(ord(symbol) + 0xFEE0) for symbol in string.punctuation)  # U+FF01 to U+FF5E
CHINESE_PUNCTUATION = _FULL_WIDTH + "、。〈〉《》「」『』【】…—“”‘’·￥"
"""What ``skiplist="chinese"`` leaves out beside the checkpoint's own list."""

_LEAST_ROOM = 4  # tokens of text that a window must hold


@dataclass(frozen=True, slots=True)
class LateInteractionOptions:
    """What a person may want otherwise than the checkpoint says; None is as the checkpoint says.

    ``skiplist`` chinese leaves out full-width and Chinese punctuation too. It is not the default: the checkpoints of
    today were trained with those vectors, the reference libraries count them, and a score should be one number whoever
    computes it. ``mean`` divides by the number of the query's vectors. ``cut_long`` reads the first window only, as
    the reference libraries do.
    """

    skiplist: Skiplist = "checkpoint"
    mean: bool | None = None
    query_length: int | None = None
    document_length: int | None = None
    cut_long: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class QueryVectors:
    """The token vectors of a question, float32 [Q, D], of length 1, those of its expansion included.

    ``tokens`` counts the text's tokens; ``truncated`` says that some were left out.
    """

    vectors: FloatArray
    tokens: int
    truncated: bool


@dataclass(frozen=True, slots=True, eq=False)
class PassageVectors:
    """The token vectors of a passage, float32 [L, D], of length 1; its windows' one after the other.

    ``spans`` are the windows' places in the text, ``window_lengths`` how many vectors each has. ``tokens`` counts the
    text's tokens; ``truncated`` says that some were left out.
    """

    vectors: FloatArray
    spans: tuple[Span, ...]
    window_lengths: tuple[int, ...]
    tokens: int
    truncated: bool


@dataclass(frozen=True, slots=True)
class _Side:
    """How texts of one side are framed: tokens before, tokens after, and the prompt that is text."""

    prefix: tuple[int, ...]
    suffix: tuple[int, ...]
    prompt: str


@dataclass(frozen=True, slots=True)
class _Frame:
    """A text's tokens without the prompt's, where they begin in the prompted text, and the prompt's tokens."""

    encoded: EncodedText
    first: int

    @property
    def ids(self) -> TokenIds:
        return self.encoded.ids[self.first :]

    @property
    def prompt_ids(self) -> TokenIds:
        return self.encoded.ids[: self.first]


class LateInteractionEncoder:
    """Turns queries and passages into token vectors; a `TokenEncoder`, safe to share between threads.

    ``name`` and ``revision`` identify the vector space, as those of an embedder do.

    Raises:
        InputError: ``folder`` holds no late-interaction checkpoint, or one that is not known here.
    """

    def __init__(
        self, folder: Path, engine: EncoderEngine, options: LateInteractionOptions | None = None, name: str = ""
    ) -> None:
        self.name = name or folder.name
        self.engine = engine
        self.options = options or LateInteractionOptions()
        self.dimension = len(read_projection(folder))
        self.settings = _with_options(read_settings(folder), self.options)
        self._tokenizer = TextTokenizer(transformer_folder(folder))
        self._query = self._side(self.settings.query_marker, self.settings.query_prompt)
        self._document = self._side(self.settings.document_marker, self.settings.document_prompt)
        self._skipped = self._skipped_ids()
        self._expansion = self._expansion_id(folder)
        # The mean is taken of the same vectors.
        parts = (fingerprint(folder), replace(self.settings, mean=False), self.options.skiplist, self.options.cut_long)
        self.revision = hashlib.blake2b(repr(parts).encode(), digest_size=8).hexdigest()

    def encode_query(self, text: str) -> QueryVectors:
        """Encode a question; what is beyond the query length is not read, as in the reference libraries."""
        settings = self.settings
        frame = self._frames(self._query, [text])[0]
        limit = self._room(self._query, settings.query_length, frame)
        if len(frame.ids) > limit:
            _log.warning("%s reads %d of the question's %d tokens.", self.name, limit, len(frame.ids))
        ids = self._joined(self._query, frame, frame.ids[:limit])
        real = len(ids)
        if real < settings.expanded_length:
            filling = np.full(settings.expanded_length - real, self._expansion, dtype=np.int64)
            ids = np.concatenate([ids, filling])
        attended = len(ids) if settings.attend_to_expansion else real
        width = rounded_width(len(ids), limit=settings.query_length)
        vectors = run_batches(self.engine, [Batch((ids,), (len(ids),), width, (attended,))]).outputs[0]
        kept = np.ones(len(ids), dtype=bool)
        if settings.skip_in_queries:
            kept[:real] = self._kept(ids[:real])
        return QueryVectors(_unit(vectors[kept]), len(frame.ids), len(frame.ids) > limit)

    def encode_documents(self, texts: Sequence[str]) -> list[PassageVectors]:
        """Encode passages, each in as many windows as it takes."""
        frames = self._frames(self._document, texts)
        windows = [self._windows(frame) for frame in frames]
        sequences = [
            self._joined(self._document, frame, frame.ids[start:end])
            for frame, cut in zip(frames, windows, strict=True)
            for start, end in cut
        ]
        vectors = self._run(sequences)
        passages: list[PassageVectors] = []
        first = 0
        for frame, cut in zip(frames, windows, strict=True):
            parts = vectors[first : first + len(cut)]
            first += len(cut)
            spans = tuple(self._span(frame, start, end) for start, end in cut) if len(cut) > 1 else ()
            lengths = tuple(len(part) for part in parts)
            truncated = cut[-1][1] < len(frame.ids)
            passages.append(PassageVectors(np.concatenate(parts), spans, lengths, len(frame.ids), truncated))
        return passages

    def encode_query_tokens(self, text: str) -> FloatArray:
        """Encode a question; float32 [Q, D]."""
        return self.encode_query(text).vectors

    def encode_document_tokens(self, texts: Sequence[str]) -> list[FloatArray]:
        """Encode passages; float32 [L, D] each, long ones in windows."""
        return [passage.vectors for passage in self.encode_documents(texts)]

    def _run(self, sequences: Sequence[TokenIds]) -> list[FloatArray]:
        """Return the kept vectors of each sequence, in the order of ``sequences``."""
        limit = self.settings.document_length
        planned = plan([len(ids) for ids in sequences])
        batches = [_batch([sequences[index] for index in indices], limit) for indices in planned]
        vectors: list[FloatArray] = [np.empty((0, 0), np.float32)] * len(sequences)
        for indices, output in zip(planned, run_batches(self.engine, batches).outputs, strict=True):
            row = 0
            for index in indices:
                ids = sequences[index]
                kept = self._kept(ids) if self.settings.skip_in_documents else slice(None)
                vectors[index] = _unit(output[row : row + len(ids)][kept])
                row += len(ids)
        return vectors

    def _windows(self, frame: _Frame) -> list[tuple[int, int]]:
        room = self._room(self._document, self.settings.document_length, frame)
        windows = token_windows(len(frame.ids), room)
        return [(0, min(room, len(frame.ids)))] if self.options.cut_long else windows

    def _frames(self, side: _Side, texts: Sequence[str]) -> list[_Frame]:
        spoken = [_lower(text) for text in texts] if self.settings.lower_case else texts
        encoded = self._tokenizer.encode([side.prompt + text for text in spoken])
        return [_Frame(one, _tokens_before(one, len(side.prompt))) for one in encoded]

    def _span(self, frame: _Frame, start: int, end: int) -> Span:
        span = frame.encoded.span(frame.first + start, frame.first + end)
        return Span(max(0, span.start - len(self._document.prompt)), span.end - len(self._document.prompt))

    @staticmethod
    def _joined(side: _Side, frame: _Frame, ids: TokenIds) -> TokenIds:
        return np.concatenate([side.prefix, frame.prompt_ids, ids, side.suffix], dtype=np.int64)

    def _room(self, side: _Side, length: int, frame: _Frame) -> int:
        room = length - len(side.prefix) - len(side.suffix) - frame.first
        if room < _LEAST_ROOM:
            raise InputError(
                f"{self.name} is to read {length} tokens at once, which leaves {room} for the text; set a length of "
                f"{length - room + _LEAST_ROOM} or more."
            )
        return room

    def _kept(self, ids: TokenIds) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        kept = ~np.isin(ids, self._skipped)
        return kept if kept.any() else np.ones(len(ids), dtype=bool)

    def _side(self, marker: str, prompt: str) -> _Side:
        template = self._tokenizer.pair_template(1)
        known = (self._tokenizer.token_id(form) for form in (marker, marker.strip()) if form)
        marker_id = next((token_id for token_id in known if token_id is not None), None)
        if marker_id is None:  # a marker that the vocabulary lacks was spelled out in training
            return _Side(template.prefix, template.suffix, marker + prompt)
        return _Side((*template.prefix, marker_id), template.suffix, prompt)

    def _skipped_ids(self) -> TokenIds:
        """Return the tokens left out; a symbol that the vocabulary lacks is none, or every unknown word would be."""
        chinese = list(CHINESE_PUNCTUATION) if self.options.skiplist == "chinese" else []
        found = {self._tokenizer.token_id(word) for word in (*self.settings.skip_words, *chinese)}
        # Byte-level vocabularies spell a symbol otherwise.
        found |= {int(one.ids[0]) for one in self._tokenizer.encode(chinese) if len(one) == 1}
        unknown = self._tokenizer.settings.get("unk_token")
        unknown_name = str(unknown.get("content") if isinstance(unknown, dict) else unknown)
        if unknown_name not in self.settings.skip_words:
            found.discard(self._tokenizer.token_id(unknown_name))
        return np.array(sorted(token_id for token_id in found if token_id is not None), dtype=np.int64)

    def _expansion_id(self, folder: Path) -> int:
        if not self.settings.expanded_length:
            return -1
        token_id = self._tokenizer.token_id(self.settings.expansion_token)
        if token_id is None:
            raise InputError(
                f"The model at {folder} fills questions up with {self.settings.expansion_token!r}, which its tokenizer "
                "does not know; the folder's tokenizer.json is of another model."
            )
        return token_id


def _with_options(settings: ColbertSettings, options: LateInteractionOptions) -> ColbertSettings:
    for length in (options.query_length, options.document_length):
        if length is not None and not 1 <= length <= settings.position_limit:
            raise InputError(
                f"A length of {length} tokens was asked for; the model reads 1 to {settings.position_limit}."
            )
    query_length = options.query_length or settings.query_length
    return replace(
        settings,
        mean=settings.mean if options.mean is None else options.mean,
        query_length=query_length,
        expanded_length=query_length if options.query_length and settings.expanded_length else settings.expanded_length,
        document_length=options.document_length or settings.document_length,
    )


def _batch(sequences: Sequence[TokenIds], limit: int) -> Batch:
    lengths = tuple(len(ids) for ids in sequences)
    return Batch(tuple(sequences), lengths, rounded_width(max(lengths), limit=limit))


def _tokens_before(encoded: EncodedText, end: int) -> int:
    """Return how many tokens were made of the first ``end`` characters alone."""
    return int((encoded.offsets[:, 1] <= end).sum()) if end and encoded.offsets is not None else 0


def _lower(text: str) -> str:
    """Lower the text, leaving what would change its length."""
    return "".join(low if len(low := character.lower()) == 1 else character for character in text)


def _unit(vectors: FloatArray) -> FloatArray:
    """Bring vectors to length 1, float32; those of length 0 stay."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: FloatArray = (vectors / np.maximum(lengths, 1e-12)).astype(np.float32)
    return unit
