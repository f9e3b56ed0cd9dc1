"""A late-interaction model's name to its encoder: a folder, ``OWNER/NAME`` or ``ms:OWNER/NAME``."""

from __future__ import annotations

import importlib
from importlib.util import find_spec

from secondpass.errors import MissingExtraError
from secondpass.models.engine import EngineOptions
from secondpass.models.source import resolve
from secondpass.types import TokenEncoder

_NEEDED = ("tokenizers", "safetensors")


def open_named_token_encoder(
    name: str, engine_options: EngineOptions | None = None, offline: bool = False
) -> TokenEncoder:
    """Open the late-interaction model called ``name``; the encoder's own ``name`` opens it again.

    Raises:
        InputError: there is no such model, or it is of another kind.
        MissingExtraError: no engine is installed.
        RemoteError: a hub cannot be reached.
    """
    if not all(find_spec(package) for package in _NEEDED):
        raise MissingExtraError("A token encoder", "onnx")
    source = resolve(name, offline)
    module = importlib.import_module("secondpass.models.late_interaction_scorer")
    encoder: TokenEncoder = module.open_token_encoder(source.folder, source.name, engine_options=engine_options)
    return encoder
