"""A family of tiny models for the tests of merging."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.merge.families import make_family


@pytest.fixture(scope="session")
def family(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A base and two children in folders with Chinese names; nothing may change them."""
    return make_family(tmp_path_factory.mktemp("合并") / "模型")
