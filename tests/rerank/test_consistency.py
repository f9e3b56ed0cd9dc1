"""Several shuffled runs and the order in the middle."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau
from tests.rerank.test_listwise import PASSAGES, QUESTION
from tests.rerank.word_judge import FunctionLLM, WordJudge, hits_of, ids

from secondpass.errors import InputError
from secondpass.llm.openai import OpenAIChat
from secondpass.rerank.consistency import SelfConsistentRanking, combine, kendall_tau, shuffled
from secondpass.rerank.listwise import ListwiseRanking
from secondpass.rerank.llm_reranker import LLMReranker
from secondpass.rerank.pairwise import PairwiseRanking

rank_lists = st.integers(2, 6).flatmap(
    lambda count: st.lists(st.permutations(range(count)), min_size=1, max_size=7).map(np.array)
)


def distance(order: list[int], ranks) -> int:
    """How many pairs of all runs stand the other way round than in ``order``."""
    return sum(
        int((ranks[:, later] < ranks[:, earlier]).sum())
        for place, earlier in enumerate(order)
        for later in order[place + 1 :]
    )


@settings(deadline=None)
@given(rank_lists)
def test_no_exchange_of_neighbours_brings_the_middle_nearer_to_the_runs(ranks) -> None:
    order = combine(ranks)
    assert sorted(order) == list(range(ranks.shape[1]))
    for place in range(len(order) - 1):
        exchanged = [*order[:place], order[place + 1], order[place], *order[place + 2 :]]
        assert distance(order, ranks) <= distance(exchanged, ranks)


@settings(deadline=None, max_examples=60)
@given(rank_lists)
def test_the_middle_is_nearly_as_near_as_the_nearest_of_all_orders(ranks) -> None:
    best = min(distance(list(order), ranks) for order in permutations(range(ranks.shape[1])))
    assert best <= distance(combine(ranks), ranks) <= 2 * best + 1


def test_runs_that_agree_give_their_order() -> None:
    assert combine(np.array([[2, 0, 1]] * 3)) == [1, 2, 0]


@given(st.permutations(range(9)), st.permutations(range(9)))
def test_kendall_tau_is_scipys(one, other) -> None:
    assert kendall_tau(np.array(one), np.array(other)) == pytest.approx(kendalltau(one, other).statistic)


def test_the_same_seed_shuffles_in_the_same_way() -> None:
    assert shuffled(30, 5, 7) == shuffled(30, 5, 7) != shuffled(30, 5, 8)
    assert len({tuple(order) for order in shuffled(30, 5, 7)}) == 5


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_model_without_a_preference_for_places_agrees_with_itself(language: str) -> None:
    texts = [f"{QUESTION['zh'][:number]} {QUESTION['en'][: 5 * number]}。" for number in range(2, 12)]
    reranker = LLMReranker(SelfConsistentRanking(PairwiseRanking("all_pairs"), 3), FunctionLLM(_longer))
    out, report = reranker.rank_with_report(QUESTION[language], hits_of(texts))
    assert ids(out) == list(reversed(range(10)))
    assert report.agreement == pytest.approx(1.0)
    assert abs(report.position_bias or 0) < 0.7


def _longer(messages) -> str:
    first, second = messages[-1].content.split("\n\n")[1:3]
    return "A" if len(first) > len(second) else "B"


def test_a_model_that_keeps_the_shown_order_is_found_out() -> None:
    llm = FunctionLLM(lambda messages: " > ".join(f"[{number}]" for number in range(1, 11)))
    reranker = LLMReranker(SelfConsistentRanking(ListwiseRanking(), 6, seed=3), llm)
    out, report = reranker.rank_with_report("茶", hits_of([f"段落 {number}" for number in range(10)]))
    assert report.position_bias == pytest.approx(1.0)
    assert abs(report.agreement or 0) < 0.5
    assert report.calls == 6
    assert sorted(ids(out)) == list(range(10))


def test_shuffling_washes_a_preference_for_the_first_place_out() -> None:
    """A model that orders by merit, but puts whatever is shown first at the front."""

    def answer(messages) -> str:
        shown = {
            int(m.content[1 : m.content.index("]")]): int(m.content.rsplit(" ", 1)[1])
            for m in messages
            if m.content.startswith("[")
        }
        return " > ".join(f"[{number}]" for number in sorted(shown, key=lambda number: (number != 1, -shown[number])))

    hits = hits_of([f"merit {number}" for number in range(12)])
    once = LLMReranker(ListwiseRanking(reply_as="text"), FunctionLLM(answer)).rerank("tea", hits)
    often = LLMReranker(SelfConsistentRanking(ListwiseRanking(reply_as="text"), 7), FunctionLLM(answer)).rerank(
        "tea", hits
    )
    assert ids(once)[0] == 0
    assert ids(often) == list(reversed(range(12)))


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_real_server_is_ranked_through(server_url: str, language: str) -> None:
    reranker = LLMReranker(SelfConsistentRanking(ListwiseRanking(3, 1), 4), OpenAIChat("rank", server_url))
    out, report = reranker.rank_with_report(QUESTION[language], hits_of(PASSAGES[language]))
    assert out[0].chunk.id == "2"
    assert report.calls + report.cache_hits == report.questions == 4 * 2
    assert reranker.name == "listwisex4:rank"


def test_one_run_is_refused() -> None:
    with pytest.raises(InputError, match="runs is 1"):
        SelfConsistentRanking(ListwiseRanking(), 1)


def test_one_passage_is_not_asked_about() -> None:
    judge = WordJudge()
    _, report = LLMReranker(SelfConsistentRanking(ListwiseRanking()), judge).rank_with_report("茶", hits_of(["茶"]))
    assert judge.asked == []
    assert report.agreement is None
