"""The whole search: what it chooses with, what it says of the choice, and files that hold it."""

from __future__ import annotations

import shlex
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.tune.tuning_tasks import (
    FakeClock,
    NeighbourReranker,
    TableScorer,
    make_task,
    pool_of,
    scored_for,
)

from secondpass.config import RerankSpec, RetrieveSpec, make_reranker
from secondpass.data.tasks import Candidate, RankingTask
from secondpass.errors import InputError
from secondpass.rerank.lexical import LexicalReranker
from secondpass.rerank.options import RerankerOptions
from secondpass.rerank.pairs import PairReranker
from secondpass.rerank.threshold import MinScore
from secondpass.tune.commands import command_lines
from secondpass.tune.files import read_tuning, write_tuning
from secondpass.tune.records import Setting, StageDepth, TuningReport, Wishes
from secondpass.tune.split import split_questions
from secondpass.tune.tuning import TuningOptions, tune
from secondpass.types import Chunk, Reranker

DEPTHS = (5, 10, 20)


def make_rerankers(task: RankingTask, clock: FakeClock) -> dict[str, Reranker]:
    random = np.random.default_rng(21)
    quick = TableScorer(scored_for(task, random, 1.5), name="quick", clock=clock, per_call=0.001, per_token=1e-5)
    slow = TableScorer(scored_for(task, random, 4.0), name="slow", clock=clock, per_call=0.01, per_token=2e-3)
    return {"slow": PairReranker(slow), "quick": PairReranker(quick)}


def search(task: RankingTask, wishes: Wishes | None = None) -> TuningReport:
    clock = FakeClock()
    return tune(task, make_rerankers(task, clock), wishes, TuningOptions(depths=DEPTHS, clock=clock))


@pytest.fixture(scope="module")
def task() -> RankingTask:
    return make_task(np.random.default_rng(9), 240, 20)


@pytest.fixture(scope="module")
def report(task: RankingTask) -> TuningReport:
    return search(task, Wishes(keep_answer=0.7))


def test_held_out_questions_have_no_part_in_choosing(task: RankingTask, report: TuningReport) -> None:
    pool = pool_of(task, 20)
    parts = split_questions(pool)
    held_out = [query_id for query_id, ours in zip(pool.query_ids, parts.held_out, strict=True) if ours]
    # The same kinds of questions, so that the parts stay: another candidate of each held-out list is relevant now.
    changed = dict(task.qrels)
    for query_id in held_out:
        if set(task.qrels[query_id]) & {candidate.doc_id for candidate in task.candidates[query_id]}:
            changed[query_id] = {task.candidates[query_id][-1].doc_id: 1}
    clock = FakeClock()
    # Scores are those of the task as it was: what is relevant now has low ones.
    other = tune(
        replace(task, qrels=changed),
        make_rerankers(task, clock),
        Wishes(keep_answer=0.7),
        TuningOptions(depths=DEPTHS, clock=clock),
    )
    bare = replace(other.chosen, threshold=None)
    assert (bare, other.chosen.scale) == (replace(report.chosen, threshold=None), report.chosen.scale)
    for mine, theirs in zip(report.rows, other.rows, strict=True):
        assert (mine.setting, mine.keep_answer, mine.cost) == (theirs.setting, theirs.keep_answer, theirs.cost)
    assert other.held_out.keep_answer.mean < report.held_out.keep_answer.mean - 0.2
    assert not other.met
    assert any("held-out questions the setting keeps" in sentence for sentence in other.failed)


def test_the_choice_is_worth_on_held_out_questions_what_it_is_said_to_be(
    task: RankingTask, report: TuningReport
) -> None:
    assert report.met
    assert report.split.questions == 240
    assert report.split.choosing == 121 or abs(report.split.choosing - 120) <= 3
    chosen = report.chosen
    pool = pool_of(task, 20)
    parts = split_questions(pool)
    part = parts.held_out if chosen.threshold is None else parts.checking
    rerankers = make_rerankers(task, FakeClock())
    minimum = MinScore(chosen.threshold, chosen.scale) if chosen.threshold is not None else None
    kept = []
    for row in np.flatnonzero(part & pool.answerable):
        hits = list(pool.hits[row][: chosen.depth])
        for stage in chosen.stages:
            hits = rerankers[stage.reranker].rerank(pool.queries[row], hits, stage.keep)
        ids = {hit.chunk.id for hit in hits if minimum is None or (hit.probability or 0) >= minimum.value}
        kept.append(bool(ids & set(pool.qrels[pool.query_ids[row]])))
    assert report.held_out.questions == len(kept)
    assert report.held_out.keep_answer.mean == pytest.approx(np.mean(kept))
    assert report.held_out.keep_answer.low <= np.mean(kept) <= report.held_out.keep_answer.high


def test_a_bound_on_the_time_leaves_the_slow_reranker_to_few_passages_and_measures_the_choice(
    task: RankingTask,
) -> None:
    free, bound = search(task), search(task, Wishes(latency_seconds=0.15))
    assert free.chosen.stages[-1].reranker == "slow"
    assert free.p95_ms is not None
    assert bound.p95_ms is not None
    assert bound.p95_ms <= 150 < free.p95_ms
    assert bound.latency == free.latency == "measured"
    assert any("measured on" in note for note in bound.notes)
    names = [speed.name for speed in bound.speeds]
    assert names == ["slow", "quick"]


def test_a_wish_that_no_setting_meets_gives_the_nearest_setting_and_the_reason(task: RankingTask) -> None:
    report = search(task, Wishes(keep_answer=0.999))
    assert not report.met
    assert report.failed[0].startswith("No setting is sure to keep 99.9% of answers")
    assert report.held_out.questions > 0


def test_the_cheap_one_comes_first_in_a_cascade(report: TuningReport) -> None:
    cascades = {
        tuple(stage.reranker for stage in row.setting.stages) for row in report.rows if len(row.setting.stages) > 1
    }
    assert cascades == {("quick", "slow")}


def test_a_threshold_has_a_promise_that_was_checked(report: TuningReport) -> None:
    promise = report.threshold
    assert promise is not None
    assert promise.scale == "probability"
    assert promise.promise == "at least 70.0% of answerable questions keep their answer, whatever loses it"
    assert promise.checked_on + promise.calibrated_on <= report.split.questions - report.split.choosing
    assert promise.passages[1] < promise.passages[0]
    assert promise.risk.low <= promise.risk.mean <= promise.risk.high


def test_few_questions_get_a_setting_but_no_threshold() -> None:
    report = search(make_task(np.random.default_rng(9), 24, 20))
    assert report.threshold is None
    assert "needs 19 questions for calibration" in report.no_threshold
    assert report.chosen.threshold is None
    assert any("answerable questions are few" in note for note in report.notes)


def test_the_first_stage_alone_and_scores_without_meaning_take_no_threshold(task: RankingTask) -> None:
    report = tune(task, {"neighbours": NeighbourReranker()}, None, TuningOptions(depths=(5, 10)))
    assert report.threshold is None
    assert report.chosen.stages == ()
    assert report.no_threshold == "Without a reranker there is no score to hold a threshold against."
    assert {row.setting.threshold for row in report.rows} == {None}


def test_lists_without_an_order_are_ordered_by_bm25_and_lexical_reads_chinese_and_english() -> None:
    cities = ["西安", "北京", "上海", "广州", "成都", "London", "Paris", "Berlin", "Madrid", "Rome"]
    queries, qrels, candidates = {}, {}, {}
    passages = {
        city: Chunk(city, f"{city}是一座城市。" if i < 5 else f"{city} is a city.", city)
        for i, city in enumerate(cities)
    }
    for number in range(40):
        city = cities[number % 10]
        queries[f"q{number}"] = f"{city}是什么？" if number % 10 < 5 else f"What is {city}?"
        qrels[f"q{number}"] = {city: 2}
        turned = cities[number % 7 :] + cities[: number % 7]
        candidates[f"q{number}"] = tuple(Candidate(name) for name in turned)
    task = RankingTask("城市", queries, passages, qrels, candidates)
    lexical, cheap = {"lexical": LexicalReranker()}, Wishes(keep_answer=0.9, prefer="cheap")
    report = tune(task, lexical, cheap, TuningOptions(min_grade=2, clock=FakeClock()))
    assert report.first_stage == "bm25"
    assert report.met
    assert report.chosen.stages == (StageDepth("lexical", 1),)
    assert report.chosen.top_n == 1
    assert report.held_out.keep_answer.mean == 1.0
    below = tune(task, lexical, None, TuningOptions(min_grade=1))
    assert below.held_out.keep_answer.mean == 1.0
    with pytest.raises(InputError, match="0 of 40 questions have a relevant passage"):
        tune(task, {"lexical": LexicalReranker()}, None, TuningOptions(min_grade=3))


def test_a_report_is_the_same_after_a_file(report: TuningReport, tmp_path: Path) -> None:
    write_tuning(report, tmp_path / "调参.json")
    assert read_tuning(tmp_path / "调参.json") == report


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"format": "secondpass evaluation"}', encoding="utf-8")
    with pytest.raises(InputError, match="no tuning of this version"):
        read_tuning(tmp_path / "a.json")


SETTING = Setting("bm25", 50, (StageDepth("lexical", 20), StageDepth("./模型 夹", 3)), 3, 0.12, "probability")


def test_commands_and_the_toml_file_are_read_as_the_setting_they_came_from(
    report: TuningReport, tmp_path: Path
) -> None:
    ask, search_command = command_lines(SETTING, ("--precision", "int8"))
    words = shlex.split(ask)
    assert words[:3] == ["secondpass", "ask", "..."]
    assert words[3:5] == ["--retrieve", "bm25@50"]
    assert [words[place + 1] for place, word in enumerate(words) if word == "--rerank"] == ["lexical@20", "./模型 夹@3"]
    assert words[-4:] == ["--min-score", "probability=0.12", "--precision", "int8"]
    assert search_command.startswith("secondpass search")
    write_tuning(replace(report, chosen=SETTING), tmp_path / "s.toml")
    found = tomllib.loads((tmp_path / "s.toml").read_text(encoding="utf-8"))
    assert RetrieveSpec.parse(found["retrieve"]).top_k == 50
    assert found["rerank"] == ["lexical@20", "./模型 夹@3"]
    assert MinScore.parse(found["min_score"]) == MinScore(0.12, "probability")


def test_a_setting_without_rerankers_is_a_search_without_them() -> None:
    ask, _ = command_lines(Setting("hybrid", 100, (), 5))
    assert ask == 'secondpass ask "..." --retrieve hybrid@5 --no-rerank'
    assert command_lines(Setting("somebody's", 100, (), 5)) == ()
    (rerank,) = command_lines(Setting("somebody's", 20, (StageDepth("lexical", 3),), 3))
    assert rerank == "secondpass rerank --input passages.jsonl --rerank lexical@3"


def test_the_command_of_a_lexical_setting_keeps_the_passages_that_were_counted() -> None:
    random = np.random.default_rng(2)
    names = [f"城市{number}" for number in range(30)]
    task = make_task(random, 60, 12, lambda q, p: f"{names[(q + p) % 30]}有{p + 1}座大学，city {q + p}。")
    task = replace(task, queries={f"q{q}": f"{names[(q + 2) % 30]}有几座大学？" for q in range(60)})
    report = tune(task, {"lexical": LexicalReranker()}, Wishes(alpha=0.2), TuningOptions(depths=(5, 10)))
    pool = pool_of(task, 10)
    stages = [str(RerankSpec(stage.reranker, stage.keep)) for stage in report.chosen.stages]
    if report.chosen.threshold is None:
        assert report.no_threshold
        return
    options = RerankerOptions(min_score=MinScore(report.chosen.threshold, report.chosen.scale))
    reranker = make_reranker(stages, options)
    assert reranker is not None
    checking = np.flatnonzero(split_questions(pool).checking)
    counts = [len(reranker.rerank(pool.queries[row], pool.hits[row][: report.chosen.depth])) for row in checking]
    assert report.held_out.passages == pytest.approx(np.mean(counts))
