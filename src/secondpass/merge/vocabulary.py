"""Whether two models cut texts into the same numbered tokens; rows of an embedding table can be mixed only then."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from secondpass.errors import InputError
from secondpass.models.model_folder import read_json
from secondpass.models.module_list import transformer_folder

_SHOWN = 20
_BY_LINE = "vocab.txt"
_BINARY = "*.model"
_CUTTING = ("normalizer", "pre_tokenizer", "post_processor")
_UNSEEN = "no tokenizer"


def vocabulary_differences(first: Path, other: Path) -> list[str]:
    """Say in how far the vocabularies of two model folders differ; nothing where they are one."""
    mine, theirs = _tokenizer(first), _tokenizer(other)
    if _same_file(mine, theirs):
        return []
    a, b = _vocabulary(mine), _vocabulary(theirs)
    if a is None or b is None:
        if a is None and b is None:
            return _binary_difference(mine, theirs)
        missing = first if a is None else other
        return [f"the vocabulary of {missing} cannot be compared: there is no tokenizer.json in it"]
    if a == b:
        return _merge_rules(mine, theirs)
    tokens = sorted(a.keys() | b.keys(), key=lambda token: (a.get(token, b.get(token, 0)), token))
    different = [token for token in tokens if a.get(token) != b.get(token)]
    lines = [f"token {token!r}: {_place(a, token)}, against {_place(b, token)}" for token in different[:_SHOWN]]
    more = len(different) - len(lines)
    return [*lines, *([f"and {more:,} more tokens"] if more else [])]


def cutting_notes(first: Path, other: Path) -> list[str]:
    """Say which rules of cutting differ although the vocabulary is the same; the first model's are taken."""
    mine, theirs = _tokenizer(first) / "tokenizer.json", _tokenizer(other) / "tokenizer.json"
    if not mine.is_file() or not theirs.is_file() or _same_file(mine.parent, theirs.parent):
        return []
    a, b = read_json(mine), read_json(theirs)
    different = [rule for rule in _CUTTING if a.get(rule) != b.get(rule)]
    return [f"tokenizer.json has another {', '.join(different)} in {other}"] if different else []


def _place(vocabulary: Mapping[str, int], token: str) -> str:
    return f"number {vocabulary[token]}" if token in vocabulary else "not there"


def _tokenizer(folder: Path) -> Path:
    """Return the folder that the tokenizer is in."""
    return folder if (folder / "tokenizer.json").is_file() else transformer_folder(folder)


def _same_file(mine: Path, theirs: Path) -> bool:
    first, second = mine / "tokenizer.json", theirs / "tokenizer.json"
    return first.is_file() and second.is_file() and _digest(first) == _digest(second)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _vocabulary(folder: Path) -> dict[str, int] | None:
    """Return ``{token: number}``; None where only a sentencepiece model, or nothing, is there."""
    if (folder / "tokenizer.json").is_file():
        return _from_tokenizer(folder / "tokenizer.json")
    if (folder / _BY_LINE).is_file():
        lines = (folder / _BY_LINE).read_text(encoding="utf-8").splitlines()
        return {token: number for number, token in enumerate(lines)}
    if (folder / "vocab.json").is_file():
        return {str(token): int(number) for token, number in read_json(folder / "vocab.json").items()}
    return None


def _from_tokenizer(path: Path) -> dict[str, int]:
    content = read_json(path)
    try:
        written: Any = content["model"]["vocab"]
        if isinstance(written, Mapping):
            vocabulary = {str(token): int(number) for token, number in written.items()}
        else:  # unigram: pairs of token and score, numbered by their place
            vocabulary = {str(pair[0]): number for number, pair in enumerate(written)}
        return vocabulary | {str(added["content"]): int(added["id"]) for added in content.get("added_tokens") or ()}
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise InputError(f"{path} holds no vocabulary that can be read ({error}); fetch the model again.") from error


def _merge_rules(mine: Path, theirs: Path) -> list[str]:
    """Compare the rules of byte pairs; older files write each as one text, newer ones as a pair."""
    rules = []
    for folder in (mine, theirs):
        path = folder / "tokenizer.json"
        written = (read_json(path).get("model") or {}).get("merges") or () if path.is_file() else ()
        rules.append([tuple(rule.split(" ", 1)) if isinstance(rule, str) else tuple(rule) for rule in written])
    if rules[0] == rules[1] or not all(rules):
        return []
    at = next((i for i, pair in enumerate(zip(*rules, strict=False)) if pair[0] != pair[1]), min(map(len, rules)))
    return [
        f"the rules that join bytes into tokens differ from rule {at + 1:,} on ({len(rules[0]):,}, {len(rules[1]):,})"
    ]


def _binary_difference(mine: Path, theirs: Path) -> list[str]:
    first, second = ({path.name: _digest(path) for path in folder.glob(_BINARY)} for folder in (mine, theirs))
    if first == second:
        return []
    return [f"the sentencepiece models differ ({json.dumps([*first, *second])})"]
