"""The score cache serves no score of another model, input or text, whichever part of them changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.models.tiny_models import Shape, make_model

from secondpass.models.engine import EngineOptions
from secondpass.rerank.names import open_reranker, release_rerankers
from secondpass.rerank.options import RerankerOptions
from secondpass.rerank.pairs import PairReranker

ONNX = EngineOptions("onnx", threads=1)
QUERY = "西安交通大学由哪些学校合并？"
PASSAGES = ["西安交通大学由三所学校合并组建。", "北京是中华人民共和国的首都。", "It rained all day."]
Asked = tuple[RerankerOptions, str, list[str]]


def known(folder: Path, asked: Asked) -> int:
    """Score in a fresh process's state, and return how many scores were known."""
    options, query, passages = asked
    release_rerankers()
    reranker = open_reranker(str(folder), options)
    assert isinstance(reranker, PairReranker)
    reranker.score_texts(query, passages)
    assert reranker.counts.passages == len(passages)
    return reranker.counts.known


def _weights(folder: Path, asked: Asked) -> Asked:
    make_model(folder, Shape("bert", seed=8))
    return asked


def _settings(folder: Path, asked: Asked) -> Asked:
    path = folder / "config.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(settings | {"layer_norm_eps": 1e-5}), encoding="utf-8")
    return asked


def _tokenizer(folder: Path, asked: Asked) -> Asked:
    path = folder / "tokenizer.json"
    path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    return asked


def _options(**changes: object) -> Callable[[Path, Asked], Asked]:
    return lambda _, asked: (replace(asked[0], **changes), *asked[1:])  # type: ignore[arg-type]


CHANGES: dict[str, Callable[[Path, Asked], Asked]] = {
    "weights": _weights,
    "settings": _settings,
    "tokenizer": _tokenizer,
    "profile": _options(profile="BAAI/bge-reranker-base"),
    "longest input": _options(max_tokens=64),
    "cutting": _options(cut_long=True),
    "precision": _options(engine=replace(ONNX, precision="int8")),
    "question": lambda _, asked: (asked[0], asked[1] + "。", asked[2]),
    "passages": lambda _, asked: (*asked[:2], [passage + "。" for passage in asked[2]]),
}


@pytest.mark.parametrize("what", CHANGES)
def test_nothing_is_known_after_a_change_of_the(what: str, tmp_path: Path) -> None:
    folder = make_model(tmp_path / "模型", Shape("bert"))
    asked = (RerankerOptions(engine=ONNX, cache=tmp_path / "known.sqlite"), QUERY, PASSAGES)
    assert known(folder, asked) == 0
    assert known(folder, asked) == len(PASSAGES)
    changed = CHANGES[what](folder, asked)
    assert known(folder, changed) == 0
    assert known(folder, changed) == len(PASSAGES)
    release_rerankers()
