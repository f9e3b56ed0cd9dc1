"""A server that speaks the wire formats of the rerank services, for tests; run as a process of its own.

The first part of the path chooses the service: ``/cohere/v2/rerank``, ``/tei/rerank`` ... Bodies are checked against
the table of fields: an unknown one is refused. A passage's logit is 8 times the share of the question's characters in
it, minus 4. What goes wrong is asked for by the model's name (``status-500-once``), or by the service (``/tei-busy``).
``/requests`` lists what arrived, ``/forget`` clears the list.
"""

from __future__ import annotations

import contextlib
import json
import math
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "sk-right-密钥".encode().hex()
TEI_TEXTS, TEI_TOKENS = 4, 120

TYPES: dict[str, type] = {
    **dict.fromkeys(("model", "query", "truncation_direction", "instruct", "instruction"), str),
    **dict.fromkeys(("documents", "texts", "passages", "rank_fields"), list),
    **dict.fromkeys(("top_n", "top_k", "max_tokens_per_doc", "priority", "max_chunks_per_doc"), int),
    **dict.fromkeys(("overlap_tokens", "truncate_prompt_tokens", "max_tokens_per_query"), int),
    **dict.fromkeys(("return_documents", "return_text", "raw_scores", "truncate", "truncation"), bool),
    **dict.fromkeys(("use_activation", "return_len"), bool),
    **dict.fromkeys(("input", "parameters", "relevant_spans"), dict),
}
# Service -> path -> its fields, those that must be there with a mark.
FIELDS = {
    "cohere": {
        "/v2/rerank": "model! query! documents! top_n max_tokens_per_doc relevant_spans priority",
        "/v1/rerank": "query! documents! model top_n rank_fields return_documents max_chunks_per_doc",
    },
    "jina": {"/v1/rerank": "model! query! documents! top_n return_documents"},
    "voyage": {"/v1/rerank": "query! documents! model! top_k return_documents truncation"},
    "dashscope": {
        "/api/v1/services/rerank/text-rerank/text-rerank": "model! input! parameters",
        "/compatible-api/v1/reranks": "model! query! documents! top_n instruct",
    },
    "siliconflow": {
        "/v1/rerank": "model! query! documents! top_n return_documents max_chunks_per_doc overlap_tokens instruction"
    },
    "nvidia": {"/v1/ranking": "model! query!=dict passages! truncate=str"},
    "tei": {"/rerank": "query! texts! truncate truncation_direction raw_scores return_text"},
    "infinity": {"/rerank": "query! documents! return_documents raw_scores model top_n"},
    "vllm": {
        "/v1/rerank": "query! documents! top_n model truncate_prompt_tokens instruction use_activation "
        "max_tokens_per_query max_tokens_per_doc"
    },
    "xinference": {"/v1/rerank": "model! query! documents! top_n return_documents return_len max_chunks_per_doc"},
    "plain": {"/v1/rerank": "model query! documents! top_n"},
}
PARAMETERS = ("top_n", "return_documents", "instruct")
KEYED = ("cohere", "jina", "voyage", "dashscope", "siliconflow", "nvidia")

_lock = threading.Lock()
_arrived: list[dict[str, Any]] = []
_seen: dict[str, int] = {}
_running: dict[str, int] = {}
_most: dict[str, int] = {}


def logit(query: str, text: str) -> float:
    """Return what this server thinks of a pair."""
    wanted = set(query) - set(" ？?。")
    return 8 * len(wanted & set(text)) / max(len(wanted), 1) - 4


def probability(value: float) -> float:
    """Return the logistic function."""
    return 1 / (1 + math.exp(-value))


def sleep_counted(model: str, seconds: float) -> None:
    """Sleep, and note how many requests for ``model`` do so at a time."""
    with _lock:
        _running[model] = _running.get(model, 0) + 1
        _most[model] = max(_most.get(model, 0), _running[model])
    time.sleep(seconds)
    with _lock:
        _running[model] -= 1


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are two writes; without this each answer takes 40 ms more

    def log_message(self, *_: Any) -> None:
        """Stay silent."""

    def do_GET(self) -> None:
        _, service, *rest = self.path.split("/")
        path = "/" + "/".join(rest)
        if service == "requests":
            self.send(200, {"arrived": _arrived, "most_running": _most})
        elif service == "forget":
            _arrived.clear()
            _seen.clear()
            self.send(200, {})
        elif service.startswith("tei") and path == "/info":
            kind = "embedding" if service == "tei-embedding" else "reranker"
            self.send(
                200,
                {
                    "model_id": "BAAI/bge-reranker-v2-m3",
                    "model_sha": "953dc6f6",
                    "model_dtype": "float32",
                    "model_type": {kind: {"id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}}},
                    "max_concurrent_requests": 512,
                    "max_input_length": TEI_TOKENS,
                    "max_batch_tokens": 16384,
                    "max_client_batch_size": TEI_TEXTS,
                    "auto_truncate": False,
                    "version": "1.9.3",
                },
            )
        elif service.startswith("vllm") and path == "/v1/models":
            names = ["bge-reranker-v2-m3", "Qwen3-Reranker-0.6B"][: 2 if service == "vllm-two" else 1]
            rows = [{"id": name, "object": "model", "owned_by": "vllm", "max_model_len": 512} for name in names]
            if service == "vllm-keyed" and self.headers.get("authorization") != f"Bearer {KEY}":
                self.send(401, {"error": "Unauthorized"})
            else:
                self.send(200, {"object": "list", "data": rows})
        elif service == "xinference" and path == "/v1/models":
            rows = [
                {"id": "qwen2-instruct", "object": "model", "model_type": "LLM", "owned_by": "xinference"},
                {"id": "bge-reranker-base", "object": "model", "model_type": "rerank", "max_tokens": 512},
            ]
            self.send(200, {"object": "list", "data": rows})
        elif service == "infinity" and path == "/models":
            self.send(200, {"object": "list", "data": [{"id": "bge-reranker-base", "owned_by": "infinity"}]})
        else:
            self.send(404, {"detail": "Not Found"})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        _, flavour, *rest = self.path.split("/")
        service, path = flavour.partition("-")[0], "/" + "/".join(rest)
        key = self.headers.get("authorization", "").removeprefix("Bearer ")
        with _lock:
            _arrived.append({"path": self.path, "key": key, "body": body})
        fields = FIELDS.get(service, {}).get(path)
        model = body.get("model", flavour)
        with _lock:
            _seen[model] = _seen.get(model, 0) + 1
            times = _seen[model]
        if fields is None:
            self.send(404, {"detail": "Not Found"})
        elif problem := wrong_field(fields, body):
            self.refuse(service, 422, problem)
        elif service in KEYED and key != KEY:
            self.refuse(service, 401, f"invalid api token: {key}")
        elif not self.fails(service, flavour, model, times):
            self.score(service, path, body)

    def fails(self, service: str, flavour: str, model: str, times: int) -> bool:
        """Do what the name asks for; False where it asks for nothing."""
        if model.startswith("slow"):
            sleep_counted(model, float(model.partition("-")[2] or 3))
            return False
        if "once" in model and times > 1:
            return False
        if model.startswith("status-429"):
            after = {"retry-after-ms": "150"} if "ms" in model else {"retry-after": "0.15"}
            if "forever" in model:
                after = {"retry-after": "3600"}
            self.refuse(service, 429, "Rate limit reached 请求过多", after)
        elif model.startswith("status-"):
            self.refuse(service, int(model.split("-")[1]), f"The server says {model}")
        elif model == "hang-up-once":
            self.close_connection = True
            self.connection.close()
        elif model == "garbage":
            self.send_text(200, '{"results": [{"ind')
        elif model == "html":
            self.send_text(502, "<html><title>Bad gateway</title></html>")
        elif flavour == "tei-busy":
            self.send(429, {"error": "Model is overloaded", "error_type": "Overloaded"})
        else:
            return False
        return True

    def score(self, service: str, path: str, body: dict[str, Any]) -> None:
        given = body["input"] if service == "dashscope" and "input" in body else body
        query, texts = given["query"], given.get("documents", given.get("texts", given.get("passages")))
        if service == "nvidia":
            query, texts = query["text"], [passage["text"] for passage in texts]
        if not texts or any(not isinstance(text, str) or not text.strip() for text in texts):
            self.refuse(service, 400, "documents must not be empty")
            return
        if problem := self.too_much(service, body, query, texts):
            self.refuse(service, 422 if service == "tei" else 400, problem)
            return
        values = [logit(query, text) for text in texts]
        raw = service == "nvidia" or body.get("raw_scores") or body.get("use_activation") is False or service == "plain"
        if not raw:
            values = [probability(value) for value in values]
        order = sorted(range(len(texts)), key=lambda index: -values[index])
        settings = body.get("parameters", body)
        top = settings.get("top_n") or settings.get("top_k") or len(texts)
        rows = [{"index": index, "score": values[index]} for index in order[:top]]
        self.send(200, shaped(service, path, body, SPOILERS.get(body.get("model", ""), list)(rows)))

    def too_much(self, service: str, body: dict[str, Any], query: str, texts: list[str]) -> str:
        """Say which limit is passed; one character of these passages is one token."""
        if service == "tei" and len(texts) > TEI_TEXTS:
            return f"batch size {len(texts)} > maximum allowed batch size {TEI_TEXTS}"
        longest = max(len(query) + len(text) for text in texts)
        if service == "tei" and longest > TEI_TOKENS and not body.get("truncate"):
            return f"`inputs` must have less than {TEI_TOKENS} tokens. Given: {longest}"
        if service == "voyage" and longest > 1000 and not body.get("truncation", True):
            return f"Your request has a document of {longest} tokens, the max is 1000"
        return ""

    def refuse(self, service: str, status: int, words: str, headers: dict[str, str] | None = None) -> None:
        body: Any = {
            "cohere": {"message": words},
            "jina": {"detail": words},
            "voyage": {"detail": words},
            "dashscope": {"code": "InvalidParameter", "message": words, "request_id": "1"},
            "siliconflow": words if status == 401 else {"code": 20012, "message": words, "data": None},
            "nvidia": {"detail": [{"loc": ["body"], "msg": words, "type": "value_error"}]},
            "tei": {"error": words, "error_type": "Validation"},
            "infinity": {"error": {"message": words, "type": "x", "param": None, "code": status}},
            "vllm": {"error": {"message": words, "type": "BadRequestError", "param": None, "code": status}},
            "xinference": {"detail": f"[address=0.0.0.0] {words}"},
        }.get(service, {"error": {"message": words}})
        self.send(status, body, headers)

    def send(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        self.send_text(status, json.dumps(body, ensure_ascii=False), headers)

    def send_text(self, status: int, text: str, headers: dict[str, str] | None = None) -> None:
        data = text.encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # a client that gave up
            self.wfile.write(data)


def wrong_field(fields: str, body: dict[str, Any]) -> str:
    """Name the first field that is unknown, missing, or of another type."""
    known = {part.partition("=")[0].rstrip("!"): part for part in fields.split()}
    for name, value in body.items():
        if name not in known:
            return f"unknown field {name}"
        type_name = known[name].partition("=")[2] or TYPES[name].__name__
        if value is not None and type(value).__name__ != type_name:
            return f"field {name} is no {type_name}"
    for name in body.get("parameters", {}):
        if name not in PARAMETERS:
            return f"unknown field parameters.{name}"
    missing = (f"field {name} is missing" for name, part in known.items() if "!" in part and name not in body)
    return next(missing, "")


SPOILERS: dict[str, Callable[[list[dict[str, Any]]], list[dict[str, Any]]]] = {
    "one-missing": lambda rows: rows[:-1],
    "one-twice": lambda rows: [rows[0], *rows[:-1]],
    "one-foreign": lambda rows: [*rows[:-1], {"index": len(rows), "score": 0.5}],
    "negative-index": lambda rows: [*rows[:-1], {"index": -1, "score": 0.5}],
    "nan": lambda rows: [*rows[:-1], {**rows[-1], "score": math.nan}],
    "words": lambda rows: [*rows[:-1], {**rows[-1], "score": "0.5"}],
    "logits": lambda rows: [{**row, "score": row["score"] * 8 - 4} for row in rows],
}


def shaped(service: str, path: str, body: dict[str, Any], rows: list[dict[str, Any]]) -> Any:
    """Return the answer in the service's form."""
    usage = {"prompt_tokens": 9, "total_tokens": 9}
    named = [{"index": row["index"], "relevance_score": row["score"]} for row in rows]
    model = body.get("model")
    if service == "tei":
        return rows
    if service == "voyage":
        return {"object": "list", "data": named, "model": model, "usage": {"total_tokens": 9}}
    if service == "nvidia":
        return {"rankings": [{"index": row["index"], "logit": row["score"]} for row in rows]}
    if service == "dashscope" and "input" in body:
        return {"output": {"results": named}, "usage": {"total_tokens": 9}, "request_id": "1"}
    if service in ("cohere", "xinference"):
        version = {"version": path[2:3], "is_experimental": False}
        meta = {"api_version": version, "billed_units": {"search_units": 1}}
        return {"id": "1", "results": named, "meta": meta}
    return {"id": "1", "object": "rerank", "model": model, "results": named, "usage": usage}


@contextlib.contextmanager
def running() -> Iterator[str]:
    """Run the server in a process of its own; yields its address."""
    process = subprocess.Popen([sys.executable, __file__], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 0), Handler)
    print(server.server_port, flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()
