"""Scores of an answer against reference answers, and of its citations against the places that hold one.

Exact match and F1 are those of the official scripts: SQuAD's for English (Rajpurkar et al. 2016, and 2018 for questions
without an answer), CMRC 2018's for Chinese (Cui et al. 2019). Both give the best value over the references. They
compare short answers; a long one that holds the reference has a low F1, and `answer_in_context` says whether it does.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Collection, Sequence

from secondpass.answer.citations import find_marks
from secondpass.data.questions import AnswerFinder, Question
from secondpass.evaluate.mixed_segments import mixed_segments, without_marks
from secondpass.types import Answer, Chunk, Citation, Language

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_WITHOUT_PUNCTUATION = str.maketrans("", "", string.punctuation)


def exact_match(answer: str, references: Sequence[str], language: Language) -> float:
    """Return 1 where the answer is one of the references, but for case, punctuation and (in English) articles.

    Without references the question has no answer, and saying nothing is right (so too for `f1`).

    >>> exact_match("the Eiffel Tower.", ["Eiffel tower"], "en"), exact_match("《红楼梦》", ["红楼梦"], "zh")
    (1.0, 1.0)
    """
    form = normalise_english if language == "en" else without_marks
    return float(form(answer) in {form(reference) for reference in references or [""]})


def f1(answer: str, references: Sequence[str], language: Language) -> float:
    """Return the highest F1 with a reference: of words in English, of the longest common run of segments in Chinese.

    >>> f1("tower in Paris", ["the Eiffel Tower"], "en"), f1("曹雪芹著红楼梦", ["红楼梦"], "zh")
    (0.4, 0.6)
    """
    compare = _f1_of_words if language == "en" else _f1_of_run
    return max(compare(answer, reference) for reference in references or [""])


def normalise_english(text: str) -> str:
    """Return a text as SQuAD compares it: lower case, no ASCII punctuation, no articles, single spaces.

    >>> normalise_english("  The U.S.' A-team, an  example ")
    'us ateam example'
    """
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_WITHOUT_PUNCTUATION)).split())


def _f1_of_words(answer: str, reference: str) -> float:
    said, wanted = normalise_english(answer).split(), normalise_english(reference).split()
    if not said or not wanted:
        return float(said == wanted)
    return _f1((Counter(said) & Counter(wanted)).total(), len(said), len(wanted))


def _f1_of_run(answer: str, reference: str) -> float:
    said, wanted = mixed_segments(answer), mixed_segments(reference)
    if not reference:
        return float(not said)
    return _f1(_longest_common_run(said, wanted), len(said), len(wanted))


def _f1(common: int, said: int, wanted: int) -> float:
    if not common:
        return 0.0
    precision, recall = common / said, common / wanted
    return 2 * precision * recall / (precision + recall)


def _longest_common_run(first: Sequence[str], second: Sequence[str]) -> int:
    """Return the length of the longest stretch that stands in both, without gaps."""
    longest = 0
    before = [0] * (len(second) + 1)
    for segment in first:
        ending_here = [0] * (len(second) + 1)
        for place, other in enumerate(second, start=1):
            if segment == other:
                ending_here[place] = before[place - 1] + 1
        longest = max(longest, *ending_here)
        before = ending_here
    return longest


def words_of(answer: Answer) -> str:
    """Return what an answer says, without its citation marks; nothing where it says that it found nothing."""
    if not answer.found:
        return ""
    text, end, pieces = answer.text, 0, []
    for mark in find_marks(text, allow_circled=False):
        pieces.append(text[end : mark.start])
        end = mark.end
    return "".join((*pieces, text[end:])).strip()


def answer_in_context(passages: Sequence[str], answers: Sequence[str]) -> bool:
    """Tell whether a passage holds one of the answers, whatever its width, case, and traditional characters.

    An answer within a longer word or number does not count (`secondpass.data.questions.AnswerFinder`).

    >>> answer_in_context(["西安　交通大學 founded in 1896."], ["西安交通大学"]), answer_in_context(["1896"], ["96"])
    (True, False)
    """
    marks = tuple(answer for answer in answers if answer.strip())
    if not marks:
        return False
    finder = AnswerFinder(Question("", "", answers=marks))
    return any(finder.grade(Chunk("", passage)) for passage in passages)


def citation_precision_recall(
    answer: Answer, question: Question, relevant: Collection[str] = ()
) -> tuple[float, float]:
    """Return the share of an answer's citations that are right, and the share of the places to cite that are cited so.

    A citation is right where its quote holds one of the question's answers (any quote does, where there are none) and
    it comes from a place to cite: a passage of ``relevant`` (ids) or, without any, a file that the question names. The
    places are what recall counts; where neither passages nor files are known, one right citation makes it 1. An answer
    without citations has 0 for both.
    """
    finder = AnswerFinder(question)
    right = [citation for citation in answer.citations if _is_right(citation, finder, relevant)]
    if not right:
        return 0.0, 0.0
    precision = len(right) / len(answer.citations)
    if relevant:
        return precision, len({citation.chunk_id for citation in right}) / len(set(relevant))
    if not question.files:
        return precision, 1.0
    cited = [_as_passage(citation) for citation in right]
    names = set(question.files)
    reached = sum(any(AnswerFinder(Question("", "", files=(name,))).grade(one) for one in cited) for name in names)
    return precision, reached / len(names)


def _is_right(citation: Citation, finder: AnswerFinder, relevant: Collection[str]) -> bool:
    return (not relevant or citation.chunk_id in relevant) and bool(finder.grade(_as_passage(citation)))


def _as_passage(citation: Citation) -> Chunk:
    return Chunk(citation.chunk_id, citation.quote, citation.doc_id, source=citation.source)
