import json
import logging
import time

import pytest

from secondpass.errors import InputError, RemoteError
from secondpass.llm.openai import OpenAIChat
from secondpass.types import Message, Reply, TokenCounts

PROMPT = (
    '[1]\n<passage source="schools.md">\n学校拥有156个学生社团。\n</passage>\n\n'
    "[2]\n<passage>\n2000年西安交通大学、西安医科大学、陕西财经学院三校合并。\n</passage>\n\n"
    "问题：西安交通大学由哪三校合并？\n答案："
)
MESSAGES = [Message("system", "Answer briefly."), Message("user", PROMPT)]
ANSWER = "2000年西安交通大学、西安医科大学、陕西财经学院三校合并。 [2]"


def chat(url: str, model: str = "quote", max_retries: int = 0) -> OpenAIChat:
    return OpenAIChat(model, url, max_retries=max_retries)


def streamed(llm: OpenAIChat) -> tuple[str, Reply]:
    *pieces, reply = llm.stream(MESSAGES)
    assert isinstance(reply, Reply)
    return "".join(str(piece) for piece in pieces), reply


def test_a_reply_has_the_text_and_the_servers_token_counts(server_url: str) -> None:
    reply = chat(server_url).chat(MESSAGES)
    assert reply == Reply(ANSWER, TokenCounts(11, 7))


def test_a_stream_yields_pieces_and_then_the_same_reply(server_url: str) -> None:
    pieces = list(chat(server_url).stream(MESSAGES))
    assert len(pieces) > 5
    assert "".join(str(piece) for piece in pieces[:-1]) == ANSWER
    assert pieces[-1] == Reply(ANSWER, TokenCounts(11, 7))


def test_counts_are_estimated_and_flagged_where_the_server_gives_none(server_url: str) -> None:
    whole = chat(server_url, "no-usage").chat(MESSAGES)
    _, reply = streamed(chat(server_url, "no-usage"))
    assert whole.tokens == reply.tokens
    assert whole.tokens.estimated
    assert whole.tokens.prompt > 40
    assert whole.tokens.completion > 5


def test_settings_and_messages_arrive_at_the_server(server_url: str) -> None:
    llm = OpenAIChat("echo", server_url, max_tokens=77, temperature=0.5)
    body = json.loads(llm.chat(MESSAGES).text)
    assert (body["max_tokens"], body["temperature"], body["model"]) == (77, 0.5, "echo")
    assert body["messages"] == [{"role": m.role, "content": m.content} for m in MESSAGES]
    _, reply = streamed(llm)
    assert json.loads(reply.text)["stream_options"] == {"include_usage": True}


def test_a_temperature_of_none_is_not_sent(server_url: str) -> None:
    body = json.loads(OpenAIChat("echo", server_url, temperature=None).chat(MESSAGES).text)
    assert "temperature" not in body


@pytest.mark.parametrize("model", ["think", "think-open"])
def test_thoughts_are_no_part_of_the_reply(server_url: str, model: str) -> None:
    assert chat(server_url, model).chat(MESSAGES).text == ANSWER
    assert streamed(chat(server_url, model))[1].text == ANSWER


def test_thoughts_are_not_streamed(server_url: str) -> None:
    assert streamed(chat(server_url, "think"))[0] == ANSWER


@pytest.mark.parametrize("model", ["think-forever", "silent"])
def test_a_reply_without_text_is_an_error_that_says_why(server_url: str, model: str) -> None:
    hint = "raise max_tokens" if model == "think-forever" else "without any text"
    with pytest.raises(RemoteError, match=hint):
        chat(server_url, model).chat(MESSAGES)
    with pytest.raises(RemoteError, match=hint):
        streamed(chat(server_url, model))


def test_a_refusal_is_an_error_with_the_models_words(server_url: str) -> None:
    with pytest.raises(RemoteError, match="refused to answer: I cannot"):
        chat(server_url, "refuse").chat(MESSAGES)
    with pytest.raises(RemoteError, match="refused to answer: I cannot"):
        streamed(chat(server_url, "refuse"))


@pytest.mark.parametrize("status", [401, 404, 500])
def test_an_error_keeps_the_servers_status_and_words(server_url: str, status: int) -> None:
    with pytest.raises(RemoteError, match=f"status {status}: The server says status-{status}"):
        chat(server_url, f"status-{status}").chat(MESSAGES)
    with pytest.raises(RemoteError, match=f"status {status}"):
        streamed(chat(server_url, f"status-{status}"))


def test_an_error_of_another_form_keeps_its_words_too(server_url: str) -> None:
    with pytest.raises(RemoteError, match=r"status 422: .*no such model: 千问"):
        chat(server_url, "detail").chat(MESSAGES)
    with pytest.raises(RemoteError, match=r"status 422: .*no such model: 千问"):
        streamed(chat(server_url, "detail"))


def test_a_wrong_key_is_refused_and_the_right_one_is_sent(server_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RemoteError, match="status 401: Incorrect API key provided"):
        OpenAIChat("keyed", server_url, "sk-wrong").chat(MESSAGES)
    assert OpenAIChat("keyed", server_url, "sk-right").chat(MESSAGES).text == ANSWER
    monkeypatch.setenv("OPENAI_API_KEY", "sk-right")
    assert OpenAIChat("keyed", server_url).chat(MESSAGES).text == ANSWER


def test_a_busy_server_is_asked_again(server_url: str) -> None:
    assert chat(server_url, "status-429-once", max_retries=2).chat(MESSAGES).text == ANSWER
    with pytest.raises(RemoteError, match="status 429: Rate limit reached"):
        chat(server_url, "status-429-once").chat(MESSAGES)


@pytest.mark.parametrize("model", ["html", "not-json"])
def test_an_answer_that_is_no_completion_is_an_error(server_url: str, model: str) -> None:
    with pytest.raises(RemoteError, match=r"cannot be read|no chat completion"):
        chat(server_url, model).chat(MESSAGES)
    with pytest.raises(RemoteError):
        streamed(chat(server_url, model))


@pytest.mark.parametrize("model", ["hang-up", "half-stream"])
def test_a_stream_that_breaks_off_is_an_error_after_its_pieces(server_url: str, model: str) -> None:
    stream = chat(server_url, model).stream(MESSAGES)
    assert next(stream) == ANSWER[:3]
    with pytest.raises(RemoteError, match=r"broke off|hung up"):
        list(stream)


def test_an_error_inside_a_stream_keeps_its_words(server_url: str) -> None:
    with pytest.raises(RemoteError, match="ran out of memory"):
        streamed(chat(server_url, "stream-error"))


def test_a_slow_server_is_given_up(server_url: str) -> None:
    started = time.monotonic()
    with pytest.raises(RemoteError, match="did not answer in time; give it longer with timeout_seconds"):
        OpenAIChat("slow", server_url, timeout_seconds=0.3, max_retries=0).chat(MESSAGES)
    assert time.monotonic() - started < 4


def test_a_server_that_is_not_there_is_named() -> None:
    with pytest.raises(RemoteError, match=r"http://127\.0\.0\.1:9/v1/ cannot be reached.*is the server running"):
        chat("http://127.0.0.1:9/v1").chat(MESSAGES)


def test_a_proxy_is_not_asked_for_this_machine(server_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert chat(server_url).chat(MESSAGES).text == ANSWER


def test_settings_that_newer_models_refuse_are_changed_and_logged(
    server_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        assert OpenAIChat("no-temperature", server_url).chat(MESSAGES).text == ANSWER
        assert OpenAIChat("new-names", server_url, max_tokens=50).chat(MESSAGES).text == ANSWER
    assert "takes no temperature" in caplog.text
    assert "max_completion_tokens" in caplog.text


def test_openai_without_a_key_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="set the environment variable OPENAI_API_KEY"):
        OpenAIChat("gpt-4o-mini")


def test_a_url_without_a_scheme_is_refused() -> None:
    with pytest.raises(InputError, match="starts with http:// or https://"):
        OpenAIChat("qwen2", "localhost:11434/v1")
