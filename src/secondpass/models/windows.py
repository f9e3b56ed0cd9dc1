"""How a passage longer than a model's input is read: in overlapping windows, whose scores become one."""

from __future__ import annotations

import bisect
from collections.abc import Sequence

from secondpass.models.profile_records import WindowRule
from secondpass.models.reading_choices import WindowUnit
from secondpass.models.tokenizer import EncodedText
from secondpass.text.sentences import sentences

Window = tuple[int, int]
"""Tokens ``[start, end)`` of a passage."""

OVERLAP_TOKENS = 80


def window_overlap(room: int) -> int:
    """Return how many tokens neighbouring windows of ``room`` tokens share: 80, less where windows are small.

    BCEmbedding's rule (``overlap_tokens`` in its ``models/utils.py``), a good one for every model: long enough for a
    sentence that a cut would split, short enough to cost little.
    """
    return min(OVERLAP_TOKENS, room // 4)


def token_windows(length: int, room: int, slide_back: bool = True) -> list[Window]:
    """Return windows of at most ``room`` tokens that cover ``length`` tokens; one window where they fit.

    With ``slide_back`` the last window begins early enough to be full, because a score from a few words at the end
    of a text says little; without, it holds what is left over (BCEmbedding's rule).
    """
    overlap = window_overlap(room)
    windows = [(0, min(room, length))]
    while windows[-1][1] < length:
        start = windows[-1][1] - overlap
        windows.append((start, min(start + room, length)))
    if slide_back and len(windows) > 1:
        windows[-1] = (length - room, length)
    return windows


def sentence_windows(length: int, room: int, ends: Sequence[int]) -> list[Window]:
    """Return windows of at most ``room`` tokens that end at ``ends`` (ascending: one past each sentence's last token).

    Windows overlap by whole sentences, as far as such fit into `window_overlap`. A sentence that leaves a window less
    than half full is cut, so that a text without sentences is read too.
    """
    overlap = window_overlap(room)
    windows: list[Window] = []
    start = end = 0
    while end < length:
        end = _last_between(ends, start + room // 2, start + room, length)
        windows.append((start, end))
        start = _first_between(ends, end - overlap, end, otherwise=end if end in ends else end - overlap)
    if len(windows) > 1:
        last = windows[-1][0]
        windows[-1] = (_first_between(ends, length - room, last, otherwise=last), length)
    return windows


def _last_between(ends: Sequence[int], above: int, limit: int, length: int) -> int:
    if limit >= length:
        return length
    index = bisect.bisect_right(ends, limit) - 1
    return ends[index] if index >= 0 and ends[index] > above else limit


def _first_between(ends: Sequence[int], lowest: int, below: int, otherwise: int) -> int:
    index = bisect.bisect_left(ends, lowest)
    return ends[index] if index < len(ends) and ends[index] < below else otherwise


def sentence_ends(text: str, encoded: EncodedText) -> list[int]:
    """Return, ascending, the token counts at which sentences of ``text`` end."""
    if encoded.offsets is None:
        return []
    starts = encoded.offsets[:, 0].tolist()
    ends = {bisect.bisect_left(starts, span.end) for span in sentences(text)}
    return sorted(ends - {0})


def cut_windows(text: str, encoded: EncodedText, room: int, unit: WindowUnit, rule: WindowRule) -> list[Window]:
    """Return the windows in which a passage is read, by the rule that will merge their scores."""
    if len(encoded) <= room:
        return [(0, len(encoded))]
    if unit == "sentences":
        windows = sentence_windows(len(encoded), room, sentence_ends(text, encoded))
    else:
        windows = token_windows(len(encoded), room, slide_back=rule != "bce")
    return windows[:1] if rule == "first" else windows


def merge_scores(scores: Sequence[float], rule: WindowRule) -> tuple[float, int]:
    """Return the passage's score from its windows' ``scores``, and the window that won (the first of equals).

    ``bce`` is the largest of 0 and the probabilities, as in BCEmbedding's ``rerank``.
    """
    winner = max(range(len(scores)), key=lambda index: (scores[index], -index))
    if rule == "mean":
        return sum(scores) / len(scores), winner
    if rule == "first":
        return scores[0], 0
    return max(0.0, scores[winner]) if rule == "bce" else scores[winner], winner
