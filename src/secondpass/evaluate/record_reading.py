"""Records as JSON files and back: the types of a record's fields say what its parts are."""

from __future__ import annotations

import dataclasses
import json
import types
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from secondpass import types as record_types
from secondpass.data.lines import write_whole
from secondpass.errors import InputError

Record = TypeVar("Record")


@dataclass(frozen=True, slots=True)
class FileForm:
    """A kind of file: its version, what it is called in messages, and the command that writes it."""

    version: int
    noun: str
    command: str

    @property
    def format(self) -> str:
        """What such a file says that it is."""
        return f"secondpass {self.noun}"


def record_object(record: Any, form: FileForm) -> dict[str, Any]:
    """Return ``record`` as an object of JSON that says what it is."""
    return {"format": form.format, "format_version": form.version, **dataclasses.asdict(record)}


def write_record(record: Any, path: str | Path, form: FileForm) -> None:
    """Write ``record`` to ``path`` (``-``: the standard output), all of it or nothing; numbers are kept as they are.

    Raises:
        InputError: the file cannot be written.
    """
    with write_whole(str(path)) as stream:
        json.dump(record_object(record, form), stream, ensure_ascii=False, indent=1, allow_nan=False)
        stream.write("\n")


def read_record(kind: type[Record], path: str | Path, form: FileForm) -> Record:
    """Return the record of ``kind`` that `write_record` wrote to ``path``.

    Raises:
        InputError: the file is missing, no JSON, or no such record of this version.
    """
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise InputError(f"{path} is no JSON: {error}.") from error
    if not isinstance(found, dict) or (found.get("format"), found.get("format_version")) != (form.format, form.version):
        raise InputError(
            f"{path} is no {form.noun} of this version; accepted is what `{form.command}` writes (format "
            f"{form.format!r}, version {form.version})."
        )
    try:
        return record_of(kind, found)
    except (TypeError, KeyError, ValueError) as error:
        raise InputError(f"{path}: a part of the {form.noun} cannot be read ({error}); make it again.") from error


def record_of(kind: type[Record], found: Mapping[str, Any]) -> Record:
    """Return the record of ``kind`` that ``dataclasses.asdict`` and JSON made ``found`` of.

    Raises:
        TypeError, KeyError, ValueError: ``found`` is no such record.
    """
    hints = get_type_hints(kind, localns=dict(vars(record_types)))  # where the names in `Json` are known
    names = [field.name for field in dataclasses.fields(cast(Any, kind))]
    return kind(**{name: _value(hints[name], found[name]) for name in names if name in found})


def _value(hint: Any, found: Any) -> Any:
    origin, parts = get_origin(hint), get_args(hint)
    if dataclasses.is_dataclass(hint):
        return record_of(cast(type, hint), found)
    if origin in (Union, types.UnionType):
        kind = next(part for part in parts if part is not type(None))
        return None if found is None else _value(kind, found)
    if origin is tuple:
        kinds = [parts[0]] * len(found) if parts[-1] is Ellipsis else list(parts)
        return tuple(_value(kind, item) for kind, item in zip(kinds, found, strict=True))
    if origin is Mapping:
        return {key: _value(parts[1], item) for key, item in found.items()}
    return _plain(hint, found)


def _plain(hint: Any, found: Any) -> Any:
    if get_origin(hint) is Literal and found not in get_args(hint):
        raise ValueError(f"{found!r} is none of {', '.join(map(repr, get_args(hint)))}")
    return float(found) if hint is float else found
