"""What is known of the named rerankers: how each wants its input, and what its scores mean."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from secondpass.models.model_folder import read_json
from secondpass.models.profile_records import Family, GoldenPair, RerankerProfile, Truncation, WindowRule
from secondpass.models.profile_table import PROFILES

__all__ = [
    "PROFILES", "Family", "GoldenPair", "RerankerProfile", "Truncation", "WindowRule", "find_profile",
    "recorded_profile",
]  # fmt: skip

# A folder of the Hugging Face cache, ``models--OWNER--NAME/snapshots/COMMIT``.
_CACHE_FOLDER = re.compile(r"(?:^|/)models--(?P<owner>[^/]+?)--(?P<name>[^/]+?)(?:/snapshots(?:/[^/]+)?)?$")
# ModelScope writes the dots of a name as three underscores.
_ESCAPED_DOT = "___"


def _keys(profile: RerankerProfile) -> set[str]:
    names = [name.lower() for name in (profile.name, *profile.aliases)]
    return {*names, *(name.rpartition("/")[2] for name in names)}


_BY_NAME = {key: profile for profile in reversed(PROFILES) for key in _keys(profile)}


def find_profile(name_or_folder: str | Path) -> RerankerProfile | None:
    """Return the profile of a model by its name, another name of it, or the folder that holds it; None if not known.

    A folder counts by its last part, a folder in a hub's cache by the model's name in it; upper and lower case are one.

    >>> profile = find_profile("ms:AI-ModelScope/bge-reranker-v2-m3")
    >>> (profile.name, profile.max_tokens) if profile else None
    ('BAAI/bge-reranker-v2-m3', 8192)
    >>> find_profile("/模型/Qwen3-Reranker-0___6B/") == find_profile("Qwen/Qwen3-Reranker-0.6B")
    True
    """
    name = str(name_or_folder).replace("\\", "/").rstrip("/").removeprefix("ms:").lower()
    if cached := _CACHE_FOLDER.search(name):
        name = f"{cached['owner']}/{cached['name']}"
    name = name.replace(_ESCAPED_DOT, ".")
    return _BY_NAME.get(name) or _BY_NAME.get(name.rpartition("/")[2])


def recorded_profile(folder: Path) -> RerankerProfile | None:
    """Return the profile that a model trained here says it was taught by, in its own name and at its own length.

    None where config.json records none.
    """
    record = read_json(folder / "config.json").get("secondpass")
    known = find_profile(str(record["profile"])) if isinstance(record, dict) and record.get("profile") else None
    if known is None or not isinstance(record, dict):
        return None
    tokens = int(record.get("max_tokens") or known.max_tokens)
    return replace(known, name=folder.name, max_tokens=tokens, golden=(), license="", aliases=())
