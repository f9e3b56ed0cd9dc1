"""Rank by asking which passage of a small set is the most relevant.

Setwise (arXiv:2310.09497): one question compares a passage with ``num_child`` others, which makes a heap shallower and
a bubble's steps longer than two by two. A heap of ``N`` passages is built and its best ``depth`` are taken with about
``N / num_child + depth log_{num_child} N`` calls; a bubble's pass ``i`` asks ``ceil((N - 1 - i) / num_child)``
questions, those about an unchanged set answered from memory. An answer that names no passage of the set stands for the
first one, which keeps the given order, and is counted as fallback. A heap's passages are shown in the given order, so
that a model that takes the first of equals keeps it (published is the order of the heap).

Answers come as JSON by a schema that names the labels shown where the server can keep to one.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Literal

from secondpass.errors import InputError
from secondpass.rerank.ranking_calls import Question, RankingRun
from secondpass.rerank.ranking_method import Ranking, in_order
from secondpass.rerank.ranking_prompts import LABELS, REMINDERS, ReplyAs, label_schema, set_messages
from secondpass.rerank.ranking_replies import Reading, read_label
from secondpass.rerank.ranking_sorts import bubble_top, heap_top
from secondpass.text.language import language
from secondpass.types import Message, Reply, ReplyForm

SetSort = Literal["heapsort", "bubblesort"]


class SetwiseRanking:
    """Ask for the best of ``num_child + 1`` passages; ``depth`` is how many of the best are sorted out.

    The passages behind them keep the given order.
    """

    least = 2

    def __init__(
        self, sort: SetSort = "heapsort", num_child: int = 3, depth: int = 10, reply_as: ReplyAs = "auto"
    ) -> None:
        if not 1 <= num_child < len(LABELS):
            raise InputError(f"num_child is {num_child}; there are labels for 1 to {len(LABELS) - 1} children.")
        if depth < 1:
            raise InputError(f"depth is {depth}; at least 1 passage must be sorted out.")
        self._sort = sort
        self._num_child = num_child
        self._depth = depth
        self._reply_as = reply_as

    @property
    def name(self) -> str:
        """Return ``setwise``, with the way of sorting where it is not the usual one."""
        return "setwise" if self._sort == "heapsort" else f"setwise-{self._sort}"

    def shown_together(self, count: int) -> int:
        """Return how many of ``count`` passages stand in the longest prompt."""
        return min(count, self._num_child + 1)

    def longest_prompt(self, query: str, passages: Sequence[str]) -> tuple[Message, ...]:
        """Return the messages that show ``passages`` together."""
        return set_messages(query, passages, language(query), self._reply_as != "text")

    def rank(self, run: RankingRun, query: str, passages: Sequence[str], wanted: int, /) -> Ranking:
        """Choose and sort."""
        as_json = run.wants_json(self._reply_as)

        def best_of(group: Sequence[int]) -> int:
            # A heap mixes the passages up: shown in the given order, the first of equals is the one given earlier.
            shown = sorted(group) if self._sort == "heapsort" else list(group)
            return group.index(shown[run.ask(_question(query, [passages[place] for place in shown], as_json))])

        sort = heap_top if self._sort == "heapsort" else bubble_top
        depth = min(self._depth, wanted)
        top = sort(len(passages), best_of, self._num_child, depth, lambda: run.cut_short)
        return in_order(top, len(passages))


def _question(query: str, shown: Sequence[str], as_json: bool) -> Question[int]:
    code = language(query)
    form = ReplyForm(label_schema(len(shown))) if as_json else ReplyForm()
    messages = set_messages(query, shown, code, as_json)
    return Question(messages, partial(_read, count=len(shown)), 0, REMINDERS["label"][code], form)


def _read(reply: Reply, count: int) -> Reading[int]:
    return read_label(reply.text, count)
