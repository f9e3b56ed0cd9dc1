"""Embeddings computed here, with any bi-encoder of sentence-transformers (extra ``torch``).

Only safetensors weights are read and no code that comes with a model is run.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from secondpass.embed.profiles import profile_of
from secondpass.embed.vectors import unit_rows
from secondpass.errors import InputError, MissingExtraError
from secondpass.models.checkpoint import check_is_embedder, read_checkpoint
from secondpass.models.source import resolve
from secondpass.types import FloatArray

try:
    from safetensors import SafetensorError
    from sentence_transformers import SentenceTransformer
    from transformers.utils.logging import disable_progress_bar
except ModuleNotFoundError as error:
    _missing: ModuleNotFoundError | None = error
else:
    _missing = None

_log = logging.getLogger(__name__)


class SentenceTransformersEmbedder:
    """Encode texts with a bi-encoder from a local folder, Hugging Face, or ModelScope (``ms:OWNER/NAME``).

    What a model wants before its texts comes from `secondpass.embed.profiles`, else from the model's own prompts.
    ``truncated_count`` counts the texts that were longer than the model reads; what is beyond is not in the vector.
    """

    def __init__(
        self,
        name_or_folder: str | Path,
        device: str = "cpu",
        batch_size: int = 32,
        max_tokens: int | None = None,
    ) -> None:
        if _missing is not None:
            raise MissingExtraError("An embedder that runs on this machine", "torch") from _missing
        source = resolve(str(name_or_folder))
        folder = source.folder
        check_is_embedder(read_checkpoint(folder))
        self._name = source.name if source.origin == "folder" else str(name_or_folder)
        self._revision = source.revision
        self._profile = profile_of(self._name)
        self._batch_size = batch_size
        disable_progress_bar()  # loading takes a moment; the progress that matters is the index's
        try:
            self._model = SentenceTransformer(
                str(folder),
                device=device,
                trust_remote_code=False,
                local_files_only=True,
                model_kwargs={"use_safetensors": True},
            )
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
            raise InputError(f"The embedding model at {folder} cannot be loaded: {error}") from error
        if limit := max_tokens or self._profile.max_tokens:
            self._model.max_seq_length = min(limit, self._model.max_seq_length or limit)
        self.truncated_count = 0

    @property
    def name(self) -> str:
        """The folder, or the name at its hub; `open_embedder` reads it."""
        return self._name

    @property
    def revision(self) -> str:
        """The commit of a model from Hugging Face, else a fingerprint of its files."""
        return self._revision

    @property
    def dimension(self) -> int:
        """The length of a vector."""
        return int(self._model.get_embedding_dimension() or 0)

    @property
    def max_tokens(self) -> int:
        """How many tokens of a text the model reads."""
        return int(self._model.max_seq_length or 0)

    def encode_query(self, texts: Sequence[str]) -> FloatArray:
        """Encode questions; float32 [B, D], rows of length 1."""
        prompt = "" if self._profile.query_prefix else None
        return self._encode([self._profile.query(text) for text in texts], "query", prompt)

    def encode_document(self, texts: Sequence[str]) -> FloatArray:
        """Encode passages; float32 [B, D], rows of length 1."""
        prompt = "" if self._profile.document_prefix else None
        return self._encode([self._profile.document(text) for text in texts], "document", prompt)

    def _encode(self, texts: list[str], kind: str, prompt: str | None) -> FloatArray:
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        self._count_truncated(texts)
        encode = self._model.encode_query if kind == "query" else self._model.encode_document
        rows = encode(texts, prompt=prompt, batch_size=self._batch_size, show_progress_bar=False)
        return unit_rows(rows)

    def _count_truncated(self, texts: list[str]) -> None:
        # A token is a character at least, so that only long texts need to be counted.
        long = [text for text in texts if len(text) >= self.max_tokens]
        if not long:
            return
        tokens = self._model.tokenizer(long, truncation=False, verbose=False)["input_ids"]
        truncated = sum(len(ids) > self.max_tokens for ids in tokens)
        if truncated:
            self.truncated_count += truncated
            _log.warning("%s reads %d tokens; %d longer texts were cut.", self._name, self.max_tokens, truncated)
