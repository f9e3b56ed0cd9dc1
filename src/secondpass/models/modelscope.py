"""Fetch models from ModelScope into the folder where its own package looks for them.

Its file API is small (list a model, fetch a file), so it is spoken here: the package itself would bring a second HTTP
library, setuptools, and everything of a repository, code included. Routes as in modelscope_hub 0.4:
``/api/v1/models/OWNER/NAME/repo/files?Revision=&Recursive=`` and ``/repo?Revision=&FilePath=``.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from filelock import FileLock

from secondpass.errors import InputError, RemoteError
from secondpass.models.hub_caches import ESCAPED_DOT, modelscope_root
from secondpass.models.hub_listing import DownloadState, Listing, Progress, as_json, total_bytes

_ENDPOINT = "https://modelscope.cn"
_REVISION = "master"
_TIMEOUT_SECONDS = 30.0
_TRIES = 4
_PARTIAL = ".partial"
Report = Callable[[int], None]


class ModelScope:
    """The hub at ``MODELSCOPE_ENDPOINT``; the token of ``MODELSCOPE_API_TOKEN`` is sent there and nowhere else."""

    def __init__(self) -> None:
        self._endpoint = (os.environ.get("MODELSCOPE_ENDPOINT") or _ENDPOINT).rstrip("/")
        token = os.environ.get("MODELSCOPE_API_TOKEN")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def listing(self, name: str) -> Listing:
        """List the files of a model.

        Raises:
            InputError: there is no such model.
            RemoteError: the hub cannot be reached, or answers something else.
        """
        with self._client() as client, self._said(name):
            response = client.get(self._route(name, "repo/files"), params={"Revision": _REVISION, "Recursive": "True"})
            self._check(response, name)
            entries = _entries(as_json(response.content, f"The answer of {self._endpoint} about {name}"))
        files = [entry for entry in entries if entry.get("Type") != "tree" and entry.get("Path")]
        return Listing(
            name,
            _REVISION,
            {str(entry["Path"]): int(entry.get("Size") or 0) for entry in files},
            {str(entry["Path"]): str(entry["Sha256"]) for entry in files if entry.get("Sha256")},
        )

    def read(self, listing: Listing, path: str) -> bytes:
        """Return a small file."""
        with self._client() as client, self._said(listing.name):
            response = client.get(self._route(listing.name, "repo"), params=_file(listing, path))
            self._check(response, listing.name)
            return response.content

    def fetch(self, listing: Listing, paths: Sequence[str], progress: Progress) -> Path:
        """Fetch files into a folder aside, continuing what was broken off, and put it in place when it is whole.

        Raises:
            InputError: a file that came is not the one that was listed.
            RemoteError: the hub cannot be reached, or breaks off again and again.
        """
        owner, _, model = listing.name.partition("/")
        place = modelscope_root() / "models" / owner / model.replace(".", ESCAPED_DOT)
        aside = place.with_name(f".{place.name}.incomplete")
        place.parent.mkdir(parents=True, exist_ok=True)
        total, done = total_bytes(listing, paths), 0

        def report(size: int, before: int) -> None:
            progress(DownloadState(before + size, total))

        with FileLock(place.with_name(f".{place.name}.lock")), self._client() as client, self._said(listing.name):
            aside.mkdir(exist_ok=True)
            for path in paths:
                if not _is_there(place / path, listing, path):
                    self._fetch_file(client, listing, path, aside / path, partial(report, before=done))
                done += listing.sizes[path]
                report(0, done)
            _put_in_place(aside, place)
        return place

    def _fetch_file(self, client: httpx.Client, listing: Listing, path: str, target: Path, report: Report) -> None:
        if _is_there(target, listing, path):
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        begun = target.with_name(target.name + _PARTIAL)
        for attempt in range(1, _TRIES + 1):
            try:
                self._append(client, listing, path, begun, report)
                if begun.stat().st_size >= listing.sizes[path]:
                    break
            except httpx.TransportError:
                if attempt == _TRIES:
                    raise
        _verify(begun, listing, path)
        begun.replace(target)

    def _append(self, client: httpx.Client, listing: Listing, path: str, begun: Path, report: Report) -> None:
        """Fetch what is missing of a file behind what is there."""
        have = begun.stat().st_size if begun.exists() else 0
        if have >= listing.sizes[path] > 0:
            return
        # A compressed answer could not be continued.
        headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={have}-"} if have else {})}
        with client.stream(
            "GET", self._route(listing.name, "repo"), params=_file(listing, path), headers=headers
        ) as response:
            self._check(response, listing.name)
            continued = response.status_code == httpx.codes.PARTIAL_CONTENT
            with begun.open("ab" if continued else "wb") as file:
                for chunk in response.iter_bytes():
                    file.write(chunk)
                    report(file.tell())
                file.flush()
                os.fsync(file.fileno())

    def _client(self) -> httpx.Client:
        # httpx drops the token where a redirect leads to another host.
        return httpx.Client(timeout=_TIMEOUT_SECONDS, follow_redirects=True, headers=self._headers)

    def _route(self, name: str, route: str) -> str:
        return f"{self._endpoint}/api/v1/models/{name}/{route}"

    def _check(self, response: httpx.Response, name: str) -> None:
        if response.status_code == httpx.codes.NOT_FOUND:
            raise InputError(
                f"There is no model {name} at ModelScope ({self._endpoint}); check the name, or give it without ms: "
                "for Hugging Face."
            )
        if response.is_error:
            response.read()
            raise RemoteError(
                f"ModelScope ({self._endpoint}) answered {response.status_code} about {name}: {response.text[:200]!r}; "
                "try again, or set MODELSCOPE_API_TOKEN where the model is not public."
            )

    @contextmanager
    def _said(self, name: str) -> Iterator[None]:
        try:
            yield
        except httpx.HTTPError as error:
            words = str(error) or type(error).__name__
            raise RemoteError(
                f"The model {name} is not on this machine and cannot be fetched from ModelScope at {self._endpoint} "
                f"({words}); what came is kept and continued next time. Try again, or give the path of a folder that "
                "holds the model."
            ) from error
        except OSError as error:
            raise InputError(
                f"The model {name} cannot be written below {modelscope_root()}: {error.strerror or error}; make room, "
                "or set MODELSCOPE_CACHE to another place."
            ) from error


def _entries(answer: Any) -> list[dict[str, Any]]:
    data = answer.get("Data") if isinstance(answer, dict) else None
    files = data.get("Files") if isinstance(data, dict) else data
    if not isinstance(files, list):
        raise RemoteError("ModelScope's answer lists no files; try again later.")
    return [entry for entry in files if isinstance(entry, dict)]


def _file(listing: Listing, path: str) -> dict[str, str]:
    return {"Revision": listing.revision, "FilePath": path}


def _is_there(target: Path, listing: Listing, path: str) -> bool:
    return target.is_file() and target.stat().st_size == listing.sizes[path]


def _verify(begun: Path, listing: Listing, path: str) -> None:
    size, expected = begun.stat().st_size, listing.sizes[path]
    wanted = listing.sha256.get(path)
    with begun.open("rb") as file:
        same = size == expected and (not wanted or hashlib.file_digest(file, "sha256").hexdigest() == wanted)
    if not same:
        begun.unlink()
        raise InputError(
            f"{path} of {listing.name} came otherwise than ModelScope lists it ({size:,} bytes of {expected:,}, or "
            "other content); it was thrown away, fetch it again."
        )


def _put_in_place(aside: Path, place: Path) -> None:
    """Rename the folder, or move its files into the one that is there, settings last."""
    if not place.exists():
        aside.replace(place)
        return
    files = sorted((path for path in aside.rglob("*") if path.is_file()), key=lambda path: path.suffix == ".json")
    for path in files:
        target = place / path.relative_to(aside)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.replace(target)
    for folder in sorted((path for path in aside.rglob("*") if path.is_dir()), reverse=True):
        folder.rmdir()
    aside.rmdir()
