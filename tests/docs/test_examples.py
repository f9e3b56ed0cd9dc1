"""The example scripts run, with the reranker of the package and with a model."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from tests.docs.pages import ROOT

ANSWERS = ("三校合并。", "Shaanxi Institute of Finance and Economics.")


@pytest.mark.parametrize("names", [[], ["lexical"], ["BAAI/bge-reranker-base"]], ids=["default", "lexical", "named"])
def test_passages_are_reranked_in_both_languages(names: list[str], caches: dict[str, str]) -> None:
    script = ROOT / "examples" / "rerank_passages.py"
    done = subprocess.run(
        [sys.executable, str(script), *names],
        capture_output=True, text=True, check=True, env={**os.environ, **caches},
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert len(lines) == 8
    scored = [line for line in lines if line.startswith("  ")]
    assert all((" log_odds  " if names == ["lexical"] else "% ") in line for line in scored)
    if names != ["BAAI/bge-reranker-base"]:  # whose weights are random here
        assert [lines[1].endswith(ANSWERS[0]), lines[5].endswith(ANSWERS[1])] == [True, True]
