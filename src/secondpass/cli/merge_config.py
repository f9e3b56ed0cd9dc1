"""A TOML file that says what to merge: the command, its models, and its options under their own names."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from secondpass.errors import InputError

_METHOD, _MODELS = "method", "models"


def read_merge_config(path: str, methods: Sequence[str]) -> tuple[str, list[str]]:
    """Return the command of a file and its arguments: ``--out merged`` of ``out = "merged"``.

    Raises:
        InputError: the file cannot be read, or does not say what to merge and how.
    """
    content = _read(path)
    method, models = content.pop(_METHOD, None), content.pop(_MODELS, None)
    if method not in methods:
        near = difflib.get_close_matches(str(method), methods, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        found = f"method is {method!r}" if method is not None else "there is no method"
        raise InputError(f"{path}: {found}; accepted is one of {', '.join(methods)}.{hint}")
    if not isinstance(models, list) or not all(isinstance(model, str) for model in models):
        raise InputError(f'{path}: models must be a list of folders or names, such as ["my-base=0.5", "my-tuned=0.5"].')
    arguments: list[str] = []
    for key, value in content.items():
        arguments += _option(path, key, value)
    return str(method), [*arguments, "--", *models]


def _read(path: str) -> dict[str, Any]:
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8; save it as UTF-8.") from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path} is not TOML: {error}.") from error


def _option(path: str, key: str, value: Any) -> list[str]:
    flag = f"--{key.replace('_', '-')}"
    if value is True:
        return [flag]
    if value is False:
        return []
    if isinstance(value, list):
        return [flag, ",".join(str(one) for one in value)]
    if isinstance(value, str | int | float):
        return [flag, str(value)]
    raise InputError(
        f"{path}: {key} is a {type(value).__name__}; accepted are texts, numbers, lists of them, true, false."
    )
