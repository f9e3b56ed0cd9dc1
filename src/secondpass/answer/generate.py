"""Answer with a chat model, and check what it cites."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence

from secondpass.answer.citations import check_citations, find_marks
from secondpass.answer.phrases import NOT_FOUND
from secondpass.answer.prompt import Prompt, build_prompt
from secondpass.text.language import language
from secondpass.text.normalize import fold
from secondpass.types import LLM, Answer, Hit, Reply, TokenCounts

_NOT_A_WORD = re.compile(r"[\W_]+")
_NOT_FOUND_AT_MOST = 3.0  # times the length of the phrase: a model may say it in a sentence, not in a paragraph


class LLMAnswerer:
    """Answer from the passages in the words of a chat model.

    The prompt holds the passages in the order of the hits, within ``max_prompt_tokens`` (estimated). Citations are
    checked against the passages the model was given, and everything that was cut, mended or not supported is named
    in the answer's ``warnings``.
    """

    def __init__(self, llm: LLM, max_prompt_tokens: int = 3000) -> None:
        self._llm = llm
        self._max_prompt_tokens = max_prompt_tokens

    def answer(self, query: str, hits: Sequence[Hit]) -> Answer:
        """Answer from ``hits`` alone; without hits the model is not asked."""
        started = time.perf_counter()
        if not hits:
            return nothing_found(query)
        prompt = build_prompt(query, hits, self._max_prompt_tokens)
        reply = self._llm.chat(prompt.messages)
        return checked_answer(reply, prompt, hits, {"generate": time.perf_counter() - started})

    def stream(self, query: str, hits: Sequence[Hit]) -> Iterator[str | Answer]:
        """Yield the model's words as they come, and the checked `Answer` last.

        The pieces are as the model writes them; a citation of a passage that does not exist is removed only from the
        answer.
        """
        started = time.perf_counter()
        if not hits:
            answer = nothing_found(query)
            yield answer.text
            yield answer
            return
        prompt = build_prompt(query, hits, self._max_prompt_tokens)
        seconds: dict[str, float] = {}
        for piece in self._llm.stream(prompt.messages):
            seconds.setdefault("first_token", time.perf_counter() - started)
            if isinstance(piece, Reply):
                seconds["generate"] = time.perf_counter() - started
                yield checked_answer(piece, prompt, hits, seconds)
            else:
                yield piece


def nothing_found(query: str) -> Answer:
    """Return the answer to a question for which there are no passages."""
    return Answer(NOT_FOUND[language(query)], False, tokens=TokenCounts(0, 0))


def checked_answer(reply: Reply, prompt: Prompt, hits: Sequence[Hit], seconds: dict[str, float]) -> Answer:
    """Return the reply as an answer, with its citations checked against the passages of the prompt."""
    brackets = find_marks(reply.text, allow_circled=False)
    checked = check_citations(reply.text, prompt.passages, circled=not brackets)
    found = not says_not_found(reply.text)
    warnings = (*prompt.warnings, *checked.warnings)
    if found and not checked.citations:
        warnings = (*warnings, "the answer cites no passage, so that nothing in it could be checked")
    if reply.truncated:
        warnings = (*warnings, "the model's limit of tokens cut its reply off")
    citations = checked.citations if found else ()
    return Answer(checked.text, found, citations, tuple(hits), seconds, reply.tokens, warnings)


def says_not_found(text: str) -> bool:
    """Tell whether a reply says that the documents do not answer, give or take punctuation and a few words.

    >>> says_not_found("文档中没有找到答案。"), says_not_found("Not found in the documents.")
    (True, True)
    >>> says_not_found("It was not found in the documents until 1998, when the archive opened to the public [1].")
    False
    """
    said = _NOT_A_WORD.sub(" ", fold(text)).strip()
    return any(
        fold(phrase) in said and len(said) <= _NOT_FOUND_AT_MOST * len(phrase) and not find_marks(text)
        for phrase in NOT_FOUND.values()
    )
