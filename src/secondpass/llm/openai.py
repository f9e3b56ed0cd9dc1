"""Chat models behind the OpenAI protocol: OpenAI, Ollama, vLLM, llama.cpp, DashScope, DeepSeek, Gemini and others.

Retries and time limits are the official client's own. What the server says when it refuses is kept in the error.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any

from openai import BadRequestError, OpenAIError, UnprocessableEntityError, omit
from openai.types import CompletionUsage
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.chat.chat_completion import Choice

from secondpass.errors import RemoteError
from secondpass.llm.client import connect, remote_error
from secondpass.llm.forms import FormSupport, first_tokens
from secondpass.llm.thinking import AnswerOnly, answer_text
from secondpass.text.language import estimate_tokens
from secondpass.types import Message, Reply, ReplyForm, TokenCounts

_log = logging.getLogger(__name__)
_MAX_QUOTED = 500
_ANY_FORM = ReplyForm()


class OpenAIChat:
    """Chat with a model of any OpenAI-compatible server.

    ``temperature`` None leaves it to the server. Models that refuse a temperature, or want the newer name of
    ``max_tokens``, are asked again as they like it, and that is logged.
    """

    def __init__(
        self,
        model: str,
        base_url: str | None = None,
        api_key: str | None = None,
        timeout_seconds: float = 120.0,
        max_tokens: int | None = None,
        temperature: float | None = 0.0,
        max_retries: int = 2,
    ) -> None:
        self._model = model
        self._client = connect(base_url, api_key, timeout_seconds, max_retries)
        self._settings: dict[str, float | int] = {}
        if temperature is not None:
            self._settings["temperature"] = temperature
        if max_tokens is not None:
            self._settings["max_tokens"] = max_tokens
        self._fingerprint = f"{model}@{self._client.base_url} {sorted(self._settings.items())}"
        self._forms = FormSupport(self._what)

    @property
    def name(self) -> str:
        """The model's name at its server."""
        return self._model

    @property
    def fingerprint(self) -> str:
        """The model, its server and the settings that were asked for."""
        return self._fingerprint

    def chat(self, messages: Sequence[Message]) -> Reply:
        """Return the whole reply, without the thoughts of a reasoning model.

        Raises:
            RemoteError: the server refused, failed, did not answer in time, or answered without text.
        """
        reply, choice = self._whole(messages, _ANY_FORM)
        self._check_end(reply.text, choice.finish_reason, choice.message.refusal)
        return reply

    def ask(self, messages: Sequence[Message], form: ReplyForm) -> Reply:
        """Return the whole reply, in ``form`` as far as the server can; one without text is returned as it is.

        Raises:
            RemoteError: the server refused, failed or did not answer in time.
        """
        return self._whole(messages, form)[0]

    def stream(self, messages: Sequence[Message]) -> Iterator[str | Reply]:
        """Yield the reply piece by piece, and the whole `Reply` last.

        The whole reply is the one to keep: where a model's template opens the thought itself, only the whole reply
        is free of it.

        Raises:
            RemoteError: as `chat`, and when the stream breaks off.
        """
        answer, written, refusal = AnswerOnly(), "", ""
        usage: CompletionUsage | None = None
        finish: str | None = None
        for chunk in self._chunks(messages):
            usage = chunk.usage or usage
            if not chunk.choices:
                continue
            choice = chunk.choices[0]
            finish = choice.finish_reason or finish
            refusal += (choice.delta.refusal or "") if choice.delta else ""
            piece = (choice.delta.content or "") if choice.delta else ""
            written += piece
            if said := answer.feed(piece):
                yield said
        if rest := answer.flush():
            yield rest
        if finish is None:
            raise RemoteError(f"{self._what} broke off in the middle of the reply, after: {written[-80:]!r}.")
        text = answer_text(written)
        self._check_end(text, finish, refusal)
        yield Reply(text, _counts(usage, messages, written), finish == "length")

    @property
    def _what(self) -> str:
        return f"The model {self._model!r} at {self._client.base_url}"

    def _whole(self, messages: Sequence[Message], form: ReplyForm) -> tuple[Reply, Choice]:
        completion = self._request(messages, form, stream=False)
        if not isinstance(completion, ChatCompletion) or not completion.choices:
            raise RemoteError(
                f"{self._what} answered with something that is no chat completion: {str(completion)[:_MAX_QUOTED]}"
            )
        choice = completion.choices[0]
        written = choice.message.content or ""
        counts, chances = _counts(completion.usage, messages, written), first_tokens(choice.logprobs)
        return Reply(answer_text(written), counts, choice.finish_reason == "length", chances), choice

    def _chunks(self, messages: Sequence[Message]) -> Iterator[ChatCompletionChunk]:
        stream = self._request(messages, _ANY_FORM, stream=True)
        try:
            yield from stream
        except (OpenAIError, ValueError) as error:
            raise remote_error(error, f"The model {self._model!r}", str(self._client.base_url)) from error
        finally:
            stream.close()

    def _request(self, messages: Sequence[Message], form: ReplyForm, *, stream: bool) -> Any:
        while True:
            sent: dict[str, Any] = {**self._settings, **self._forms.settings(form)}
            try:
                return self._client.chat.completions.create(
                    model=self._model,
                    messages=[{"role": message.role, "content": message.content} for message in messages],  # type: ignore[misc]
                    stream=stream,
                    stream_options={"include_usage": True} if stream else omit,
                    extra_body=sent,
                )
            except (BadRequestError, UnprocessableEntityError) as error:
                if not self._adapt(error, sent):
                    raise remote_error(error, f"The model {self._model!r}", str(self._client.base_url)) from error
            except (OpenAIError, ValueError) as error:
                raise remote_error(error, f"The model {self._model!r}", str(self._client.base_url)) from error

    def _adapt(self, error: BadRequestError | UnprocessableEntityError, sent: dict[str, Any]) -> bool:
        """Change what a server refuses by name of the settings that were ``sent``; False where there is none."""
        if error.param == "temperature" and "temperature" in sent:
            self._settings.pop("temperature", None)  # another thread may have learned it first
            _log.warning("%s takes no temperature; it chooses its own.", self._what)
            return True
        if error.param == "max_tokens" and "max_tokens" in sent:
            self._settings["max_completion_tokens"] = sent["max_tokens"]
            self._settings.pop("max_tokens", None)
            _log.info("%s calls max_tokens max_completion_tokens.", self._what)
            return True
        return self._forms.refused(f"{error.param} {error.response.text}", sent)

    def _check_end(self, text: str, finish: str | None, refusal: str | None) -> None:
        if refusal and not text:
            raise RemoteError(f"{self._what} refused to answer: {refusal[:_MAX_QUOTED]}")
        if not text:
            hint = " It thought until its tokens ran out; raise max_tokens." if finish == "length" else ""
            raise RemoteError(f"{self._what} answered without any text (it ended with {finish!r}).{hint}")


def _counts(usage: CompletionUsage | None, messages: Sequence[Message], written: str) -> TokenCounts:
    if usage is not None and usage.prompt_tokens is not None:
        return TokenCounts(usage.prompt_tokens, usage.completion_tokens or 0)
    prompt = sum(estimate_tokens(message.content) for message in messages)
    return TokenCounts(prompt, estimate_tokens(written), estimated=True)
