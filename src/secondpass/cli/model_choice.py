"""Which model a command works on, and how it is read: the options that ``rerank`` has, for commands on one model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from secondpass.cli.reranking import length_option, offline_option, profile_option
from secondpass.errors import InputError
from secondpass.models.profiles import RerankerProfile, find_profile, recorded_profile
from secondpass.models.source import Source, resolve


@dataclass(frozen=True, slots=True)
class ChosenModel:
    """Where a model lies, the profile it is read by (None: as its files say), and the longest input (None: its own)."""

    source: Source
    profile: RerankerProfile | None
    max_tokens: int | None


def with_model(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command with an argument ``name`` the options ``--profile``, ``--max-tokens`` and ``--offline``.

    What is called gets the `ChosenModel` first, in the place of all four.
    """

    @wraps(command)
    def found(name: str, profile: str | None, model_tokens: int | None, offline: bool, **others: Any) -> None:
        command(_chosen(name, profile, model_tokens, offline), **others)

    return profile_option(length_option(offline_option(found)))


def _chosen(name: str, profile: str | None, model_tokens: int | None, offline: bool) -> ChosenModel:
    """Find the model ``name`` and its profile as ``rerank`` does: the named one, the recorded one, that of its name.

    Raises:
        InputError: there is no such model, or no such profile.
        RemoteError: it would have to be fetched, and the hub does not answer.
    """
    named = find_profile(profile) if profile else None
    if profile and named is None:
        raise InputError(f"There is no profile named {profile!r}; `secondpass models list` shows them.")
    source = resolve(name, offline=offline)
    known = named or recorded_profile(source.folder) or find_profile(source.name) or find_profile(source.folder)
    return ChosenModel(source, known, model_tokens)
