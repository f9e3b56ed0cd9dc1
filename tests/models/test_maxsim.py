from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from secondpass.errors import InputError, MissingExtraError
from secondpass.models import maxsim, processor
from secondpass.models.maxsim import LENGTH_MULTIPLE, MaxSimName, open_maxsim, pack, winning_window
from secondpass.models.processor import tiles_refused
from secondpass.types import FloatArray

NO_TILES = tiles_refused()
needs_tiles = pytest.mark.skipif(bool(NO_TILES), reason=NO_TILES)
ENGINES = [pytest.param("amx", marks=needs_tiles), "onnxruntime", "openvino", "numpy"]
TILE_ERROR = 2.0**-17
"""The most that one product of unit vectors is off: what is left of both after two roundings."""


@pytest.fixture
def nothing_opened() -> Iterator[None]:
    """No engine is open before, and none that was opened here afterwards."""
    for remembered in (maxsim.fastest_maxsim, maxsim._open):
        remembered.cache_clear()
    yield
    for remembered in (maxsim.fastest_maxsim, maxsim._open):
        remembered.cache_clear()


def unit_vectors(generator: np.random.Generator, count: int, dimension: int) -> FloatArray:
    vectors = generator.standard_normal((count, dimension)).astype(np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


def by_hand(query: FloatArray, passages: list[FloatArray]) -> list[float]:
    """The definition, in float64."""
    return [float((query.astype(np.float64) @ one.astype(np.float64).T).max(axis=1).sum()) for one in passages]


def parts(vectors: FloatArray, lengths: list[int]) -> list[FloatArray]:
    return np.split(vectors, np.cumsum(lengths)[:-1])


@pytest.mark.parametrize("engine", ENGINES)
@given(
    lengths=st.lists(st.integers(1, 70), min_size=1, max_size=30),
    query_length=st.integers(1, 70),
    dimension=st.sampled_from([3, 96, 128, 200]),
    seed=st.integers(0, 1000),
)
@settings(max_examples=25, deadline=None)
def test_scores_are_the_sums_of_the_maxima(
    engine: MaxSimName, lengths: list[int], query_length: int, dimension: int, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    vectors = unit_vectors(generator, sum(lengths), dimension)
    query = unit_vectors(generator, query_length, dimension)
    scores = open_maxsim(engine).score(query, pack(vectors, lengths))
    allowed = 2e-5 + (TILE_ERROR * query_length if engine == "amx" else 0)
    np.testing.assert_allclose(scores, by_hand(query, parts(vectors, lengths)), atol=allowed, rtol=0)
    assert scores.dtype == np.float32


@pytest.mark.parametrize("engine", ENGINES)
def test_a_passage_that_points_away_stays_negative_beside_a_longer_one(engine: MaxSimName) -> None:
    query = np.array([[1, 0], [1, 0]], np.float32)
    away = np.array([[-1, 0]], np.float32)
    longer = np.array([[0, 1]] * 19, np.float32)
    scores = open_maxsim(engine).score(query, pack(np.concatenate([away, longer]), [1, 19]))
    assert scores.tolist() == [-2.0, 0.0]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_score_is_the_same_alone_and_among_a_thousand(engine: MaxSimName) -> None:
    generator = np.random.default_rng(3)
    lengths = generator.integers(1, 220, 1000).tolist()
    vectors = unit_vectors(generator, sum(lengths), 64)
    query = unit_vectors(generator, 32, 64)
    together = open_maxsim(engine).score(query, pack(vectors, lengths))
    for index in (0, 1, 500, 999):
        alone = open_maxsim(engine).score(query, pack(parts(vectors, lengths)[index], [lengths[index]]))
        assert alone[0] == pytest.approx(together[index], abs=2e-5)


@pytest.mark.parametrize("engine", ENGINES)
def test_sixty_four_threads_get_the_scores_that_one_gets(engine: MaxSimName) -> None:
    generator = np.random.default_rng(5)
    lengths = generator.integers(1, 90, 40).tolist()
    packed = pack(unit_vectors(generator, sum(lengths), 32), lengths)
    queries = [unit_vectors(generator, 32, 32) for _ in range(128)]
    scorer = open_maxsim(engine)
    expected = [scorer.score(query, packed) for query in queries]
    with ThreadPoolExecutor(64) as pool:
        found = list(pool.map(lambda query: scorer.score(query, packed), queries))
    np.testing.assert_array_equal(found, expected)


@given(lengths=st.lists(st.integers(1, 5000), min_size=1, max_size=12))
@settings(max_examples=30, deadline=None)
def test_a_pack_holds_every_passage_once_and_pads_with_its_own_vectors(lengths: list[int]) -> None:
    owners = np.repeat(np.arange(len(lengths)), lengths).astype(np.float32)[:, None]  # (T, 1): whose vector it is
    packed = pack(owners, lengths)
    indices = np.concatenate([group.indices for group in packed.groups])
    assert sorted(indices.tolist()) == list(range(len(lengths)))
    for group in packed.groups:
        assert (group.vectors[..., :1] == group.indices[:, None, None]).all()
        assert not group.vectors[..., 1:].any()
        padding = group.vectors.shape[1] - np.array(lengths)[group.indices]
        assert ((padding >= 0) & (padding < LENGTH_MULTIPLE)).all()


def test_no_passages_have_no_scores() -> None:
    assert open_maxsim("numpy").score(np.ones((2, 4), np.float32), pack(np.empty((0, 4), np.float32), [])).shape == (0,)


@pytest.mark.parametrize("lengths", [[3, 0], [2], [4]])
def test_lengths_that_are_not_those_of_the_vectors_are_refused(lengths: list[int]) -> None:
    with pytest.raises(ValueError, match="cannot be"):
        pack(np.ones((3, 4), np.float32), lengths)


def test_the_window_that_gives_most_of_the_score_wins() -> None:
    query = np.array([[1, 0], [0, 1], [0, 1]], np.float32)
    vectors = np.array([[1, 0], [0.9, 0.1], [0.1, 0.9], [0, 0.8]], np.float32)
    assert winning_window(query, vectors, [2, 2]) == 1
    assert winning_window(query[:1], vectors, [2, 2]) == 0
    assert winning_window(query, np.ones((4, 2), np.float32), [2, 2]) == 0  # the first of equals


@pytest.mark.usefixtures("nothing_opened")
def test_without_the_other_engines_numpy_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maxsim, "find_spec", lambda name: None)
    assert open_maxsim().name == "numpy"
    with pytest.raises(MissingExtraError, match=r"secondpass\[openvino\]"):
        open_maxsim("openvino")


def test_the_fastest_engine_that_computes_here_is_taken() -> None:
    assert open_maxsim().name == ("onnxruntime" if NO_TILES else "amx")


@pytest.mark.usefixtures("nothing_opened")
def test_a_processor_without_the_instructions_takes_the_next_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processor, "instructions", lambda: frozenset({"avx2"}))
    assert open_maxsim().name == "onnxruntime"
    with pytest.raises(InputError, match="no instructions amx_bf16"):
        open_maxsim("amx")


@pytest.mark.usefixtures("nothing_opened")
def test_a_system_that_permits_no_tiles_takes_the_next_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processor, "instructions", lambda: frozenset({"amx_bf16"}))
    monkeypatch.setattr(processor, "_permitted", lambda: False)
    assert open_maxsim().name == "onnxruntime"
    with pytest.raises(InputError, match="does not permit amx_bf16"):
        open_maxsim("amx")


@pytest.mark.parametrize("engine", ENGINES)
def test_equal_vectors_lose_nothing_together(engine: MaxSimName) -> None:
    vectors = unit_vectors(np.random.default_rng(11), 200, 128)
    scores = open_maxsim(engine).score(vectors[:32], pack(vectors, [100, 100]))
    np.testing.assert_allclose(scores, by_hand(vectors[:32], parts(vectors, [100, 100])), atol=1.5e-5, rtol=0)
    assert scores[0] == pytest.approx(32, abs=1.5e-5)


@needs_tiles
def test_tiles_are_left_to_others_as_they_were() -> None:
    """torch's bfloat16 products configure the tiles of a thread for themselves, before and after."""
    generator = np.random.default_rng(7)
    vectors, query = unit_vectors(generator, 64, 128), unit_vectors(generator, 32, 128)
    packed = pack(vectors, [40, 24])
    expected = by_hand(query, parts(vectors, [40, 24]))
    left, right = (torch.from_numpy(unit_vectors(generator, 256, 512)).bfloat16() for _ in range(2))
    product = left @ right.T
    for _ in range(20):
        np.testing.assert_allclose(open_maxsim("amx").score(query, packed), expected, atol=1e-4)
        assert torch.equal(left @ right.T, product)


@needs_tiles
@given(scale=st.floats(2.0**-20, 2.0**20), seed=st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_vectors_of_any_length_are_within_the_bound_of_their_lengths(scale: float, seed: int) -> None:
    generator = np.random.default_rng(seed)
    vectors, query = unit_vectors(generator, 50, 64) * np.float32(scale), unit_vectors(generator, 32, 64)
    scores = open_maxsim("amx").score(query, pack(vectors, [30, 20]))
    expected = by_hand(query, parts(vectors, [30, 20]))
    np.testing.assert_allclose(scores, expected, atol=32 * scale * (TILE_ERROR + 1e-6), rtol=0)
