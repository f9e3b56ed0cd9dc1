"""Records from what JSON makes of them: the types of a record's fields say what its parts are."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from secondpass import types as record_types

Record = TypeVar("Record")


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
