"""Fetch models from Hugging Face, or a mirror of it (``HF_ENDPOINT``), into its own cache."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from secondpass.errors import InputError, MissingExtraError, RemoteError
from secondpass.models.hub_caches import huggingface_cache
from secondpass.models.hub_listing import DownloadState, Listing, Progress, total_bytes
from secondpass.models.model_folder import download_record

try:
    from huggingface_hub import HfApi, hf_hub_download, snapshot_download
    from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars
except ModuleNotFoundError as error:
    _missing: ModuleNotFoundError | None = error
else:
    _missing = None

_ENDPOINT = "https://huggingface.co"
_SECONDS_BETWEEN_LOOKS = 0.3


def _network_errors() -> tuple[type[Exception], ...]:
    """Return what the library raises; its own HTTP library has changed twice."""
    if _missing is not None:
        return (OSError,)
    found: list[type[Exception]] = [OSError, HFValidationError, httpx.HTTPError]
    if importlib.util.find_spec("httpx2"):
        found.append(importlib.import_module("httpx2").HTTPError)
    return tuple(found)


class HuggingFace:
    """The hub at ``HF_ENDPOINT``; a token is taken from where its library keeps it."""

    def __init__(self) -> None:
        if _missing is not None:
            raise MissingExtraError("Fetching a model from Hugging Face", "onnx") from _missing
        self._endpoint = (os.environ.get("HF_ENDPOINT") or _ENDPOINT).rstrip("/")
        self._cache = huggingface_cache()

    def listing(self, name: str) -> Listing:
        """List the files of a model.

        Raises:
            InputError: there is no such model, or the hub cannot be reached.
        """
        with self._said(name):
            info = HfApi(endpoint=self._endpoint).model_info(name, files_metadata=True, timeout=20.0)
        siblings = info.siblings or []
        return Listing(name, str(info.sha), {file.rfilename: int(file.size or 0) for file in siblings})

    def read(self, listing: Listing, path: str) -> bytes:
        """Return a small file."""
        with self._said(listing.name), _no_bars():
            place = hf_hub_download(
                listing.name, path, revision=listing.revision, cache_dir=str(self._cache), endpoint=self._endpoint
            )
        return Path(place).read_bytes()

    def fetch(self, listing: Listing, paths: Sequence[str], progress: Progress) -> Path:
        """Fetch files into the cache; until all are there, a record beside them says what is missing.

        Raises:
            InputError: the hub cannot be reached, or broke off.
        """
        repository = self._cache / f"models--{listing.name.replace('/', '--')}"
        record = download_record(repository / "snapshots" / listing.revision)
        record.parent.mkdir(parents=True, exist_ok=True)
        record.write_text(json.dumps({"files": list(paths)}, ensure_ascii=False), encoding="utf-8")
        with self._said(listing.name), _no_bars(), _watched(repository, total_bytes(listing, paths), progress):
            folder = snapshot_download(
                listing.name, revision=listing.revision, cache_dir=str(self._cache), endpoint=self._endpoint,
                allow_patterns=[_literal(path) for path in paths],
            )  # fmt: skip
        _write_reference(repository, listing.revision)
        record.unlink(missing_ok=True)
        return Path(folder)

    @contextmanager
    def _said(self, name: str) -> Iterator[None]:
        """Turn what the library raises into one sentence."""
        try:
            yield
        except RepositoryNotFoundError as error:
            raise InputError(
                f"There is no model {name} at {self._endpoint}, or it wants a token (HF_TOKEN); check the name, or "
                f"give ms:{name} for ModelScope."
            ) from error
        except _network_errors() as error:
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise RemoteError(
                f"The model {name} is not on this machine and cannot be fetched from Hugging Face at {self._endpoint} "
                f"({lines[0]}); set HF_ENDPOINT to a mirror, give ms:{name} for ModelScope, or the path of a folder "
                "that holds the model."
            ) from error


def _write_reference(repository: Path, commit: str) -> None:
    # snapshot_download of a commit leaves refs/main alone; offline look-ups by name need it.
    reference = repository / "refs" / "main"
    reference.parent.mkdir(parents=True, exist_ok=True)
    reference.write_text(commit, encoding="utf-8")


def _literal(path: str) -> str:
    return "".join(f"[{character}]" if character in "*?[" else character for character in path)


@contextmanager
def _no_bars() -> Iterator[None]:
    silent = are_progress_bars_disabled()
    disable_progress_bars()
    try:
        yield
    finally:
        if not silent:
            enable_progress_bars()


@contextmanager
def _watched(repository: Path, total: int, progress: Progress) -> Iterator[None]:
    """Report the growth of a folder: the one measure that every version of the library shares."""
    done = threading.Event()
    before = _bytes_in(repository)

    def look() -> None:
        while not done.wait(_SECONDS_BETWEEN_LOOKS):
            progress(DownloadState(min(max(0, _bytes_in(repository) - before), total), total))

    watcher = threading.Thread(target=look, name="secondpass-download", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
    progress(DownloadState(total, total))


def _bytes_in(folder: Path) -> int:
    size = 0
    for path in folder.rglob("*"):
        try:
            size += 0 if path.is_symlink() or not path.is_file() else path.stat().st_size
        except OSError:  # a partial file that was renamed between the two looks
            continue
    return size
