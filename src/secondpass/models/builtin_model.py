"""The reranker that comes with the package: the folder ``builtin`` beside this file, an ordinary checkpoint.

It needs no hub and no network; with any engine that is installed it reads Chinese and English, gives a probability, and
points at the evidence.
"""

from __future__ import annotations

from pathlib import Path

from secondpass.errors import InputError
from secondpass.models.weight_files import SPANS_FILE

BUILTIN = "builtin"
BUILTIN_FOLDER = Path(__file__).with_name(BUILTIN)
_FILES = ("config.json", "model.safetensors", SPANS_FILE, "tokenizer.json", "tokenizer_config.json")


def builtin_folder() -> Path:
    """Return the folder of the model that comes with the package.

    Raises:
        InputError: this installation lacks it, or a file of it.
    """
    missing = [name for name in _FILES if not (BUILTIN_FOLDER / name).is_file()]
    if missing:
        raise InputError(
            f"The model {BUILTIN!r} is not whole in this installation: {BUILTIN_FOLDER} lacks {', '.join(missing)}. "
            f"Install the package again (pip install --force-reinstall secondpass), or take the "
            "reranker 'lexical', which needs no files."
        )
    return BUILTIN_FOLDER
