"""Names of systems to rerankers that are open: ``bm25-only``, ``lexical@20>BAAI/bge-reranker-v2-m3@10``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal
from uuid import uuid4

from secondpass.config import RerankSpec, make_reranker
from secondpass.errors import InputError
from secondpass.evaluate.first_stages import BM25, DENSE, FUSION, GIVEN
from secondpass.evaluate.identity import identify
from secondpass.rerank.options import RerankerOptions
from secondpass.types import Reranker, Run

PLAIN = "bm25-only"
RANDOM: Literal["random"] = "random"
CEILING: Literal["ceiling"] = "ceiling"
BOUNDS = (RANDOM, CEILING)
_FIRST_STAGES = (GIVEN, BM25, DENSE, FUSION)
_DEPTH = re.compile(r"@(\d+|all)\s*$")


@dataclass(frozen=True, slots=True)
class SystemSpec:
    """A system as a person writes it; no stages: the plain first stage."""

    name: str
    stages: tuple[RerankSpec, ...]

    @classmethod
    def parse(cls, text: str) -> SystemSpec:
        """Read ``lexical``, ``lexical@10``, ``lexical@20>BAAI/bge-reranker-v2-m3@10`` or ``bm25-only``.

        Unlike in a search, a reranker without a depth keeps everything.

        >>> SystemSpec.parse("lexical@20>lexical").stages
        (RerankSpec(name='lexical', top_n=20), RerankSpec(name='lexical', top_n=None))
        """
        name = text.strip()
        if name == PLAIN:
            return cls(name, ())
        return cls(name, tuple(_stage(part) for part in name.split(">")))


def _stage(text: str) -> RerankSpec:
    if not text.strip():
        raise InputError("A reranker's name is empty; write a cascade as lexical@20>BAAI/bge-reranker-v2-m3@10.")
    spec = RerankSpec.parse(text)
    return spec if _DEPTH.search(text) else replace(spec, top_n=None)


@dataclass(frozen=True, slots=True, eq=False)
class RunSystem:
    """Orders that were worked out elsewhere: a run; passages that it does not have are cut."""

    name: str
    run: Run


@dataclass(frozen=True, slots=True, eq=False)
class OpenedSystem:
    """A reranker that is measured.

    ``key`` says everything its order depends on beside question, candidates and their first stage; ``words`` is that
    for people. ``kept``: whether a later evaluation may take over what this one works out.
    """

    name: str
    reranker: Reranker
    key: str
    words: str
    kept: bool = True


def open_systems(
    systems: Sequence[str | Reranker | RunSystem], options: RerankerOptions
) -> list[OpenedSystem | RunSystem]:
    """Open what is to be measured, all of it before anything is worked out; `PLAIN` and runs need nothing.

    Raises:
        InputError: a name means nothing, stands twice, or is that of a first stage.
        MissingExtraError: a part is not installed.
    """
    specs = [SystemSpec.parse(system) if isinstance(system, str) else system for system in systems]
    names = [spec.name for spec in specs]
    for spec, name in zip(specs, names, strict=True):
        if names.count(name) > 1:
            raise InputError(f"The system {name!r} is named twice; every row needs a name of its own.")
        if name in (BOUNDS if isinstance(spec, RunSystem) else (*BOUNDS, *_FIRST_STAGES)):
            raise InputError(
                f"The system {name!r} is in every table without being asked for; name a reranker, or {PLAIN} for no "
                "reranker at all."
            )
    return [_open(spec, options) for spec in specs if not isinstance(spec, SystemSpec) or spec.stages]


def _open(system: SystemSpec | Reranker | RunSystem, options: RerankerOptions) -> OpenedSystem | RunSystem:
    if isinstance(system, RunSystem):
        return system
    if isinstance(system, SystemSpec):
        reranker = make_reranker(system.stages, options)
        assert reranker is not None
        identity = identify(system.name, reranker, options)
    else:
        reranker = system
        identity = identify(system.name, reranker, None)
    key = identity.key or f"unknown\0{uuid4()}"
    return OpenedSystem(system.name, reranker, key, identity.words, identity.key is not None)
