"""How long texts are for a model: in its own tokens where it is on this machine, estimated otherwise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from secondpass.errors import InputError
from secondpass.models.model_folder import read_json
from secondpass.models.module_list import transformer_folder
from secondpass.models.profiles import find_profile
from secondpass.models.source import resolve
from secondpass.models.tokenizer import TextTokenizer
from secondpass.text.language import estimate_tokens

USUAL_LIMIT = 512
_SPECIAL = 3  # [CLS] question [SEP] passage [SEP]
_NO_LIMIT = 1_000_000


@dataclass(frozen=True, slots=True)
class TokenLengths:
    """Counts tokens: ``limit`` is the longest input of question and passage, ``special`` what a template adds.

    ``together``: both are one input; else ``limit`` is that of a passage alone.
    """

    name: str
    limit: int
    special: int
    estimated: bool
    count: Callable[[Sequence[str]], list[int]]
    together: bool = True


def estimated_lengths(limit: int | None) -> TokenLengths:
    """Count by estimate, against ``limit`` (None: 512)."""
    return TokenLengths(
        "", limit or USUAL_LIMIT, _SPECIAL, True, lambda texts: [estimate_tokens(text) for text in texts]
    )


def model_lengths(name: str, limit: int | None = None, offline: bool = False) -> TokenLengths:
    """Count in the tokens of the model ``name``, against its own limit where ``limit`` is None.

    Raises:
        InputError: there is no such model.
        MissingExtraError: the `tokenizers` library is not installed.
    """
    source = resolve(name, offline)
    place = source.folder if (source.folder / "tokenizer.json").is_file() else transformer_folder(source.folder)
    tokenizer = TextTokenizer(place)
    try:
        special = tokenizer.pair_template(1).special_count
    except InputError:
        special = 0  # a language model: what its prompt adds is not known here
    profile = find_profile(name)
    positions = int(read_json(place / "config.json").get("max_position_embeddings") or _NO_LIMIT)
    written = tokenizer.settings.get("model_max_length")
    own = min(positions, int(written)) if isinstance(written, int | float) and written > 0 else positions
    most = limit or (profile.max_tokens if profile else own)
    return TokenLengths(name, most, special, False, lambda texts: [len(encoded) for encoded in tokenizer.encode(texts)])
