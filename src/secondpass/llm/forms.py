"""The form of a reply, as OpenAI-compatible servers take it: a JSON schema, and chances of the first tokens.

Not every server knows both. One that names the field in its refusal is asked again without it.
"""

from __future__ import annotations

import logging
import threading
from typing import Any

from openai.types.chat.chat_completion import ChoiceLogprobs

from secondpass.llm.thinking import CLOSE, OPEN
from secondpass.types import ReplyForm, TokenChance

_log = logging.getLogger(__name__)
_MOST_TOP_TOKENS, _FEW_TOP_TOKENS = 20, 5  # OpenAI gives up to 20; DashScope and others up to 5
_SCHEMA_WORDS = ("response_format", "json_schema", "structured output")
_LEAST_LOG_PROBABILITY = -100.0  # servers write -inf, -9999 or -1e30 for "next to impossible"


class FormSupport:
    """What of a `ReplyForm` a server was found to take; shared between threads."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._lock = threading.Lock()
        self._schema = True
        self._top_tokens = _MOST_TOP_TOKENS

    def settings(self, form: ReplyForm) -> dict[str, Any]:
        """Return the fields of the request that ask for ``form``, as far as this server takes them."""
        settings: dict[str, Any] = {}
        if form.schema is not None and self._schema:
            schema = {"name": "reply", "schema": form.schema, "strict": True}
            settings["response_format"] = {"type": "json_schema", "json_schema": schema}
        if count := min(form.top_tokens, self._top_tokens):
            settings |= {"logprobs": True, "top_logprobs": count}
        return settings

    def refused(self, words: str, sent: dict[str, Any]) -> bool:
        """Learn from a refusal what not to send again; False where it names none of the fields that were ``sent``."""
        words = words.lower()
        with self._lock:
            if "response_format" in sent and any(word in words for word in _SCHEMA_WORDS):
                if self._schema:  # several threads learn the same at once; it is said once
                    self._schema = False
                    _log.warning("%s takes no JSON schema for a reply; it is asked again without.", self._server)
                return True
            if "logprobs" in sent and "logprob" in words:
                few = "top_logprobs" in words and sent["top_logprobs"] > _FEW_TOP_TOKENS
                most = min(self._top_tokens, _FEW_TOP_TOKENS if few else 0)
                if most < self._top_tokens:
                    self._top_tokens = most
                    _log.warning("%s tells the probabilities of %d tokens at most; asked again.", self._server, most)
                return True
        return False


def first_tokens(logprobs: ChoiceLogprobs | None) -> tuple[TokenChance, ...]:
    """Return the chances of the first token of the answer, after thoughts and white space; the likeliest first."""
    if logprobs is None or not logprobs.content:
        return ()
    tokens = [place.token or "" for place in logprobs.content]
    start = _after_thoughts(tokens)
    for place in logprobs.content[start:]:
        if place.token and place.token.strip():
            chances = [(option.token, option.logprob) for option in place.top_logprobs]
            chances = sorted(chances or [(place.token, place.logprob)], key=lambda chance: -chance[1])
            return tuple(TokenChance(token, max(value, _LEAST_LOG_PROBABILITY)) for token, value in chances)
    return ()


def _after_thoughts(tokens: list[str]) -> int:
    """Return the place of the first token behind the last thought; behind them all where a thought never ends."""
    written, ends = "", 0
    for place, token in enumerate(tokens, start=1):
        written += token
        if CLOSE in token or (CLOSE in written[-len(token) - len(CLOSE) :] and token):
            ends = place
    if not ends and written.lstrip().startswith(OPEN):
        return len(tokens)
    return ends
