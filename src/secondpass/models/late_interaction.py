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
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from secondpass.models.batching import plan, rounded_width, run_batches
from secondpass.models.colbert_settings import read_projection, read_settings
from secondpass.models.engine import Batch, EncoderEngine, TokenIds
from secondpass.models.late_interaction_reading import (
    CHINESE_PUNCTUATION,
    LateInteractionOptions,
    LateInteractionReader,
    PassageSequences,
)
from secondpass.models.module_list import transformer_folder
from secondpass.models.tokenizer import TextTokenizer
from secondpass.models.weight_files import fingerprint
from secondpass.types import FloatArray, Span

_log = logging.getLogger(__name__)

__all__ = [
    "CHINESE_PUNCTUATION", "LateInteractionEncoder", "LateInteractionOptions", "PassageVectors", "QueryVectors",
]  # fmt: skip


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
        tokenizer = TextTokenizer(transformer_folder(folder))
        self._reader = LateInteractionReader(self.name, read_settings(folder), tokenizer, self.options)
        self.settings = self._reader.settings
        # The mean is taken of the same vectors.
        parts = (fingerprint(folder), replace(self.settings, mean=False), self.options.skiplist, self.options.cut_long)
        self.revision = hashlib.blake2b(repr(parts).encode(), digest_size=8).hexdigest()

    def encode_query(self, text: str) -> QueryVectors:
        """Encode a question; what is beyond the query length is not read, as in the reference libraries."""
        read = self._reader.query(text)
        if read.truncated:
            _log.warning("%s reads a part of the question's %d tokens.", self.name, read.tokens)
        width = rounded_width(len(read.ids), limit=self.settings.query_length)
        batch = Batch((read.ids,), (len(read.ids),), width, (read.attended,))
        vectors = run_batches(self.engine, [batch]).outputs[0]
        return QueryVectors(_unit(vectors[read.kept]), read.tokens, read.truncated)

    def encode_documents(self, texts: Sequence[str]) -> list[PassageVectors]:
        """Encode passages, each in as many windows as it takes."""
        read = self._reader.passages(texts)
        vectors = iter(self._run([ids for passage in read for ids in passage.sequences]))
        return [_of_passage(passage, [next(vectors) for _ in passage.sequences]) for passage in read]

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
                vectors[index] = _unit(output[row : row + len(ids)][self._reader.kept(ids)])
                row += len(ids)
        return vectors


def _of_passage(read: PassageSequences, parts: Sequence[FloatArray]) -> PassageVectors:
    lengths = tuple(len(part) for part in parts)
    return PassageVectors(np.concatenate(parts), read.spans, lengths, read.tokens, read.truncated)


def _batch(sequences: Sequence[TokenIds], limit: int) -> Batch:
    lengths = tuple(len(ids) for ids in sequences)
    return Batch(tuple(sequences), lengths, rounded_width(max(lengths), limit=limit))


def _unit(vectors: FloatArray) -> FloatArray:
    """Bring vectors to length 1, float32; those of length 0 stay."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: FloatArray = (vectors / np.maximum(lengths, 1e-12)).astype(np.float32)
    return unit
