"""Ask a server what it speaks: by what it says of itself, and where it says nothing by one small request."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from secondpass.errors import InputError, RemoteError
from secondpass.rerank.hosted_client import Patience, RefusedError, RerankClient
from secondpass.rerank.hosted_formats import DIALECTS, Dialect, Wish, endpoint, request_body, server_root
from secondpass.rerank.hosted_service import models_of
from secondpass.types import Json

_LONGEST_SECONDS = 10.0
_PROBE = ("What is reranking? 什么是重排？", "Reranking orders passages. 重排给段落排序。")
_OWNERS = {"vllm": "vllm", "infinity": "infinity"}


@dataclass(frozen=True, slots=True)
class Detected:
    """What was found at ``url``: the dialect, the model to ask for, and the model it says it serves."""

    dialect: str
    url: str
    model: str = ""
    served: str = ""


_known: dict[str, Detected] = {}
_lock = threading.Lock()


def detect(url: str, api_key: str | None = None, timeout_seconds: float = _LONGEST_SECONDS) -> Detected:
    """Return what the server at ``url`` speaks; asked once in the life of a process.

    Raises:
        InputError: it serves something else than a reranker, or several of them.
        RemoteError: nothing answers there, or nothing that is understood.
    """
    with _lock:
        if url in _known:
            return _known[url]
    client = RerankClient(url, api_key, Patience(min(timeout_seconds, _LONGEST_SECONDS), max_retries=1))
    found = _from_info(client) or _from_models(client) or _from_probe(client)
    with _lock:
        _known[url] = found
    return found


def _from_info(client: RerankClient) -> Detected | None:
    """Read TEI's description of itself."""
    info = _got(client, "/info")
    if not isinstance(info, dict) or "model_id" not in info or "max_client_batch_size" not in info:
        return None
    kind = info.get("model_type")
    if isinstance(kind, dict) and "reranker" not in kind:
        raise InputError(
            f"The server at {client.url} serves {info['model_id']}, which is of the kind {', '.join(kind)}; a reranker "
            "is needed there."
        )
    return Detected("tei", client.url, served=str(info["model_id"]))


def _from_models(client: RerankClient) -> Detected | None:
    """Read a list of models as vLLM, Xinference and Infinity give it."""
    rows = models_of(_got(client, "/v1/models")) or models_of(_got(client, "/models"))
    rerankers = [row for row in rows if row.get("model_type") == "rerank"]
    if rerankers:
        return Detected(
            "xinference", client.url, _only([str(row.get("id")) for row in rerankers], "xinference", client)
        )
    for owner, dialect in _OWNERS.items():
        names = [str(row.get("id")) for row in rows if row.get("owned_by") == owner]
        if names:
            return Detected(dialect, client.url, _only(names, dialect, client))
    if rows and any(row.get("model_type") for row in rows):
        raise InputError(f"None of the models at {client.url} is a reranker; start one there.")
    return None


def _only(models: Sequence[str], dialect: str, client: RerankClient) -> str:
    if len(models) > 1:
        raise InputError(
            f"There are {len(models)} models at {client.url}; name one of them: "
            + ", ".join(f"{dialect}:{model}@{client.url}" for model in models)
            + "."
        )
    return models[0]


def _from_probe(client: RerankClient) -> Detected:
    """Send one question with one passage in the two forms there are."""
    said: list[str] = []
    for name in ("compatible", "tei"):
        dialect = DIALECTS[name]
        try:
            answer = _probed(client, dialect)
        except RefusedError as error:
            said.append(str(error))
            continue
        if _has_result(dialect, answer):
            return Detected(name, client.url)
        said.append(f"{endpoint(dialect, '', client.url)} answered with {client.quoted(str(answer))}")
    raise RemoteError(
        f"What the server at {client.url} speaks cannot be told; name it, such as tei:{client.url} or "
        f"vllm:MODEL@{client.url}. It was asked, and {'; '.join(said)}."
    )


def _probed(client: RerankClient, dialect: Dialect) -> Json:
    question, passage = _PROBE
    body = request_body(dialect, Wish("", "unknown"), question, [passage])
    return client.post(body, endpoint(dialect, "", client.url))


def _has_result(dialect: Dialect, answer: Json) -> bool:
    rows = answer
    for name in dialect.results_at:
        rows = rows.get(name) if isinstance(rows, dict) else None
    if not isinstance(rows, list) or len(rows) != 1:
        return False
    return isinstance(rows[0], dict) and {"index", dialect.score_field} <= rows[0].keys()


def _got(client: RerankClient, path: str) -> Json:
    try:
        return client.get(server_root(client.url) + path)
    except RefusedError as error:
        if error.status in (401, 403):
            raise RemoteError(
                f"{error} An address alone is sent no key; write the service before it, such as "
                f"vllm:MODEL@{client.url}, and its key is sent."
            ) from error
        return None
