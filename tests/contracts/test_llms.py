"""What every chat model keeps: the promises of `secondpass.types.LLM`."""

from collections.abc import Callable
from pathlib import Path

import pytest

from secondpass.llm.openai import OpenAIChat
from secondpass.llm.replay import RecordingLLM, ReplayLLM
from secondpass.types import LLM, Message, Reply, ReplyForm, StructuredLLM

PASSAGE = "[1]\n<passage>\n2000年三校合并。The three schools merged in 2000.\n</passage>\n\n"
CONVERSATIONS = [
    [Message("system", "简要回答。"), Message("user", PASSAGE + "问题：哪年三校合并？\n答案：")],
    [Message("user", PASSAGE + "Question: When did the three schools merge, exactly?\nAnswer:")],
]


def from_server(url: str, folder: Path) -> LLM:
    return OpenAIChat("quote", url)


def thinking(url: str, folder: Path) -> LLM:
    return OpenAIChat("think", url)


def without_counts(url: str, folder: Path) -> LLM:
    return OpenAIChat("no-usage", url)


def recording(url: str, folder: Path) -> LLM:
    return RecordingLLM(OpenAIChat("quote", url), folder / "replies.jsonl")


def replaying(url: str, folder: Path) -> LLM:
    recorder = recording(url, folder)
    for messages in CONVERSATIONS:
        recorder.chat(messages)
    return ReplayLLM(folder / "replies.jsonl")


@pytest.fixture(params=[from_server, thinking, without_counts, recording, replaying])
def llm(request: pytest.FixtureRequest, server_url: str, tmp_path: Path) -> LLM:
    make: Callable[[str, Path], LLM] = request.param
    return make(server_url, tmp_path)


@pytest.mark.parametrize("messages", CONVERSATIONS)
def test_a_stream_ends_with_the_reply_that_chat_gives(llm: LLM, messages: list[Message]) -> None:
    *pieces, last = llm.stream(messages)
    assert last == llm.chat(messages)
    assert isinstance(last, Reply)
    assert pieces
    assert all(isinstance(piece, str) and piece for piece in pieces)
    assert "".join(str(piece) for piece in pieces).strip() == last.text


@pytest.mark.parametrize("messages", CONVERSATIONS)
def test_a_reply_has_text_and_counts(llm: LLM, messages: list[Message]) -> None:
    reply = llm.chat(messages)
    assert "2000" in reply.text
    assert reply.tokens.prompt > 0
    assert reply.tokens.completion > 0


@pytest.mark.parametrize("messages", CONVERSATIONS)
def test_a_reply_in_no_special_form_is_the_reply(llm: LLM, messages: list[Message]) -> None:
    assert isinstance(llm, StructuredLLM)
    assert llm.ask(messages, ReplyForm()) == llm.chat(messages)
    assert llm.ask(messages, ReplyForm({"type": "object"}, 5)).text == llm.chat(messages).text
    assert llm.fingerprint


def test_a_model_has_a_name(llm: LLM) -> None:
    assert llm.name
