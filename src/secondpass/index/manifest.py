"""What an index was built with, written once at its creation and compared whenever it is opened."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from secondpass.errors import StoreError
from secondpass.text.terms import ANALYZER

FILE_NAME = "manifest.json"
VERSION = version("secondpass")
FORMAT = 2
"""Raised when an older secondpass could no longer read the folder."""
_FORMAT_WITHOUT_TOKENS = 1
"""What an index without token vectors is written as: it has nothing that the first version could not read."""


@dataclass(frozen=True, slots=True)
class EmbedderIdentity:
    """The vector space of an index."""

    name: str
    revision: str
    dimension: int

    def __str__(self) -> str:
        revision = f", revision {self.revision}" if self.revision else ""
        return f"embedder {self.name!r} ({self.dimension} dimensions{revision})"


@dataclass(frozen=True, slots=True)
class TokenEncoderIdentity:
    """The space of an index's token vectors."""

    name: str
    revision: str
    dimension: int

    def __str__(self) -> str:
        return f"token encoder {self.name!r} ({self.dimension} dimensions, revision {self.revision})"


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything that two runs over one index must agree on, and when and by whom it was made."""

    chunker: str
    chunker_parameters: Mapping[str, int | float | str | bool]
    embedder: EmbedderIdentity | None = None
    analyzer: str = ANALYZER
    token_encoder: TokenEncoderIdentity | None = None
    secondpass: str = VERSION
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    @property
    def format(self) -> int:
        """The first version of the folder's format that holds all of this index."""
        return _FORMAT_WITHOUT_TOKENS if self.token_encoder is None else FORMAT


def write(folder: Path, manifest: Manifest) -> None:
    """Write the manifest so that it is there whole or not at all."""
    fields = asdict(manifest) | {"format": manifest.format}
    if manifest.token_encoder is None:
        del fields["token_encoder"]
    temporary = folder / (FILE_NAME + ".new")
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(fields, file, ensure_ascii=False, indent=2)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(folder / FILE_NAME)


def read(folder: Path) -> Manifest:
    """Read the manifest of the index at ``folder``.

    Raises:
        StoreError: it is missing, no JSON, incomplete, or of a format this version does not know.
    """
    path = folder / FILE_NAME
    again = "restore it from a backup, or build the index again with --rebuild."
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StoreError(f"{folder} is not an index: it has no {FILE_NAME}; {again}") from None
    except OSError as error:
        raise StoreError(f"{path} cannot be read ({error.strerror}); {again}") from error
    except ValueError as error:
        raise StoreError(f"{path} is damaged, it is no JSON ({error}); {again}") from error
    try:
        return _parse(fields)
    except (TypeError, KeyError, AttributeError) as error:
        raise StoreError(f"{path} is damaged, a field is missing or unknown ({error}); {again}") from error
    except _NewerFormatError as error:
        raise StoreError(
            f"The index at {folder} has format {error}, this secondpass {VERSION} reads up to {FORMAT}; "
            "upgrade with pip install -U secondpass, or build a new index with --index OTHER."
        ) from None


class _NewerFormatError(Exception):
    pass


def _parse(fields: dict[str, Any]) -> Manifest:
    if not isinstance(fields, dict):
        raise TypeError("the file holds no object")
    if not isinstance(fields.get("format"), int):
        raise TypeError("format is no number")
    if fields["format"] > FORMAT:
        raise _NewerFormatError(fields["format"])
    del fields["format"]
    embedder, token_encoder = fields.pop("embedder"), fields.pop("token_encoder", None)
    return Manifest(
        embedder=None if embedder is None else EmbedderIdentity(*_space(embedder)),
        token_encoder=None if token_encoder is None else TokenEncoderIdentity(*_space(token_encoder)),
        chunker_parameters=dict(fields.pop("chunker_parameters")),
        **fields,
    )


def _space(identity: dict[str, Any]) -> tuple[str, str, int]:
    return str(identity["name"]), str(identity["revision"]), int(identity["dimension"])


def check_embedder(folder: Path, manifest: Manifest, wanted: EmbedderIdentity | None) -> None:
    """Refuse to search or extend an index with another embedder than it was built with."""
    built = manifest.embedder
    if built != wanted:
        use = f"--embedder {built.name}" if built else "it without --embedder"
        raise StoreError(
            f"The index at {folder} was built with {built or 'no embedder'}; you asked for {wanted or 'none'}. "
            f"Use {use}, or build a new index with --index OTHER, or build this one again with --rebuild."
        )


def check_token_encoder(folder: Path, manifest: Manifest, wanted: TokenEncoderIdentity | None) -> None:
    """Refuse to search or extend an index with another token encoder than it was built with."""
    built = manifest.token_encoder
    if built != wanted:
        use = f"--token-encoder {built.name}" if built else "it without --token-encoder"
        raise StoreError(
            f"The index at {folder} was built with {built or 'no token encoder'}; you asked for {wanted or 'none'}. "
            f"Use {use}, or build a new index with --index OTHER, or build this one again with --rebuild."
        )


def check(folder: Path, manifest: Manifest, wanted: Manifest) -> None:
    """Refuse to add to an index in another way than it was built; two ways in one index cannot be told apart.

    Raises:
        StoreError: names both ways and what to do.
    """
    check_embedder(folder, manifest, wanted.embedder)
    check_token_encoder(folder, manifest, wanted.token_encoder)
    check_analyzer(folder, manifest)
    check_chunking(folder, manifest, wanted)


def check_chunking(folder: Path, manifest: Manifest, wanted: Manifest) -> None:
    """Refuse to add chunks that are cut in another way."""
    built = _chunking(manifest)
    asked = _chunking(wanted)
    if built != asked:
        raise StoreError(
            f"The index at {folder} was cut by {built}; you asked for {asked}. Use the same chunk options, or build a "
            "new index with --index OTHER, or build this one again with --rebuild."
        )


def check_analyzer(folder: Path, manifest: Manifest) -> None:
    """Refuse an index whose terms were made by other rules than a question's would be."""
    if manifest.analyzer != ANALYZER:
        raise StoreError(
            f"The index at {folder} was built with the word analysis {manifest.analyzer!r}; this secondpass "
            f"{VERSION} has {ANALYZER!r}. Build it again with --rebuild, or use secondpass {manifest.secondpass}."
        )


def _chunking(manifest: Manifest) -> str:
    parameters = ", ".join(f"{name} {value}" for name, value in sorted(manifest.chunker_parameters.items()))
    return f"{manifest.chunker} ({parameters})"
