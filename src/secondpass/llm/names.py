"""``openai:MODEL`` and the like to a chat model.

Addresses as the providers document them (Ollama: docs/openai.md; Alibaba Cloud Model Studio, DeepSeek and Google:
their pages on OpenAI compatibility; all read in November 2026).
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from secondpass.errors import InputError
from secondpass.registry import find, known
from secondpass.types import LLM


@dataclass(frozen=True, slots=True)
class Provider:
    """Where a provider's OpenAI-compatible server is, and the environment variable that holds its key."""

    base_url: str | None
    key_variable: str | None


PROVIDERS: dict[str, Provider] = {
    "openai": Provider(None, "OPENAI_API_KEY"),
    "ollama": Provider("http://localhost:11434/v1", None),
    "dashscope": Provider("https://dashscope.aliyuncs.com/compatible-mode/v1", "DASHSCOPE_API_KEY"),
    "deepseek": Provider("https://api.deepseek.com", "DEEPSEEK_API_KEY"),
    "gemini": Provider("https://generativelanguage.googleapis.com/v1beta/openai/", "GEMINI_API_KEY"),
}
_NO_KEY_NEEDED = "none"


def open_llm(spec: str, url: str | None = None) -> LLM:
    """Open the chat model named ``PROVIDER:MODEL``; ``url`` replaces the provider's address.

    The key of a provider is sent to the provider's address or to the ``url`` given with its name, nowhere else.

    Raises:
        InputError: the provider is not known, no model is named, or the provider's key is not set.
    """
    provider_name, _, model = spec.partition(":")
    if provider_name not in PROVIDERS.keys() | known("llms").keys() or not model:
        names = ", ".join(f"{name}:MODEL" for name in PROVIDERS)
        raise InputError(
            f"A chat model is named by provider and model ({names}, replay:FILE), "
            f"such as ollama:qwen2:7b-instruct-q4_0; found {spec!r}."
        )
    if provider_name not in PROVIDERS:
        plugin: LLM = find("llms", provider_name)(model)
        return plugin
    base_url = url or PROVIDERS[provider_name].base_url
    chat: LLM = find("llms", "openai")(model, base_url, key_of(provider_name, url))
    return chat


def key_of(name: str, url: str | None = None) -> str | None:
    """Return the key of a provider, from its environment variable; None leaves the variable of OpenAI to the client.

    Raises:
        InputError: the provider wants a key and there is none.
    """
    provider = PROVIDERS[name]
    if name == "openai":
        return None
    if provider.key_variable is None:
        return _NO_KEY_NEEDED
    key = os.environ.get(provider.key_variable)
    if key:
        return key
    if url:
        return _NO_KEY_NEEDED
    raise InputError(f"{name} needs a key: set the environment variable {provider.key_variable}.")
