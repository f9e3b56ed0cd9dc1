"""One connection to a rerank service: limits of time, retries, and errors that keep the server's words but no secrets.

Asked again: 408, 429 and 5xx answers, and connections that could not be made or were cut. Not asked again: a server
that is too slow, because what it was asked before is still keeping it busy.
"""

from __future__ import annotations

import json
import logging
import random
import time
import weakref
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpx

from secondpass.errors import InputError, RemoteError
from secondpass.llm.addresses import is_this_machine
from secondpass.types import Json

_log = logging.getLogger(__name__)
_MAX_QUOTED = 500
_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS, _LONGEST_ASKED_SECONDS = 0.5, 8.0, 60.0
_SECRET = "***"


class RefusedError(RemoteError):
    """A server answered, but not with what was asked for; ``status`` is the one of HTTP."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for an answer, and how often to ask again."""

    timeout_seconds: float = 60.0
    max_retries: int = 3


class RerankClient:
    """Asks one server; safe to share between threads. ``api_key`` goes with every request, and nowhere else."""

    def __init__(self, url: str, api_key: str | None, patience: Patience) -> None:
        check_url(url)
        api_key = (api_key or "").strip()
        if not (api_key.isascii() and api_key.isprintable()):
            raise InputError(
                f"The key for {url} holds characters that no key has, such as a line break or a typographic quote; "
                "copy it again."
            )
        self.url = url
        self._api_key = api_key
        self._patience = patience
        headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        # A proxy that the environment names for the world outside does not know this machine's own servers.
        is_here = is_this_machine(url)
        self._http = httpx.Client(headers=headers, timeout=patience.timeout_seconds, trust_env=not is_here)
        weakref.finalize(self, self._http.close)

    def post(self, body: dict[str, Json], url: str | None = None) -> Json:
        """Send ``body`` (to ``url`` of the same server) and return what the server answers.

        Raises:
            RemoteError: the server refused, failed or did not answer with JSON (`RefusedError`), or was too slow.
        """
        # Halves of surrogate pairs cannot be sent; only a caller without PairReranker still has any.
        return self._asked("POST", url or self.url, json.dumps(body, ensure_ascii=False).encode("utf-8", "replace"))

    def get(self, url: str) -> Json:
        """Read ``url``, of the same server.

        Raises:
            RemoteError: as `post`.
        """
        return self._asked("GET", url, None)

    def quoted(self, words: str) -> str:
        """Return ``words`` of the server as they may be shown: short, and without the key."""
        if self._api_key:
            words = words.replace(self._api_key, _SECRET)
        return words.strip()[:_MAX_QUOTED]

    def _asked(self, method: str, url: str, content: bytes | None) -> Json:
        for attempt in range(self._patience.max_retries + 1):
            last = attempt == self._patience.max_retries
            try:
                response = self._http.request(
                    method, url, content=content, headers={"content-type": "application/json"} if content else {}
                )
            except httpx.TimeoutException as error:
                if not isinstance(error, httpx.ConnectTimeout) or last:
                    raise RemoteError(
                        f"{url} did not answer within {self._patience.timeout_seconds:g} s; "
                        "give it longer with timeout_seconds."
                    ) from error
                wait = _back_off(attempt)
            except httpx.HTTPError as error:
                if last:
                    raise RemoteError(
                        f"{url} cannot be reached, or hung up ({self.quoted(str(error))}): is the server running there?"
                    ) from error
                wait = _back_off(attempt)
            else:
                asked = _asked_wait(response)
                if last or not _may_pass(response.status_code) or (asked or 0.0) > _LONGEST_ASKED_SECONDS:
                    return self._read(response, url, asked)
                wait = _back_off(attempt) if asked is None else asked
            _log.info("%s is asked again in %.1f s (%d of %d)", url, wait, attempt + 1, self._patience.max_retries)
            time.sleep(wait)
        raise AssertionError("unreachable")

    def _read(self, response: httpx.Response, url: str, asked_wait: float | None) -> Json:
        if not response.is_success:
            wait = f" It asks to wait {asked_wait:g} s." if asked_wait else ""
            words = self.quoted(words_of(response.text))
            raise RefusedError(
                f"{url} answered with status {response.status_code}: {words}{wait}", response.status_code
            )
        try:
            answer: Json = json.loads(response.content)
        except ValueError as error:
            said = self.quoted(response.text)
            raise RefusedError(
                f"{url} answered with something that is no JSON: {said}", response.status_code
            ) from error
        return answer


def check_url(url: str) -> None:
    """Refuse what is no address, and addresses that carry a password, which would show in names and messages."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(
            f"The address of a rerank server starts with http:// or https://, such as http://localhost:8080; "
            f"this one does not: {url.rpartition('@')[2]!r}."
        )
    if "@" in parts.netloc:
        raise InputError(
            f"The address of {parts.hostname} carries a password; give the key by the service's environment variable."
        )


def words_of(text: str) -> str:
    """Return what a refusal says, whichever form it has.

    >>> words_of('{"error": {"message": "no such model"}}'), words_of('{"detail": [{"msg": "field required"}]}')
    ('no such model', 'field required')
    """
    try:
        said = json.loads(text)
    except ValueError:
        return text
    return _words(said) or text


def _words(said: Json) -> str:
    if isinstance(said, str):
        return said
    if isinstance(said, list):
        return "; ".join(filter(None, (_words(part) for part in said)))
    if isinstance(said, dict):
        for name in ("message", "error", "detail", "msg", "errors"):
            if name in said and (words := _words(said[name])):
                return words
    return ""


def _may_pass(status: int) -> bool:
    """Tell whether asking again may help."""
    return status in (408, 429) or status >= 500


def _back_off(attempt: int) -> float:
    """Return the seconds to wait: doubled each time, a random part of them, so that many clients spread."""
    longest: float = min(_FIRST_WAIT_SECONDS * 2.0**attempt, _LONGEST_WAIT_SECONDS)
    return longest * random.uniform(0.5, 1.0)


def _asked_wait(response: httpx.Response) -> float | None:
    """Return the seconds that the server asks to wait; None where it does not say."""
    try:
        if milliseconds := response.headers.get("retry-after-ms"):
            return max(float(milliseconds) / 1000, 0.0)
        after = response.headers.get("retry-after")
        if not after:
            return None
        if after.strip().replace(".", "", 1).isdigit():
            return float(after)
        return max(parsedate_to_datetime(after).timestamp() - time.time(), 0.0)
    except (ValueError, OverflowError):
        return None
