"""Keep the reasoning of a model out of its answer.

Reasoning models write their thoughts between ``<think>`` and ``</think>`` before they answer (Qwen3, DeepSeek-R1).
Numbers in brackets there are not citations, and nobody asked to read them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

OPEN, CLOSE = "<think>", "</think>"


class AnswerOnly:
    """Pass on the text outside of thoughts, piece by piece; a mark may be cut anywhere.

    A mark that opens at the very start and never closes is a thought that ran out of tokens: nothing was answered. One
    that opens inside the answer and never closes is text, as in an answer about the mark itself.
    """

    def __init__(self) -> None:
        self._held = ""  # not decided yet: the start of a mark, or the inside of a thought
        self._thinking = False
        self._said_anything = False

    def feed(self, piece: str) -> str:
        """Take the next piece and return what can be said by now."""
        self._held += piece
        said = ""
        while True:
            mark = CLOSE if self._thinking else OPEN
            before, found, after = self._held.partition(mark)
            if not found:
                break
            if not self._thinking:
                said += before
            self._held = after
            self._thinking = not self._thinking
        if not self._thinking:
            keep = _overlap(self._held, OPEN)
            said += self._held[: len(self._held) - keep]
            self._held = self._held[len(self._held) - keep :]
        return self._trim(said)

    def flush(self) -> str:
        """Return what is left when the reply has ended."""
        held, self._held = self._held, ""
        if not self._thinking:
            return self._trim(held)
        return OPEN + held if self._said_anything else ""

    def _trim(self, said: str) -> str:
        if not self._said_anything:
            said = said.lstrip()
        self._said_anything = self._said_anything or bool(said)
        return said


def _overlap(text: str, mark: str) -> int:
    """Return how many characters at the end of ``text`` may be the beginning of ``mark``."""
    return next((n for n in range(min(len(text), len(mark) - 1), 0, -1) if mark.startswith(text[-n:])), 0)


def answer_pieces(pieces: Iterable[str]) -> Iterator[str]:
    """Yield the pieces without the thoughts in them, empty ones left out."""
    answer = AnswerOnly()
    for piece in pieces:
        if said := answer.feed(piece):
            yield said
    if rest := answer.flush():
        yield rest


def answer_text(text: str) -> str:
    """Return ``text`` without thoughts.

    Some templates open the thought in the prompt, so that only its end arrives: what stands before it is dropped too.

    >>> answer_text("<think>[3]?</think>三校合并 [1]"), answer_text("是[3]吗？</think>三校合并 [1]")
    ('三校合并 [1]', '三校合并 [1]')
    """
    text = "".join(answer_pieces([text]))
    return text.rpartition(CLOSE)[2].strip()
