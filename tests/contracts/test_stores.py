"""Every store gives the same answers: the one in memory is the measure, the persistent one is held against it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secondpass.errors import StoreError
from secondpass.index.entries import make_entries
from secondpass.index.memory import MemoryStore
from secondpass.index.order import Found
from secondpass.index.qdrant_edge import QdrantEdgeStore
from secondpass.text.terms import query_vector
from secondpass.types import Chunk, Entry, FloatArray, Store, TermVector

MakeStore = Callable[..., Store]
TEXTS = {
    "xjtu": [
        "西安交通大学由三校合并而成。",
        "2000年国务院决定合并三所学校。",
        "Xi'an Jiaotong University lies in Xi'an.",
    ],
    "茶": ["绿茶不发酵，红茶全发酵。", "Green tea is not fermented; black tea is."],
    "fastapi": ["FastAPI 的密码哈希推荐使用 Argon2。", "Passwords are hashed with Argon2.", "密码 密码 密码"],
}


@pytest.fixture(params=["memory", "qdrant_edge"])
def make_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeStore]:
    made: list[Store] = []

    def make(dimension: int | None = None, token_dimension: int | None = None) -> Store:
        if request.param == "memory":
            made.append(MemoryStore(dimension, token_dimension))
        else:
            folder = tmp_path / f"store-{len(made)}"
            made.append(QdrantEdgeStore(folder, dimension, token_dimension, create=True))
        return made[-1]

    yield make
    for store in made:
        store.close()


def chunks(doc_id: str, texts: list[str]) -> list[Chunk]:
    out, start = [], 0
    for number, text in enumerate(texts):
        out.append(Chunk(f"{doc_id}-{number}", text, doc_id, start, start + len(text)))
        start += len(text) + 1
    return out


def entries(doc_id: str, texts: list[str]) -> list[Entry]:
    return make_entries(chunks(doc_id, texts))


def filled(make_store: MakeStore) -> Store:
    store = make_store(None)
    for doc_id, texts in TEXTS.items():
        store.replace([doc_id], entries(doc_id, texts))
    return store


def found(hits: list[Found]) -> list[str]:
    return [chunk.id for chunk, _ in hits]


def with_vector(doc_id: str, number: int, vector: list[float]) -> Entry:
    [entry] = make_entries([Chunk(f"{doc_id}-{number}", f"文 {number}", doc_id, number, number + 1)])
    return Entry(entry.chunk, entry.terms, np.array(vector, dtype=np.float32))


def test_a_chinese_question_finds_the_chinese_passage(make_store: MakeStore) -> None:
    assert found(filled(make_store).search_terms(query_vector("哪三校合并？"), 10))[0] == "xjtu-0"


def test_an_english_question_finds_the_english_passage(make_store: MakeStore) -> None:
    assert found(filled(make_store).search_terms(query_vector("Is black tea fermented?"), 10)) == ["茶-1"]


def test_a_chunk_comes_back_as_it_went_in(make_store: MakeStore) -> None:
    chunk = Chunk(
        id="编号/1",
        text='第一行\n"quoted"\tand \\ 𠮷 \x00 end',
        doc_id="目录/文件 a.md",
        start=3,
        end=40,
        heading_path=("第一章", "1.2 Setup"),
        page=7,
        source="/docs/目录/文件 a.md",
        title="标题",
        metadata={"数": 1, "list": [1, "二", None], "nested": {"真": True}},
    )
    store = make_store(None)
    store.replace([chunk.doc_id], make_entries([chunk]))
    assert store.chunks_of(chunk.doc_id) == [chunk]
    [(searched, _)] = store.search_terms(query_vector("quoted"), 1)
    assert searched == chunk


def test_a_name_that_is_no_valid_text_comes_back(make_store: MakeStore) -> None:
    chunk = Chunk("1", "西安", doc_id="caf\udce9.txt")  # a Latin-1 file name as Python reads it on Linux
    store = make_store(None)
    store.replace([chunk.doc_id], make_entries([chunk]))
    assert store.chunks_of(chunk.doc_id) == [chunk]


def test_scores_are_the_formula_of_bm25(make_store: MakeStore) -> None:
    store = make_store(None)
    ids = np.array([5, 9], dtype=np.uint32)
    for number in range(4):
        carried = ids if number == 0 else ids[:1]
        terms = TermVector(carried, np.full(len(carried), 2.0, np.float32))
        store.replace([f"d{number}"], [Entry(Chunk(str(number), "西", f"d{number}"), terms)])
    query = TermVector(ids[1:], np.array([3.0], np.float32))
    [(_, score)] = store.search_terms(query, 10)
    assert score == pytest.approx(3 * 2 * np.log(1 + (4 - 1 + 0.5) / (1 + 0.5)), rel=1e-6)


def test_chunks_without_terms_count_in_the_idf(make_store: MakeStore) -> None:
    store = make_store(None)
    store.replace(["a"], entries("a", ["西安", "……", "！！"]))
    [(_, score)] = store.search_terms(query_vector("西安"), 10)
    terms = entries("a", ["西安"])[0].terms
    weight = float(terms.weights[terms.ids == query_vector("西安").ids[0]][0])
    assert score == pytest.approx(weight * np.log(1 + (3 - 1 + 0.5) / (1 + 0.5)), rel=1e-6)


def test_deleted_chunks_do_not_count_in_the_idf(make_store: MakeStore) -> None:
    store, fresh = filled(make_store), make_store(None)
    store.optimize()
    store.replace(["茶"], [])
    for doc_id in ("xjtu", "fastapi"):
        fresh.replace([doc_id], entries(doc_id, TEXTS[doc_id]))
    query = query_vector("西安 合并 Argon2 密码")
    assert_same(store.search_terms(query, 10), fresh.search_terms(query, 10))


def test_replacing_twice_leaves_one_copy(make_store: MakeStore) -> None:
    store = filled(make_store)
    before = store.search_terms(query_vector("西安"), 10)
    store.replace(["xjtu"], entries("xjtu", TEXTS["xjtu"]))
    assert store.count() == 8
    assert_same(store.search_terms(query_vector("西安"), 10), before)


def test_replacing_removes_what_the_document_had(make_store: MakeStore) -> None:
    store = filled(make_store)
    store.replace(["xjtu"], entries("xjtu", ["只剩一段。"]))
    assert [chunk.text for chunk in store.chunks_of("xjtu")] == ["只剩一段。"]
    assert store.search_terms(query_vector("国务院"), 10) == []


def test_replacing_with_nothing_deletes(make_store: MakeStore) -> None:
    store = filled(make_store)
    store.replace(["xjtu", "茶", "never there"], [])
    assert store.count() == 3
    assert store.chunks_of("xjtu") == []


def test_other_documents_are_left_alone(make_store: MakeStore) -> None:
    store = filled(make_store)
    store.replace(["xjtu"], [])
    assert store.chunks_of("茶") == chunks("茶", TEXTS["茶"])


def test_chunks_come_in_reading_order(make_store: MakeStore) -> None:
    store = make_store(None)
    store.replace(["d"], entries("d", [f"第{number}段" for number in range(30)])[::-1])
    assert [chunk.text for chunk in store.chunks_of("d")] == [f"第{number}段" for number in range(30)]


def test_equal_scores_are_ordered_by_place_even_at_the_edge(make_store: MakeStore) -> None:
    store = make_store(None)
    names = [f"文{number:03}" for number in range(120)]
    store.replace(names, [entry for name in names[::-1] for entry in entries(name, ["同样的话", "别的内容"])])
    assert [chunk.doc_id for chunk, _ in store.search_terms(query_vector("同样"), 7)] == names[:7]


def test_words_nobody_wrote_find_nothing(make_store: MakeStore) -> None:
    assert filled(make_store).search_terms(query_vector("Antarctica 南极洲"), 10) == []


def test_a_query_without_terms_finds_nothing(make_store: MakeStore) -> None:
    assert filled(make_store).search_terms(query_vector("？！"), 10) == []


def test_an_empty_store_answers(make_store: MakeStore) -> None:
    store = make_store(None)
    assert (store.count(), store.search_terms(query_vector("西安"), 5), store.chunks_of("x")) == (0, [], [])


def test_top_k_cuts(make_store: MakeStore) -> None:
    store = filled(make_store)
    full = store.search_terms(query_vector("西安 密码 tea"), 10)
    assert len(full) == 4
    assert store.search_terms(query_vector("西安 密码 tea"), 2) == full[:2]
    assert store.search_terms(query_vector("西安"), 0) == []


def test_cosine_ignores_the_length_of_vectors(make_store: MakeStore) -> None:
    store = make_store(2)
    store.replace(["a"], [with_vector("a", 0, [3, 0]), with_vector("a", 1, [1, 1]), with_vector("a", 2, [0, -2])])
    hits = store.search_vector(np.array([10, 0], np.float32), 3)
    assert found(hits) == ["a-0", "a-1", "a-2"]
    assert [score for _, score in hits] == pytest.approx([1, 2**-0.5, 0], abs=1e-6)


def test_a_store_with_vectors_searches_terms_too(make_store: MakeStore) -> None:
    store = make_store(2)
    store.replace(["a"], [with_vector("a", 0, [3, 0]), with_vector("a", 1, [1, 1])])
    assert len(store.search_terms(query_vector("文"), 5)) == 2


def test_a_search_by_vector_without_vectors_says_so(make_store: MakeStore) -> None:
    with pytest.raises(StoreError, match="without an embedder"):
        make_store(None).search_vector(np.ones(3, np.float32), 5)


def test_a_question_of_another_dimension_is_refused(make_store: MakeStore) -> None:
    with pytest.raises(StoreError, match="have 2 numbers"):
        make_store(2).search_vector(np.ones(3, np.float32), 5)


@pytest.mark.parametrize("vector", [None, [1.0, 2.0, 3.0], [np.nan, 1.0]])
def test_vectors_that_do_not_fit_are_refused_and_nothing_changes(
    make_store: MakeStore, vector: list[float] | None
) -> None:
    store = make_store(2)
    good = with_vector("a", 0, [3, 0])
    bad = Entry(good.chunk, good.terms, None if vector is None else np.array(vector, np.float32))
    with pytest.raises(StoreError, match="vector"):
        store.replace(["a"], [good, bad])
    assert store.count() == 0


def with_tokens(doc_id: str, number: int, vectors: list[list[float]]) -> Entry:
    [entry] = make_entries([Chunk(f"{doc_id}-{number}", f"文 {number}", doc_id, number, number + 1)])
    return Entry(entry.chunk, entry.terms, token_vectors=np.array(vectors, dtype=np.float32))


def test_token_vectors_are_compared_by_the_sum_of_their_maxima(make_store: MakeStore) -> None:
    store = make_store(None, 2)
    store.replace(
        ["a"],
        [with_tokens("a", 0, [[1, 0]]), with_tokens("a", 1, [[0, 1], [1, 0], [0, -1]]), with_tokens("a", 2, [[-1, 0]])],
    )
    hits = store.search_tokens(np.array([[1, 0], [0, 1]], np.float32), 3)
    assert found(hits) == ["a-1", "a-0", "a-2"]
    assert [score for _, score in hits] == pytest.approx([2, 1, -1], abs=1e-6)
    assert (
        store.search_tokens(np.array([[1, 0]], np.float32), 1)
        == store.search_tokens(np.array([[1, 0]], np.float32), 2)[:1]
    )


def test_a_store_with_token_vectors_searches_terms_and_forgets_what_is_replaced(make_store: MakeStore) -> None:
    store = make_store(None, 2)
    store.replace(["a", "b"], [with_tokens("a", 0, [[1, 0]]), with_tokens("b", 0, [[0, 1]])])
    store.replace(["a"], [])
    assert found(store.search_terms(query_vector("文"), 5)) == ["b-0"]
    assert found(store.search_tokens(np.array([[1, 0]], np.float32), 5)) == ["b-0"]


def test_a_search_by_token_vectors_without_them_says_so(make_store: MakeStore) -> None:
    with pytest.raises(StoreError, match="without a token encoder"):
        make_store(None).search_tokens(np.ones((2, 3), np.float32), 5)
    with pytest.raises(StoreError, match="have 2 numbers"):
        make_store(None, 2).search_tokens(np.ones((2, 3), np.float32), 5)


@pytest.mark.parametrize("vectors", [None, [[1.0, 2.0, 3.0]], [[np.nan, 1.0]], np.empty((0, 2)), [1.0, 2.0]])
def test_token_vectors_that_do_not_fit_are_refused_and_nothing_changes(
    make_store: MakeStore, vectors: list[list[float]] | None
) -> None:
    store = make_store(None, 2)
    good = with_tokens("a", 0, [[3, 0]])
    bad = Entry(good.chunk, good.terms, None, None if vectors is None else np.array(vectors, np.float32))
    with pytest.raises(StoreError, match="token vectors"):
        store.replace(["a"], [good, bad])
    assert store.count() == 0


def test_token_vectors_where_none_are_kept_are_refused(make_store: MakeStore) -> None:
    with pytest.raises(StoreError, match="this index keeps none"):
        make_store(None).replace(["a"], [with_tokens("a", 0, [[1, 0]])])


def assert_same(got: list[Found], wanted: list[Found]) -> None:
    """Equal to float32 precision; within that precision the order of near ties is free."""
    assert [score for _, score in got] == pytest.approx([score for _, score in wanted], rel=2e-6, abs=2e-6)
    for (chunk, score), (_, wanted_score) in zip(got, wanted, strict=True):
        near = [other for other, number in wanted if number == pytest.approx(score, rel=4e-6, abs=4e-6)]
        at_the_edge = score == pytest.approx(wanted[-1][1], rel=4e-6, abs=4e-6)
        assert chunk in near or at_the_edge, (chunk, score, wanted_score)


WORDS = ["西安", "交大", "合并", "茶", "tea", "hash", "密码", "Argon2", "的", "。"]
a_text = st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join)
a_document = st.sampled_from(["a", "乙", "c/丙.md", "d"])
an_operation = st.one_of(
    st.tuples(st.just("replace"), a_document, st.lists(a_text, max_size=4)),
    st.tuples(st.just("optimize"), a_document, st.just([])),
    st.tuples(st.just("reopen"), a_document, st.just([])),
)


def _tokens_of(text: str) -> FloatArray:
    """Vectors that float16 holds exactly."""
    return np.array([[len(word), ord(word[0]) % 7, -1] for word in text.split() or ["。"]], np.float32)


@settings(max_examples=15, deadline=None)
@given(operations=st.lists(an_operation, max_size=10), question=a_text)
def test_token_vectors_of_the_persistent_store_equal_those_of_the_exact_one(
    operations: list[tuple[str, str, list[str]]], question: str
) -> None:
    exact = MemoryStore(None, 3)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "store"
        store = QdrantEdgeStore(place, None, 3, create=True)
        for kind, doc_id, texts in operations:
            if kind == "optimize":
                store.optimize()
            elif kind == "reopen":
                store.close()
                store = QdrantEdgeStore(place, None, 3)
            else:
                new = [Entry(e.chunk, e.terms, None, _tokens_of(e.chunk.text)) for e in entries(doc_id, texts)]
                store.replace([doc_id], new)
                exact.replace([doc_id], new)
            assert_same(store.search_tokens(_tokens_of(question), 5), exact.search_tokens(_tokens_of(question), 5))
            assert_same(store.search_terms(query_vector(question), 5), exact.search_terms(query_vector(question), 5))
        store.close()


def _vector_of(text: str) -> FloatArray:
    return np.array([text.count(word) + 0.25 * number for number, word in enumerate(WORDS[:4])], np.float32)


@settings(max_examples=25, deadline=None)
@given(operations=st.lists(an_operation, max_size=12), question=a_text, dense=st.booleans())
def test_the_persistent_store_equals_the_exact_one(
    operations: list[tuple[str, str, list[str]]], question: str, dense: bool
) -> None:
    dimension = 4 if dense else None
    exact = MemoryStore(dimension)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "store"
        store = QdrantEdgeStore(place, dimension, create=True)
        for kind, doc_id, texts in operations:
            if kind == "optimize":
                store.optimize()
            elif kind == "reopen":
                store.close()
                store = QdrantEdgeStore(place, dimension)
            else:
                new = entries(doc_id, texts)
                if dense:
                    new = [Entry(e.chunk, e.terms, _vector_of(e.chunk.text)) for e in new]
                store.replace([doc_id], new)
                exact.replace([doc_id], new)
            query = query_vector(question)
            assert store.count() == exact.count()
            assert store.chunks_of(doc_id) == exact.chunks_of(doc_id)
            assert_same(store.search_terms(query, 5), exact.search_terms(query, 5))
            if dense:
                vector = _vector_of(question)
                assert_same(store.search_vector(vector, 5), exact.search_vector(vector, 5))
        store.close()
