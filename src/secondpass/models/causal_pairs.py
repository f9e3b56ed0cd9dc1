"""From a question and passages to the token sequences that a causal reranker reads.

Template and prompt are never cut. A passage that does not fit is read in windows of its own text, each of which is fed
exactly as if it were a passage; a question that leaves no room is cut, and what is scored with it counts as truncated.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from secondpass.errors import InputError
from secondpass.models.causal_templates import CausalTemplate
from secondpass.models.causal_tokenizer import LanguageModelTokenizer
from secondpass.models.engine import TokenIds
from secondpass.models.profile_records import RerankerProfile, WindowRule
from secondpass.models.tokenizer import EncodedText
from secondpass.models.windows import cut_windows, merge_scores
from secondpass.types import PassageScore, Span

_log = logging.getLogger(__name__)

_LEAST_ROOM = 64
"""Tokens that question and passage need together, at least."""
_SEAM_TOKENS = 8
"""A window's text, tokenized anew, may have more tokens than it had inside the passage: a character may be several."""


@dataclass(frozen=True, slots=True, eq=False)
class PassageInputs:
    """The sequences of one passage: one, or one per window, and the windows' spans.

    ``tokens`` counts the passage in the model's tokens; ``truncated``: something was left out of every sequence.
    """

    sequences: tuple[TokenIds, ...]
    spans: tuple[Span | None, ...]
    tokens: int
    truncated: bool


@dataclass(frozen=True, slots=True, eq=False)
class QueryInputs:
    """The sequences of all passages of a question.

    The first ``passage_start`` tokens of each stand before the passage's piece, ``after`` (int64 [A]) behind it.
    """

    passages: tuple[PassageInputs, ...]
    passage_start: int
    after: TokenIds

    @property
    def sequences(self) -> list[TokenIds]:
        """All sequences, passage by passage."""
        return [ids for passage in self.passages for ids in passage.sequences]

    def merge(self, values: Sequence[float], rule: WindowRule) -> list[PassageScore]:
        """Make one score per passage of one value per sequence."""
        scores: list[PassageScore] = []
        position = 0
        for passage in self.passages:
            count = len(passage.sequences)
            score, winner = merge_scores(values[position : position + count], rule)
            scores.append(PassageScore(score, passage.spans[winner], passage.tokens, count, passage.truncated))
            position += count
        return scores


@dataclass(frozen=True, slots=True, eq=False)
class _Frame:
    """What stands around the passages of one question; ``query`` as it stands in the passage's own piece."""

    before: TokenIds
    after: TokenIds
    query: str
    query_cut: bool


class CausalPairBuilder:
    """Writes a template's sequences with a model's tokenizer; safe to share between threads.

    ``special_count``: how many tokens a sequence has beside those of question and passage.
    """

    def __init__(
        self,
        tokenizer: LanguageModelTokenizer,
        template: CausalTemplate,
        profile: RerankerProfile,
        instruction: str | None = None,
    ) -> None:
        if instruction and not template.takes_instruction:
            raise InputError(f"The input form {template.name!r} of {profile.name} has no place for an instruction.")
        self.tokenizer = tokenizer
        self._template = template
        self._profile = profile
        self.instruction = template.instruction if instruction is None else instruction
        before = template.pieces_before(self.instruction)
        self._before, self._after = self._fixed(before), self._fixed(template.after)
        if template.end_token:
            self._after.append(_end_ids(tokenizer, template))
        self._begin = _begin_ids(tokenizer, template)
        tokenizer.read_plainly()
        pieces = [piece for piece in (*self._before, *self._after, template.passage) if isinstance(piece, str)]
        bare = tokenizer.encode([self._filled(piece) for piece in pieces])
        fixed = [piece for piece in (self._begin, *self._before, *self._after) if not isinstance(piece, str)]
        self.special_count = sum(map(len, bare)) + sum(map(len, fixed))
        self._room = profile.max_tokens - self.special_count
        if self._room < _LEAST_ROOM:
            raise InputError(
                f"max_tokens is {profile.max_tokens}; the input form {template.name!r} takes {self.special_count} of "
                f"it, and question and passage need {_LEAST_ROOM} more."
            )

    @property
    def after_length(self) -> int:
        """How many tokens stand behind the passage's piece, the question's not counted."""
        return sum(len(piece) for piece in self._after if not isinstance(piece, str))

    def _fixed(self, pieces: Sequence[str]) -> list[TokenIds | str]:
        """Return ids for the pieces that are the same for every question, and the others as they are."""
        return [
            piece if "{query}" in piece else np.array(self.tokenizer.template_ids(self._filled(piece)), dtype=np.int64)
            for piece in pieces
        ]

    def _filled(self, piece: str, query: str = "", passage: str = "") -> str:
        return piece.format(query=query, passage=passage, instruction=self.instruction)

    def inputs(self, query: str, passages: Sequence[str]) -> QueryInputs:
        """Return the sequences of ``passages``, in their order."""
        frame = self._frame(query)
        bodies = self.tokenizer.encode([self._body(frame, passage) for passage in passages])
        bare = len(self.tokenizer.encode([self._body(frame, "")])[0])
        room = self._profile.max_tokens - len(frame.before) - len(frame.after)
        read = [
            self._whole(frame, body, bare) if len(body) <= room else self._cut(frame, passage, body, room - bare)
            for passage, body in zip(passages, bodies, strict=True)
        ]
        return QueryInputs(tuple(read), len(frame.before), frame.after)

    def passage_room(self, query: str) -> int:
        """Return how many tokens a passage may have beside ``query``."""
        frame = self._frame(query)
        bare = len(self.tokenizer.encode([self._body(frame, "")])[0])
        return self._profile.max_tokens - len(frame.before) - len(frame.after) - bare

    def _frame(self, query: str) -> _Frame:
        limit = self._profile.query_max_tokens or self._room * 3 // 4
        encoded = self.tokenizer.encode_with_offsets(query)
        longest = len(encoded) if "{query}" in self._template.passage else 0
        sides: list[TokenIds] = []
        for pieces in ([self._begin, *self._before], self._after):
            ids = [self.tokenizer.encode([self._filled(p, query)])[0].ids if isinstance(p, str) else p for p in pieces]
            open_lengths = [len(row) for row, piece in zip(ids, pieces, strict=True) if isinstance(piece, str)]
            longest = max(longest, *open_lengths, 0)
            # The authors cut the tokens of the question's piece, where it has one of its own.
            cut = [row[:limit] if isinstance(piece, str) else row for row, piece in zip(ids, pieces, strict=True)]
            sides.append(np.concatenate([np.zeros(0, dtype=np.int64), *cut]))
        if longest > limit:
            _log.warning("%s reads %d tokens of a question of %d; the rest is cut.", self._profile.name, limit, longest)
        shown = query if len(encoded) <= limit else query[: encoded.span(0, limit).end]
        return _Frame(sides[0], sides[1], shown, longest > limit)

    def _body(self, frame: _Frame, passage: str) -> str:
        return self._filled(self._template.passage, frame.query, passage)

    def _sequence(self, frame: _Frame, body: TokenIds) -> TokenIds:
        return np.concatenate([frame.before, body, frame.after])

    def _whole(self, frame: _Frame, body: EncodedText, bare: int) -> PassageInputs:
        return PassageInputs((self._sequence(frame, body.ids),), (None,), len(body) - bare, frame.query_cut)

    def _cut(self, frame: _Frame, passage: str, body: EncodedText, room: int) -> PassageInputs:
        """Read a passage of more than ``room`` tokens in windows, or its beginning alone where the profile says so."""
        limit = self._profile.max_tokens - len(frame.before) - len(frame.after)
        tokens, rule = len(body) - (limit - room), self._profile.windows
        if rule == "first" and self._template.passage.endswith("{passage}"):
            body = self.tokenizer.encode_with_offsets(self._body(frame, passage))
            end = max(body.span(0, limit).end - len(self._body(frame, "")), 0)
            return PassageInputs((self._sequence(frame, body.ids[:limit]),), (Span(0, end),), tokens, True)
        encoded = self.tokenizer.encode_with_offsets(passage)
        windows = cut_windows(passage, encoded, room - _SEAM_TOKENS, "tokens", rule)
        spans = [encoded.span(first, end) for first, end in windows]
        spans[0] = Span(0, spans[0].end)
        if rule != "first":
            spans[-1] = Span(spans[-1].start, len(passage))
        bodies = self.tokenizer.encode([self._body(frame, passage[span.start : span.end]) for span in spans])
        overlong = any(len(window) > limit for window in bodies)
        return PassageInputs(
            tuple(self._sequence(frame, window.ids[:limit]) for window in bodies),
            tuple(spans),
            tokens,
            frame.query_cut or overlong or rule == "first",
        )


def _begin_ids(tokenizer: LanguageModelTokenizer, template: CausalTemplate) -> TokenIds:
    if template.begin_token == "as_tokenizer":
        return np.array(tokenizer.leading_ids, dtype=np.int64)
    begin = tokenizer.begin_id
    if template.begin_token == "never" or (template.begin_token == "unless_pad" and begin in {None, tokenizer.pad_id}):
        return np.zeros(0, dtype=np.int64)
    if begin is None:
        raise InputError(f"The tokenizer has no begin-of-text token, with which the form {template.name!r} starts.")
    return np.array([begin], dtype=np.int64)


def _end_ids(tokenizer: LanguageModelTokenizer, template: CausalTemplate) -> TokenIds:
    if tokenizer.end_id is None:
        raise InputError(f"The tokenizer has no end-of-text token, with which the form {template.name!r} ends.")
    return np.array([tokenizer.end_id], dtype=np.int64)
