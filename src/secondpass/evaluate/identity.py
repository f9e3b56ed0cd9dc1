"""Everything that a system's order depends on, as one text: another model, precision or option is another text."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import version
from importlib.resources import files

from secondpass.rerank.budget import BudgetReranker
from secondpass.rerank.cascade import CascadeReranker
from secondpass.rerank.fusion import FusionReranker
from secondpass.rerank.lexical import LexicalReranker
from secondpass.rerank.options import RerankerOptions
from secondpass.rerank.pairs import PairReranker
from secondpass.rerank.threshold import ThresholdReranker
from secondpass.types import Reranker

LEXICAL_CODE = ("secondpass.text", "secondpass.rerank:lexical", "secondpass.rerank:ordering")
BM25_CODE = ("secondpass.text", "secondpass.retrieve:collection_bm25")
RERANK_CODE = ("secondpass.text", "secondpass.rerank")
ANSWER_CODE = ("secondpass.text", "secondpass.answer")
"""Rooms, and beginnings of files in them, that scores without a model come from: they are part of their weights."""
_OURS = "secondpass."
_SETTINGS = re.compile(r"\[[\w-]+=")
_OF_ITS_OWN = " (but for what its name says in brackets)"


def inner_rerankers(reranker: Reranker) -> Iterator[Reranker]:
    """Yield the rerankers that ``reranker`` is made of, itself where it is made of none."""
    parts: Sequence[Reranker]
    if isinstance(reranker, CascadeReranker):
        parts = [stage.reranker for stage in reranker.stages]
    elif isinstance(reranker, FusionReranker):
        parts = reranker.rerankers
    elif isinstance(reranker, ThresholdReranker):
        parts = [reranker.inner]
    elif isinstance(reranker, BudgetReranker):
        parts = [reranker.cheap, reranker.strong]
    else:
        yield reranker
        return
    for part in parts:
        yield from inner_rerankers(part)


@dataclass(frozen=True, slots=True)
class Identity:
    """What a system is.

    ``key`` goes into the keys of what is kept; None says that nothing tells what its order depends on, so that
    nothing is kept. ``words`` are for people.
    """

    key: str | None
    words: str


def identify(name: str, reranker: Reranker, options: RerankerOptions | None) -> Identity:
    """Return what ``reranker`` is: its fingerprints, what it was opened with, and the code of our own parts.

    ``options`` None: it was not opened by its name, so that only fingerprints say what its settings are.
    """
    asked = replace(options, cache=None, read_text=None) if options else None
    parts = [name, reranker.name, version("secondpass"), repr(asked)]
    words: list[str] = []
    for part in inner_rerankers(reranker):
        fingerprint = fingerprint_of(part, named=options is not None)
        if fingerprint is None:
            return Identity(None, f"{part.name}, which has no fingerprint")
        parts.append(fingerprint)
        words.append(_in_words(part, fingerprint, options, _OF_ITS_OWN if _SETTINGS.search(name) else ""))
    if isinstance(reranker, FusionReranker):
        parts.append(f"{reranker.method} {reranker.weights} {reranker.k}")
    return Identity("\0".join(parts), "; ".join(words))


def fingerprint_of(reranker: Reranker, named: bool) -> str | None:
    """Return what one reranker depends on; None where nothing says it.

    ``named``: it was opened by its name, so that its settings are known from that and from the options.
    """
    if isinstance(reranker, LexicalReranker):
        return f"lexical\0{code_digest(LEXICAL_CODE)}"
    scorer = getattr(reranker, "scorer", None)
    own = getattr(scorer, "fingerprint", None) or getattr(reranker, "fingerprint", None)
    if isinstance(own, str):
        return own
    if named and type(reranker).__module__.startswith(_OURS):
        return f"{reranker.name}\0{code_digest(RERANK_CODE)}"
    return None


def short_hash(text: str) -> str:
    """Return 16 digits that stand for ``text``."""
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _in_words(reranker: Reranker, fingerprint: str, options: RerankerOptions | None, exception: str) -> str:
    digits = f"{reranker.name}, fingerprint {short_hash(fingerprint)}"
    if options is None or not isinstance(reranker, PairReranker):
        return digits
    engine = options.engine
    threads = "all threads" if engine.threads is None else f"{engine.threads} thread{'s'[: engine.threads > 1]}"
    length = f", inputs of up to {options.max_tokens:,} tokens" if options.max_tokens else ""
    return f"{digits}, engine {engine.name}, {engine.precision}, {engine.device}, {threads}{length}{exception}"


@cache
def code_digest(places: tuple[str, ...]) -> str:
    """Return a hash of the code and the tables in ``places``: of rooms, or of files that begin so (``room:file``)."""
    digest = hashlib.blake2b(digest_size=16)
    for place in places:
        package, _, beginning = place.partition(":")
        for entry in sorted(files(package).iterdir(), key=lambda entry: entry.name):
            if entry.is_file() and entry.name.startswith(beginning):
                content = entry.read_bytes()
                digest.update(f"{entry.name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()
