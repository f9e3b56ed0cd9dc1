"""Join passages that follow each other in their document into one, so that a reader gets the stretch and not its parts.

A joined passage is a slice of its document like any other: passages are joined where they touch or overlap and agree
on what they share, or where ``read`` knows the text between them.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from secondpass.errors import InputError
from secondpass.rerank.post_step import passed, ranked, step_name
from secondpass.text.language import estimate_tokens
from secondpass.types import Chunk, Hit, Reranker, Span

_log = logging.getLogger(__name__)
_STEP = "merge"
MERGED_IDS = "merged_ids"
"""Key of the metadata of a joined passage, which lists the ids of its parts in reading order."""

ReadText = Callable[[str, int, int], str | None]
"""Given a document's id and two offsets, the text between them; None where it is not known."""


@dataclass(frozen=True, slots=True)
class JoinLimits:
    """How far joining goes: estimated tokens of a joined passage, and characters between two parts (with ``read``)."""

    max_tokens: int = 1024
    max_gap: int = 8


class NeighbourReranker:
    """Join neighbouring passages; the joined one stands where its best part stood, with that part's score and id.

    The evidence is the best part's, or that part itself. Other hits keep their order.
    """

    def __init__(
        self, inner: Reranker | None = None, read: ReadText | None = None, limits: JoinLimits | None = None
    ) -> None:
        self.inner = inner
        self.read = read
        self.limits = limits or JoinLimits()
        if self.limits.max_tokens < 1 or self.limits.max_gap < 0:
            raise InputError("max_tokens must be 1 or more, and max_gap 0 or more.")

    @property
    def name(self) -> str:
        """``merge``, behind the name of what it follows."""
        return step_name(self.inner, _STEP)

    def rerank(self, query: str, hits: Sequence[Hit], top_n: int | None = None) -> list[Hit]:
        """Return the best ``top_n`` passages after joining."""
        given = ranked(self.inner, query, hits, top_n)
        by_document: defaultdict[str, list[int]] = defaultdict(list)
        for place, hit in enumerate(given):
            if _is_slice(hit.chunk):
                by_document[hit.chunk.doc_id].append(place)
        joined = dict(enumerate(given))
        for places in by_document.values():
            for group, chunk in self._groups(given, places):
                best = min(group)
                joined[best] = _joined_hit(given, group, chunk)
                for place in group:
                    if place != best:
                        del joined[place]
        if len(joined) < len(given):
            _log.info("%s joined %d passages into %d", self.name, len(given), len(joined))
        return passed([joined[place] for place in sorted(joined)][:top_n], _STEP)

    def _groups(self, hits: Sequence[Hit], places: Sequence[int]) -> list[tuple[list[int], Chunk]]:
        """Return the groups of places that are joined, each with its passage, in reading order."""
        ordered = sorted(places, key=lambda place: (hits[place].chunk.start, hits[place].chunk.end, place))
        groups: list[tuple[list[int], Chunk]] = []
        for place in ordered:
            chunk = hits[place].chunk
            longer = self._joined(groups[-1][1], chunk) if groups else None
            if longer is None:
                groups.append(([place], chunk))
            else:
                groups[-1] = ([*groups[-1][0], place], longer)
        return [(group, chunk) for group, chunk in groups if len(group) > 1]

    def _joined(self, first: Chunk, second: Chunk) -> Chunk | None:
        """Return the slice that covers both; None where it is not known, or too long."""
        if second.start > first.end:
            between = self._between(first, second)
            if between is None:
                return None
            text = first.text + between + second.text
        else:
            shared = first.text[second.start - first.start :][: len(second.text)]
            if not second.text.startswith(shared):
                return None  # two versions of a document: neither is a slice of the other
            text = first.text + second.text[len(shared) :]
        if estimate_tokens(text) > self.limits.max_tokens:
            return None
        return replace(first, text=text, end=first.start + len(text))

    def _between(self, first: Chunk, second: Chunk) -> str | None:
        if self.read is None or second.start - first.end > self.limits.max_gap:
            return None
        between = self.read(first.doc_id, first.end, second.start)
        return between if between is not None and len(between) == second.start - first.end else None


def _is_slice(chunk: Chunk) -> bool:
    """Tell whether it is known where in its document a passage stands."""
    return bool(chunk.doc_id and chunk.text) and chunk.end - chunk.start == len(chunk.text)


def _joined_hit(hits: Sequence[Hit], group: Sequence[int], slice_: Chunk) -> Hit:
    parts = [hits[place] for place in group]
    best = hits[min(group)]
    shift = best.chunk.start - slice_.start
    evidence = best.evidence or Span(0, len(best.chunk.text))
    chunk = replace(
        best.chunk,
        text=slice_.text,
        start=slice_.start,
        end=slice_.end,
        heading_path=_common([part.chunk.heading_path for part in parts]),
        page=parts[0].chunk.page,
        metadata={**best.chunk.metadata, MERGED_IDS: [part.chunk.id for part in parts]},
    )
    return replace(
        best,
        chunk=chunk,
        evidence=Span(evidence.start + shift, evidence.end + shift),
        truncated=any(part.truncated for part in parts),
    )


def _common(paths: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """Return the headings that stand over all parts."""
    common: list[str] = []
    for headings in zip(*paths, strict=False):
        if len(set(headings)) > 1:
            break
        common.append(headings[0])
    return tuple(common)
