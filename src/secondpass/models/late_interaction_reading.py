"""From a question and passages to the token sequences that a late-interaction model reads, and which vectors count.

Nothing is computed here: what serves and what trains read texts alike.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from secondpass.errors import InputError
from secondpass.models.colbert_settings import ColbertSettings
from secondpass.models.engine import TokenIds
from secondpass.models.reading_choices import Skiplist
from secondpass.models.tokenizer import EncodedText, TextTokenizer
from secondpass.models.windows import token_windows
from secondpass.text.surrogates import encodable
from secondpass.types import Span

Kept = np.ndarray[tuple[int], np.dtype[np.bool_]]
"""Which tokens of a sequence have a vector that counts, bool [L]."""
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
class QuerySequence:
    """A question as it is read: ids int64 [L], its expansion included, and which of them have a vector that counts.

    ``attended``: how many leading tokens the others look at. ``tokens`` counts the text's tokens; ``truncated``: some
    were left out.
    """

    ids: TokenIds
    attended: int
    kept: Kept
    tokens: int
    truncated: bool


@dataclass(frozen=True, slots=True, eq=False)
class PassageSequences:
    """A passage as it is read: one sequence a window, int64 [L] each, and the windows' places in the text.

    ``spans`` is empty where there is one window. ``tokens`` counts the text's tokens; ``truncated``: some were left
    out.
    """

    sequences: tuple[TokenIds, ...]
    spans: tuple[Span, ...]
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


class LateInteractionReader:
    """Frames questions and passages as the checkpoint's ``settings`` say; safe to share between threads.

    Raises:
        InputError: the tokenizer does not know the token that questions are filled up with.
    """

    def __init__(
        self, name: str, settings: ColbertSettings, tokenizer: TextTokenizer, options: LateInteractionOptions
    ) -> None:
        self.name = name
        self.options = options
        self.settings = _with_options(settings, options)
        self.tokenizer = tokenizer
        self._query = self._side(self.settings.query_marker, self.settings.query_prompt)
        self._document = self._side(self.settings.document_marker, self.settings.document_prompt)
        self._skipped = self._skipped_ids()
        self._expansion = self._expansion_id()

    @property
    def special_count(self) -> int:
        """How many tokens a passage has beside those of its text, a prompt in words not counted."""
        return len(self._document.prefix) + len(self._document.suffix)

    def query(self, text: str) -> QuerySequence:
        """Read a question; what is beyond the query length is left out, as in the reference libraries."""
        settings = self.settings
        frame = self._frames(self._query, [text])[0]
        limit = self._room(self._query, settings.query_length, frame)
        ids = self._joined(self._query, frame, frame.ids[:limit])
        real = len(ids)
        if real < settings.expanded_length:
            filling = np.full(settings.expanded_length - real, self._expansion, dtype=np.int64)
            ids = np.concatenate([ids, filling])
        attended = len(ids) if settings.attend_to_expansion else real
        kept = np.ones(len(ids), dtype=bool)
        if settings.skip_in_queries:
            kept[:real] = self._kept(ids[:real])
        return QuerySequence(ids, attended, kept, len(frame.ids), len(frame.ids) > limit)

    def passages(self, texts: Sequence[str]) -> list[PassageSequences]:
        """Read passages, each in as many windows as it takes."""
        frames = self._frames(self._document, texts)
        return [self._passage(frame, self._windows(frame)) for frame in frames]

    def kept(self, ids: TokenIds) -> Kept:
        """Say which tokens of a passage's sequence have a vector that counts."""
        return self._kept(ids) if self.settings.skip_in_documents else np.ones(len(ids), dtype=bool)

    def _passage(self, frame: _Frame, windows: Sequence[tuple[int, int]]) -> PassageSequences:
        sequences = tuple(self._joined(self._document, frame, frame.ids[start:end]) for start, end in windows)
        spans = tuple(self._span(frame, start, end) for start, end in windows) if len(windows) > 1 else ()
        return PassageSequences(sequences, spans, len(frame.ids), windows[-1][1] < len(frame.ids))

    def _windows(self, frame: _Frame) -> list[tuple[int, int]]:
        room = self._room(self._document, self.settings.document_length, frame)
        windows = token_windows(len(frame.ids), room)
        return [(0, min(room, len(frame.ids)))] if self.options.cut_long else windows

    def _frames(self, side: _Side, texts: Sequence[str]) -> list[_Frame]:
        spoken = [encodable(_lower(text) if self.settings.lower_case else text) for text in texts]
        encoded = self.tokenizer.encode([side.prompt + text for text in spoken])
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

    def _kept(self, ids: TokenIds) -> Kept:
        kept = ~np.isin(ids, self._skipped)
        return kept if kept.any() else np.ones(len(ids), dtype=bool)

    def _side(self, marker: str, prompt: str) -> _Side:
        template = self.tokenizer.pair_template(1)
        known = (self.tokenizer.token_id(form) for form in (marker, marker.strip()) if form)
        marker_id = next((token_id for token_id in known if token_id is not None), None)
        if marker_id is None:  # a marker that the vocabulary lacks was spelled out in training
            return _Side(template.prefix, template.suffix, marker + prompt)
        return _Side((*template.prefix, marker_id), template.suffix, prompt)

    def _skipped_ids(self) -> TokenIds:
        """Return the tokens left out; a symbol that the vocabulary lacks is none, or every unknown word would be."""
        chinese = list(CHINESE_PUNCTUATION) if self.options.skiplist == "chinese" else []
        found = {self.tokenizer.token_id(word) for word in (*self.settings.skip_words, *chinese)}
        # Byte-level vocabularies spell a symbol otherwise.
        found |= {int(one.ids[0]) for one in self.tokenizer.encode(chinese) if len(one) == 1}
        unknown = self.tokenizer.settings.get("unk_token")
        unknown_name = str(unknown.get("content") if isinstance(unknown, dict) else unknown)
        if unknown_name not in self.settings.skip_words:
            found.discard(self.tokenizer.token_id(unknown_name))
        return np.array(sorted(token_id for token_id in found if token_id is not None), dtype=np.int64)

    def _expansion_id(self) -> int:
        if not self.settings.expanded_length:
            return -1
        token_id = self.tokenizer.token_id(self.settings.expansion_token)
        if token_id is None:
            raise InputError(
                f"The model {self.name} fills questions up with {self.settings.expansion_token!r}, which its tokenizer "
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


def _tokens_before(encoded: EncodedText, end: int) -> int:
    """Return how many tokens were made of the first ``end`` characters alone."""
    return int((encoded.offsets[:, 1] <= end).sum()) if end and encoded.offsets is not None else 0


def _lower(text: str) -> str:
    """Lower the text, leaving what would change its length."""
    return "".join(low if len(low := character.lower()) == 1 else character for character in text)
