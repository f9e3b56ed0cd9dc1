import json
from pathlib import Path

import pytest

from secondpass.errors import InputError
from secondpass.llm.openai import OpenAIChat
from secondpass.llm.replay import RecordingLLM, ReplayLLM, message_key
from secondpass.types import Message, Reply, TokenCounts

ZH = [Message("user", "问题：西安交大由哪几个学校合并的？")]
EN = [Message("user", "Question: which schools were merged?")]


def test_what_was_recorded_from_a_server_is_replayed(server_url: str, tmp_path: Path) -> None:
    path = tmp_path / "replies.jsonl"
    recording = RecordingLLM(OpenAIChat("quote", server_url), path)
    first, *_, last = (recording.chat(ZH), *recording.stream(EN))
    replay = ReplayLLM(path)
    assert replay.chat(ZH) == first == Reply("文档中没有找到答案", TokenCounts(11, 7))
    assert replay.chat(EN) == last
    assert recording.name == "quote"
    assert json.loads(path.read_text("utf-8").split("\n")[0])["messages"] == [
        {"role": "user", "content": ZH[0].content}
    ]


def test_a_replayed_stream_joins_to_its_reply(tmp_path: Path) -> None:
    path = tmp_path / "replies.jsonl"
    path.write_text('{"text": "三校合并 [1]。It is so.", "prompt_tokens": 3, "completion_tokens": 4}\n', "utf-8")
    *pieces, reply = ReplayLLM(path).stream(ZH)
    assert reply == Reply("三校合并 [1]。It is so.", TokenCounts(3, 4))
    assert len(pieces) > 3
    assert "".join(str(piece) for piece in pieces) == reply.text


def test_the_same_conversation_gets_its_recordings_in_turn_and_keeps_the_last(tmp_path: Path) -> None:
    path = tmp_path / "replies.jsonl"
    lines = [json.dumps({"key": message_key(ZH), "text": text}) for text in ("一", "二")]
    path.write_text("\n".join(lines), "utf-8")
    replay = ReplayLLM(path)
    assert [replay.chat(ZH).text for _ in range(3)] == ["一", "二", "二"]
    assert replay.chat(ZH).tokens.estimated


def test_lines_without_a_key_are_given_out_in_order(tmp_path: Path) -> None:
    path = tmp_path / "replies.jsonl"
    path.write_text('{"text": "一"}\n\n{"text": "二"}\n', "utf-8")
    replay = ReplayLLM(path)
    assert [replay.chat(ZH).text, replay.chat(EN).text] == ["一", "二"]
    with pytest.raises(InputError, match=r"holds no reply to this conversation .*record it again"):
        replay.chat(ZH)


def test_roles_and_borders_of_messages_make_different_keys() -> None:
    one = [Message("user", "ab"), Message("user", "c")]
    other = [Message("user", "a"), Message("user", "bc")]
    assert len({message_key(one), message_key(other), message_key([Message("system", "ab"), one[1]])}) == 3


@pytest.mark.parametrize("line", ["not json", "[]", '{"key": "x"}', '{"text": "x", "prompt_tokens": "many"}'])
def test_a_bad_line_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "replies.jsonl"
    path.write_text('{"text": "一"}\n' + line, "utf-8")
    with pytest.raises(InputError, match=r"replies\.jsonl:2: a recorded reply is"):
        ReplayLLM(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing\.jsonl cannot be read"):
        ReplayLLM(tmp_path / "nothing.jsonl")
