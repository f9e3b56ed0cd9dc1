"""The nearest passages of a collection, searched part by part."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from secondpass.errors import InputError
from secondpass.retrieve import collection_vectors
from secondpass.retrieve.collection_vectors import CollectionVectors
from secondpass.types import FloatArray


class Letters:
    """An embedder that counts in eighths how often a text has the first eight characters: sums are exact."""

    name, revision, dimension = "letters", "1", 8
    most = 0

    def encode_query(self, texts: Sequence[str]) -> FloatArray:
        return np.array([[text.count(one) / 8 for one in "西安北京大学校城"] for text in texts], np.float32)

    def encode_document(self, texts: Sequence[str]) -> FloatArray:
        self.most = max(self.most, len(texts))
        return self.encode_query(texts)


TEXTS = [f"{'西安北京大学校城'[n % 8] * (n % 5)}{'大学'[n % 2] * (n % 3)}" for n in range(100)]
QUERIES = ["西安的大学", "北京", " ", "城城校", "nothing of this"]


@pytest.mark.parametrize("numbers", [1, 50, 16_000_000])
def test_parts_of_any_size_find_what_the_whole_has(
    numbers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collection_vectors, "_NUMBERS_AT_ONCE", numbers)
    monkeypatch.setattr(collection_vectors, "_PASSAGES_AT_ONCE", 7)
    letters, heard = Letters(), []
    collection = CollectionVectors(iter(TEXTS), letters, tmp_path / "vectors", heard.append)
    assert (len(collection), letters.most, heard[-1]) == (100, 7, 100)
    scores = letters.encode_query(QUERIES) @ letters.encode_document(TEXTS).T  # (Q, N)
    for place, found in enumerate(collection.best(QUERIES, 12)):
        order = np.argsort(-scores[place], kind="stable")[:12].tolist()
        assert found == ([] if not QUERIES[place].strip() else [(row, float(scores[place][row])) for row in order])


def test_memory_holds_a_part_of_the_vectors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collection_vectors, "_NUMBERS_AT_ONCE", 80)
    sizes: list[int] = []
    read = np.fromfile

    def listening(*arguments: object, **named: object) -> FloatArray:
        part: FloatArray = read(*arguments, **named)  # type: ignore[call-overload]
        sizes.append(part.size)
        return part

    monkeypatch.setattr(np, "fromfile", listening)
    CollectionVectors(TEXTS, Letters(), tmp_path / "vectors").best(QUERIES, 3)
    assert sum(sizes) == 100 * 8
    assert max(sizes) <= 80


def test_an_empty_collection_finds_nothing_and_a_depth_below_one_is_refused(tmp_path: Path) -> None:
    empty = CollectionVectors([], Letters(), tmp_path / "vectors")
    assert empty.best(["西安"], 3) == [[]]
    with pytest.raises(InputError, match="top_k is 0"):
        empty.best(["西安"], 0)
