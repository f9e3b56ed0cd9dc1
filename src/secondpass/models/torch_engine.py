"""The torch engine of a model: without padding where its architecture is one of ours, else through transformers."""

from __future__ import annotations

import logging
from pathlib import Path

from secondpass.errors import MissingExtraError
from secondpass.models.engine import EncoderEngine, EngineOptions, Head
from secondpass.models.jina_layout import read_config
from secondpass.models.torch_encoder import TorchEncoderEngine
from secondpass.models.torch_weights import unsupported
from secondpass.types import FloatArray

_log = logging.getLogger(__name__)


def open_torch_engine(
    folder: Path, head: Head, options: EngineOptions | None = None, projection: FloatArray | None = None
) -> EncoderEngine:
    """Open the faster of the two torch engines that computes the model in ``folder``.

    Raises:
        InputError: neither can compute it in this precision, or on this device.
        MissingExtraError: transformers is needed for its architecture and not installed.
    """
    reason = unsupported(read_config(folder))
    if reason is None:
        return TorchEncoderEngine(folder, head, options, projection)
    try:
        from secondpass.models.transformers_encoder import TransformersEncoderEngine  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"The model at {folder} ({reason})", "torch") from error
    _log.info("The model at %s is computed through transformers, with padding: %s.", folder, reason)
    return TransformersEncoderEngine(folder, head, options, projection)
