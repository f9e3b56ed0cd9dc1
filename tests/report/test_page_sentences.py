"""The sentences that our evaluation writes into a report are known to the page in Chinese."""

from __future__ import annotations

import re

import pytest

from secondpass.data.tasks import Candidate, RankingTask
from secondpass.evaluate.experiment import evaluate
from secondpass.evaluate.notes import system_notes
from secondpass.evaluate.options import EvaluationOptions
from secondpass.evaluate.records import Cost, Difference, Report, SystemResult
from secondpass.report.page_sentences import known_sentence, said
from secondpass.types import Chunk


@pytest.fixture(scope="module")
def reports() -> list[Report]:
    """Small evaluations with much to say: a sample, a gap, few questions, most passages relevant."""
    texts = ("西安交大在西安。", "北京大学在北京。", "复旦大学在上海。", "同济大学在上海。")
    passages = {f"d{place}": Chunk(f"d{place}", text) for place, text in enumerate(texts)}
    queries = {f"q{place}": f"大学在哪个城市{place}？" for place in range(5)}
    lists = {name: tuple(Candidate(doc_id) for doc_id in passages) for name in list(queries)[:4]}
    qrels = {name: {"d0": 1, "d1": 1, "d2": 1} for name in queries}
    task = RankingTask("城市", queries, passages, qrels, lists, skipped={"lines without a text": 2})
    unlisted = RankingTask("无列表", queries, passages, qrels, {})
    options = EvaluationOptions(draws=100)
    return [
        evaluate([task, unlisted], ["lexical@2"], options),
        evaluate([task], ["lexical@2"], EvaluationOptions(draws=100, sample=3, ties="trec", missing="omit")),
    ]


def test_every_sentence_of_an_evaluation_is_known(reports: list[Report]) -> None:
    sentences = {line for report in reports for line in report.conventions}
    sentences |= {note for report in reports for task in report.tasks for note in task.notes}
    sentences |= {note for report in reports for task in report.tasks for one in task.systems for note in one.notes}
    assert len(sentences) > 15
    assert {sentence for sentence in sentences if known_sentence(sentence) is None} == set()


def test_every_note_of_a_system_is_known() -> None:
    worse = Difference(-0.1, -0.2, -0.05, 0.001, 0.002, 1, 1, 8)
    cost = Cost(1.0, 2.0, 10.0, 30, 10, 100.0, truncated=7)
    system = SystemResult("x", "reranker", "logit", "", {}, {"MAP": worse}, {}, cost, None, {})
    notes = system_notes(system, "bm25", ("MAP",))
    assert len(notes) == 3
    for note in notes:
        known = known_sentence(note)
        assert known is not None
        assert re.search("[一-鿿]", known[0].zh)


def test_values_stand_in_both_languages_as_text() -> None:
    assert said("2 <b>: left out") == (
        '<span class="en">2 &lt;b&gt;: left out</span><span class="zh" lang="zh-Hans">略去 2 个：&lt;b&gt;</span>'
    )


def test_a_sentence_from_elsewhere_is_shown_as_it_is() -> None:
    assert said("Something <new>.") == "<bdi>Something &lt;new&gt;.</bdi>"
