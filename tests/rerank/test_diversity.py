"""Different passages first."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondpass.errors import InputError
from secondpass.rerank.diversity import MMRReranker
from secondpass.rerank.lexical import LexicalReranker
from secondpass.rerank.similarity import embedding_similarity, term_similarity
from secondpass.types import Chunk, Hit

PASSAGES = {
    "zh": [
        "西安交通大学由三所学校合并。",
        "西安交通大学由三所学校合并而成。",
        "学校的图书馆晚上开放。",
        "今天天气很好。",
    ],
    "en": [
        "Three schools were merged into the university.",
        "Three schools merged into the university.",
        "The library is open at night.",
        "It rains today.",
    ],
}


def hits_of(passages, scores=None, scale="logit"):
    scores = scores or [float(len(passages) - i) for i in range(len(passages))]
    return [
        Hit(Chunk(str(i), text), score, scale) for i, (text, score) in enumerate(zip(passages, scores, strict=True))
    ]


def ids(hits):
    return [hit.chunk.id for hit in hits]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_passage_that_says_the_same_again_stands_behind_a_different_one(language):
    hits = hits_of(PASSAGES[language], [5.0, 4.9, 4.0, 1.0])
    assert ids(MMRReranker(diversity=0.5).rerank("学校", hits)) == ["0", "2", "1", "3"]
    assert ids(MMRReranker(diversity=0.0).rerank("学校", hits)) == ["0", "1", "2", "3"]


def brute(relevance, likeness, diversity):
    """Carbonell and Goldstein's formula, word for word."""
    order: list[int] = []
    left = list(range(len(relevance)))
    while left:
        values = [
            (1 - diversity) * relevance[i] - diversity * max((likeness[i][j] for j in order), default=0.0) for i in left
        ]
        order.append(left.pop(values.index(max(values))))
    return order


texts = st.lists(
    st.sampled_from([*PASSAGES["zh"], *PASSAGES["en"], "😀", "西安"]) | st.text(min_size=1, max_size=20), max_size=8
)


@given(texts=texts, diversity=st.sampled_from([0.0, 0.3, 0.5, 1.0]), data=st.data())
def test_the_order_is_that_of_the_published_formula(texts, diversity, data):
    scores = data.draw(st.lists(st.integers(-9, 9).map(float), min_size=len(texts), max_size=len(texts)))
    hits = [hit for hit in hits_of(texts, scores) if hit.chunk.text.strip()]
    out = MMRReranker(diversity=diversity).rerank("西安", hits)
    row = term_similarity([hit.chunk.text for hit in hits])
    likeness = [[float(value) for value in np.clip(row(i), 0, 1)] for i in range(len(hits))]
    numbers = np.array([hit.score for hit in hits])
    spread = float(np.ptp(numbers)) if hits else 0.0
    relevance = [float(value) for value in (numbers - numbers.min()) / spread] if spread else [1.0] * len(hits)
    expected = [hits[index].chunk.id for index in brute(relevance, np.array(likeness).T.tolist(), diversity)]
    assert ids(out) == expected
    assert [hit.score for hit in out] == sorted((hit.score for hit in out), reverse=True)
    assert ids(MMRReranker(diversity=diversity).rerank("西安", hits, 3)) == expected[:3]


def test_passages_without_text_come_last_though_nothing_is_like_them():
    out = MMRReranker(diversity=0.9).rerank("西安", hits_of(["", *PASSAGES["zh"], " \n"]))
    assert ids(out)[-2:] == ["0", "5"]
    assert sorted(ids(out)) == ["0", "1", "2", "3", "4", "5"]


def test_where_scores_mean_nothing_the_rank_counts():
    hits = hits_of(PASSAGES["zh"], [0.0, 0.0, 0.0, 0.0], "rank_only")
    assert ids(MMRReranker(diversity=0.0).rerank("x", hits)) == ["0", "1", "2", "3"]


def test_an_embedder_may_say_what_is_alike():
    class Embedder:
        name, revision, dimension = "e", "1", 2

        def encode_query(self, texts):
            raise AssertionError

        def encode_document(self, texts):
            return np.array([[1.0, 0.0] if "学校" in text else [0.0, 1.0] for text in texts], np.float32)

    mmr = MMRReranker(diversity=0.5, similarity=embedding_similarity(Embedder()))
    assert ids(mmr.rerank("学校", hits_of(PASSAGES["zh"])))[:2] == ["0", "3"]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_it_follows_a_reranker_or_takes_the_scores_that_are_there(language):
    hits = hits_of(PASSAGES[language], [0.0] * 4, "bm25")
    inside = MMRReranker(LexicalReranker()).rerank("Which three schools 哪三所学校？", hits)
    after = MMRReranker().rerank("x", LexicalReranker().rerank("Which three schools 哪三所学校？", hits))
    assert ids(inside) == ids(after)
    assert [stage.stage for stage in inside[0].stages] == ["lexical", "mmr"]
    assert MMRReranker(LexicalReranker()).name == "lexical>mmr"


@pytest.mark.parametrize("diversity", [-0.1, 1.5, float("nan")])
def test_a_diversity_outside_0_to_1_is_refused(diversity):
    with pytest.raises(InputError, match="between 0"):
        MMRReranker(diversity=diversity)


def test_a_top_n_below_one_is_refused():
    with pytest.raises(InputError, match="top_n"):
        MMRReranker().rerank("x", hits_of(["西安"]), 0)


@given(texts=texts)
def test_likeness_is_symmetric_and_1_for_the_same_text(texts):
    row = term_similarity([*texts, *texts])
    matrix = np.array([row(i) for i in range(2 * len(texts))]).reshape(2 * len(texts), 2 * len(texts))
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-5)
    for index in range(len(texts)):
        assert matrix[index, index + len(texts)] == pytest.approx(1, abs=1e-5) or not matrix[index].any()
