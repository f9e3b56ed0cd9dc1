"""Forms of replies at a real server: JSON by a schema, and probabilities of first tokens."""

import json
import logging
import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from openai.types.chat.chat_completion import ChoiceLogprobs

from secondpass.errors import RemoteError
from secondpass.llm.forms import first_tokens
from secondpass.llm.openai import OpenAIChat
from secondpass.llm.replay import RecordingLLM, ReplayLLM, message_key
from secondpass.types import Message, ReplyForm, StructuredLLM

SCHEMA = {"type": "object", "properties": {"ranking": {"type": "array"}}}
LIST = [
    Message("user", "[1] 城墙在西安。"),
    Message("user", "[2] 西安交通大学由三校合并。"),
    Message("user", "查询：西安交通大学由哪三校合并？\n请排序"),
]
YES_NO = [Message("user", "段落: 西安交通大学由三校合并。\n查询: 西安交通大学由哪三校合并？\n只回答“是”或“否”")]


def test_a_schema_arrives_at_the_server_as_openai_wants_it(server_url: str) -> None:
    body = json.loads(OpenAIChat("echo", server_url).ask(LIST, ReplyForm(SCHEMA, 20)).text)
    assert body["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "reply", "schema": SCHEMA, "strict": True},
    }
    assert (body["logprobs"], body["top_logprobs"]) == (True, 20)


def test_nothing_is_sent_that_was_not_asked_for(server_url: str) -> None:
    body = json.loads(OpenAIChat("echo", server_url).ask(LIST, ReplyForm()).text)
    assert body.keys().isdisjoint({"response_format", "logprobs", "top_logprobs"})


def test_a_server_that_can_keeps_to_the_schema(server_url: str) -> None:
    assert json.loads(OpenAIChat("rank", server_url).ask(LIST, ReplyForm(SCHEMA)).text) == {"ranking": [2, 1]}


def test_a_server_that_cannot_is_asked_without_once_and_for_all(
    server_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    chat = OpenAIChat("rank-plain", server_url)
    with caplog.at_level(logging.WARNING), ThreadPoolExecutor(8) as threads:
        replies = list(threads.map(lambda _: chat.ask(LIST, ReplyForm(SCHEMA, 5)), range(16)))
    assert {reply.text for reply in replies} == {"[2] > [1]"}
    assert sum("no JSON schema" in record.message for record in caplog.records) == 1
    assert sum("probabilities of 0 tokens" in record.message for record in caplog.records) == 1


def test_another_refusal_is_an_error_as_before(server_url: str) -> None:
    with pytest.raises(RemoteError, match=r"status 422: .*no such model"):
        OpenAIChat("detail", server_url).ask(LIST, ReplyForm(SCHEMA, 5))


def test_threads_that_learn_a_refused_setting_at_once_all_get_their_reply(server_url: str) -> None:
    chat = OpenAIChat("no-temperature", server_url)
    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(lambda _: chat.chat(LIST).text, range(16)))) == 1


@pytest.mark.parametrize("model", ["rank", "rank-think", "rank-five"])
def test_the_first_token_of_the_answer_comes_with_its_rivals(server_url: str, model: str) -> None:
    chances = OpenAIChat(model, server_url).ask(YES_NO, ReplyForm(top_tokens=20)).first_tokens
    assert {chance.token for chance in chances} == {"Yes", " yes", "是", "No", "否"}
    assert sum(math.exp(chance.log_probability) for chance in chances) == pytest.approx(1)
    assert list(chances) == sorted(chances, key=lambda chance: -chance.log_probability)


@pytest.mark.parametrize("model", ["rank-silent", "silent", "think-forever"])
def test_a_reply_without_text_is_returned_as_it_is(server_url: str, model: str) -> None:
    assert OpenAIChat(model, server_url).ask(LIST, ReplyForm()).text == ""


def place(token: str, *top: tuple[str, float]) -> dict[str, object]:
    options = [{"token": word, "logprob": value, "bytes": None} for word, value in top]
    return {"token": token, "logprob": -0.5, "bytes": None, "top_logprobs": options}


def tokens_of(*places: dict[str, object]) -> list[tuple[str, float]]:
    told = first_tokens(ChoiceLogprobs.model_validate({"content": list(places), "refusal": None}))
    return [(chance.token, chance.log_probability) for chance in told]


def test_thoughts_and_white_space_before_the_answer_are_passed_over() -> None:
    cut_mark = (place("<th"), place("ink>"), place("No"), place("</"), place("think"), place(">"), place("\n"))
    assert tokens_of(*cut_mark, place("是", ("否", -3.0), ("是", -0.1))) == [("是", -0.1), ("否", -3.0)]
    assert tokens_of(place("<think>"), place("Yes")) == []
    assert tokens_of(place(" "), place("Yes")) == [("Yes", -0.5)]
    assert tokens_of(place("Yes", ("Yes", -1e-4), ("No", float("-inf")))) == [("Yes", -1e-4), ("No", -100.0)]
    assert first_tokens(None) == ()


def test_forms_are_recorded_and_replayed(server_url: str, tmp_path: Path) -> None:
    path = tmp_path / "replies.jsonl"
    recording = RecordingLLM(OpenAIChat("rank", server_url), path)
    assert isinstance(recording, StructuredLLM)
    form = ReplyForm(top_tokens=5)
    plain, told = recording.chat(YES_NO), recording.ask(YES_NO, form)
    replay = ReplayLLM(path)
    assert replay.chat(YES_NO) == plain
    assert replay.ask(YES_NO, form) == told
    assert len(told.first_tokens) == 5
    assert replay.ask(YES_NO, ReplyForm(SCHEMA)) == plain
    assert message_key(YES_NO) == message_key(YES_NO, ReplyForm()) != message_key(YES_NO, form)


def test_a_fingerprint_names_model_server_and_settings(server_url: str, tmp_path: Path) -> None:
    chats = [
        OpenAIChat("a", server_url),
        OpenAIChat("b", server_url),
        OpenAIChat("a", server_url + "/v2"),
        OpenAIChat("a", server_url, temperature=0.7),
    ]
    assert len({chat.fingerprint for chat in chats}) == 4
    assert RecordingLLM(chats[0], tmp_path / "x").fingerprint == chats[0].fingerprint
    for name in ("one", "two"):
        (tmp_path / name).write_text(json.dumps({"text": name}), "utf-8")
    assert ReplayLLM(tmp_path / "one").fingerprint != ReplayLLM(tmp_path / "two").fingerprint
