"""The Python API over a real index."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from secondpass import Answer, Chunk, ChunkOptions, SecondpassError, Workbench, rerank_passages
from secondpass.errors import InputError, StoreError
from secondpass.rerank.ordering import order_by_score
from secondpass.types import Hit

EXAMPLES = Path(__file__).parents[1] / "examples"
MERGED = "2000年国务院决定将三校合并，组建新的西安交通大学。"
QUESTION = "西安交大由几校合并？"
QUICK = ["lexical@3"]


class Reversing:
    """A reranker that turns the order around."""

    name = "reversing"

    def rerank(self, query: str, hits: Sequence[Hit], top_n: int | None = None) -> list[Hit]:
        return order_by_score(hits, np.arange(len(hits), dtype=np.float32), self.name, "rank_only", top_n)


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "西安.md").write_text(f"# 西安交大\n\n{MERGED}", encoding="utf-8")
    (folder / "北京.md").write_text("# 北京大学\n\n北京大学在北京，与燕京大学合并过。", encoding="utf-8")
    (folder / "cors.md").write_text("# CORS\n\nBrowsers cache CORS responses for 600 seconds.", encoding="utf-8")
    return folder


@pytest.fixture
def workbench(tmp_path: Path, documents: Path) -> Iterator[Workbench]:
    with Workbench(tmp_path / "index") as made:
        made.index(documents)
        yield made


def test_an_index_is_made_searched_and_asked(workbench: Workbench) -> None:
    assert workbench.counts() == (3, 3)
    result = workbench.search(QUESTION, "bm25@3")
    assert result.hits[0].chunk.doc_id == "documents/西安.md"
    assert [stage.stage for stage in result.hits[0].stages] == ["bm25", "builtin"]
    assert set(result.seconds) == {"retrieve", "rerank"}
    answer = workbench.ask(QUESTION, rerank=QUICK)
    assert MERGED in answer.text
    assert set(answer.seconds) == {"retrieve", "rerank", "generate"}


def test_any_object_with_the_protocol_reranks(workbench: Workbench) -> None:
    plain = workbench.search("合并", rerank=[])
    turned = workbench.search("合并", rerank=[Reversing()])
    assert len(plain.hits) == 2
    assert [hit.chunk.id for hit in turned.hits] == [hit.chunk.id for hit in reversed(plain.hits)]
    assert [stage.stage for stage in turned.hits[0].stages] == ["bm25", "reversing"]


def test_a_stream_ends_with_the_answer(workbench: Workbench) -> None:
    *pieces, answer = workbench.stream(QUESTION, rerank=QUICK)
    assert isinstance(answer, Answer)
    assert "".join(str(piece) for piece in pieces) == answer.text == workbench.ask(QUESTION, rerank=QUICK).text


def test_comparing_counts_tokens_as_estimates_without_a_chat_model(workbench: Workbench) -> None:
    result = workbench.compare("大学合并", rerank=["lexical@1"])
    assert len(result.candidates) == 2
    assert result.reranked_tokens.estimated
    assert result.reranked_tokens.prompt < result.without_tokens.prompt


def test_every_chunk_of_the_index_can_be_read(workbench: Workbench) -> None:
    chunks = list(workbench.chunks())
    assert len(chunks) == workbench.counts()[1]
    assert any(MERGED in chunk.text for chunk in chunks)


def test_an_empty_question_is_refused(workbench: Workbench) -> None:
    with pytest.raises(InputError, match="question is empty"):
        workbench.search(" ")


def test_an_index_without_vectors_says_how_to_get_them(workbench: Workbench) -> None:
    with pytest.raises(StoreError, match="--embedder NAME"):
        workbench.search("q", "dense@3")


def test_a_missing_root_makes_no_index(tmp_path: Path) -> None:
    with Workbench(tmp_path / "new") as workbench, pytest.raises(InputError, match="no file or folder"):
        workbench.index(tmp_path / "nowhere")
    assert not (tmp_path / "new").exists()


def test_nothing_to_index_is_refused(tmp_path: Path) -> None:
    with Workbench(tmp_path / "new") as workbench, pytest.raises(InputError, match="nothing to index"):
        workbench.index()


def test_other_chunks_need_a_rebuild(workbench: Workbench, documents: Path) -> None:
    with pytest.raises(StoreError, match="--rebuild"):
        workbench.index(documents, chunking=ChunkOptions(max_tokens=32))
    workbench.index(documents, chunking=ChunkOptions(max_tokens=32), rebuild=True)
    assert workbench.counts() == (3, 3)


def test_searching_where_there_is_no_index_says_how_to_make_one(tmp_path: Path) -> None:
    with Workbench(tmp_path / "none") as workbench, pytest.raises(SecondpassError, match="secondpass index"):
        workbench.search("q")


def test_passages_of_every_form_are_reranked_and_left_as_they_are() -> None:
    chunk = Chunk("c", "西安交通大学在西安。")
    hit = Hit(Chunk("h", "Nothing to see."), 2.0, "bm25")
    passages: list[str | Chunk | Hit] = ["北京大学在北京。", chunk, hit]
    best, *rest = rerank_passages("西安交大在哪里？", passages)
    assert best.chunk == chunk
    assert best.stages[-1].stage == "builtin"
    assert best.probability is not None
    assert 0 < best.probability < 1
    assert best.stages[0].rank == 2
    assert len(rest) == 2
    assert hit.stages == ()
    assert rerank_passages("q", []) == []


@pytest.mark.parametrize(("top_n", "rerank"), [(0, "lexical"), (None, []), (None, "nothing@3")])
def test_reranking_by_nothing_is_refused(top_n: int | None, rerank: str | list[str]) -> None:
    with pytest.raises(InputError):
        rerank_passages("q", ["a"], top_n, rerank)


def test_the_questions_of_the_examples_find_and_say_their_answers_by_words_alone(tmp_path: Path) -> None:
    """All but d4, which asks in English about a Chinese page: words do not cross languages."""
    lines = (EXAMPLES / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    found, said = set(), set()
    with Workbench(tmp_path / "index") as workbench:
        workbench.index(EXAMPLES / "documents")
        for question in map(json.loads, lines):
            answer = workbench.ask(question["text"], rerank=QUICK)
            assert len(answer.hits) == 3
            if any(text in hit.chunk.text for hit in answer.hits for text in question["answers"]):
                found.add(question["_id"])
            if any(text in answer.text for text in question["answers"]):
                said.add(question["_id"])
    wanted = {f"d{number}" for number in range(1, 13)} - {"d4"}
    assert found >= wanted
    assert said >= wanted
