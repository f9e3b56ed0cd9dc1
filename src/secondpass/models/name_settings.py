"""Settings behind a model's name, for that model alone: ``./t5[profile=castorini/monot5-base-msmarco]``."""

from __future__ import annotations

import re
from pathlib import Path

from secondpass.errors import InputError

_FORM = re.compile(r"(?P<name>[^\[\]]+)\[(?P<settings>[^\[\]]*)\]")
_BETWEEN = re.compile(r",\s*(?=[\w-]*=)")


def split_settings(text: str) -> tuple[str, dict[str, str]]:
    """Return the name in ``text`` and the settings in brackets at its end; a folder that is called so has none.

    >>> split_settings("./colbert[max-tokens=128, skiplist=chinese]")
    ('./colbert', {'max-tokens': '128', 'skiplist': 'chinese'})

    Raises:
        InputError: what stands in the brackets is no setting, or one is given twice.
    """
    match = _FORM.fullmatch(text)
    if match is None or Path(text).expanduser().is_dir():
        return text, {}
    settings: dict[str, str] = {}
    for part in _BETWEEN.split(match["settings"]):
        name, _, value = (piece.strip() for piece in part.partition("="))
        if not name or not value or name in settings:
            raise InputError(
                f"{text!r} has {part!r} in its brackets; write each setting once and with a value, such as "
                f"{match['name']}[max-tokens=256,precision=bf16]."
            )
        settings[name] = value
    return match["name"], settings
