"""The persistent store: one folder, in this process, on Qdrant Edge.

Term vectors are sparse vectors with the engine's own IDF; embeddings are dense vectors with cosine. The payload of a
point holds the chunk as one JSON text, and a digest of its document's id, by which a document's points are found.

What was measured of the engine (qdrant-edge-py 0.9.0), and is held by tests/contracts/test_stores.py:

- Its IDF is ``ln(1 + (N - n + 0.5) / (n + 0.5))``. By default N and n still count deleted chunks until a segment is
  rebuilt; with a corpus filter (here: the empty one) they count the living ones only, at a cost that grows with the
  index (see docs/log.md). So the filter is given exactly when something deleted is still counted.
- A chunk without terms is left out of N, but not under a corpus filter. It is therefore stored with term 0 at weight 0,
  which matches nothing and is counted in both.
- It stores a chunk's token vectors as one multi-vector and compares all of them with a question's, in float16: half
  the size (256 bytes a token of 128 numbers; a chunk of 180 tokens is 46 kB), scores within a relative 0.0002 of
  float32, 40 ms for 1,000 chunks. A graph over them is never built.
- Killed while it optimises, it may keep chunks in two segments; see `has_doubles`.
- Killed or not, what `flush` returned from is there; a log of operations brings back what came after.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any
from uuid import UUID

import qdrant_edge

from secondpass.errors import StoreError
from secondpass.index.disk import MEBIBYTE, require_free
from secondpass.index.order import Found, best_first, reading_order
from secondpass.index.vectors import check_query, check_token_query, check_token_vectors, check_vector
from secondpass.types import Chunk, Entry, FloatArray, TermVector

EXACT_BYTES = 512 * MEBIBYTE
"""Up to so many bytes of vectors each one is compared with the query; above, an HNSW graph finds most of the nearest.

That is 350,000 vectors of 384 numbers, or 131,000 of 1,024, and some 25 ms a search; see docs/log.md.
"""

_TERMS, _DENSE, _TOKENS, _DOCUMENT, _CHUNK = "terms", "dense", "tokens", "doc", "chunk"
_UPSERT_SIZE = 1_000  # points in one operation of the log
_UPSERT_SIZE_TOKENS = 64  # the same with token vectors: about 6 MB
_TOKEN_RESERVE_BYTES = 2 * 32 * MEBIBYTE  # the engine's file of token vectors that is filled, and the one it begins
_OPTIMIZE_EVERY = 100_000  # chunks; what is not yet optimised lies in memory, about 2.5 kB a chunk
_SEGMENT_KILOBYTES = 200_000  # of vectors; larger segments are merged again and again while an index grows
_TIES = 16  # fetched beyond top_k, so that equal scores at the edge are cut by place
_MOST_TIES = 4_096
_ANY = qdrant_edge.SearchParams(idf=qdrant_edge.IdfParams(corpus=qdrant_edge.Filter()))


class _EngineErrors:
    """Turns what the engine raises into a `StoreError`; it knows only ``Exception`` itself and Rust panics."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None and (kind is Exception or type(error).__name__ == "PanicException"):
            raise StoreError(_sentence(str(error), self.folder)) from error


def _sentence(message: str, folder: Path) -> str:
    if "WouldBlock" in message:
        return f"The index at {folder} is open in another process; wait until that has ended, or stop it."
    if any(sign in message for sign in ("No space left", "os error 28", "Not enough space", "StorageFull")):
        return f"The disk with {folder} is full; what was done is kept: free space and run again."
    if "Permission denied" in message or "os error 13" in message:
        return f"The index at {folder} may not be written by this user; change its permissions."
    return (
        f"The index at {folder} is damaged or was written by another version ({message[:200]}); "
        "build it again with --rebuild."
    )


class QdrantEdgeStore:
    """A `Store` in a folder; ``dimension`` is the length of the vectors, None for an index without an embedder.

    ``token_dimension`` is the length of the token vectors, None for an index without a token encoder.
    """

    def __init__(
        self, folder: Path, dimension: int | None, token_dimension: int | None = None, *, create: bool = False
    ) -> None:
        self.folder = folder
        self.dimension = dimension
        self.token_dimension = token_dimension
        self._upsert_size = _UPSERT_SIZE if token_dimension is None else _UPSERT_SIZE_TOKENS
        self._errors = _EngineErrors(folder)
        self._unoptimized = 0
        self._graph = False
        with self._errors:
            if create:
                folder.mkdir(parents=True, exist_ok=True)
                require_free(folder, 0, "creating an index")
                self._shard = qdrant_edge.EdgeShard.create(str(folder), self._config(graph=False))
                field = qdrant_edge.UpdateOperation.create_field_index(_DOCUMENT, qdrant_edge.PayloadSchemaType.Keyword)
                self._shard.update(field)
                self._shard.flush()
            else:
                self._shard = qdrant_edge.EdgeShard.load(str(folder))
                self._graph = _keeps_graph(folder)

    def replace(self, doc_ids: Sequence[str], entries: Sequence[Entry]) -> None:
        """Remove all chunks of ``doc_ids`` and add ``entries``; on disk when it returns.

        New chunks go in first and old ones out last: killed in between, a document has too many chunks, never too few,
        and the same call again sets it right.
        """
        for entry in entries:
            check_vector(entry, self.dimension)
            check_token_vectors(entry, self.token_dimension)
        reserve = 0 if self.token_dimension is None else _TOKEN_RESERVE_BYTES
        require_free(self.folder, reserve + sum(map(_entry_bytes, entries)), "indexing")
        with self._errors:
            stale = set(self._points_of(doc_ids))
            for first in range(0, len(entries), self._upsert_size):
                batch = [self._point(entry) for entry in entries[first : first + self._upsert_size]]
                self._shard.update(qdrant_edge.UpdateOperation.upsert_points(batch))
                stale.difference_update(point.id for point in batch)
            leftover = list(stale)
            for first in range(0, len(leftover), _UPSERT_SIZE):
                gone = leftover[first : first + _UPSERT_SIZE]
                self._shard.update(qdrant_edge.UpdateOperation.delete_points(gone))
            self._shard.flush()
        self._unoptimized += len(entries)
        if self._unoptimized >= _OPTIMIZE_EVERY:
            self.optimize()

    def search_terms(self, query: TermVector, top_k: int) -> list[Found]:
        """Return the ``top_k`` chunks with the highest BM25 score, best first."""
        sparse = qdrant_edge.SparseVector(indices=query.ids.tolist(), values=query.weights.tolist())
        with self._errors:
            nearest = qdrant_edge.Query.Nearest(sparse, using=_TERMS)
            return self._search(nearest, top_k, _ANY if self._counts_deleted() else None)

    def search_vector(self, query: FloatArray, top_k: int) -> list[Found]:
        """Return the ``top_k`` chunks with the highest cosine to ``query`` (float32 [D]), best first.

        Exact up to `EXACT_BYTES` of vectors, approximate above.
        """
        check_query(query, self.dimension)
        with self._errors:
            return self._search(qdrant_edge.Query.Nearest(query.tolist(), using=_DENSE), top_k, None)

    def search_tokens(self, query: FloatArray, top_k: int) -> list[Found]:
        """Return the ``top_k`` chunks with the highest MaxSim to ``query`` (float32 [Q, D]), best first.

        All are compared, in float16: the time grows with the index.
        """
        check_token_query(query, self.token_dimension)
        with self._errors:
            return self._search(qdrant_edge.Query.Nearest(query.tolist(), using=_TOKENS), top_k, None)

    def chunks_of(self, doc_id: str) -> list[Chunk]:
        """Return the chunks of one document in reading order."""
        with self._errors:
            records = self._scroll([doc_id], with_payload=True)
            return sorted((_chunk(record.payload) for record in records), key=reading_order)

    def count(self) -> int:
        """Count the chunks."""
        with self._errors:
            return self._shard.count(qdrant_edge.CountRequest(exact=True))

    def optimize(self) -> None:
        """Build the posting lists (and above `EXACT_BYTES` the HNSW graph) that make searches and opening fast."""
        with self._errors:
            if self._wants_graph() and not self._graph:
                self._shard.close()
                self._shard = qdrant_edge.EdgeShard.load(str(self.folder), self._config(graph=True))
                self._graph = True
            if self._shard.optimize():
                self._shard.flush()
        self._unoptimized = 0

    def has_doubles(self) -> bool:
        """Tell whether chunks lie in two segments: what an `optimize` that was killed may leave.

        They are found once, but counted twice in the IDF. `optimize` clears most of them, `rewrite` all.
        """
        with self._errors:
            return self._shard.info().points_count != self._shard.count(qdrant_edge.CountRequest(exact=True))

    def rewrite(self, doc_ids: Sequence[str]) -> None:
        """Take the chunks of ``doc_ids`` out of all segments and put them into one.

        Killed in between, they are lost: the caller notes the documents as unfinished first.
        """
        if self.token_dimension is not None and len(doc_ids) > 1:  # their vectors are large: a document at a time
            for doc_id in doc_ids:
                self.rewrite([doc_id])
            return
        with self._errors:
            records = list(self._scroll(doc_ids, with_payload=True, with_vector=True))
            require_free(self.folder, sum(map(_record_bytes, records)), "repairing the index")
            for first in range(0, len(records), self._upsert_size):
                part = records[first : first + self._upsert_size]
                points = [qdrant_edge.Point(record.id, record.vector or {}, record.payload) for record in part]
                self._shard.update(qdrant_edge.UpdateOperation.delete_points([record.id for record in part]))
                self._shard.update(qdrant_edge.UpdateOperation.upsert_points(points))
            self._shard.flush()

    def close(self) -> None:
        """Write what is pending and release the files."""
        with self._errors:
            self._shard.close()

    def _config(self, *, graph: bool) -> qdrant_edge.EdgeConfig:
        dense = {}
        if self.dimension is not None:
            dense[_DENSE] = qdrant_edge.EdgeVectorParams(size=self.dimension, distance=qdrant_edge.Distance.Cosine)
        if self.token_dimension is not None:
            dense[_TOKENS] = qdrant_edge.EdgeVectorParams(
                size=self.token_dimension,
                distance=qdrant_edge.Distance.Dot,
                multivector_config=qdrant_edge.MultiVectorConfig(qdrant_edge.MultiVectorComparator.MaxSim),
                datatype=qdrant_edge.VectorStorageDatatype.Float16,
                hnsw_config=qdrant_edge.HnswIndexConfig(m=0, ef_construct=128, full_scan_threshold=10_000),
            )
        terms = qdrant_edge.EdgeSparseVectorParams(modifier=qdrant_edge.Modifier.Idf)
        return qdrant_edge.EdgeConfig(
            vectors=dense,
            sparse_vectors={_TERMS: terms},
            hnsw_config=qdrant_edge.HnswIndexConfig(m=16 if graph else 0, ef_construct=128, full_scan_threshold=10_000),
            optimizers=qdrant_edge.EdgeOptimizersConfig(max_segment_size=_SEGMENT_KILOBYTES),
        )

    def _wants_graph(self) -> bool:
        return 4 * (self.dimension or 0) * self._shard.info().points_count > EXACT_BYTES

    def _counts_deleted(self) -> bool:
        """Tell whether the engine's own IDF may still count chunks that are gone.

        Without dense vectors the number of indexed vectors tells; with them it counts both kinds, and so says nothing.
        """
        info = self._shard.info()
        return (
            self.dimension is not None
            or self.token_dimension is not None
            or info.indexed_vectors_count != info.points_count
        )

    def _search(self, query: qdrant_edge.Query, top_k: int, params: qdrant_edge.SearchParams | None) -> list[Found]:
        if top_k < 1:
            return []
        limit = top_k + _TIES
        while True:
            request = qdrant_edge.QueryRequest(limit=limit, query=query, with_payload=[_CHUNK], params=params)
            points = self._shard.query(request)
            tied = len(points) == limit and points[-1].score == points[top_k - 1].score
            if not tied or limit >= top_k + _MOST_TIES:
                return best_first(((_chunk(point.payload), point.score) for point in points), top_k)
            limit = min(limit * 4, top_k + _MOST_TIES)

    def _points_of(self, doc_ids: Sequence[str]) -> Iterator[qdrant_edge.PointId]:
        return (record.id for record in self._scroll(doc_ids, with_payload=False))

    def _scroll(
        self, doc_ids: Sequence[str], *, with_payload: bool, with_vector: bool = False
    ) -> Iterator[qdrant_edge.Record]:
        keys = [_digest(doc_id).hex() for doc_id in doc_ids]
        match = qdrant_edge.FieldCondition(_DOCUMENT, match=qdrant_edge.MatchAny(keys))
        offset: qdrant_edge.PointId | None = None
        while True:
            request = qdrant_edge.ScrollRequest(
                offset=offset,
                limit=self._upsert_size if with_vector else _UPSERT_SIZE,
                filter=qdrant_edge.Filter(must=[match]),
                with_payload=with_payload,
                with_vector=with_vector,
            )
            records, offset = self._shard.scroll(request)
            yield from records
            if offset is None:
                return

    def _point(self, entry: Entry) -> qdrant_edge.Point:
        terms, chunk = entry.terms, entry.chunk
        ids, weights = (terms.ids.tolist(), terms.weights.tolist()) if len(terms.ids) else ([0], [0.0])
        vector: dict[str, Any] = {_TERMS: qdrant_edge.SparseVector(indices=ids, values=weights)}
        if entry.vector is not None:
            vector[_DENSE] = entry.vector.tolist()
        if entry.token_vectors is not None:
            vector[_TOKENS] = entry.token_vectors
        payload = {_DOCUMENT: _digest(chunk.doc_id).hex(), _CHUNK: _json(chunk)}
        return qdrant_edge.Point(UUID(bytes=_digest(chunk.doc_id, chunk.id)), vector, payload)


def _keeps_graph(folder: Path) -> bool:
    """Tell whether the engine's own settings ask for a graph."""
    settings = json.loads((folder / "edge_config.json").read_text(encoding="utf-8"))
    return bool((settings.get("hnsw_config") or {}).get("m"))


def _digest(*parts: str) -> bytes:
    """Return 16 bytes that stand for the strings, whatever characters they hold."""
    joined = b"\0".join(part.encode("utf-8", "surrogatepass") for part in parts)
    return hashlib.blake2b(joined, digest_size=16).digest()


def _json(chunk: Chunk) -> str:
    """Return the chunk as JSON that is valid UTF-8, even where a file name is not."""
    fields: dict[str, Any] = {
        "id": chunk.id,
        "text": chunk.text,
        "doc_id": chunk.doc_id,
        "start": chunk.start,
        "end": chunk.end,
        "heading_path": chunk.heading_path,
        "page": chunk.page,
        "source": chunk.source,
        "title": chunk.title,
        "metadata": dict(chunk.metadata),
    }
    text = json.dumps(fields, ensure_ascii=False)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # a name that was no valid text on disk, kept by Python as lone surrogates
        return json.dumps(fields)
    return text


def _chunk(payload: dict[str, Any] | None) -> Chunk:
    if payload is None:
        raise TypeError("The engine returned a point without its payload.")
    fields = json.loads(payload[_CHUNK])
    fields["heading_path"] = tuple(fields["heading_path"])
    return Chunk(**fields)


def _entry_bytes(entry: Entry) -> int:
    """Estimate what a chunk takes: the log keeps it once, the segment once, its terms and vector uncompressed."""
    vectors = sum(one.nbytes for one in (entry.vector, entry.token_vectors) if one is not None)
    return 3 * (4 * len(entry.chunk.text) + 8 * len(entry.terms.ids) + vectors + 1_000)


def _record_bytes(record: qdrant_edge.Record) -> int:
    """Estimate what writing a stored chunk again takes."""
    tokens = record.vector.get(_TOKENS) if isinstance(record.vector, dict) else None
    numbers = len(tokens) * len(tokens[0]) if isinstance(tokens, list) and isinstance(tokens[0], list) else 0
    return 3 * (len(str(record.payload)) + 4 * numbers)
