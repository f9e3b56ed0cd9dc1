"""The ways of ranking against llm-rankers itself: its orders and its numbers of comparisons (golden/llm_rankers.json).

Where choices contradict neither each other nor themselves in the other order, all is equal, in heaps even where choices
go round in circles. Different on purpose:

- A heap's draws go to the passage given earlier, and a set is shown in the given order; published is the order of the
  heap, which mixes equal passages up.
- A bubble asks all that its passes ask, and takes from memory what was asked before. The published one leaves out the
  end of the list where nothing has changed; for sets it begins too far to the front after a window cut short by the
  front has changed, and then misses passages that a table of relevance puts higher.
- Windows reach the front of the list. The published loop ends before a window that is not full, or never begins.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.llm.openai_server import labelled_passages
from tests.rerank.preferences import Preference
from tests.rerank.word_judge import FunctionLLM, hits_of, ids

from secondpass.rerank.listwise import ListwiseRanking
from secondpass.rerank.llm_reranker import LLMReranker
from secondpass.rerank.pairwise import PairwiseRanking
from secondpass.rerank.ranking_method import RankingMethod
from secondpass.rerank.ranking_report import RankingReport
from secondpass.rerank.setwise import SetwiseRanking
from secondpass.types import Message

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "llm_rankers.json").read_text(encoding="utf-8"))
CONSISTENT = ("table", "circles")
EVERY = ("table", "circles", "places", "grades")


def model(preference: Preference) -> FunctionLLM:
    """Return a chat model that answers by ``preference``."""

    def answer(messages: list[Message]) -> str:
        labelled = labelled_passages(messages[-1].content)
        if labelled:
            return labelled[preference.choose([int(text.split()[-1]) for _, text in labelled])][0]
        shown = [int(message.content.split()[-1]) for message in messages if message.content.startswith("[")]
        return " > ".join(f"[{place + 1}]" for place in preference.order(shown))

    return FunctionLLM(answer)


def ranked(method: RankingMethod, preference: Preference, count: int) -> tuple[list[int], RankingReport]:
    hits = hits_of([f"段落 passage {number}" for number in range(count)])
    out, report = LLMReranker(method, model(preference)).rank_with_report("茶", hits)
    return ids(out), report


def runs(name: str, kinds: tuple[str, ...]) -> list[Any]:
    found = [row for row in GOLDEN[name] if row[0] in kinds]
    assert {row[0] for row in found} == set(kinds)
    return found


def with_rest(top: list[int], count: int) -> list[int]:
    return top + [number for number in range(count) if number not in top]


def test_setwise_heapsort_without_draws_is_the_published_one_in_order_and_questions() -> None:
    for kind, seed, count, children, depth, top, compares, questions in runs("setwise heapsort", CONSISTENT):
        order, report = ranked(SetwiseRanking("heapsort", children, depth), Preference(kind, seed), count)
        assert order == with_rest(top, count)
        assert report.questions == compares
        assert report.calls <= questions  # a set that stands in the heap in another order is asked about once


def test_pairwise_heapsort_without_draws_is_the_published_one_in_order_and_questions() -> None:
    for kind, seed, count, depth, top, compares, questions in runs("pairwise heapsort", CONSISTENT):
        order, report = ranked(PairwiseRanking("heapsort", depth), Preference(kind, seed), count)
        assert order == with_rest(top, count)
        assert (report.questions, report.calls) == (2 * compares, questions)


@pytest.mark.parametrize("name", ["setwise heapsort", "pairwise heapsort"])
def test_a_heap_keeps_the_given_order_of_equals_and_the_published_one_does_not(name: str) -> None:
    mixed_up = 0
    for kind, seed, count, *settings, depth, top, _, _ in runs(name, ("grades",)):
        preference = Preference(kind, seed)
        truth = preference.order(range(count))
        method = (SetwiseRanking if settings else PairwiseRanking)("heapsort", *settings, depth)  # type: ignore[operator]
        order, _ = ranked(method, preference, count)
        assert order[:depth] == truth[:depth]
        assert [preference.relevance(number) for number in top] == [
            preference.relevance(number) for number in truth[:depth]
        ]
        mixed_up += top != truth[:depth]
    assert mixed_up > 0


def test_pairwise_sliding_is_the_published_bubble_in_order_and_calls_whatever_is_preferred() -> None:
    for kind, seed, count, depth, top, compares, questions in runs("pairwise bubblesort", EVERY):
        order, report = ranked(PairwiseRanking("sliding", depth), Preference(kind, seed), count)
        assert order == with_rest(top, count)
        assert report.calls == questions <= 2 * compares <= report.questions


def test_setwise_bubblesort_is_the_published_one_but_where_that_misses_what_has_changed() -> None:
    found = runs("setwise bubblesort", EVERY)
    missed = []
    for kind, seed, count, children, depth, top, _, questions in found:
        preference = Preference(kind, seed)
        order, report = ranked(SetwiseRanking("bubblesort", children, depth), preference, count)
        if kind in ("table", "grades"):
            best = sorted(map(preference.relevance, range(count)), reverse=True)[:depth]
            assert [preference.relevance(number) for number in order[:depth]] == best
            right = [preference.relevance(number) for number in top] == best
            assert (order == with_rest(top, count)) == right
        if order != with_rest(top, count):
            assert report.calls >= questions
            missed.append(kind)
        else:
            assert report.calls == questions
    assert (len(found), {kind: missed.count(kind) for kind in EVERY}) == (
        288,
        {"table": 2, "circles": 8, "places": 2, "grades": 4},
    )


def test_all_pairs_is_the_published_tournament_whatever_is_preferred() -> None:
    for kind, seed, count, _, top, compares, questions in runs("pairwise allpair", EVERY):
        order, report = ranked(PairwiseRanking("all_pairs"), Preference(kind, seed), count)
        assert order == top
        assert report.questions == report.calls == questions == 2 * compares == count * (count - 1)


def test_windows_are_the_published_ones_and_reach_the_front_where_those_do_not() -> None:
    short = 0
    for kind, seed, count, window, step, top, compares, questions in runs("listwise", EVERY):
        order, report = ranked(ListwiseRanking(window, step), Preference(kind, seed), count)
        if count >= window and (count - window) % step == 0:
            assert (order, report.questions, report.calls) == (top, compares, questions)
            continue
        short += 1
        reached = count - (compares - 1) * step - window if compares else count
        assert reached > 0
        assert (report.questions, report.calls) == (compares + 1, questions + 1)
        assert top[:reached] == list(range(reached))
        assert order[window:] == top[window:]
    assert short > 0
