"""Names to rerankers in one process: every family, opened once, shared, and released."""

from __future__ import annotations

import logging
import os
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.models.colbert_checkpoints import write_pylate
from tests.models.tiny_causal import make_causal
from tests.models.tiny_models import SENTENCES, Shape, make_model
from tests.models.tiny_seq2seq import make_seq2seq

from secondpass import rerank_passages
from secondpass.embed.names import open_embedder
from secondpass.errors import InputError
from secondpass.models.engine import EngineOptions
from secondpass.rerank.names import open_reranker, opened_rerankers, release_rerankers
from secondpass.rerank.opened import OpenRerankers
from secondpass.rerank.options import RerankerOptions
from secondpass.rerank.pairs import PairReranker, ReadingCounts

ONNX = RerankerOptions(EngineOptions("onnx", threads=1))
QUESTION = "长江有多长？"
PASSAGES = [*SENTENCES[:6], *SENTENCES[11:17]]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("names")
    make_model(base / "tiny", Shape("bert"))
    make_causal(base / "qwen3", "qwen3")
    make_causal(base / "bge-reranker-v2-gemma", "gemma")
    make_seq2seq(base / "t5")
    write_pylate(base / "colbert")
    return base


@pytest.fixture(autouse=True)
def nothing_stays_open() -> Iterator[None]:
    release_rerankers()
    yield
    release_rerankers()


@pytest.fixture
def notes(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "secondpass.rerank")
    return caplog


@pytest.mark.parametrize(
    ("name", "options", "scale", "said"),
    [
        ("tiny", ONNX, "logit", "tiny: cross-encoder on onnx f32, 1 thread, inputs of up to 512 tokens, from "),
        (
            "tiny",
            RerankerOptions(EngineOptions("torch", "bf16", 2)),
            "logit",
            "tiny: cross-encoder on torch bf16, 2 threads, inputs of up to 512 tokens, from ",
        ),
        ("colbert", ONNX, "maxsim", "colbert: late-interaction on onnx f32, 1 thread, inputs of up to 48 tokens, "),
        (
            "bge-reranker-v2-gemma",
            RerankerOptions(),
            "logit",
            "bge-reranker-v2-gemma: causal like BAAI/bge-reranker-v2-gemma on torch f32, ",
        ),
        (
            "qwen3",
            RerankerOptions(profile="Qwen/Qwen3-Reranker-0.6B", instruction="找出答案"),
            "log_odds",
            "qwen3: causal like Qwen/Qwen3-Reranker-0.6B on torch f32, ",
        ),
        (
            "qwen3",
            RerankerOptions(profile="query-likelihood", max_tokens=999),
            "log_likelihood",
            "qwen3: query-likelihood on torch f32, ",
        ),
        ("t5", RerankerOptions(profile="castorini/monot5-base-msmarco"), "log_odds", "t5: seq2seq like castorini/mono"),
        (
            "t5",
            RerankerOptions(profile="castorini/duot5-base-msmarco"),
            "rank_only",
            "t5: seq2seq-pairs like castorini",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and "/" not in value and ":" not in value else "",
)
def test_every_family_opens_by_its_folder(
    folders: Path, notes: pytest.LogCaptureFixture, name: str, options: RerankerOptions, scale: str, said: str
) -> None:
    hits = rerank_passages(QUESTION, PASSAGES, rerank=f"{folders / name}@all", options=options)
    assert sorted(int(hit.chunk.id) for hit in hits) == list(range(1, 13))
    assert {hit.scale for hit in hits} == {scale}
    (note,) = [note for note in notes.messages if note.startswith(f"{name}: ")]
    assert note.startswith(said)
    assert note.endswith(str(folders / name))


@pytest.mark.parametrize(
    ("name", "profile"),
    [
        ("tiny", None),
        ("colbert", None),
        ("qwen3", "Qwen/Qwen3-Reranker-0.6B"),
        ("qwen3", "query-likelihood"),
        ("t5", "castorini/monot5-base-msmarco"),
    ],
)
def test_every_family_reads_long_passages_in_windows_or_cuts_them_as_asked(
    folders: Path, name: str, profile: str | None
) -> None:
    long = "".join(SENTENCES[:11]) * 10
    for cut in (False, True):
        longest = {"tiny": 64, "colbert": 48}.get(name, 400)
        options = RerankerOptions(profile=profile, max_tokens=longest, cut_long=cut)
        (hit,) = rerank_passages(QUESTION, [long], rerank=f"{folders / name}@all", options=options)
        assert hit.truncated is cut
        assert cut or (hit.evidence is not None and hit.evidence.end <= len(long))


def test_an_instruction_that_no_part_takes_is_said(folders: Path, notes: pytest.LogCaptureFixture) -> None:
    open_reranker(str(folders / "tiny"), RerankerOptions(EngineOptions("onnx"), instruction="找出答案"))
    assert "tiny takes no instruction; the given one is not used" in notes.messages


def test_what_writes_no_text_has_no_likelihood_and_an_unknown_profile_is_named(folders: Path) -> None:
    with pytest.raises(InputError, match="writes no text"):
        open_reranker(str(folders / "tiny"), RerankerOptions(profile="query-likelihood"))
    with pytest.raises(InputError, match="no profile named '没有'"):
        open_reranker(str(folders / "tiny"), RerankerOptions(profile="没有"))


def test_a_cross_encoder_is_no_embedder(folders: Path) -> None:
    with pytest.raises(InputError, match="is a cross-encoder"):
        open_embedder(str(folders / "tiny"))
    with pytest.raises(InputError, match="is a late-interaction model"):
        open_embedder(str(folders / "colbert"))


def test_many_threads_that_want_one_name_open_it_once(folders: Path, notes: pytest.LogCaptureFixture) -> None:
    with ThreadPoolExecutor(32) as pool:
        opened = list(pool.map(lambda _: open_reranker(str(folders / "tiny"), ONNX), range(32)))
    assert len(set(map(id, opened))) == 1
    assert len([note for note in notes.messages if note.startswith("tiny: cross-encoder")]) == 1


def test_other_options_are_another_reranker_and_thresholds_are_not(folders: Path) -> None:
    first = open_reranker(str(folders / "tiny"), ONNX)
    assert open_reranker(str(folders / "tiny"), RerankerOptions(ONNX.engine, budget_seconds=1.0)) is first
    assert open_reranker(str(folders / "tiny"), RerankerOptions(ONNX.engine, max_tokens=64)) is not first


def test_a_relative_folder_is_the_one_of_its_working_directory(
    folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_model(tmp_path / "tiny", Shape("bert", seed=8))
    scores = []
    for place in (folders, tmp_path):
        monkeypatch.chdir(place)
        scores.append(rerank_passages(QUESTION, PASSAGES[:1], rerank="./tiny@all", options=ONNX)[0].score)
    assert abs(scores[0] - scores[1]) > 1e-3


def test_released_rerankers_are_gone_and_open_again(folders: Path, tmp_path: Path) -> None:
    options = RerankerOptions(ONNX.engine, cache=tmp_path / "scores.sqlite")
    opened = [open_reranker(name, options) for name in (str(folders / "tiny"), f"fuse:lexical+{folders / 'colbert'}")]
    before = [reranker.rerank(QUESTION, []) for reranker in opened]
    scorers = [reranker.scorer for reranker in opened_rerankers() if isinstance(reranker, PairReranker)]
    watched = [weakref.ref(part) for part in (*opened, *scorers)]
    assert len(watched) == 4
    release_rerankers()
    del opened, scorers
    assert [part() for part in watched] == [None] * 4
    assert opened_rerankers() == []
    assert before == [[], []]
    assert open_reranker(str(folders / "tiny"), options).rerank(QUESTION, []) == []


def test_what_could_not_be_opened_is_tried_again(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        open_reranker(str(tmp_path), ONNX)
    make_model(tmp_path, Shape("bert"))
    assert open_reranker(str(tmp_path), ONNX).name == tmp_path.name


def test_the_ones_asked_for_last_stay_open() -> None:
    pool = OpenRerankers(2)
    first, second, third = (PairReranker(scorer=None) for _ in range(3))  # type: ignore[arg-type]
    assert pool.get("a", lambda: first) is first
    assert pool.get("b", lambda: second) is second
    assert pool.get("a", lambda: third) is first
    assert pool.get("c", lambda: third) is third
    assert pool.all() == [first, third]
    assert pool.get("b", lambda: third) is third


def test_a_reranker_counts_what_it_read(folders: Path, tmp_path: Path) -> None:
    options = RerankerOptions(ONNX.engine, max_tokens=64, cache=tmp_path / "scores.sqlite")
    reranker = open_reranker(str(folders / "tiny"), options)
    assert isinstance(reranker, PairReranker)
    texts = ["江", "江", "", SENTENCES[5], "".join(SENTENCES[:11])]
    rerank_passages(QUESTION, texts, rerank=reranker)
    assert reranker.counts == ReadingCounts(3, 0, 1, 0)
    rerank_passages(QUESTION, texts, rerank=reranker)
    assert reranker.counts == ReadingCounts(6, 3, 2, 0)


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="the memory in use is read from /proc")
def test_a_model_that_is_opened_and_released_again_and_again_takes_no_more_memory(tmp_path: Path) -> None:
    make_model(tmp_path / "wide", Shape("bert", hidden=256, intermediate=1024, layers=6, heads=8))  # 20 MB

    def resident_megabytes() -> float:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

    used = []
    for _ in range(12):
        rerank_passages(QUESTION, PASSAGES, rerank=str(tmp_path / "wide"), options=ONNX)
        release_rerankers()
        used.append(resident_megabytes())
    assert max(used[6:]) - used[3] < 40
