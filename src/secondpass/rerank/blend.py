"""A model's score and the lexical reranker's, put together: one reads, the other counts every word of a long passage.

A small model misses a rare name it has no piece for; word counts miss what is said in other words. A weighted sum of
both, fitted on dev lists like any calibration, ranks better than either. It stands in a model folder's ``config.json``,
``"secondpass": {"with_lexical": {"zh": {"score": 0.8, "lexical": 0.5, "shift": -0.2}, "en": ..., "crossing": ...}}``;
``crossing`` is for passages in another language than the question, of which word counts know nothing. What a passage
says besides repeating the question counts more than the repetition (`secondpass.rerank.echo`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from importlib.resources import files
from typing import Any

from secondpass.errors import InputError
from secondpass.rerank.echo import without_echo
from secondpass.rerank.lexical import LexicalReranker
from secondpass.text.language import language
from secondpass.types import Chunk, Language, PairScorer, PassageScore, Scale

WITH_LEXICAL = "with_lexical"
CROSSING = "crossing"
KINDS = ("zh", "en", CROSSING)
ECHOED = 0.25
"""How much the words of a passage that repeats the question count; those of what else it says count the rest."""


@dataclass(frozen=True, slots=True)
class Share:
    """``score * (the model's score) + lexical * (the lexical log-odds) + shift`` is the logarithm of the odds."""

    score: float
    lexical: float
    shift: float


def pair_kind(asked: Language, passage: str) -> str:
    """Return which share counts for a pair: the language of both, or that they differ; ``asked``: the question's.

    >>> pair_kind("zh", "贝尔发明了电话。"), pair_kind("zh", "Bell invented it.")
    ('zh', 'crossing')
    """
    return asked if language(passage) == asked else CROSSING


def read_shares(config: Mapping[str, Any]) -> dict[str, Share] | None:
    """Return the shares that a model's ``config.json`` names, None where it names none.

    Raises:
        InputError: they are not whole.
    """
    settings = config.get("secondpass")
    written = settings.get(WITH_LEXICAL) if isinstance(settings, Mapping) else None
    if written is None:
        return None
    try:
        return {kind: Share(**{name: float(value) for name, value in written[kind].items()}) for kind in KINDS}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"config.json names secondpass.{WITH_LEXICAL} as {json.dumps(written)[:200]}; it has, for each of "
            f"{', '.join(KINDS)}, the numbers score, lexical and shift."
        ) from error


class BlendedScorer:
    """A `PairScorer` that adds what words say to what ``reader`` says; the pointed evidence is the reader's."""

    gives_probability = True

    def __init__(self, reader: PairScorer, shares: Mapping[str, Share]) -> None:
        self.reader = reader
        self.shares = dict(shares)
        self.fingerprint = _fingerprint(reader, shares)
        self._lexical = LexicalReranker()

    @property
    def name(self) -> str:
        """The reader's name."""
        return self.reader.name

    @property
    def scale(self) -> Scale:
        """The reader's scale."""
        return self.reader.scale

    def score(self, query: str, passages: Sequence[str]) -> list[PassageScore]:
        """Score ``passages``, in their order."""
        asked = language(query)
        return [
            replace(read, score=self._together(pair_kind(asked, text), read.score, words))
            for text, read, words in zip(
                passages, self.reader.score(query, passages), word_log_odds(self._lexical, query, passages), strict=True
            )
        ]

    def _together(self, kind: str, score: float, lexical: float) -> float:
        share = self.shares[kind]
        return share.score * score + share.lexical * lexical + share.shift


def word_log_odds(lexical: LexicalReranker, query: str, passages: Sequence[str]) -> list[float]:
    """Return the lexical log-odds of each passage; repeating the question counts ``ECHOED`` of what it would."""
    log_odds = _count(lexical, query, passages)
    besides = {place: rest for place, text in enumerate(passages) if (rest := without_echo(query, text)) != text}
    for place, counted in zip(besides, _count(lexical, query, list(besides.values())), strict=True):
        log_odds[place] = ECHOED * log_odds[place] + (1 - ECHOED) * counted
    return log_odds


def _count(lexical: LexicalReranker, query: str, passages: Sequence[str]) -> list[float]:
    chunks = [Chunk(str(place), text) for place, text in enumerate(passages)]
    return [float(one) for one in lexical.score(query, chunks)]


def _fingerprint(reader: PairScorer, shares: Mapping[str, Share]) -> str:
    """Return what a score depends on: the reader, the shares, and the lexical reranker as this version has it."""
    written = json.dumps({kind: asdict(share) for kind, share in sorted(shares.items())})
    weights = files("secondpass.rerank").joinpath("lexical.json").read_bytes()
    parts = f"{reader.fingerprint}\0{written}\0{version('secondpass')}\0{ECHOED}\0".encode()
    return hashlib.sha256(parts + weights).hexdigest()[:16]
