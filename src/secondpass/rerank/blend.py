"""A model's score and the lexical reranker's, put together: one reads, the other counts every word of a long passage.

A small model misses a rare name it has no piece for; word counts miss what is said in other words. A weighted sum of
both, fitted on dev lists like any calibration, ranks better than either. It stands in a model folder's ``config.json``,
``"secondpass": {"with_lexical": {"zh": {"score": 0.8, "lexical": 0.5, "shift": -0.2}, "en": ..., "crossing": ...}}``;
``crossing`` is for passages in another language than the question, of which word counts know nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.resources import files
from typing import Any

from secondpass.errors import InputError
from secondpass.rerank.lexical import LexicalReranker
from secondpass.text.language import language
from secondpass.types import Chunk, FloatArray, PairScorer, PassageScore, Scale

WITH_LEXICAL = "with_lexical"
CROSSING = "crossing"
KINDS = ("zh", "en", CROSSING)


@dataclass(frozen=True, slots=True)
class Share:
    """``score * (the model's score) + lexical * (the lexical log-odds) + shift`` is the logarithm of the odds."""

    score: float
    lexical: float
    shift: float


def pair_kind(query: str, passage: str) -> str:
    """Return which share counts for a pair: the language of both, or that they differ.

    >>> pair_kind("谁发明了电话？", "贝尔发明了电话。"), pair_kind("谁发明了电话？", "Bell invented it.")
    ('zh', 'crossing')
    """
    asked = language(query)
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
        self._lexical = LexicalReranker()

    @property
    def name(self) -> str:
        """The reader's name."""
        return self.reader.name

    @property
    def scale(self) -> Scale:
        """The reader's scale."""
        return self.reader.scale

    @property
    def fingerprint(self) -> str:
        """What the reader's scores depend on, the shares, and the lexical weights."""
        written = json.dumps({kind: asdict(share) for kind, share in sorted(self.shares.items())})
        weights = files("secondpass.rerank").joinpath("lexical.json").read_bytes()
        return hashlib.sha256(f"{self.reader.fingerprint}\0{written}\0".encode() + weights).hexdigest()[:16]

    def score(self, query: str, passages: Sequence[str]) -> list[PassageScore]:
        """Score ``passages``, in their order."""
        words: FloatArray = self._lexical.score(query, [Chunk(str(place), text) for place, text in enumerate(passages)])
        return [
            replace(read, score=self._together(pair_kind(query, text), read.score, float(log_odds)))
            for text, read, log_odds in zip(passages, self.reader.score(query, passages), words, strict=True)
        ]

    def _together(self, kind: str, score: float, lexical: float) -> float:
        share = self.shares[kind]
        return share.score * score + share.lexical * lexical + share.shift
