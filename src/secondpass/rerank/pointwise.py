"""Rank by asking about one passage at a time, whether it answers the query or how relevant it is.

Where the server tells the probabilities of tokens, the score is the log-odds of yes against no, each summed over the
ways in which it can be written (Yes, yes, YES, 是): comparable between runs, and a threshold on it means something.
Where it does not, the model is asked for a grade from 0 to 10; such grades order passages and mean nothing else.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from typing import Literal

from secondpass.rerank.ranking_calls import Question, RankingRun
from secondpass.rerank.ranking_method import Ranking, in_order
from secondpass.rerank.ranking_prompts import (
    GRADE_SCHEMA,
    HIGHEST_GRADE,
    REMINDERS,
    grade_messages,
    yes_no_messages,
)
from secondpass.rerank.ranking_replies import Reading, read_grade
from secondpass.text.language import language
from secondpass.types import Message, Reply, ReplyForm, TokenChance

Judgement = Literal["auto", "log_odds", "grade"]
_YES, _NO = {"yes", "是", "是的"}, {"no", "否", "不", "不是"}
_TOP_TOKENS = 20
_AROUND_A_WORD = " \t\n\u2581\u0120'\"“”‘’*.。:：[]()"  # ▁ and Ġ: how some servers write a token's space
_NO_CHANCES = math.nan


class PointwiseRanking:
    """Ask about every passage, side by side; ``auto`` takes log-odds where the first reply shows that they are told."""

    least = 1  # the score of a single passage means something by itself

    def __init__(self, judgement: Judgement = "auto") -> None:
        self._judgement = judgement

    @property
    def name(self) -> str:
        """Return ``pointwise``, with the kind of judgement where one was chosen."""
        return "pointwise" if self._judgement == "auto" else f"pointwise-{self._judgement.replace('_', '-')}"

    def shown_together(self, count: int) -> int:
        """Return 1."""
        return min(count, 1)

    def longest_prompt(self, query: str, passages: Sequence[str]) -> tuple[Message, ...]:
        """Return the messages that show one passage."""
        return grade_messages(query, passages[0], language(query))

    def rank(self, run: RankingRun, query: str, passages: Sequence[str], _wanted: int, /) -> Ranking:
        """Ask about every passage; those without an answer follow behind the others, which then have ranks only."""
        judgement = self._judgement
        if judgement == "auto":
            told = run.ask(_yes_no(query, passages[0]))
            judgement = "grade" if told is not None and math.isnan(told) else "log_odds"
        ask = _grade if judgement == "grade" else _yes_no
        answers = run.ask_all([ask(query, passage) for passage in passages])
        scores = [None if answer is None or math.isnan(answer) else answer for answer in answers]
        known = [place for place, score in enumerate(scores) if score is not None]
        if len(known) < len(passages):
            return in_order(sorted(known, key=lambda place: -(scores[place] or 0.0)), len(passages))
        scale: Literal["rank_only", "log_odds"] = "rank_only" if judgement == "grade" else "log_odds"
        return Ranking(tuple(score for score in scores if score is not None), scale)


def _yes_no(query: str, passage: str) -> Question[float | None]:
    code = language(query)
    form = ReplyForm(top_tokens=_TOP_TOKENS)
    return Question(yes_no_messages(query, passage, code), _read_yes_no, None, REMINDERS["yes_no"][code], form)


def _grade(query: str, passage: str) -> Question[float | None]:
    code = language(query)
    form = ReplyForm(GRADE_SCHEMA)
    return Question(grade_messages(query, passage, code), _read_grade, None, REMINDERS["grade"][code], form)


def _read_grade(reply: Reply) -> Reading[float | None]:
    return read_grade(reply.text, HIGHEST_GRADE)


def _read_yes_no(reply: Reply) -> Reading[float | None]:
    """Read the log-odds of yes; not a number where the server tells no probabilities, None where neither is likely."""
    if not reply.first_tokens:
        return Reading(_NO_CHANCES, "clean")
    odds = log_odds(reply.first_tokens)
    return Reading(odds, "fallback" if odds is None else "clean")


def log_odds(chances: Sequence[TokenChance]) -> float | None:
    """Return the log-odds of yes against no; None where neither is among the tokens that were told.

    One that was not told is no likelier than the least likely that was.

    >>> round(log_odds([TokenChance("Yes", -0.1), TokenChance(" yes", -3.0), TokenChance("否", -2.6)]), 3)
    2.554
    """
    said = {True: [], False: []}  # type: dict[bool, list[float]]
    for chance in chances:
        word = unicodedata.normalize("NFKC", chance.token).strip(_AROUND_A_WORD).lower()
        if word in _YES | _NO:
            said[word in _YES].append(chance.log_probability)
    if not said[True] and not said[False]:
        return None
    least = [min(chance.log_probability for chance in chances)]
    return _log_sum(said[True] or least) - _log_sum(said[False] or least)


def _log_sum(values: Sequence[float]) -> float:
    highest = max(values)
    return highest + math.log(sum(math.exp(value - highest) for value in values))
