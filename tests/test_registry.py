"""Names of parts."""

from __future__ import annotations

import importlib

import pytest

from secondpass.errors import InputError
from secondpass.registry import _TABLES, find, known


@pytest.mark.parametrize("kind", list(_TABLES))
def test_every_name_leads_to_a_class(kind: str) -> None:
    for name, place in known(kind).items():
        module, _, attribute = place.partition(":")
        assert find(kind, name) is getattr(importlib.import_module(module), attribute)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"no reranker named 'x'; known are: .*lexical"):
        find("rerankers", "x")


def test_an_entry_point_adds_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    class Point:
        name = "mine"
        value = "collections:Counter"

    monkeypatch.setattr(
        "secondpass.registry.entry_points", lambda group: [Point] if group.endswith("rerankers") else []
    )
    assert find("rerankers", "mine").__name__ == "Counter"
    assert "mine" not in known("llms")
