"""Embeddings from an OpenAI-compatible server: OpenAI, Ollama, vLLM, TEI, DashScope and others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from openai import OpenAIError, omit
from openai.types import CreateEmbeddingResponse

from secondpass.embed.profiles import profile_of
from secondpass.embed.vectors import unit_rows
from secondpass.errors import RemoteError
from secondpass.llm.client import connect, remote_error
from secondpass.types import FloatArray

_BLANK = " "  # servers refuse an empty text
_MAX_QUOTED = 200


class OpenAIEmbedder:
    """Encode texts with a model of an OpenAI-compatible server, ``batch_size`` texts a request.

    ``dimension`` asks the server for shorter vectors where it can; without it the length is learned by one request.
    """

    def __init__(
        self,
        model: str,
        base_url: str | None = None,
        api_key: str | None = None,
        dimension: int | None = None,
        batch_size: int = 64,
        timeout_seconds: float = 120.0,
        max_retries: int = 2,
    ) -> None:
        self._model = model
        self._client = connect(base_url, api_key, timeout_seconds, max_retries)
        self._base_url = base_url
        self._asked_dimension = dimension
        self._batch_size = batch_size
        self._profile = profile_of(model)
        self._served: tuple[str, int] | None = None

    @property
    def name(self) -> str:
        """``openai:MODEL``, with ``@URL`` where another server than OpenAI's is asked; `open_embedder` reads it."""
        return f"openai:{self._model}" + (f"@{self._base_url}" if self._base_url else "")

    @property
    def revision(self) -> str:
        """The model's name in the server's own words, and the length of its vectors; no server tells more."""
        model, dimension = self._learned()
        return f"{model}/{dimension}"

    @property
    def dimension(self) -> int:
        """The length of a vector."""
        return self._learned()[1]

    def encode_query(self, texts: Sequence[str]) -> FloatArray:
        """Encode questions; float32 [B, D], rows of length 1."""
        return self._encode([self._profile.query(text) for text in texts])

    def encode_document(self, texts: Sequence[str]) -> FloatArray:
        """Encode passages; float32 [B, D], rows of length 1."""
        return self._encode([self._profile.document(text) for text in texts])

    def _learned(self) -> tuple[str, int]:
        if self._served is None:
            self._request(["dimension"])
        assert self._served is not None
        return self._served

    def _encode(self, texts: list[str]) -> FloatArray:
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        starts = range(0, len(texts), self._batch_size)
        return np.concatenate([self._request(texts[start : start + self._batch_size]) for start in starts])

    def _request(self, texts: list[str]) -> FloatArray:
        what, url = f"The embedding model {self._model!r}", str(self._client.base_url)
        try:
            response = self._client.embeddings.create(
                model=self._model,
                input=[text if text.strip() else _BLANK for text in texts],
                dimensions=self._asked_dimension or omit,
                encoding_format="float",
            )
        except (OpenAIError, ValueError) as error:
            raise remote_error(error, what, url) from error
        if not isinstance(response, CreateEmbeddingResponse) or not isinstance(response.data, list):
            raise RemoteError(f"{what} at {url} answered with no embeddings: {str(response)[:_MAX_QUOTED]}")
        rows = sorted(response.data, key=lambda row: row.index)
        if [row.index for row in rows] != list(range(len(texts))):
            raise RemoteError(f"{what} at {url} was given {len(texts)} texts and answered with {len(rows)} vectors.")
        return self._checked([row.embedding for row in rows], response.model, f"{what} at {url}")

    def _checked(self, rows: list[list[float]], model: str, what: str) -> FloatArray:
        lengths = {len(row) for row in rows}
        expected = self._served[1] if self._served else self._asked_dimension
        if len(lengths) != 1 or (expected is not None and lengths != {expected}):
            raise RemoteError(
                f"{what} answered with vectors of length {', '.join(map(str, sorted(lengths))) or 0}"
                + (f"; {expected} was expected." if expected else "; one length was expected.")
            )
        vectors = unit_rows(rows)
        if not np.isfinite(vectors).all():
            raise RemoteError(f"{what} answered with numbers that are not finite.")
        self._served = (model or self._model, lengths.pop())
        return vectors
