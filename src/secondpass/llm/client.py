"""The connection to an OpenAI-compatible server, for chat and for embeddings, and what its refusals say."""

from __future__ import annotations

import os
import weakref

from openai import APIConnectionError, APIStatusError, APITimeoutError, DefaultHttpxClient, OpenAI, OpenAIError

from secondpass.errors import InputError, RemoteError
from secondpass.llm.addresses import is_this_machine

KEY_VARIABLE = "OPENAI_API_KEY"
_NO_KEY_NEEDED = "none"
_MAX_QUOTED = 500


def connect(base_url: str | None, api_key: str | None, timeout_seconds: float, max_retries: int) -> OpenAI:
    """Open a client; a server of one's own, named by ``base_url``, needs no key.

    Raises:
        InputError: OpenAI itself is meant and there is no key, or the URL is not one.
    """
    base_url = base_url or os.environ.get("OPENAI_BASE_URL") or None
    api_key = api_key or os.environ.get(KEY_VARIABLE) or (_NO_KEY_NEEDED if base_url else None)
    if not api_key:
        raise InputError(
            f"OpenAI needs a key: set the environment variable {KEY_VARIABLE}, or give the URL of your own server, "
            "such as http://localhost:11434/v1 for Ollama."
        )
    if base_url and not base_url.startswith(("http://", "https://")):
        raise InputError(
            f"The URL of a model server starts with http:// or https://, such as http://localhost:11434/v1; "
            f"this one does not: {base_url!r}."
        )
    # A proxy that the environment names for the world outside does not know this machine's own servers.
    is_here = base_url is not None and is_this_machine(base_url)
    http_client = DefaultHttpxClient(trust_env=False) if is_here else None
    client = OpenAI(
        base_url=base_url, api_key=api_key, timeout=timeout_seconds, max_retries=max_retries, http_client=http_client
    )
    if http_client is not None:  # one that is handed over is not closed with the client
        weakref.finalize(client, http_client.close)
    return client


def remote_error(error: OpenAIError | ValueError, what: str, url: str) -> RemoteError:
    """Say in one sentence what a server refused, with its own words."""
    if isinstance(error, APIStatusError):
        said = error.body.get("message") if isinstance(error.body, dict) else None
        # Servers built with FastAPI put their words elsewhere ({"detail": ...}): then the whole body is quoted.
        words = str(said or error.response.text.strip() or error.message)
        return RemoteError(f"{what} at {url} answered with status {error.status_code}: {words[:_MAX_QUOTED]}")
    if isinstance(error, APITimeoutError):
        return RemoteError(f"{what} at {url} did not answer in time; give it longer with timeout_seconds.")
    if isinstance(error, APIConnectionError):
        cause = f" ({error.__cause__})" if error.__cause__ else ""
        return RemoteError(f"{what} at {url} cannot be reached, or hung up{cause}: is the server running there?")
    return RemoteError(f"{what} at {url} answered with something that cannot be read: {str(error)[:_MAX_QUOTED]}")
