"""From texts to token ids, and from two texts' ids to the one sequence that a pair encoder reads.

Only the `tokenizers` library is needed. Queries and passages are encoded apart, so that exact lengths are known before
anything is computed, and joined by the template that the model's own tokenizer.json holds.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from secondpass.errors import InputError, MissingExtraError
from secondpass.models.engine import TokenIds
from secondpass.models.model_folder import read_json
from secondpass.types import Span

try:
    from tokenizers import Tokenizer
except ModuleNotFoundError as error:
    _missing: ModuleNotFoundError | None = error
else:
    _missing = None

_BLANK_LINE = re.compile(r"\n[^\S\n]*\n")
_PROBE = ("a", "b")
_TEXTS_AT_ONCE = 256  # what the library returns of a text takes a hundred times the room of its ids
_WITHOUT_SEGMENTS = ("XLMRoberta", "Roberta", "Camembert", "DistilBert", "MPNet", "ModernBert")


@dataclass(frozen=True, slots=True, eq=False)
class EncodedText:
    """The token ids of one text, int64 [L], without special tokens.

    ``offsets``, int64 [L, 2]: the characters of ``text`` that each token was made of; None where nobody asked.
    """

    ids: TokenIds
    offsets: TokenIds | None = None
    text: str = ""

    def __len__(self) -> int:
        return len(self.ids)

    def span(self, first: int, end: int) -> Span:
        """Return the characters that tokens ``[first, end)`` were made of, without white space before them."""
        if self.offsets is None or first >= end:
            return Span(0, 0)
        start, stop = int(self.offsets[first, 0]), int(self.offsets[end - 1, 1])
        piece = self.text[start:stop]
        return Span(start + len(piece) - len(piece.lstrip()), stop) if piece.strip() else Span(start, stop)

    def paragraphs(self, windows: Sequence[tuple[int, int]]) -> list[tuple[int, ...]]:
        """Return how many tokens each paragraph has of each of ``windows`` ``[first, end)``; blank lines part them."""
        if self.offsets is None:
            return [(end - first,) for first, end in windows]
        begins = [match.end() for match in _BLANK_LINE.finditer(self.text)]
        starts = np.searchsorted(self.offsets[:, 0], begins)
        return [
            tuple(np.diff([first, *starts[(first < starts) & (starts < end)].tolist(), end]).tolist())
            for first, end in windows
        ]


@dataclass(frozen=True, slots=True)
class PairTemplate:
    """What a model wants around and between two texts, as token ids.

    ``segments``: token type 1 begins with the second text; else every token has type 0.
    """

    prefix: tuple[int, ...]
    middle: tuple[int, ...]
    suffix: tuple[int, ...]
    segments: bool

    @property
    def special_count(self) -> int:
        """How many tokens the template adds."""
        return len(self.prefix) + len(self.middle) + len(self.suffix)

    def join(self, first: TokenIds, second: TokenIds) -> tuple[TokenIds, int]:
        """Return the sequence of a pair, and the index at which token type 1 begins (its length where it does not)."""
        parts = (self.prefix, first, self.middle, second, self.suffix)
        ids = np.concatenate([np.asarray(part, dtype=np.int64) for part in parts])
        start = len(self.prefix) + len(first) + len(self.middle)
        return ids, start if self.segments else len(ids)


class TextTokenizer:
    """The tokenizer of a model folder; safe to share between threads.

    Truncation and padding of the file are switched off once, here, and never touched again: changing them while another
    thread encodes is what makes the library raise "Already borrowed".

    Raises:
        InputError: the folder has no tokenizer.json, or it cannot be read.
        MissingExtraError: the `tokenizers` library is not installed.
    """

    def __init__(self, folder: Path) -> None:
        if _missing is not None:
            raise MissingExtraError("A reranker that runs on this machine", "onnx") from _missing
        self._path = folder / "tokenizer.json"
        if not self._path.is_file():
            raise InputError(
                f"The model folder {folder} has no tokenizer.json; with transformers installed, "
                f"AutoTokenizer.from_pretrained({str(folder)!r}).save_pretrained({str(folder)!r}) makes one."
            )
        content = self._path.read_bytes()
        try:
            self._tokenizer = Tokenizer.from_str(content.decode("utf-8"))
        except Exception as error:
            raise InputError(f"{self._path} is not a tokenizer that can be read: {error}") from error
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self.fingerprint = hashlib.sha256(content).hexdigest()
        self.settings: Mapping[str, Any] = read_json(folder / "tokenizer_config.json")

    def encode(self, texts: Sequence[str], offsets_from: int = 0) -> list[EncodedText]:
        """Encode ``texts`` without special tokens; offsets are kept of texts of at least ``offsets_from`` tokens."""
        encoded: list[EncodedText] = []
        for start in range(0, len(texts), _TEXTS_AT_ONCE):
            part = list(texts[start : start + _TEXTS_AT_ONCE])
            for text, encoding in zip(part, self._tokenizer.encode_batch(part, add_special_tokens=False), strict=True):
                ids = np.array(encoding.ids, dtype=np.int64)
                offsets = _after_one_another(encoding.offsets) if len(ids) >= offsets_from else None
                encoded.append(EncodedText(ids, offsets, text))
        return encoded

    def token_id(self, token: str) -> int | None:
        """Return the id of ``token``, or None where the vocabulary has no such token."""
        return self._tokenizer.token_to_id(token)

    def pair_template(self, segment_count: int, least_marks: int = 1) -> PairTemplate:
        """Read the template for pairs from what the tokenizer itself makes of a probe.

        ``segment_count`` is the number of token types the model knows (``type_vocab_size``). ``least_marks`` special
        tokens stand before the first text, at least: 0 for decoders, many of which read two texts and nothing beside.

        Raises:
            InputError: the tokenizer joins two texts in no form that a pair encoder can read.
        """
        encoding = self._tokenizer.encode(*_PROBE)
        sequences = encoding.sequence_ids
        if 0 not in sequences or 1 not in sequences:
            raise InputError(f"{self._path} has no form for pairs of texts; a cross-encoder's tokenizer has one.")
        first_end = _last_index(sequences, 0) + 1
        second_start, second_end = sequences.index(1), _last_index(sequences, 1) + 1
        if second_start < first_end or sequences.index(0) < least_marks:
            raise InputError(
                f"{self._path} joins two texts as {encoding.tokens}; "
                "accepted is a special token, the first text, special tokens, the second text."
            )
        types = encoding.type_ids
        segments = segment_count > 1 and self._reads_segments() and types[second_start] == 1
        if segments and types != [0] * second_start + [1] * (len(types) - second_start):
            raise InputError(f"{self._path} gives the token types {types} to a pair; accepted are zeros, then ones.")
        ids = encoding.ids
        return PairTemplate(
            tuple(ids[: sequences.index(0)]),
            tuple(ids[first_end:second_start]),
            tuple(ids[second_end:]),
            segments,
        )

    def _reads_segments(self) -> bool:
        """Whether the model's own tokenizer hands token types to the model."""
        names = self.settings.get("model_input_names")
        if isinstance(names, list):
            return "token_type_ids" in names
        return not str(self.settings.get("tokenizer_class", "")).startswith(_WITHOUT_SEGMENTS)


def _after_one_another(offsets: Sequence[tuple[int, int]]) -> TokenIds:
    """Return offsets, int64 [L, 2], of which none begins before the end of the one before it.

    Where a normalizer inserts a mark before a word, the library says that the mark was made of the character before,
    which belongs to the token before. Several tokens of one character all keep it.
    """
    # Three times as fast as np.array, which is most of what offsets cost.
    places = np.fromiter(chain.from_iterable(offsets), np.int64, 2 * len(offsets)).reshape(-1, 2)
    before = places[:-1, 1]
    early = (places[1:, 0] < before) & (places[1:, 1] > before)
    places[1:, 0][early] = before[early]
    return places


def _last_index(values: list[int | None], value: int) -> int:
    return len(values) - 1 - values[::-1].index(value)
