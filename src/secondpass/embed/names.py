"""``builtin``, ``openai:MODEL``, a folder or a name at a hub to an embedder."""

from __future__ import annotations

import os

from secondpass.errors import InputError
from secondpass.llm.names import PROVIDERS, key_of
from secondpass.models.builtin_model import BUILTIN
from secondpass.registry import find, known
from secondpass.types import Embedder

# Alibaba Cloud takes ten texts a request, OpenAI 2,048 (from their documentation).
_BATCH_SIZES = {"dashscope": 10}
_BATCH_SIZE = 64
_NO_KEY = "none"


def open_embedder(spec: str, url: str | None = None) -> Embedder:
    """Open the embedder named by ``spec``; an embedder's ``name`` opens it again.

    ``PROVIDER:MODEL`` asks an OpenAI-compatible server: the provider's, the one at ``url``, or the one behind an ``@``
    (``openai:bge-m3@http://localhost:8000/v1``). The address behind an ``@`` gets no key, unless it is a provider's own
    or OPENAI_BASE_URL. ``builtin`` finds passages in the other language by the words of the package's model. Anything
    else is a folder, a name at Hugging Face, or ms:OWNER/NAME at ModelScope.

    Raises:
        InputError: the name cannot be read, or there is no such model.
        MissingExtraError: a model is to run on this machine, and torch is not installed.
    """
    if not spec.strip():
        raise InputError(
            "An embedder is named builtin, openai:MODEL, ollama:MODEL, by a folder, or by its name at Hugging Face or "
            "(ms:OWNER/NAME) ModelScope; the name is empty."
        )
    prefix, colon, rest = spec.partition(":")
    if prefix == BUILTIN and rest:
        raise InputError(f"The embedder {BUILTIN} takes nothing behind its name; found {spec!r}.")
    if prefix == BUILTIN:
        own: Embedder = find("embedders", BUILTIN)()
        return own
    if colon and prefix in PROVIDERS and rest:
        return _open_remote(prefix, rest, url)
    if colon and prefix in known("embedders") and rest:
        embedder: Embedder = find("embedders", prefix)(rest)
        return embedder
    local: Embedder = find("embedders", "sentence-transformers")(spec)
    return local


def _open_remote(provider_name: str, rest: str, url: str | None) -> Embedder:
    model, at, own_url = rest.partition("@http")
    key: str | None = _NO_KEY
    if at and not url:
        # The name may come from the manifest of somebody else's index: a key is sent only where it belongs.
        url = f"http{own_url}"
        provider_name = next((name for name, provider in PROVIDERS.items() if provider.base_url == url), provider_name)
        if url in {PROVIDERS[provider_name].base_url, os.environ.get("OPENAI_BASE_URL")}:
            key = key_of(provider_name)
    else:
        key = key_of(provider_name, url)
    embedder: Embedder = find("embedders", "openai")(
        model,
        url or PROVIDERS[provider_name].base_url,
        key,
        batch_size=_BATCH_SIZES.get(provider_name, _BATCH_SIZE),
    )
    return embedder
