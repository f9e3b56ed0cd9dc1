"""A late-interaction model's name to its encoder: a folder, ``OWNER/NAME`` or ``ms:OWNER/NAME``.

``NAME[skiplist=chinese]`` leaves out Chinese punctuation, too. The setting is part of the encoder's name, so that an
index which remembers the name searches as it was built.
"""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from typing import Any, get_args

from secondpass.errors import InputError, MissingExtraError
from secondpass.models.engine import EngineOptions
from secondpass.models.name_settings import split_settings
from secondpass.models.reading_choices import Skiplist
from secondpass.models.source import resolve
from secondpass.types import TokenEncoder

_NEEDED = ("tokenizers", "safetensors")


def open_named_token_encoder(
    name: str, engine_options: EngineOptions | None = None, offline: bool = False
) -> TokenEncoder:
    """Open the late-interaction model called ``name``; the encoder's own ``name`` opens it again.

    Raises:
        InputError: there is no such model, it is of another kind, or it has no such setting.
        MissingExtraError: no engine is installed.
        RemoteError: a hub cannot be reached.
    """
    if not all(find_spec(package) for package in _NEEDED):
        raise MissingExtraError("A token encoder", "onnx")
    plain, settings = split_settings(name)
    skiplist = _skiplist(name, settings)
    source = resolve(plain, offline)
    called = source.name if skiplist == "checkpoint" else f"{source.name}[skiplist={skiplist}]"
    module: Any = importlib.import_module("secondpass.models.late_interaction_scorer")
    options = module.LateInteractionOptions(skiplist)
    encoder: TokenEncoder = module.open_token_encoder(source.folder, called, options, engine_options)
    return encoder


def _skiplist(name: str, settings: dict[str, str]) -> str:
    """Return what ``name`` says of the skip list, its one setting."""
    skiplist, accepted = settings.get("skiplist", "checkpoint"), get_args(Skiplist)
    if settings.keys() - {"skiplist"} or skiplist not in accepted:
        raise InputError(
            f"The token encoder {name!r} has other settings in brackets than the one that there is, "
            f"skiplist={' or '.join(accepted)}."
        )
    return skiplist
