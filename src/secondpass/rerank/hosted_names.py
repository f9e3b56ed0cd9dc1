"""``cohere:rerank-v3.5``, ``tei:http://host:8080``, ``vllm:MODEL@http://host:8000`` or an address alone to a reranker.

The key of a service comes from its environment variable and is sent to the service's own address, or to the address
given together with its name. An address alone gets no key: what answers there is not known before it answers.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from urllib.parse import urlsplit

from secondpass.errors import InputError
from secondpass.llm.addresses import is_this_machine
from secondpass.rerank.hosted import HostedListReranker, HostedScorer, reads_together
from secondpass.rerank.hosted_client import check_url
from secondpass.rerank.hosted_detect import detect
from secondpass.rerank.hosted_formats import DIALECTS, Dialect, find_dialect
from secondpass.rerank.hosted_service import HostedSettings
from secondpass.rerank.options import RerankerOptions
from secondpass.rerank.pairs import PairReranker
from secondpass.rerank.score_cache import ScoreCache, open_cache
from secondpass.types import Reranker

_log = logging.getLogger(__name__)
_SCHEMES = ("http://", "https://")


@dataclass(frozen=True, slots=True)
class HostedName:
    """A name taken apart: the service, its model ("" where it serves but one), and an address where one is given."""

    dialect: str
    model: str
    url: str | None


def parse_hosted(name: str, url: str | None = None) -> HostedName:
    """Take a name apart; ``url`` is another server than the service's own.

    >>> parse_hosted("vllm:BAAI/bge-reranker-v2-m3@http://localhost:8000")
    HostedName(dialect='vllm', model='BAAI/bge-reranker-v2-m3', url='http://localhost:8000')

    Raises:
        InputError: the service is not known, no model is named where there are several, or two addresses are given.
    """
    dialect_name, _, rest = name.partition(":")
    dialect = find_dialect(dialect_name)
    model, own_url = rest, None
    if rest.startswith(_SCHEMES):
        model, own_url = "", rest
    elif "@http" in rest:
        model, _, tail = rest.partition("@http")
        own_url = f"http{tail}"
    if own_url and url and own_url != url:
        raise InputError(f"The name {dialect_name}:… holds an address, and another one is given; give one of them.")
    if dialect.needs_model and not model:
        raise InputError(f"{dialect_name} needs the name of a model, such as {dialect_name}:MODEL.")
    if not dialect.needs_model and model:
        raise InputError(
            f"{dialect_name} serves one model and needs its address only: {dialect_name}:http://host:8080."
        )
    return HostedName(_variant(dialect, url or own_url).name, model, url or own_url)


def open_hosted(
    name: str,
    url: str | None = None,
    api_key: str | None = None,
    settings: HostedSettings | None = None,
    cache: ScoreCache | None = None,
) -> Reranker:
    """Open the hosted reranker ``name``.

    ``api_key`` None takes the service's environment variable. For an address alone the server is asked what it speaks,
    and the reranker's name says what was found.

    Raises:
        InputError: the name cannot be read, or the service needs a key or an address that is not given.
        RemoteError: an address alone, where nothing answers, or nothing that reranks.
    """
    scorer = open_scorer(name, url, api_key, settings)
    return HostedListReranker(scorer, cache) if reads_together(scorer) else PairReranker(scorer, cache)


def open_with(name: str, options: RerankerOptions) -> Reranker:
    """Open the hosted reranker ``name`` as ``options`` say.

    Raises:
        InputError: as `open_hosted`, or it is not on this machine and nothing may be asked of the network.
        RemoteError: as `open_hosted`.
    """
    settings = HostedSettings(instruction=options.instruction, max_passage_tokens=options.max_tokens)
    if options.offline and not _is_here(name, options.url):
        raise InputError(f"{name} is a service of the network, which is not to be used (offline).")
    return open_hosted(name, options.url, None, settings, open_cache(options.cache))


def _is_here(name: str, url: str | None) -> bool:
    address = name if name.startswith(_SCHEMES) else parse_hosted(name, url).url
    return is_this_machine(address or "")


def open_scorer(
    name: str, url: str | None = None, api_key: str | None = None, settings: HostedSettings | None = None
) -> HostedScorer:
    """Open what `open_hosted` orders by."""
    settings = settings or HostedSettings()
    if not name.startswith(_SCHEMES):
        found = parse_hosted(name, url)
        key = api_key or _key(find_dialect(found.dialect), found.url)
        return HostedScorer(found.dialect, found.model, found.url, key, settings)
    check_url(name)
    if url is not None:
        raise InputError("The reranker's name is an address already; leave the other address out.")
    _refuse_providers(name)
    detected = detect(name, api_key, settings.timeout_seconds)
    _log.info("%s speaks %s (model %s)", name, detected.dialect, detected.model or detected.served or "not named")
    return HostedScorer(detected.dialect, detected.model, detected.url, api_key, settings)


def _variant(dialect: Dialect, url: str | None) -> Dialect:
    """Return the service's other wire format where the address is one of it."""
    path = urlsplit(url).path if url else ""
    if dialect.name == "dashscope" and ("/compatible-api" in path or path.rstrip("/").endswith("/reranks")):
        return DIALECTS["dashscope-compatible"]
    if dialect.name == "cohere" and path.rstrip("/").endswith("/v1/rerank"):
        return DIALECTS["cohere-v1"]
    return dialect


def _key(dialect: Dialect, url: str | None) -> str | None:
    for variable in dialect.key_variables:
        if key := os.environ.get(variable):
            return key
    if dialect.key_needed and url is None:
        raise InputError(f"{dialect.name} needs a key: set the environment variable {dialect.key_variables[0]}.")
    return None


def _refuse_providers(url: str) -> None:
    host = urlsplit(url).hostname
    for dialect in DIALECTS.values():
        if dialect.base_url and urlsplit(dialect.base_url).hostname == host:
            raise InputError(f"{host} is the address of {dialect.name}; write {dialect.name}:MODEL instead.")
