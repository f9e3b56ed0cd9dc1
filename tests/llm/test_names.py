import subprocess
import sys
from pathlib import Path

import pytest

from secondpass.errors import InputError, RemoteError
from secondpass.llm.names import PROVIDERS, open_llm
from secondpass.types import Message

ASK = [Message("user", "问题：谁？")]


def test_a_model_is_opened_at_the_url_given(server_url: str) -> None:
    llm = open_llm("openai:quote", server_url)
    assert llm.name == "quote"
    assert llm.chat(ASK).text == "文档中没有找到答案"


def test_a_model_name_may_hold_colons() -> None:
    assert open_llm("ollama:qwen2:7b-instruct-q4_0").name == "qwen2:7b-instruct-q4_0"


def test_ollama_needs_no_key_and_is_asked_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    with pytest.raises(RemoteError, match="http://localhost:11434/v1/") as caught:
        open_llm("ollama:no-such-model").chat(ASK)
    assert "sk-secret" not in str(caught.value)


@pytest.mark.parametrize("name", ["openai", "dashscope", "deepseek", "gemini"])
def test_a_missing_key_is_named(name: str) -> None:
    with pytest.raises(InputError, match=str(PROVIDERS[name].key_variable)):
        open_llm(f"{name}:some-model")


def test_a_providers_own_key_is_sent(server_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong")
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-right")
    assert open_llm("dashscope:keyed", server_url).chat(ASK).text == "文档中没有找到答案"


@pytest.mark.parametrize("spec", ["", "gpt-4o", "opnai:gpt-4o", "openai:", ":x", "千问:qwen"])
def test_a_name_that_cannot_be_read_lists_what_can(spec: str) -> None:
    with pytest.raises(InputError, match=r"openai:MODEL, ollama:MODEL.*found"):
        open_llm(spec)


def test_recorded_replies_are_opened_by_name(tmp_path: Path) -> None:
    path = tmp_path / "replies.jsonl"
    path.write_text('{"text": "三校"}', "utf-8")
    assert open_llm(f"replay:{path}").chat(ASK).text == "三校"


def test_naming_models_does_not_load_the_client() -> None:
    code = (
        "import sys, secondpass.llm.names, secondpass.embed.names;"
        "print({'openai', 'httpx', 'torch'} & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
