"""Rank by asking which of two passages is the more relevant.

Pairwise Ranking Prompting (arXiv:2306.17563): models prefer the passage that comes first, or second, so that every pair
is asked in both orders, and a passage wins only where both answers say so. Calls for ``N`` passages:

- ``all_pairs``: ``N (N - 1)``, side by side; a draw gives half a point to each.
- ``heapsort``: two for each comparison, about ``2 (2 N + 2 depth log2 N)``; a draw goes to the passage given earlier
  (in the published form to the one that stands higher in the heap, which mixes equal passages up).
- ``sliding``: pass ``i`` compares ``N - 1 - i`` neighbours, 2 calls each, up to ``depth`` passes; a pass without a
  change is the last, and neighbours that were compared before are answered from memory.

Answers come as JSON by a schema that names the two labels where the server can keep to one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import combinations
from typing import Literal

from secondpass.errors import InputError
from secondpass.rerank.ranking_calls import Question, RankingRun
from secondpass.rerank.ranking_method import Ranking, in_order
from secondpass.rerank.ranking_prompts import REMINDERS, ReplyAs, label_schema, pair_messages
from secondpass.rerank.ranking_replies import Reading, read_label
from secondpass.rerank.ranking_sorts import bubble_top, heap_top
from secondpass.text.language import language
from secondpass.types import Message, Reply, ReplyForm

PairSort = Literal["all_pairs", "heapsort", "sliding"]
_Ask = Callable[[str, str], Question[int | None]]
_FIRST, _SECOND = 0, 1
_WIN, _DRAW = 1.0, 0.5
_LABEL_FORM = ReplyForm(label_schema(2))


class PairwiseRanking:
    """Compare passages two by two, in both orders; ``depth`` is how many of the best are sorted out.

    The passages behind them keep the given order; ``all_pairs`` sorts all.
    """

    least = 2

    def __init__(self, sort: PairSort = "heapsort", depth: int = 10, reply_as: ReplyAs = "auto") -> None:
        if depth < 1:
            raise InputError(f"depth is {depth}; at least 1 passage must be sorted out.")
        self._sort = sort
        self._depth = depth
        self._reply_as = reply_as

    @property
    def name(self) -> str:
        """Return ``pairwise``, with the way of sorting where it is not the usual one."""
        return "pairwise" if self._sort == "heapsort" else f"pairwise-{self._sort.replace('_', '-')}"

    def shown_together(self, count: int) -> int:
        """Return 2."""
        return min(count, 2)

    def longest_prompt(self, query: str, passages: Sequence[str]) -> tuple[Message, ...]:
        """Return the messages that show two passages."""
        return pair_messages(query, passages[0], passages[1], language(query), self._reply_as != "text")

    def rank(self, run: RankingRun, query: str, passages: Sequence[str], wanted: int, /) -> Ranking:
        """Compare and sort."""
        ask = partial(_question, query, as_json=run.wants_json(self._reply_as))
        if self._sort == "all_pairs":
            return _points(run, ask, passages)
        sort = heap_top if self._sort == "heapsort" else bubble_top
        children = 2 if self._sort == "heapsort" else 1

        def best_of(group: Sequence[int]) -> int:
            best = 0
            for place in range(1, len(group)):
                won = _won(run, ask, passages[group[place]], passages[group[best]])
                # A heap mixes the passages up, so that a draw must look back to the given order; a bubble does not.
                if won == _DRAW and self._sort == "heapsort":
                    won = float(group[place] < group[best])
                best = place if won == _WIN else best
            return best

        depth = min(self._depth, wanted)
        return in_order(sort(len(passages), best_of, children, depth, lambda: run.cut_short), len(passages))


def _won(run: RankingRun, ask: _Ask, one: str, other: str) -> float:
    """Return what a passage wins against another: all where it is preferred wherever it stands, half in a draw."""
    return _verdict(run.ask_all([ask(one, other), ask(other, one)]))


def _verdict(answers: Sequence[int | None]) -> float:
    """Return what the passage that was shown first, and then second, wins."""
    return _WIN if answers == [_FIRST, _SECOND] else 0.0 if answers == [_SECOND, _FIRST] else _DRAW


def _points(run: RankingRun, ask: _Ask, passages: Sequence[str]) -> Ranking:
    pairs = list(combinations(range(len(passages)), 2))
    questions = [
        ask(passages[first], passages[second]) for one, other in pairs for first, second in ((one, other), (other, one))
    ]
    answers = run.ask_all(questions)
    points = [0.0] * len(passages)
    for number, (one, other) in enumerate(pairs):
        won = _verdict(answers[2 * number : 2 * number + 2])
        points[one] += won
        points[other] += _WIN - won
    return Ranking(tuple(points))


def _question(query: str, first: str, second: str, *, as_json: bool) -> Question[int | None]:
    code = language(query)
    messages = pair_messages(query, first, second, code, as_json)
    return Question(messages, _read, None, REMINDERS["label"][code], _LABEL_FORM if as_json else ReplyForm())


def _read(reply: Reply) -> Reading[int | None]:
    reading = read_label(reply.text, 2)
    return Reading(None if reading.outcome == "fallback" else reading.value, reading.outcome, reading.structured)
