"""How much of a query and of a passage a cross-encoder reads: the truncation rules of the field, and windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from secondpass.errors import InputError
from secondpass.models.profile_records import Truncation, WindowRule
from secondpass.models.reading_choices import WindowUnit
from secondpass.models.tokenizer import EncodedText
from secondpass.models.windows import Window, cut_windows

LongPassages = Literal["windows", "truncate"]
BCE_CHARACTERS = 128_000
_BCE_LEAST_ROOM = 100


@dataclass(frozen=True, slots=True)
class ReadingRules:
    """What of a pair is read.

    ``max_tokens`` counts the template's ``special_tokens`` too. ``query_max_tokens`` is what a query may take at most;
    None leaves that to ``truncation``. With ``long`` truncate, a long pair is cut exactly as FlagEmbedding
    (``only_second``) or sentence-transformers (``longest_first``) cut it; with windows, the passage is read in pieces
    beside the same part of the query, whose scores become one by ``rule``.
    """

    max_tokens: int
    special_tokens: int
    query_max_tokens: int | None
    truncation: Truncation
    long: LongPassages
    unit: WindowUnit
    rule: WindowRule

    @property
    def room(self) -> int:
        """The tokens of a query and a passage together."""
        return self.max_tokens - self.special_tokens

    @property
    def bce(self) -> bool:
        """Whether BCEmbedding's own way of reading long passages is wanted."""
        return self.rule == "bce" and self.long == "windows"


@dataclass(frozen=True, slots=True)
class PairReading:
    """The first ``query_tokens`` of the query are read with each of the passage's ``windows``.

    ``whole``: every token of both is read.
    """

    query_tokens: int
    windows: tuple[Window, ...]
    whole: bool


def read_pair(query: EncodedText, text: str, passage: EncodedText, rules: ReadingRules) -> PairReading:
    """Say which tokens of a pair are read; ``text`` is the passage's.

    Raises:
        InputError: BCEmbedding's rule leaves no room for a passage beside so long a query.
    """
    query_tokens = query_share(len(query), len(passage), rules)
    room = rules.room - query_tokens
    if rules.long == "windows":
        windows = tuple(cut_windows(text, passage, room, rules.unit, rules.rule))
    else:
        windows = ((0, min(room, len(passage))),)
    whole = query_tokens == len(query) and max(end for _, end in windows) == len(passage)
    return PairReading(query_tokens, windows, whole)


def query_share(query: int, passage: int, rules: ReadingRules) -> int:
    """Return how many tokens of the query are read beside a passage of ``passage`` tokens."""
    if rules.bce:
        if rules.room - query <= _BCE_LEAST_ROOM:
            raise InputError(
                f"The question has {query} tokens; this model (BCE) accepts at most "
                f"{rules.room - _BCE_LEAST_ROOM - 1} of them, so that passages have room. Shorten the question."
            )
        return query
    limit = rules.query_max_tokens
    query = query if limit is None else min(query, limit)
    return query if rules.truncation == "only_second" else longest_first(query, passage, rules.room)[0]


def longest_first(first: int, second: int, room: int) -> tuple[int, int]:
    """Return what is left of two lengths when the longer gives way until both fit into ``room``.

    The rule of the `tokenizers` library (``TruncationStrategy::LongestFirst``): where both are longer than half, each
    keeps half, the longer one (the second of equals) the odd token.
    """
    shorter = min(first, second)
    longer = max(shorter, room - shorter) if first + second > room else max(first, second)
    if shorter + longer > room:
        shorter = room // 2
        longer = room - shorter
    return (longer, shorter) if first > second else (shorter, longer)
