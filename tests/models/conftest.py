"""Tiny models for the tests of the rerankers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.models.tiny_models import Shape, make_model


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random BERT classifier of one logit (3 layers, 512 tokens), Chinese and English."""
    return make_model(tmp_path_factory.mktemp("models") / "tiny-bert", Shape("bert"))


@pytest.fixture(scope="session")
def tiny_xlmr(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random XLM-R classifier of one logit (3 layers, 512 tokens), Chinese and English."""
    return make_model(tmp_path_factory.mktemp("models") / "tiny-xlmr", Shape("xlm-roberta"))


@pytest.fixture(scope="module")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """An empty cache folder for graphs and measured speeds, of the tests of one file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SECONDPASS_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
