"""One set of candidates for all systems, bounds that hold, and nothing worked out twice or taken over from another."""

from __future__ import annotations

import gc
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import ir_measures
import numpy as np
import pytest
from scipy.stats import zscore
from tests.evaluate.small_tasks import make_task, write_task

import secondpass
from secondpass.data.qrels import read_qrels
from secondpass.data.tasks import RankingTask
from secondpass.errors import InputError
from secondpass.evaluate.experiment import evaluate
from secondpass.evaluate.options import EvaluationOptions
from secondpass.evaluate.outcome_store import FILE_NAME
from secondpass.evaluate.records import Report, SystemResult, TaskResult
from secondpass.rerank.diversity import MMRReranker
from secondpass.rerank.lexical import LexicalReranker
from secondpass.rerank.ordering import order_by_score
from secondpass.rerank.pairs import PairReranker
from secondpass.rerank.score_cache import ScoreCache
from secondpass.types import FloatArray, Hit, PassageScore, Scale

OPTIONS = EvaluationOptions(draws=500)


@dataclass
class Recorded:
    """Keeps or reverses the order, and remembers what it was given."""

    name: str = "记录 recorded"
    fingerprint: str = "one"
    reverses: bool = False
    seen: dict[str, list[Hit]] = field(default_factory=dict)

    def rerank(self, query: str, hits: Sequence[Hit], top_n: int | None = None) -> list[Hit]:
        self.seen[query] = list(hits)
        scores = np.arange(len(hits), dtype=np.float32) * (1 if self.reverses else -1)
        return order_by_score(hits, scores, self.name, "unknown", top_n)


def only(report: Report) -> TaskResult:
    (task,) = report.tasks
    return task


def system(task: TaskResult, name: str) -> SystemResult:
    return next(found for found in task.systems if found.name == name)


def names(task: TaskResult) -> list[str]:
    return [found.name for found in task.systems]


def test_every_reranker_gets_the_same_candidates_in_the_order_of_bm25_with_its_scores() -> None:
    first, second = Recorded("a"), Recorded("b", reverses=True)
    task = make_task()
    report = only(evaluate([task], [first, second], OPTIONS))
    assert names(report) == ["random", "bm25", "a", "b", "ceiling"]
    assert first.seen == second.seen
    for query_id, query in task.queries.items():
        hits = first.seen[query]
        assert {hit.chunk.id for hit in hits} == {each.doc_id for each in task.candidates[query_id]}
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
        assert {(hit.scale, hit.stages[-1].stage, hit.stages[-1].scale) for hit in hits} == {("bm25", "bm25", "bm25")}
        assert [hit.stages[-1].rank for hit in hits] == list(range(1, len(hits) + 1))


def test_a_list_whose_order_means_something_is_handed_over_as_it_is() -> None:
    seen = Recorded()
    task = make_task(first_stage="某检索器", scored=True)
    report = only(evaluate([replace(task, scale="cosine")], [seen], OPTIONS))
    assert report.baseline == "given"
    assert names(report) == ["random", "given", "bm25", "fusion", seen.name, "ceiling"]
    for query_id, query in task.queries.items():
        assert [hit.chunk.id for hit in seen.seen[query]] == [each.doc_id for each in task.candidates[query_id]]
        assert {hit.scale for hit in seen.seen[query]} == {"cosine"}


def test_no_system_is_above_the_ceiling_and_the_floor_is_between() -> None:
    report = only(evaluate([make_task(24)], ["lexical", "lexical@3"], OPTIONS))
    ceiling, random = system(report, "ceiling"), system(report, "random")
    for found in report.systems:
        for query_id, value in found.per_query.items():
            assert value <= ceiling.per_query[query_id] + 1e-12
        for name, estimate in found.measures.items():
            assert estimate.low <= estimate.mean <= estimate.high
            assert random.measures[name].mean <= ceiling.measures[name].mean + 1e-12
    assert random.measures["nDCG@10"].mean < ceiling.measures["nDCG@10"].mean
    assert system(report, "lexical").measures["nDCG@10"].mean > random.measures["nDCG@10"].mean


def test_what_is_cut_counts_as_missed() -> None:
    report = only(
        evaluate([make_task(24)], ["lexical", "lexical@1"], replace(OPTIONS, measures=("Recall@10", "hit@1")))
    )
    whole, cut = system(report, "lexical"), system(report, "lexical@1")
    assert cut.measures["hit@1"] == whole.measures["hit@1"]
    assert cut.measures["Recall@10"].mean < whole.measures["Recall@10"].mean
    assert 0 in {after for _, after in cut.movement}
    assert 0 not in {after for _, after in whole.movement}
    assert len(cut.movement) == len(whole.movement)


def test_figures_equal_those_of_ir_measures_on_the_runs_that_are_written(tmp_path: Path) -> None:
    task = make_task(24)
    wanted = ("nDCG@10", "MAP", "MRR@10", "hit@3", "Recall@10")
    report = only(evaluate([task], ["lexical@7"], replace(OPTIONS, measures=wanted, runs_out=tmp_path)))
    theirs = [ir_measures.parse_measure(name) for name in ("nDCG@10", "AP", "RR@10", "Success@3", "R@10")]
    for name, file in (("bm25", "bm25"), ("lexical@7", "lexical@7")):
        run = list(ir_measures.read_trec_run(str(tmp_path / "小任务_small" / f"{file}.trec")))
        found = ir_measures.calc_aggregate(theirs, task.qrels, run)
        for measure, other in zip(wanted, theirs, strict=True):
            assert system(report, name).measures[measure].mean == pytest.approx(found[other], abs=1e-9)


@dataclass
class Letters:
    """An embedder that counts characters."""

    name: str = "字母 letters"
    revision: str = "1"
    dimension: int = 64

    def encode_query(self, texts: Sequence[str]) -> FloatArray:
        return self.encode_document(texts)

    def encode_document(self, texts: Sequence[str]) -> FloatArray:
        counts = np.zeros((len(texts), self.dimension), np.float32)
        for row, text in enumerate(texts):
            np.add.at(counts[row], [ord(character) % self.dimension for character in text], 1)
        return counts / np.linalg.norm(counts, axis=1, keepdims=True)


def test_an_embedder_adds_a_first_stage_and_the_fusion_is_the_sum_of_z_scores(tmp_path: Path) -> None:
    task = make_task(9)
    options = replace(OPTIONS, embedder=Letters(), runs_out=tmp_path)
    report = only(evaluate([task], [], options))
    assert names(report) == ["random", "bm25", "dense", "fusion", "ceiling"]
    assert "z-scores of bm25 and dense" in system(report, "fusion").identity
    folder = tmp_path / "小任务_small"
    runs = {name: _scores(folder / f"{name}.trec") for name in ("bm25", "dense", "fusion")}
    for query_id, found in runs["fusion"].items():
        doc_ids = list(found)
        sums = sum(zscore([runs[name][query_id][doc_id] for doc_id in doc_ids]) for name in ("bm25", "dense"))
        assert np.allclose(sums, list(found.values()), atol=1e-4)


def _scores(path: Path) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        query_id, _, doc_id, _, score, _ = line.split()
        found.setdefault(query_id, {})[doc_id] = float(score)
    return found


def test_a_note_says_why_there_is_no_fusion() -> None:
    assert any(
        "no fusion of first stages: there is one" in note for note in only(evaluate([make_task()], [], OPTIONS)).notes
    )
    two_forms_of_one = make_task(first_stage="bm25")
    assert "fusion" not in names(only(evaluate([two_forms_of_one], [], OPTIONS)))


def test_a_reranker_that_hurts_is_said_to_hurt_and_its_worst_questions_are_shown() -> None:
    report = only(evaluate([make_task(40)], [Recorded("反过来", reverses=True), "lexical"], OPTIONS))
    hurting, helping = system(report, "反过来"), system(report, "lexical")
    difference = hurting.differences["nDCG@10"]
    assert difference.mean < 0
    assert difference.p_holm < 0.05
    assert difference.losses > difference.wins
    assert any(note.startswith("worse than bm25: nDCG@10 -") for note in hurting.notes)
    assert not any("worse" in note for note in helping.notes)
    shown = [query for query in report.worst if query.system == "反过来"]
    assert len(shown) == 5
    losses = [query.after - query.before for query in shown]
    assert losses == sorted(losses)
    assert all(loss < 0 for loss in losses)
    assert any(passage.grade > 0 and passage.rank_after > passage.rank_before for passage in shown[0].passages)
    assert not [query for query in report.worst if query.system == "bm25"]
    assert (hurting.gain_reached["nDCG@10"] or 0) < 0


def test_only_claims_are_tested_and_corrected_together() -> None:
    report = evaluate([make_task(40), replace(make_task(16), name="另一个")], ["lexical", "lexical@3"], OPTIONS)
    tested = [found for task in report.tasks for found in task.systems if found.differences]
    assert {found.name for found in tested} == {"lexical", "lexical@3"}
    families = [found.differences["MAP"] for found in (*tested, *report.overall) if found.differences]
    assert len(families) == 6
    ordered = sorted(families, key=lambda each: each.p_value)
    expected, highest = [], 0.0
    for place, each in enumerate(ordered):
        highest = max(highest, min(1.0, each.p_value * (len(ordered) - place)))
        expected.append(highest)
    assert [each.p_holm for each in ordered] == pytest.approx(expected)


def test_the_baseline_may_be_any_system() -> None:
    report = only(evaluate([make_task()], ["lexical"], replace(OPTIONS, baseline="lexical")))
    assert not system(report, "lexical").differences
    assert system(report, "bm25").differences
    with pytest.raises(InputError, match=r"'nobody' is no system of the task .*there are: bm25, lexical"):
        evaluate([make_task()], ["lexical"], replace(OPTIONS, baseline="nobody"))


def test_bm25_only_is_the_plain_first_stage() -> None:
    assert names(only(evaluate([make_task()], ["bm25-only"], OPTIONS))) == ["random", "bm25", "ceiling"]


def _with_one_empty(task: RankingTask) -> RankingTask:
    return replace(task, candidates={**task.candidates, "q0": ()})


def test_a_question_without_candidates_counts_nothing_or_is_left_out() -> None:
    task = _with_one_empty(make_task(10))
    zero = only(evaluate([task], ["lexical"], OPTIONS))
    omitted = only(evaluate([task], ["lexical"], replace(OPTIONS, missing="omit")))
    assert zero.missing == omitted.missing == 1
    assert any("1 questions have no candidates" in note for note in zero.notes)
    means = [system(found, "lexical").measures["MAP"].mean for found in (zero, omitted)]
    assert means[0] * 10 == pytest.approx(means[1] * 9)
    assert len(system(zero, "ceiling").per_query) == 10
    assert len(system(omitted, "ceiling").per_query) == 9


def test_a_second_evaluation_works_out_nothing_and_says_the_same(tmp_path: Path) -> None:
    options = replace(OPTIONS, work=tmp_path)
    first, second = Recorded(), Recorded()
    reports = [only(evaluate([make_task(12)], [each, "lexical"], options)) for each in (first, second)]
    assert len(first.seen) == 12
    assert not second.seen
    assert reports[0] == reports[1]


@pytest.mark.parametrize("change", ["fingerprint", "name", "fresh", "question", "passage", "first stage"])
def test_nothing_is_taken_over_that_was_worked_out_for_another(change: str, tmp_path: Path) -> None:
    task, options = make_task(12), replace(OPTIONS, work=tmp_path)
    evaluate([task], [Recorded()], options)
    other = Recorded()
    expected = 12
    if change == "fingerprint":
        other.fingerprint = "two"
    elif change == "name":
        other.name = "另一个"
    elif change == "fresh":
        options = replace(options, fresh=True)
    elif change == "question":
        task, expected = replace(task, queries={**task.queries, "q3": "换了问题？"}), 1
    elif change == "first stage":
        options = replace(options, first_stage="given")
    else:
        doc_id = task.candidates["q3"][0].doc_id
        changed = replace(task.passages[doc_id], text="换了段落。")
        task = replace(task, passages={**task.passages, doc_id: changed})  # BM25's IDF changes for all
    evaluate([task], [other], options)
    assert len(other.seen) == expected


def test_of_a_reranker_that_does_not_say_what_it_is_nothing_is_kept(tmp_path: Path) -> None:
    report = only(evaluate([make_task(12)], [MMRReranker(LexicalReranker())], replace(OPTIONS, work=tmp_path)))
    assert any("worked out anew each time" in note for note in system(report, "lexical>mmr").notes)
    with sqlite3.connect(tmp_path / FILE_NAME) as database:
        assert database.execute("SELECT count(*) FROM outcomes").fetchone() == (12,)  # those of BM25


def test_a_larger_sample_takes_over_the_smaller_one(tmp_path: Path) -> None:
    options = replace(OPTIONS, work=tmp_path)
    small = only(evaluate([make_task(40)], [Recorded()], replace(options, sample=10)))
    more = Recorded()
    large = only(evaluate([make_task(40)], [more], replace(options, sample=25)))
    assert (small.queries, small.of_queries, large.queries) == (10, 40, 25)
    assert any("a sample of 10 of 40 questions" in note for note in small.notes)
    assert len(more.seen) == 15


@dataclass
class Lengths:
    """A model that likes long passages, and counts what it reads."""

    name: str = "lengths"
    scale: Scale = "logit"
    fingerprint: str = "lengths 1"
    gives_probability: bool = True
    read: int = 0

    def score(self, query: str, passages: Sequence[str]) -> list[PassageScore]:
        self.read += len(passages)
        return [
            PassageScore(len(passage) / 40 + len(query) / 1000, truncated=len(passage) > 30) for passage in passages
        ]


def test_costs_count_what_was_computed_known_and_cut(tmp_path: Path) -> None:
    task = make_task(12)
    model = PairReranker(Lengths(), ScoreCache(tmp_path / "scores.sqlite"))
    first = system(only(evaluate([task], [model], OPTIONS)), "lengths")
    pairs = sum(map(len, task.candidates.values()))
    assert first.cost is not None
    assert (first.cost.pairs, first.cost.known) == (pairs, 0)
    assert first.cost.truncated > 0
    assert first.cost.p50_ms is not None
    assert first.cost.p95_ms is not None
    assert 0 < first.cost.p50_ms <= first.cost.p95_ms
    assert first.cost.context_tokens > 0
    assert first.calibration is not None
    assert sum(each.pairs for each in first.calibration.bins) == pairs
    again = system(only(evaluate([task], [model], OPTIONS)), "lengths")
    assert again.cost is not None
    assert (again.cost.pairs, again.cost.known, again.cost.p50_ms) == (0, pairs, None)
    assert any("(100%) came from the score cache" in note for note in again.notes)
    assert again.measures == first.measures


class Watched(Recorded):
    """Counts the hits that are alive, now and then."""

    asked = most = 0

    def rerank(self, query: str, hits: Sequence[Hit], top_n: int | None = None) -> list[Hit]:
        ranked = super().rerank(query, hits, top_n)
        self.seen.clear()
        Watched.asked += 1
        if Watched.asked % 20 == 0:
            Watched.most = max(self.most, hits_alive())
        return ranked


def hits_alive() -> int:
    return sum(type(each) is Hit for each in gc.get_objects())


def test_no_more_than_one_question_s_hits_are_in_memory() -> None:
    gc.collect()
    before = hits_alive()  # those that other tests hold
    evaluate([make_task(60, listed=30)], [Watched()], OPTIONS)
    assert 30 <= Watched.most - before <= 3 * 31


def test_a_reranker_that_adds_a_passage_is_refused() -> None:
    class Adds(Recorded):
        def rerank(self, query: str, hits: Sequence[Hit], top_n: int | None = None) -> list[Hit]:
            strange = replace(hits[0], chunk=replace(hits[0].chunk, id="新的"))
            return [*super().rerank(query, hits, top_n), strange]

    with pytest.raises(InputError, match="returned the passage '新的', which it was not given"):
        evaluate([make_task()], [Adds()], OPTIONS)


def test_trec_ties_are_broken_by_name_from_the_last() -> None:
    class Indifferent(Recorded):
        def rerank(self, query: str, hits: Sequence[Hit], top_n: int | None = None) -> list[Hit]:
            return order_by_score(hits, np.zeros(len(hits), np.float32), self.name, "unknown", top_n)

    task = make_task(24)
    given, trec = (
        only(evaluate([task], [Indifferent("x")], replace(OPTIONS, ties=ties))) for ties in ("given", "trec")
    )  # type: ignore[arg-type]
    assert system(given, "x").measures == system(given, "bm25").measures
    run = {query_id: {each.doc_id: 0.0 for each in found} for query_id, found in task.candidates.items()}
    theirs = ir_measures.parse_measure("nDCG@10")
    mean = ir_measures.pytrec_eval.calc_aggregate([theirs], task.qrels, run)[theirs]
    assert system(trec, "x").measures["nDCG@10"].mean == pytest.approx(mean, abs=1e-9)


def test_notes_say_what_a_task_can_and_cannot_show() -> None:
    task = make_task(12)
    every = {query_id: {each.doc_id: 1 for each in found[:-2]} for query_id, found in task.candidates.items()}
    notes = only(evaluate([replace(task, qrels=every)], [], OPTIONS)).notes
    assert any("only 12 questions" in note for note in notes)
    assert any("a random order already reaches" in note for note in notes)


def test_a_task_of_another_form_of_qrels_is_measured_alike(tmp_path: Path) -> None:
    path = tmp_path / "qrels.tsv"
    path.write_text("q1\t0\td1\t2\nq1\t0\td9\t1\n", encoding="utf-8")
    report = only(evaluate([replace(make_task(4), qrels=read_qrels(path))], ["lexical"], OPTIONS))
    assert report.queries == 1
    assert any("3 questions without a judgement: left out" in note for note in report.notes)


def test_the_api_is_at_the_top_of_the_package(tmp_path: Path) -> None:
    folder = write_task(make_task(6), tmp_path / "任务")
    report = secondpass.evaluate_rerankers(
        [secondpass.read_task(folder)], ["lexical"], secondpass.EvaluationOptions(sample=4)
    )
    assert isinstance(report, secondpass.Report)
    assert report.tasks[0].queries == 4
