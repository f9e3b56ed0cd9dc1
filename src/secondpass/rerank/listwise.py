"""Rank by asking for the order of a window of passages, from the end of the list to its front.

RankGPT (arXiv:2304.09542): the best of a window stand at its front and are asked about again in the next one, which
begins ``step`` passages earlier. ``N`` passages take 1 call where they fit into a window, otherwise
``1 + ceil((N - window) / step)``. The last window holds the rest at the front, which the published loop leaves out.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from secondpass.errors import InputError
from secondpass.rerank.ranking_calls import Question, RankingRun
from secondpass.rerank.ranking_method import Ranking, in_order
from secondpass.rerank.ranking_prompts import RANKING_SCHEMA, REMINDERS, ListForm, ReplyAs, list_messages
from secondpass.rerank.ranking_replies import Reading, read_ranking
from secondpass.text.language import language
from secondpass.types import Message, Reply, ReplyForm


class ListwiseRanking:
    """Ask for the order of up to ``window`` passages at a time."""

    least = 2

    def __init__(self, window: int = 20, step: int = 10, form: ListForm = "turns", reply_as: ReplyAs = "auto") -> None:
        if not 1 <= step < window:
            raise InputError(f"A window of {window} with a step of {step} misses passages: 1 <= step < window.")
        self._window = window
        self._step = step
        self._form = form
        self._reply_as = reply_as

    @property
    def name(self) -> str:
        """Return ``listwise``."""
        return "listwise"

    def shown_together(self, count: int) -> int:
        """Return how many of ``count`` passages stand in the longest prompt."""
        return min(count, self._window)

    def longest_prompt(self, query: str, passages: Sequence[str]) -> tuple[Message, ...]:
        """Return the messages that show ``passages`` together."""
        return list_messages(query, passages, language(query), self._form, self._reply_as != "text")

    def rank(self, run: RankingRun, query: str, passages: Sequence[str], _wanted: int, /) -> Ranking:
        """Pass the window over ``passages``; where calls are limited, over the front of the list only."""
        plan = windows(len(passages), self._window, self._step)
        left = run.calls_left
        if left is not None and left < len(plan):
            run.skip(len(plan) - left)
            plan = plan[len(plan) - left :]
        as_json = run.wants_json(self._reply_as)
        order = list(range(len(passages)))
        for start, end in plan:
            shown = order[start:end]
            ranked = run.ask(self._question(query, [passages[place] for place in shown], as_json))
            order[start:end] = [shown[place] for place in ranked]
        return in_order(order, len(passages))

    def _question(self, query: str, shown: list[str], as_json: bool) -> Question[tuple[int, ...]]:
        code = language(query)
        messages = list_messages(query, shown, code, self._form, as_json)
        form = ReplyForm(RANKING_SCHEMA) if as_json else ReplyForm()
        read = partial(_read, count=len(shown))
        return Question(messages, read, tuple(range(len(shown))), REMINDERS["ranking"][code], form)


def windows(count: int, window: int, step: int) -> list[tuple[int, int]]:
    """Return the windows ``[start, end)`` in the order in which they are asked: the last passages first.

    >>> windows(45, 20, 10), windows(20, 20, 10), windows(1, 20, 10)
    ([(25, 45), (15, 35), (5, 25), (0, 15)], [(0, 20)], [(0, 1)])
    """
    places, end = [], count
    while True:
        start = max(0, end - window)
        places.append((start, end))
        if start == 0:
            return places
        end -= step


def _read(reply: Reply, count: int) -> Reading[tuple[int, ...]]:
    return read_ranking(reply.text, count)
