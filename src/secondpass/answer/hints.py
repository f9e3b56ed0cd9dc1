"""An answerer that says, where another one finds nothing, what may help."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from secondpass.types import Answer, Answerer, Hit


class HintingAnswerer:
    """Answers as ``answerer`` does; where that is "not found", ``hint`` of the question, if any, joins the warnings."""

    def __init__(self, answerer: Answerer, hint: Callable[[str], str | None]) -> None:
        self._answerer = answerer
        self._hint = hint

    def answer(self, query: str, hits: Sequence[Hit]) -> Answer:
        """Answer from ``hits`` alone."""
        return self._hinted(query, self._answerer.answer(query, hits))

    def stream(self, query: str, hits: Sequence[Hit]) -> Iterator[str | Answer]:
        """Yield the text in pieces, and the `Answer` at the end."""
        for piece in self._answerer.stream(query, hits):
            yield self._hinted(query, piece) if isinstance(piece, Answer) else piece

    def _hinted(self, query: str, answer: Answer) -> Answer:
        hint = None if answer.found else self._hint(query)
        return replace(answer, warnings=(*answer.warnings, hint)) if hint else answer
