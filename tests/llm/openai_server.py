"""A small OpenAI-compatible server, run in a process of its own: `python openai_server.py` prints its port.

It is no language model. Asked with numbered passages, it quotes the sentence that shares most words (Chinese: pairs of
characters) with the question and cites it; without a match it says that nothing was found. Embeddings are counts of
words. What else happens is said by the model's name:

    quote           as above                 no-usage       as quote, without token counts, ignores stream_options
    think           with thoughts before     think-open     thoughts without their opening mark
    think-forever   thoughts cut by length   silent         no text
    status-401, status-404, status-500       that status    status-429-once  429 with retry-after, then quote
    detail          422 with its words under "detail"
    html            a page of a proxy        not-json       half a JSON object
    slow            answers after 5 s        hang-up        breaks the stream in the middle
    half-stream     ends the stream early    stream-error   an error inside the stream
    no-temperature, new-names                refuse `temperature`, `max_tokens` as newer models do
    refuse          the refusal field        fake-citation  cites passage 9
    count           counts characters        cut             ends at its limit of tokens
    nan, ragged, shuffled, short             embeddings that are not numbers, unequal, out of order, too few

Asked to rank by a model whose name begins with "rank", it orders passages by the words they share with the query, and
knows JSON schemas and probabilities of tokens, but for:

    rank-plain      refuses both by name     rank-ignores    overlooks both
    rank-five       5 top_logprobs at most   rank-think      with thoughts before
    rank-clips      counts 9 prompt tokens   rank-silent     no text

Asked for questions about a passage by a model whose name begins with "ask", it asks what each sentence says:

    ask             as JSON                  ask-lines       numbered lines, refuses schemas
    ask-copies      copies the sentences     ask-nothing     says nothing of use
    ask-fails       fails for passages with the word "fail"
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from typing import Any

KEY = "sk-right"
_PASSAGE = re.compile(r"^\[(\d+)\]\n<passage[^>]*>\n(.*?)\n</passage>", re.MULTILINE | re.DOTALL)
_QUESTION = re.compile(r"^(?:Question: |问题：)(.*)$", re.MULTILINE)
_SENTENCE = re.compile(r"[^。！？.!?\n]+[。！？.!?]?")
_WORD = re.compile(r"[a-z0-9']+|[\u4e00-\u9fff]")
_seen: dict[str, int] = {}


def words(text: str) -> set[str]:
    found = _WORD.findall(text.lower())
    pairs = {a + b for a, b in pairwise(found) if a >= "\u4e00" and b >= "\u4e00"}
    return pairs | {word for word in found if len(word) > 3}


def reply_to(prompt: str) -> str:
    asked = _QUESTION.findall(prompt)
    question = asked[-1] if asked else prompt
    wanted = words(question)
    options = [
        (len(wanted & words(sentence)), -int(number), sentence.strip(), number)
        for number, passage in _PASSAGE.findall(prompt)
        for sentence in _SENTENCE.findall(passage)
    ]
    best = max(options, default=(0, 0, "", ""))
    if best[0] < 2:
        return "文档中没有找到答案" if re.search("[\u4e00-\u9fff]", question) else "not found in the documents"
    return f"{best[2]} [{best[3]}]"


_LISTED = re.compile(r"^\[(\d+)\] (.*)$", re.MULTILINE)
_LABELLED = re.compile(r'^(?:Passage|段落) ([A-W]): "(.*)"$', re.MULTILINE)
_SINGLE = re.compile(r"^(?:Passage|段落): (.*)$", re.MULTILINE)
_RANK_QUERY = re.compile(
    r'^(?:Search Query: |查询：|Query: |查询: |Given a query "|对于查询“)(.*?)(?:[”"].*)?$', re.MULTILINE
)


def labelled_passages(prompt: str) -> list[tuple[str, str]]:
    """The labels and passages of a prompt that asks to choose."""
    return _LABELLED.findall(prompt)


def labels_fit(body: dict[str, Any]) -> bool:
    """Whether the labels that a schema allows, where one is sent, are those of the passages in the prompt."""
    prompt = "\n".join(message["content"] for message in body["messages"])
    labels = [label for label, _ in labelled_passages(prompt)]
    if not labels or "response_format" not in body:
        return True
    schema = body["response_format"]["json_schema"]["schema"]
    return bool(schema["properties"] == {"label": {"type": "string", "enum": labels}})


def rank(messages: list[dict[str, str]], structured: bool) -> tuple[str, float | None]:
    """What a model that counts shared words says to a ranking prompt; for yes/no, also the log-odds of yes."""
    prompt = "\n".join(message["content"] for message in messages if message["role"] == "user")
    wanted = words(_RANK_QUERY.findall(prompt)[-1])

    def share(passage: str) -> int:
        return len(wanted & words(passage))

    if labelled := labelled_passages(prompt):
        best = max(labelled, key=lambda item: share(item[1]))
        return json.dumps({"label": best[0]}) if structured else f"Passage {best[0]}", None
    if single := _SINGLE.findall(prompt):
        if "JSON" in prompt:
            name, highest = ("grade", 3) if '"grade"' in prompt else ("relevance", 10)
            return json.dumps({name: min(share(single[0]), highest)}), None
        odds = share(single[0]) - 1.5
        chinese = "“是”" in prompt
        return ("是" if chinese else "Yes") if odds > 0 else ("否" if chinese else "No"), odds
    listed = [(int(number), text) for number, text in _LISTED.findall(prompt)]
    order = [number for number, text in sorted(listed, key=lambda item: -share(item[1]))]
    text = json.dumps({"ranking": order}) if structured else " > ".join(f"[{number}]" for number in order)
    return text, None


_ASKED = re.compile(r"^(?:Passage: |段落：)(.*)\n\D*(\d+)", re.MULTILINE)


def questions(prompt: str, model: str) -> str:
    """What a model says that asks about each sentence of a passage."""
    passage, count = _ASKED.findall(prompt)[-1]
    found = [sentence.strip(" 。.!！?？") for sentence in _SENTENCE.findall(passage)]
    said = [sentence for sentence in found if len(sentence) > 3][: int(count)]
    if model == "ask-nothing":
        return "I would rather not."
    if model != "ask-copies":
        said = [f"请问{one[:12]}怎么样？" if one[0] > "\u4e00" else f"What about {one[:30]}?" for one in said]
    if model == "ask-lines":
        return "Sure!\n" + "\n".join(f"{number}. {one}" for number, one in enumerate(said, start=1))
    return json.dumps({"questions": said})


def token_logprobs(text: str, odds: float | None, count: int) -> dict[str, Any]:
    """The probabilities of the tokens of a reply; the mass of yes and no lies on several writings of each."""
    places = []
    for token in re.findall(r"</?think>|\s+|[^\s<]+", text):
        options = [(token, 0.0)]
        if odds is not None and token in ("Yes", "No", "是", "否"):
            yes, no = 1 / (1 + math.exp(-odds)), 1 / (1 + math.exp(odds))
            options = [("Yes", yes * 0.7), (" yes", yes * 0.2), ("是", yes * 0.1), ("No", no * 0.6), ("否", no * 0.4)]
            options = [(word, math.log(share)) for word, share in options]
        top = [{"token": word, "logprob": value, "bytes": None} for word, value in sorted(options, key=lambda o: -o[1])]
        places.append({"token": token, "logprob": -0.1, "bytes": None, "top_logprobs": top[:count]})
    return {"content": places, "refusal": None}


def embedding(text: str, dimension: int) -> list[float]:
    row = [0.0] * dimension
    for word in words(text) | {"bias"}:
        row[int(hashlib.md5(word.encode()).hexdigest(), 16) % dimension] += 1.0
    return row


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: Any) -> None:
        pass

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        model = body["model"]
        _seen[model] = _seen.get(model, 0) + 1
        if model == "slow":
            time.sleep(5)
        if not self.refused(body, model):
            (self.embed if self.path.endswith("/embeddings") else self.chat)(body)

    def refused(self, body: dict[str, Any], model: str) -> bool:
        if model.startswith("keyed") and self.headers.get("authorization") != f"Bearer {KEY}":
            self.error(401, "Incorrect API key provided", "invalid_api_key")
        elif model == "status-429-once":
            if _seen[model] % 2 == 0:
                return False
            self.error(429, "Rate limit reached", "rate_limit_exceeded", {"retry-after": "0.1"})
        elif model.startswith("status-"):
            self.error(int(model.split("-")[1]), f"The server says {model}", None)
        elif model == "detail":
            self.send(422, '{"detail": "no such model: 千问"}'.encode(), "application/json")
        elif model == "html":
            self.send(200, b"<html>Bad gateway</html>", "text/html")
        elif model == "not-json":
            self.send(200, b'{"choices": [', "application/json")
        elif model == "no-temperature" and "temperature" in body:
            self.error(400, "Unsupported value: temperature", "unsupported_value", param="temperature")
        elif model == "new-names" and "max_tokens" in body:
            self.error(400, "Use max_completion_tokens", "unsupported_parameter", param="max_tokens")
        else:
            return model.startswith(("rank", "ask")) and self.refused_form(body, model)
        return True

    def refused_form(self, body: dict[str, Any], model: str) -> bool:
        if model in ("rank-plain", "ask-lines") and "response_format" in body:
            self.error(400, "This response_format type is unavailable now", "invalid_request_error")
        elif model.startswith("rank") and not labels_fit(body):
            self.error(400, "The labels of the prompt are not those of the form of the reply", "invalid_request_error")
        elif model == "rank-plain" and "logprobs" in body:
            self.send(422, b'{"detail": [{"loc": ["body", "logprobs"], "msg": "not permitted"}]}', "application/json")
        elif model == "ask-fails" and "fail" in body["messages"][-1]["content"]:
            self.error(400, "I fail as asked", "invalid_request_error")
        elif model == "rank-five" and body.get("top_logprobs", 0) > 5:
            self.error(400, "<20> is greater than the maximum of 5 - 'top_logprobs'", None)
        else:
            return False
        return True

    def chat(self, body: dict[str, Any]) -> None:
        model = body["model"]
        if model.startswith("rank"):
            self.ranked(body)
            return
        if model.startswith("ask"):
            self.asked(body)
            return
        quoted = reply_to(body["messages"][-1]["content"])
        text = {
            "echo": json.dumps(body, ensure_ascii=False),
            "think": f"<think>\nMaybe [7]? 也许是[8]。\n</think>\n\n{quoted}",
            "think-open": f"Maybe [7]?\n</think>\n\n{quoted}",
            "think-forever": "<think>Maybe [7]? Or",
            "silent": "",
            "refuse": "",
            "fake-citation": f"{quoted} [9]",
        }.get(model, quoted)
        finish = "length" if model in ("think-forever", "cut") else "stop"
        prompt = sum(len(m["content"]) for m in body["messages"]) if model == "count" else 11
        usage = {"prompt_tokens": prompt, "completion_tokens": 7, "total_tokens": prompt + 7}
        if body.get("stream"):
            self.stream(body, text, finish, usage)
            return
        message = {"role": "assistant", "content": text, "refusal": "I cannot" if model == "refuse" else None}
        answer: dict[str, Any] = {
            "id": "chat-1",
            "object": "chat.completion",
            "created": 1,
            "model": model,
            "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        }
        if model != "no-usage":
            answer["usage"] = usage
        self.send(200, json.dumps(answer).encode(), "application/json")

    def asked(self, body: dict[str, Any]) -> None:
        asked = "\n".join(message["content"] for message in body["messages"] if message["role"] == "user")
        text = questions(asked, body["model"])
        prompt = sum(len(message["content"]) for message in body["messages"])
        answer = {
            "id": "chat-1",
            "object": "chat.completion",
            "created": 1,
            "model": body["model"],
            "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": prompt, "completion_tokens": 20, "total_tokens": prompt + 20},
        }
        self.send(200, json.dumps(answer).encode(), "application/json")

    def ranked(self, body: dict[str, Any]) -> None:
        model = body["model"]
        text, odds = rank(body["messages"], "response_format" in body and model != "rank-ignores")
        if model == "rank-think":
            text = f"<think>\n[3]? No. 是的 </think>\n\n{text}"
        if model == "rank-silent":
            text = ""
        logprobs = token_logprobs(text, odds, body["top_logprobs"]) if body.get("logprobs") else None
        prompt = 9 if model == "rank-clips" else sum(len(message["content"]) + 8 for message in body["messages"])
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": text},
            "finish_reason": "stop",
            "logprobs": None if model == "rank-ignores" else logprobs,
        }
        answer = {
            "id": "chat-1",
            "object": "chat.completion",
            "created": 1,
            "model": model,
            "choices": [choice],
            "usage": {"prompt_tokens": prompt, "completion_tokens": 5, "total_tokens": prompt + 5},
        }
        self.send(200, json.dumps(answer).encode(), "application/json")

    def stream(self, body: dict[str, Any], text: str, finish: str, usage: dict[str, int]) -> None:
        model = body["model"]
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        if model == "hang-up":
            self.send_header("content-length", "100000")
        self.end_headers()
        self.close_connection = True
        pieces = [text[start : start + 3] for start in range(0, len(text), 3)]
        breaks = model in {"hang-up", "half-stream", "stream-error"}
        for piece in pieces[:2] if breaks else pieces:
            self.event(self.chunk(model, {"content": piece}))
        if model == "stream-error":
            self.event({"error": {"message": "The model ran out of memory", "type": "server_error"}})
        if breaks:
            return
        if model == "refuse":
            self.event(self.chunk(model, {"refusal": "I cannot"}))
        self.event(self.chunk(model, {}, finish))
        if body.get("stream_options", {}).get("include_usage") and model != "no-usage":
            self.event({**self.chunk(model, {}), "choices": [], "usage": usage})
        self.wfile.write(b"data: [DONE]\n\n")

    def chunk(self, model: str, delta: dict[str, str], finish: str | None = None) -> dict[str, Any]:
        choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
        return {"id": "chat-1", "object": "chat.completion.chunk", "created": 1, "model": model, "choices": choices}

    def event(self, data: dict[str, Any]) -> None:
        self.wfile.write(f"data: {json.dumps(data)}\n\n".encode())
        self.wfile.flush()

    def embed(self, body: dict[str, Any]) -> None:
        texts, model = body["input"], body["model"]
        if any(not text for text in texts):
            self.error(400, "'$.input' is invalid: empty text", "invalid_request_error")
            return
        if model == "ten-at-most" and len(texts) > 10:
            self.error(400, "batch size is invalid, it should not be larger than 10.", "invalid_parameter")
            return
        rows = [embedding(text, body.get("dimensions") or 64) for text in texts]
        if model == "nan":
            rows = [[float("nan")] * len(row) for row in rows]
        if model == "ragged":
            rows = [row[: len(row) - number] for number, row in enumerate(rows)]
        if model == "short":
            rows = rows[:-1]
        data = [{"object": "embedding", "index": number, "embedding": row} for number, row in enumerate(rows)]
        if model == "shuffled":
            data.reverse()
        answer = {
            "object": "list",
            "data": data,
            "model": f"{model}-2",
            "usage": {"prompt_tokens": 1, "total_tokens": 1},
        }
        self.send(200, json.dumps(answer).encode(), "application/json")

    def error(
        self,
        status: int,
        message: str,
        code: str | None,
        headers: dict[str, str] | None = None,
        param: str | None = None,
    ) -> None:
        body = {"error": {"message": message, "type": "error", "param": param, "code": code}}
        self.send(status, json.dumps(body).encode(), "application/json", headers)

    def send(self, status: int, body: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@contextlib.contextmanager
def running() -> Iterator[str]:
    """Run the server in a process of its own; yields the base URL."""
    process = subprocess.Popen([sys.executable, __file__], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()
