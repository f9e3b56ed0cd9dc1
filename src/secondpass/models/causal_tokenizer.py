"""The tokenizer of a language model, with the template's special tokens told from what merely looks like them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from secondpass.errors import InputError, MissingExtraError
from secondpass.models.tokenizer import EncodedText

_ROLES = ("bos_token", "eos_token", "pad_token")


class LanguageModelTokenizer:
    """Encodes pieces of a template and texts of users; safe to share between threads after `read_plainly`.

    A folder with only a sentencepiece model, as old T5 checkpoints are, is converted by transformers. A text of a user
    that holds ``<|im_end|>`` is read as those characters, so that a passage cannot close its own turn and go on in the
    model's name; the authors' code reads the special token.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._backend, special = _read(folder) if (folder / "tokenizer.json").is_file() else _convert(folder)
        self._backend.no_truncation()
        self._backend.no_padding()
        self.begin_id, self.end_id, self.pad_id = (self._special_id(special.get(role)) for role in _ROLES)
        probe = self._backend.encode("a")
        self.leading_ids = tuple(probe.ids[: probe.special_tokens_mask.index(0)])

    def template_ids(self, text: str) -> list[int]:
        """Encode a piece of a template; special tokens in it are meant. Not after `read_plainly`."""
        return list(self._backend.encode(text, add_special_tokens=False).ids)

    def read_plainly(self) -> None:
        """From now on, read the characters of special tokens as mere characters."""
        self._backend.encode_special_tokens = True

    def encode(self, texts: Sequence[str]) -> list[EncodedText]:
        """Encode texts of users, without special tokens and without offsets."""
        encodings = self._backend.encode_batch_fast(list(texts), add_special_tokens=False)
        return [EncodedText(np.array(encoding.ids, dtype=np.int64)) for encoding in encodings]

    def encode_with_offsets(self, text: str) -> EncodedText:
        """Encode one text, with the characters that each token was made of."""
        encoding = self._backend.encode(text, add_special_tokens=False)
        offsets = np.array(encoding.offsets, dtype=np.int64).reshape(-1, 2)
        return EncodedText(np.array(encoding.ids, dtype=np.int64), offsets)

    def first_id(self, word: str) -> int:
        """Return the first token of ``word``, written without a space before it."""
        ids = self.template_ids(word)
        if not ids:
            raise InputError(f"The tokenizer in {self._folder} has no token for {word!r}, whose logit is the score.")
        return ids[0]

    def token_id(self, token: str) -> int:
        """Return the id of a token of the vocabulary, such as ``▁true``."""
        token_id = self._backend.token_to_id(token)
        if token_id is None:
            raise InputError(
                f"The vocabulary in {self._folder} has no token {token!r}, whose logit is the score; "
                "this checkpoint was trained with other words: choose the profile that names them."
            )
        return int(token_id)

    def _special_id(self, token: object) -> int | None:
        content = token.get("content") if isinstance(token, Mapping) else token
        return None if content is None else self._backend.token_to_id(str(content))


def _read(folder: Path) -> tuple[Tokenizer, Mapping[str, object]]:
    path = folder / "tokenizer.json"
    try:
        backend = Tokenizer.from_file(str(path))
    except Exception as error:  # The library raises nothing narrower.
        raise InputError(f"{path} is not a tokenizer that can be read: {error}") from error
    return backend, _fields(folder / "special_tokens_map.json") | _fields(folder / "tokenizer_config.json")


def _convert(folder: Path) -> tuple[Tokenizer, Mapping[str, object]]:
    if any(folder.glob("*.model")) and find_spec("sentencepiece") is None:
        raise MissingExtraError(f"The tokenizer in {folder}, a sentencepiece model without a tokenizer.json,", "torch")
    try:
        loaded: Any = AutoTokenizer.from_pretrained(str(folder), trust_remote_code=False, local_files_only=True)
    except (OSError, ValueError, KeyError, ImportError, TypeError, AttributeError) as error:
        raise InputError(f"The tokenizer in {folder} cannot be loaded: {error}") from error
    backend = getattr(loaded, "backend_tokenizer", None)
    if not isinstance(backend, Tokenizer):
        raise InputError(
            f"The tokenizer in {folder} ({type(loaded).__name__}) has no fast form; a folder with a tokenizer.json is "
            "needed."
        )
    return backend, {role: getattr(loaded, role) for role in _ROLES}


def _fields(path: Path) -> dict[str, object]:
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is not JSON: {error}") from error
    return content if isinstance(content, dict) else {}
