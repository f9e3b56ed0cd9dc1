"""Names of systems, and what a system's order depends on: everything of it changes the key."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.models.tiny_models import Shape, make_model

from secondpass.config import RerankSpec
from secondpass.errors import InputError
from secondpass.evaluate.systems import OpenedSystem, SystemSpec, open_systems
from secondpass.models.engine import EngineOptions
from secondpass.rerank.diversity import MMRReranker
from secondpass.rerank.fusion import FusionReranker
from secondpass.rerank.lexical import LexicalReranker
from secondpass.rerank.names import release_rerankers
from secondpass.rerank.options import RerankerOptions
from secondpass.rerank.threshold import MinScore
from secondpass.types import Reranker

ONNX = EngineOptions("onnx")
QUICK = RerankerOptions(engine=ONNX)
"""An engine that is named is not chosen by measuring, which takes seconds."""


def opened(system: str | Reranker, options: RerankerOptions = QUICK) -> OpenedSystem:
    release_rerankers()
    (found,) = open_systems([system], options)
    assert isinstance(found, OpenedSystem)
    return found


@pytest.mark.parametrize(
    ("text", "stages"),
    [
        ("bm25-only", ()),
        ("lexical", (RerankSpec("lexical", None),)),
        ("lexical@all", (RerankSpec("lexical", None),)),
        (" lexical@20 > 模型/重排@10", (RerankSpec("lexical", 20), RerankSpec("模型/重排", 10))),
        (
            "lexical@20>BAAI/bge-reranker-v2-m3",
            (RerankSpec("lexical", 20), RerankSpec("BAAI/bge-reranker-v2-m3", None)),
        ),
    ],
)
def test_a_name_is_read_as_a_cascade_that_keeps_everything_it_is_not_told_to_cut(
    text: str, stages: tuple[RerankSpec, ...]
) -> None:
    assert SystemSpec.parse(text).stages == stages


def test_two_systems_of_one_name_are_refused() -> None:
    with pytest.raises(InputError, match="'lexical' is named twice"):
        open_systems(["lexical", "bm25-only", "lexical"], RerankerOptions())


@pytest.mark.parametrize("name", ["random", "ceiling", "bm25", "given", "fusion", "dense"])
def test_rows_that_are_always_there_are_no_systems(name: str) -> None:
    class Named(LexicalReranker):
        pass

    named = Named()
    named.name = name
    with pytest.raises(InputError, match="is in every table"):
        open_systems([named], RerankerOptions())


@pytest.mark.parametrize("name", ["lexcal", "lexical@20>>lexical", "lexical@0"])
def test_a_name_that_means_nothing_is_refused_before_anything_is_worked_out(name: str) -> None:
    with pytest.raises(InputError):
        open_systems(["lexical", name], RerankerOptions())


Change = Callable[[Path], RerankerOptions]


def _edited(name: str, key: str, value: object) -> Change:
    def edit(folder: Path) -> RerankerOptions:
        path = folder / name
        settings = json.loads(path.read_text(encoding="utf-8"))
        settings[key] = value
        path.write_text(json.dumps(settings), encoding="utf-8")
        return QUICK

    return edit


def _other_weights(folder: Path) -> RerankerOptions:
    make_model(folder, Shape("bert", seed=8))
    return QUICK


CHANGES: dict[str, Change] = {
    "weights": _other_weights,
    "settings": _edited("config.json", "layer_norm_eps", 1e-5),
    "profile": lambda _: replace(QUICK, profile="BAAI/bge-reranker-base"),
    "length": lambda _: replace(QUICK, max_tokens=64),
    "cut": lambda _: replace(QUICK, cut_long=True),
    "precision": lambda _: replace(QUICK, engine=replace(ONNX, precision="int8")),
    "windows": lambda _: replace(QUICK, window_unit="sentences"),
    "threads": lambda _: replace(QUICK, engine=replace(ONNX, threads=1)),
    "least score": lambda _: replace(QUICK, min_score=MinScore(0.5, "probability")),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_model_s_key_changes_with(what: str, tmp_path: Path) -> None:
    folder = make_model(tmp_path / "模型", Shape("bert"))
    before = opened(str(folder))
    assert before.kept
    assert opened(str(folder)).key == before.key
    assert opened(str(folder), CHANGES[what](folder)).key != before.key


def test_a_copy_of_a_folder_under_another_name_is_another_system_with_the_same_fingerprint(tmp_path: Path) -> None:
    first = make_model(tmp_path / "a", Shape("bert"))
    shutil.copytree(first, tmp_path / "b")
    systems = [opened(str(tmp_path / name)) for name in "ab"]
    assert systems[0].key != systems[1].key
    assert systems[0].words.partition("fingerprint")[2] == systems[1].words.partition("fingerprint")[2]


def test_the_score_cache_is_no_part_of_a_system() -> None:
    plain, cached = (opened("lexical", RerankerOptions(cache=cache)) for cache in (None, Path("known.sqlite")))
    assert plain.key == cached.key


def test_a_reranker_whose_settings_nothing_says_is_not_kept() -> None:
    assert opened(LexicalReranker()).kept
    diverse = MMRReranker(LexicalReranker(), diversity=0.5)
    assert not opened(diverse).kept
    assert opened(diverse).key != opened(diverse).key


def test_a_fusion_s_key_changes_with_its_method_weights_and_constant() -> None:
    parts = [LexicalReranker(), LexicalReranker()]
    fusions = [
        FusionReranker(parts),
        FusionReranker(parts, "borda"),
        FusionReranker(parts, weights=[1, 2]),
        FusionReranker(parts, k=10),
    ]
    assert len({opened(fusion).key for fusion in fusions}) == 4


def test_the_words_say_engine_precision_and_fingerprint(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "m", Shape("bert"))
    options = replace(RerankerOptions(), engine=EngineOptions("onnx", "f32", 1), max_tokens=64)
    words = opened(str(folder), options).words
    assert "fingerprint" in words
    assert "engine onnx, f32, cpu, 1 thread, inputs of up to 64 tokens" in words
    assert "brackets" not in words


def test_settings_behind_a_name_are_part_of_the_system_and_the_words_say_so(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "模型", Shape("bert"))
    plain, short = opened(str(folder)), opened(f"lexical@20>{folder}[max-tokens=64]@5")
    assert plain.key != short.key
    assert short.name.endswith("[max-tokens=64]@5")
    assert short.words.endswith("all threads (but for what its name says in brackets)")
