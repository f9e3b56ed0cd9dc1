"""Which architectures a graph can be written for, and the shape of each; needs no library of graphs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from secondpass.errors import InputError
from secondpass.models.graph_shape import KINDS, GraphShape, encoder_shape, unsupported_encoder
from secondpass.models.jina_layout import read_config
from secondpass.models.rotary_shape import ROTARY_KINDS, RotaryShape, is_rotary, rotary_shape, unsupported_rotary

AnyShape: TypeAlias = GraphShape | RotaryShape


def unsupported(config: Mapping[str, Any]) -> str | None:
    """Return why no graph can be written for this architecture, or None where one can."""
    return (unsupported_rotary if is_rotary(config) else unsupported_encoder)(config)


def known_kinds() -> tuple[str, ...]:
    """Return the architectures that graphs are written for, as model types of transformers."""
    return (*KINDS, *(kind for kind in ROTARY_KINDS if kind != "new"))


def read_graph_shape(folder: Path) -> AnyShape:
    """Read the shape of the encoder in ``folder``.

    Raises:
        InputError: it is none that a graph can be written for.
    """
    config = read_config(folder)
    if reason := unsupported(config):
        raise InputError(
            f"The engines openvino and onnx compute {', '.join(known_kinds())}, or any architecture from an ONNX "
            f"file; of the model at {folder}, {reason}, and it holds no model.onnx. Export it to ONNX, or use the "
            "engine torch."
        )
    try:
        return rotary_shape(config) if is_rotary(config) else encoder_shape(config)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{folder / 'config.json'} lacks or misstates {error}; fetch the model again.") from error
