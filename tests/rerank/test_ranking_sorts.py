"""The published sorts against textbook ones, under choices that do not agree with each other."""

from collections.abc import Callable, Sequence
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.llm.openai_server import labelled_passages
from tests.rerank.word_judge import FunctionLLM, hits_of, ids

from secondpass.rerank.llm_reranker import LLMReranker
from secondpass.rerank.pairwise import PairwiseRanking
from secondpass.rerank.setwise import SetwiseRanking
from secondpass.types import Message

Choose = Callable[[Sequence[int]], int]
seeds = st.integers(0, 10_000)


class Noisy:
    """Prefers lower numbers of a hidden order, but for noise that depends on which passages are shown in which order.

    It answers the same to the same question: as a number to the reference, as a label to the prompt of the reranker.
    ``fair``: the noise depends on which passages are shown, not on their order; then no pair ends in a draw.
    """

    def __init__(self, seed: int, noise: int, fair: bool) -> None:
        self.seed, self.noise, self.fair, self.questions = seed, noise, fair, 0

    def chance(self, text: str) -> float:
        return crc32(f"{self.seed} {text}".encode()) / 2**32

    def choose(self, shown: Sequence[int]) -> int:
        self.questions += 1
        about = sorted(shown) if self.fair else list(shown)
        worth = [self.chance(f"{one}") * 1000 + self.chance(f"{one} {about}") * self.noise for one in shown]
        return worth.index(max(worth))

    def answer(self, messages: list[Message]) -> str:
        shown = [int(text.split()[-1]) for _, text in labelled_passages(messages[-1].content)]
        return "ABCDEFGHIJKLMNOPQRSTUVW"[self.choose(shown)]

    def wins(self, one: int, other: int) -> bool:
        """Both orders agree that ``one`` is better."""
        first, second = self.choose([one, other]), self.choose([other, one])
        return first == 0 and second == 1


def reference_heap(items: list[int], arity: int, depth: int, pick: Choose) -> list[int]:
    """Heapsort of the best ``depth`` as in any textbook."""
    items = list(items)

    def sink(place: int, size: int) -> None:
        below = [child for child in range(arity * place + 1, arity * place + 1 + arity) if child < size]
        if below:
            family = [place, *below]
            chosen = family[pick([items[member] for member in family])]
            if chosen != place:
                items[place], items[chosen] = items[chosen], items[place]
                sink(chosen, size)

    for place in reversed(range(len(items))):
        sink(place, len(items))
    out, size = [], len(items)
    while size and len(out) < depth:
        out.append(items[0])
        size -= 1
        items[0] = items[size]
        if size and len(out) < depth:
            sink(0, size)
    return out


def reference_bubble(items: list[int], arity: int, depth: int, pick: Choose) -> list[int]:
    """Passes from the end to the front, each moving the best of what it saw to its head, without any shortcut."""
    items = list(items)
    for head in range(min(depth, len(items) - 1)):
        last = len(items) - 1
        while last > head:
            first = max(head, last - arity)
            chosen = first + pick(items[first : last + 1])
            items[first], items[chosen] = items[chosen], items[first]
            last = first
    return items[:depth]


def with_rest(top: list[int], count: int) -> list[int]:
    return top + [item for item in range(count) if item not in top]


def passages(count: int) -> list[str]:
    return [f"段落 passage {number}" for number in range(count)]


@settings(max_examples=80, deadline=None)
@given(
    count=st.integers(2, 30), arity=st.integers(1, 6), depth=st.integers(1, 12), seed=seeds, noise=st.integers(0, 600)
)
def test_setwise_heapsort_is_the_textbooks_in_order_and_calls(count, arity, depth, seed, noise) -> None:
    noisy, other = Noisy(seed, noise, True), Noisy(seed, noise, True)
    expected = with_rest(reference_heap(list(range(count)), arity, depth, noisy.choose), count)
    out, report = LLMReranker(SetwiseRanking("heapsort", arity, depth), FunctionLLM(other.answer)).rank_with_report(
        "茶", hits_of(passages(count))
    )
    assert ids(out) == expected
    assert report.questions == noisy.questions
    assert report.calls == other.questions == report.questions - report.cache_hits


@settings(max_examples=80, deadline=None)
@given(
    count=st.integers(2, 30), arity=st.integers(1, 6), depth=st.integers(1, 12), seed=seeds, noise=st.integers(0, 600)
)
def test_setwise_bubblesort_is_the_textbooks_and_asks_as_the_formula_says(count, arity, depth, seed, noise) -> None:
    noisy, other = Noisy(seed, noise, False), Noisy(seed, noise, False)
    expected = with_rest(reference_bubble(list(range(count)), arity, depth, noisy.choose), count)
    out, report = LLMReranker(SetwiseRanking("bubblesort", arity, depth), FunctionLLM(other.answer)).rank_with_report(
        "tea", hits_of(passages(count))
    )
    assert ids(out) == expected
    passes = min(depth, count - 1)
    if arity > 1:
        assert report.questions == sum(-(-(count - 1 - head) // arity) for head in range(passes)) == noisy.questions
    assert report.questions <= noisy.questions
    assert report.calls == other.questions == report.questions - report.cache_hits


@settings(max_examples=80, deadline=None)
@given(count=st.integers(2, 24), depth=st.integers(1, 12), seed=seeds, noise=st.integers(0, 600), fair=st.booleans())
def test_prp_heapsort_is_the_textbooks_in_order_and_calls(count, depth, seed, noise, fair) -> None:
    noisy, other = Noisy(seed, noise, fair), Noisy(seed, noise, fair)

    def pick(family: Sequence[int]) -> int:
        best = 0
        for place in range(1, len(family)):
            answers = (noisy.choose([family[place], family[best]]), noisy.choose([family[best], family[place]]))
            assert not fair or answers in {(0, 1), (1, 0)}
            earlier = answers not in {(0, 1), (1, 0)} and family[place] < family[best]  # a draw
            if answers == (0, 1) or earlier:
                best = place
        return best

    expected = with_rest(reference_heap(list(range(count)), 2, depth, pick), count)
    out, report = LLMReranker(PairwiseRanking("heapsort", depth), FunctionLLM(other.answer)).rank_with_report(
        "茶", hits_of(passages(count))
    )
    assert ids(out) == expected
    assert report.questions == noisy.questions
    assert report.calls == other.questions == report.questions - report.cache_hits


@settings(max_examples=80, deadline=None)
@given(count=st.integers(2, 24), depth=st.integers(1, 12), seed=seeds, noise=st.integers(0, 600))
def test_prp_sliding_is_the_textbooks_and_asks_no_more_than_the_formula_says(count, depth, seed, noise) -> None:
    noisy, other = Noisy(seed, noise, False), Noisy(seed, noise, False)
    pick = lambda pair: int(noisy.wins(pair[1], pair[0]))  # noqa: E731
    expected = with_rest(reference_bubble(list(range(count)), 1, depth, pick), count)
    out, report = LLMReranker(PairwiseRanking("sliding", depth), FunctionLLM(other.answer)).rank_with_report(
        "tea", hits_of(passages(count))
    )
    assert ids(out) == expected
    assert report.questions <= noisy.questions == 2 * sum(count - 1 - head for head in range(min(depth, count - 1)))
    assert report.calls == other.questions == report.questions - report.cache_hits


@pytest.mark.parametrize("count", [2, 7, 15])
def test_one_sliding_pass_costs_two_calls_for_each_pair_of_neighbours(count: int) -> None:
    noisy = Noisy(1, 0, True)
    _, report = LLMReranker(PairwiseRanking("sliding", 1), FunctionLLM(noisy.answer)).rank_with_report(
        "tea", hits_of(passages(count))
    )
    assert report.questions == report.calls == noisy.questions == 2 * (count - 1)


def test_a_pass_that_changes_nothing_is_the_last() -> None:
    llm = FunctionLLM(lambda messages: "Passage " + "AB"[_second_is_lower(messages)])
    _, report = LLMReranker(PairwiseRanking("sliding", 10), llm).rank_with_report("tea", hits_of(passages(12)))
    assert report.questions == report.calls == 2 * 11


def _second_is_lower(messages: list[Message]) -> bool:
    first, second = (int(text.split()[-1]) for _, text in labelled_passages(messages[-1].content))
    return second < first


@settings(max_examples=60, deadline=None)
@given(count=st.integers(2, 14), seed=seeds, noise=st.integers(0, 900))
def test_all_pairs_is_a_tournament_of_n_times_n_minus_one_calls(count, seed, noise) -> None:
    noisy, other = Noisy(seed, noise, False), Noisy(seed, noise, False)
    points = [0.0] * count
    for one in range(count):
        for two in range(one + 1, count):
            if noisy.wins(one, two):
                points[one] += 1
            elif noisy.wins(two, one):
                points[two] += 1
            else:
                points[one], points[two] = points[one] + 0.5, points[two] + 0.5
    out, report = LLMReranker(PairwiseRanking("all_pairs"), FunctionLLM(other.answer)).rank_with_report(
        "茶", hits_of(passages(count))
    )
    assert ids(out) == sorted(range(count), key=lambda item: -points[item])
    assert [hit.score for hit in out] == sorted(points, reverse=True)
    assert report.calls == report.questions == other.questions == count * (count - 1)
