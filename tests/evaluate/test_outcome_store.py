"""What was worked out comes back whole, under its own key and no other."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from secondpass.errors import StoreError
from secondpass.evaluate.outcome_store import FILE_NAME, OutcomeStore, outcome_key
from secondpass.evaluate.outcomes import Outcome, pack, unpack

FLOATS = some.floats(allow_nan=False)
OUTCOME = Outcome(
    np.array([2, 0], np.uint32), np.array([0.1 + 0.2, -1e-300]), "logit", np.array([0.5, 0.25]), 0.125, 2, 1, 1,
    {"F1": 1 / 3},
)  # fmt: skip


def same(first: Outcome, second: Outcome) -> bool:
    for field in dataclasses.fields(Outcome):
        one, other = getattr(first, field.name), getattr(second, field.name)
        equal = np.array_equal(one, other) and one.dtype == other.dtype if isinstance(one, np.ndarray) else one == other
        if not equal:
            return False
    return True


@given(
    scores=some.lists(FLOATS, max_size=5),
    probable=some.booleans(),
    seconds=FLOATS,
    scale=some.sampled_from(["bm25", "logit"]),
)
def test_packing_loses_nothing(scores: list[float], probable: bool, seconds: float, scale: str) -> None:
    values = np.array(scores, np.float64)
    outcome = Outcome(
        np.arange(len(scores), dtype=np.uint32)[::-1].copy(),
        values,
        scale,
        values / 2 if probable else None,
        seconds,  # type: ignore[arg-type]
    )
    assert same(unpack(pack(outcome)), outcome)


def test_an_outcome_is_there_after_the_file_was_closed(tmp_path: Path) -> None:
    with OutcomeStore(tmp_path / "工作") as store:
        store.put(b"key", OUTCOME)
    with OutcomeStore(tmp_path / "工作") as store:
        found = store.get(b"key")
        assert found is not None
        assert same(found, OUTCOME)
        assert store.get(b"other") is None
        assert store.known([b"key", b"other"]) == {b"key"}


def test_a_temporary_store_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with OutcomeStore() as store:
        store.put(b"key", OUTCOME)
        assert store.get(b"key") is not None
    assert not list(tmp_path.iterdir())


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"this is no database" * 100)
    with pytest.raises(StoreError, match=r"outcomes\.sqlite cannot be used .*remove it"):
        OutcomeStore(tmp_path)


def test_the_key_changes_with_question_and_system() -> None:
    keys = {outcome_key(question, system) for question in (b"q1", b"q2") for system in ("a", "甲", "")}
    assert len(keys) == 6
