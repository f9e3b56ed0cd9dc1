"""The model that comes with the package, by its name; a tiny random one of the same layout stands in its place."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.models.pointing_folders import make_pointing, told_by_transformers
from tests.models.tiny_models import SENTENCES

from secondpass import rerank_passages
from secondpass.config import make_reranker
from secondpass.errors import InputError
from secondpass.models import builtin_model
from secondpass.models.builtin_model import builtin_folder
from secondpass.models.engine import EngineOptions
from secondpass.models.profiles import find_profile
from secondpass.models.source import resolve
from secondpass.rerank.names import check_name, open_reranker, release_rerankers
from secondpass.rerank.options import RerankerOptions
from secondpass.rerank.threshold import MinScore

ONNX = RerankerOptions(EngineOptions("onnx", threads=1), offline=True)
QUESTION = "长江有多长？"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pointing(tmp_path_factory.mktemp("package") / "builtin")


@pytest.fixture(autouse=True)
def installed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(builtin_model, "BUILTIN_FOLDER", folder)
    release_rerankers()
    yield
    release_rerankers()


@pytest.mark.parametrize("question", [QUESTION, "How long is the Yangtze?"])
def test_its_name_opens_it_with_probability_evidence_and_confidence(folder: Path, question: str) -> None:
    told = told_by_transformers(folder, question, SENTENCES)
    hits = rerank_passages(question, SENTENCES, rerank="builtin@all", options=ONNX)
    assert [hit.score for hit in hits] == pytest.approx(sorted((one[0] for one in told), reverse=True), abs=1e-3)
    for hit in hits:
        score, span, confidence = told[int(hit.chunk.id) - 1]
        assert (hit.scale, hit.stages[-1].stage) == ("logit", "builtin")
        assert hit.evidence is not None
        assert (hit.evidence.start, hit.evidence.end) == span
        assert hit.evidence_confidence == pytest.approx(confidence, rel=1e-2)
        assert hit.probability is not None
        assert 0 < hit.probability < 1
        assert (hit.probability > 0.5) == (score > 0)


def test_what_answers_with_too_low_a_probability_is_dropped() -> None:
    everything = rerank_passages(QUESTION, SENTENCES, rerank="builtin@all", options=ONNX)
    middle = everything[len(everything) // 2].probability
    assert middle is not None
    reranker = make_reranker(["builtin@all"], RerankerOptions(ONNX.engine, min_score=MinScore(middle, "probability")))
    assert reranker is not None
    kept = reranker.rerank(QUESTION, everything)
    assert [hit.chunk.id for hit in kept] == [hit.chunk.id for hit in everything[: len(kept)]]
    assert len(kept) == len(everything) // 2 + 1


def test_it_is_known_without_hub_or_network(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECONDPASS_OFFLINE", "1")
    source = resolve("builtin")
    assert (source.folder, source.name, source.origin) == (folder, "builtin", "package")
    profile = find_profile("builtin")
    assert profile is not None
    assert (profile.scale, profile.gives_probability, profile.max_tokens) == ("logit", True, 512)


def test_a_folder_of_the_same_name_in_the_working_directory_is_not_taken_for_it(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_pointing(tmp_path / "builtin", seed=3)
    monkeypatch.chdir(tmp_path)
    assert resolve("builtin").folder == folder
    own, other = (
        rerank_passages(QUESTION, SENTENCES[:3], rerank=name, options=ONNX) for name in ("builtin", "./builtin")
    )
    assert {hit.score for hit in own}.isdisjoint(hit.score for hit in other)


@pytest.mark.parametrize("missing", ["spans.safetensors", "model.safetensors"])
def test_a_file_that_the_installation_lacks_is_named(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    broken = tmp_path / "包" / "builtin"
    shutil.copytree(folder, broken)
    (broken / missing).unlink()
    monkeypatch.setattr(builtin_model, "BUILTIN_FOLDER", broken)
    check_name("builtin")
    for call in (builtin_folder, lambda: open_reranker("builtin", ONNX)):
        with pytest.raises(InputError, match=rf"lacks {missing}\. Install the package again .*'lexical'"):
            call()


def test_it_opens_and_scores_without_torch_and_without_hub_libraries(folder: Path) -> None:
    code = f"""
import sys
from pathlib import Path
from secondpass.models import builtin_model
builtin_model.BUILTIN_FOLDER = Path({str(folder)!r})
from secondpass import rerank_passages
from secondpass.models.engine import EngineOptions
from secondpass.rerank.options import RerankerOptions
options = RerankerOptions(EngineOptions("onnx", threads=1))
[hit] = rerank_passages("长江？", ["长江很长。"], rerank="builtin", options=options)
assert hit.evidence_confidence
print(sorted({{"torch", "transformers", "huggingface_hub", "modelscope"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
