"""Fetch pages over http(s) without being led into the own network.

Every hop's host is resolved here, the address is checked, and the connection goes to that very address: a name server
that answers differently the second time (DNS rebinding) changes nothing. Redirects are followed by hand, so that each
hop is checked. Proxies and credentials of the environment are not used: through a proxy the address that is reached
could not be checked.
"""

from __future__ import annotations

import ssl
import time
from dataclasses import dataclass
from email.message import Message
from importlib.metadata import version
from ipaddress import ip_address
from pathlib import PurePosixPath

import httpx

from secondpass.errors import InputError
from secondpass.load.addresses import Address, is_public, resolve
from secondpass.load.options import WebOptions
from secondpass.load.reading import Payload
from secondpass.load.sources import MEDIA_TYPES

__all__ = ["WebOptions", "fetch"]

_MAX_REDIRECTS = 5
_CONNECT_SECONDS = 10.0
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_DOCX = MEDIA_TYPES[".docx"]
_ACCEPTED = {
    "text/html": "text/html",
    "application/xhtml+xml": "text/html",
    "text/plain": "text/plain",
    "text/markdown": "text/markdown",
    "text/x-markdown": "text/markdown",
    "text/x-rst": "text/x-rst",
    "text/prs.fallenstein.rst": "text/x-rst",
    "application/pdf": "application/pdf",
    "application/x-pdf": "application/pdf",
    _DOCX: _DOCX,
}
# Types that say nothing: the end of the address decides.
_UNSPECIFIC = frozenset({"", "text/plain", "application/octet-stream", "binary/octet-stream"})


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    reason: str
    headers: httpx.Headers
    body: bytes


def fetch(url: str, options: WebOptions) -> Payload:
    """Fetch one page.

    Raises:
        InputError: the address is refused, the server says no or nothing, or the page is too large or no document.
    """
    deadline = time.monotonic() + options.timeout_seconds
    seen: list[str] = []
    here = _parse(url, url)
    while True:
        seen.append(str(here))
        try:
            answer = _ask(here, options, deadline)
        except httpx.TimeoutException as error:
            raise _too_slow(here, options) from error
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError) as error:
            raise InputError(f"{here} could not be fetched ({error or type(error).__name__}).") from error
        if answer.status not in _REDIRECTS or "location" not in answer.headers:
            break
        here = _next_hop(here, answer.headers["location"], seen)
    if answer.status != 200:
        raise InputError(f"{here} answered {answer.status} {answer.reason}; check the address.".replace(" ;", ";"))
    media_type, charset = _media_type(here, answer.headers.get("content-type", ""))
    return Payload(answer.body, media_type, charset, str(here))


def _parse(url: str, start: str) -> httpx.URL:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise InputError(f"{start} leads to {url!r}, which is not a web address ({error}).") from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise InputError(f"{start} leads to {str(parsed)!r}; only http and https addresses are fetched.")
    if parsed.userinfo:
        raise InputError(f"The address of {parsed.host} carries a user name or password; save the page as a file.")
    return parsed.copy_with(fragment=None)


def _next_hop(here: httpx.URL, location: str, seen: list[str]) -> httpx.URL:
    try:
        following = _parse(str(here.join(location)), seen[0])
    except (httpx.InvalidURL, ValueError) as error:
        raise InputError(f"{here} redirects to {location!r}, which is not a web address.") from error
    if str(following) in seen:
        raise InputError(f"{seen[0]} redirects in a circle (back to {following}); open it in a browser to see why.")
    if len(seen) > _MAX_REDIRECTS:
        raise InputError(f"{seen[0]} redirects more than {_MAX_REDIRECTS} times; give the last address itself.")
    return following


def _too_slow(url: httpx.URL, options: WebOptions) -> InputError:
    return InputError(
        f"{url} did not answer within {options.timeout_seconds:g} seconds; try again later or raise the time limit."
    )


def _addresses(url: httpx.URL, options: WebOptions) -> list[Address]:
    """Resolve and check the host of one hop."""
    host = url.raw_host.decode("ascii")
    port = url.port or {"http": 80, "https": 443}[url.scheme]
    addresses = resolve(host.strip("[]"), port)
    allowed = {name.lower() for name in options.allowed_hosts}
    if options.allow_private or not allowed.isdisjoint({url.host, host, f"{url.host}:{port}"}):
        return addresses
    for address in addresses:
        if not is_public(address):
            raise InputError(
                f"{url} was refused: its host is at {address}, which is not a public address; "
                "allow private addresses if the page is meant to be read."
            )
    return addresses


def _ask(url: httpx.URL, options: WebOptions, deadline: float) -> _Answer:
    """Make one request, to the first of the checked addresses that takes the connection."""
    addresses = _addresses(url, options)
    for number, address in enumerate(addresses):
        try:
            return _ask_at(address, url, options, deadline)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            if number == len(addresses) - 1 or time.monotonic() >= deadline:
                raise
    raise InputError(f"The host of {url} has no address.")


def _ask_at(address: Address, url: httpx.URL, options: WebOptions, deadline: float) -> _Answer:
    left = max(0.001, deadline - time.monotonic())
    headers = {
        "Host": url.netloc.decode("ascii"),
        "User-Agent": f"secondpass/{version('secondpass')}",
        "Accept": f"text/html, application/xhtml+xml, text/markdown, text/plain, application/pdf, {_DOCX}",
        "Accept-Encoding": "gzip, deflate",
    }
    # The URL carries the checked address; the certificate is still checked against the host's name.
    extensions = {} if _is_address(url.host) else {"sni_hostname": url.raw_host.decode("ascii")}
    # One client for one hop: a kept connection belongs to an address, not to the name it was verified for.
    with (
        httpx.Client(
            verify=_certificates(options),
            trust_env=False,
            timeout=httpx.Timeout(left, connect=min(left, _CONNECT_SECONDS)),
        ) as client,
        client.stream(
            "GET", url.copy_with(host=str(address)), headers=headers, extensions=extensions, follow_redirects=False
        ) as response,
    ):
        body = _body(response, url, options, deadline) if response.status_code == 200 else b""
        return _Answer(response.status_code, response.reason_phrase, response.headers, body)


def _certificates(options: WebOptions) -> ssl.SSLContext:
    context = httpx.create_ssl_context(trust_env=False)
    if options.certificate_file is not None:
        try:
            context.load_verify_locations(cafile=str(options.certificate_file))
        except (OSError, ssl.SSLError) as error:
            raise InputError(f"{options.certificate_file} holds no certificates in PEM form ({error}).") from error
    return context


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _body(response: httpx.Response, url: httpx.URL, options: WebOptions, deadline: float) -> bytes:
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", "x-gzip", "deflate", ""):
        raise InputError(f"{url} is packed as {encoding!r}, which was not asked for; save the page as a file.")
    too_large = InputError(
        f"{url} has more than the limit of {options.max_bytes / 2**20:g} MB; raise the limit or save a part of it."
    )
    length = response.headers.get("content-length", "")
    if length.isdecimal() and int(length) > options.max_bytes:
        raise too_large
    _media_type(url, response.headers.get("content-type", ""))  # before the download, not after it
    body = bytearray()
    for piece in response.iter_bytes():
        body += piece
        if len(body) > options.max_bytes:
            raise too_large
        if time.monotonic() > deadline:
            raise _too_slow(url, options)
    return bytes(body)


def _media_type(url: httpx.URL, header: str) -> tuple[str, str | None]:
    message = Message()
    message["content-type"] = header
    stated = message.get_content_type() if header else ""
    charset = message.get_param("charset")
    by_name = MEDIA_TYPES.get(PurePosixPath(url.path).suffix.lower())
    media_type = by_name if stated in _UNSPECIFIC and by_name else _ACCEPTED.get(stated)
    if media_type is None:
        raise InputError(
            f"{url} is of the kind {stated or 'unknown'!r}; read are HTML, text, Markdown, PDF and DOCX pages."
        )
    return media_type, charset if isinstance(charset, str) else None
