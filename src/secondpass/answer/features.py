"""What speaks for a sentence as the answer to a question, in numbers of about 0 to 1.

Terms are weighted with their rarity in the language at large, so that a handful of passages is enough to judge by. All
of it works on folded text: traditional characters meet simplified ones. Nothing here knows meaning: an answer in words
that the question does not share is found only by its neighbours and its kind.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from secondpass.answer.candidates import holds_candidate, holds_new_name, holds_new_number
from secondpass.answer.question import Question
from secondpass.text.normalize import fold, is_han
from secondpass.text.numerals import numeral_terms
from secondpass.text.rarity import rarity
from secondpass.text.sentences import sentences
from secondpass.text.terms import terms
from secondpass.types import Chunk, Hit, Span

FEATURES = (
    "cover",  # share of the question's weight in the sentence
    "cover_before",  # with the sentence before and the headings: a pronoun's subject stands there
    "cover_around",  # with the sentence after, too
    "cover_topic",  # with the first sentence of the passage and the headings
    "cover_passage",
    "missing",  # weight of the heaviest segment of the question that the passage lacks, as a share of all
    "cover_local",  # the same share, with weights by how rare a term is among the hits
    "names",
    "names_passage",
    "longest_run",
    "dense",
    "adds",  # weight of what the sentence says beyond the question
    "unpunctuated",
    "long",
    "first_in_passage",
    "rank",
    "kind_when",
    "kind_where",
    "kind_why",
    "kind_count",
    "kind_list",
    "kind_who",
    "name_who",
    "name_where",
    "name_what",
    "new_number",
    "defines",
)
_NO_ANSWER = re.compile(
    r"[?？][\"'”’」』）)*_]*$"  # asks
    r"|^#{1,6}\s|^[,，、;；:：)）\]】}]"  # a heading; the rest of something
    r"|^(?:def|class|import|return|for|if|elif|with|try|except|print|async|await|raise)\b.*[:()]|^from \w[\w.]* import"
    r"|^[\[(]\w+[\[(.]|^[\w., ]+ [+-]?= \S"
    r"|^@\w|^</?\w|^[\w.\[\]'\"]+\s*(?:=|\+=|:=)\s*\S|^[\w.]+\([^)]*\)?$|^[$>]\s|^[\W\d_]+$"
)
_ENDS = re.compile(r"[。！？!?.;；:：…][\"'”’」』）)*_`]*$")
_DEFINES = re.compile(
    r"是指|[指即]|是一|为|(?:\bis|\bare|\bwas|\bwere) (?:an?|the)\b|refers? to|called|known as|称为|叫做?"
)
_ABBREVIATION_GAP = 4
_FENCE = "```"
_HARDLY = 0.4
_ENOUGH_ADDED = 60.0
_CHARACTERS_PER_HAN = 3.0  # a Chinese sentence says in one character what takes English about three


@dataclass(frozen=True, slots=True, eq=False)
class Sentence:
    """A sentence of a passage, where it stands, and the terms found in it."""

    span: Span
    text: str
    terms: frozenset[str]
    is_code: bool = False

    @property
    def can_answer(self) -> bool:
        """Headings and lines that ask answer nothing; code and rests of a sentence are no answer to read."""
        return bool(self.terms) and not self.is_code and not _NO_ANSWER.search(self.text)


@dataclass(frozen=True, slots=True, eq=False)
class Passage:
    """A hit taken apart: its rank (1 = best), its sentences, the terms of its headings and of the whole."""

    rank: int
    sentences: tuple[Sentence, ...]
    heading_terms: frozenset[str]
    all_terms: frozenset[str]


def read_passage(rank: int, chunk: Chunk) -> Passage:
    """Cut a passage into sentences and collect their terms."""
    cut, in_code = [], _starts_in_code(chunk.text)
    for span in sentences(chunk.text):
        text = chunk.text[span.start : span.end]
        is_fence = text.startswith(_FENCE)
        cut.append(Sentence(span, text, all_terms(text), is_code=in_code or is_fence))
        in_code ^= is_fence
    # The file's name says what the text is about, too: fastapi/tutorial.md need not repeat FastAPI in every sentence.
    place_words = chunk.source.replace("_", " ").split("/")[-2:]
    heading_terms = all_terms("\n".join((chunk.title, *chunk.heading_path, *place_words)))
    return Passage(rank, tuple(cut), heading_terms, heading_terms.union(*(sentence.terms for sentence in cut)))


def _starts_in_code(text: str) -> bool:
    """Tell whether a passage was cut from the middle of a code block: its first fence, without a language, ends it."""
    fences = [line for line in text.split("\n") if line.startswith(_FENCE)]
    return len(fences) % 2 == 1 and fences[0].strip(_FENCE + " ") == ""


def read_hits(hits: Sequence[Hit]) -> list[Passage]:
    """Take the hits apart, the best first."""
    return [read_passage(rank, hit.chunk) for rank, hit in enumerate(hits, start=1)]


def all_terms(text: str) -> frozenset[str]:
    """Return the terms of a text, and its numbers in digits."""
    return frozenset(terms(text)) | numeral_terms(text)


def cover(question: Question, found: frozenset[str], folded: str = "") -> float:
    """Return the share of the question's weight that is found, 0 to 1.

    Half is given for two characters that stand in ``folded`` in order with a few between them, as the 交大 of
    交通大学 does.
    """
    total = sum(question.weights.values())
    if not total:
        return 0.0
    got = 0.0
    for term, weight in question.weights.items():
        if term in found:
            got += weight
        elif folded and len(term) == 2 and is_han(term[0]) and _abbreviates(term, folded):
            got += weight / 2
    return got / total


def missing(question: Question, found: frozenset[str]) -> float:
    """Return the share of the question's weight in its heaviest segment that is hardly found, 0 to 1.

    西安交大 | 校长: a passage full of the university that never speaks of its head does not say who that is.
    """
    total = sum(question.weights.values())
    worst = 0.0
    for segment in question.segments:
        wanted = [question.weights.get(term, 0.0) for term in segment]
        got = sum(weight for term, weight in zip(segment, wanted, strict=True) if term in found)
        if got < _HARDLY * sum(wanted):
            worst = max(worst, sum(wanted))
    return worst / total if total else 0.0


def _abbreviates(pair: str, folded: str) -> bool:
    start = folded.find(pair[0])
    while start >= 0:
        if pair[1] in folded[start + 1 : start + 2 + _ABBREVIATION_GAP]:
            return True
        start = folded.find(pair[0], start + 1)
    return False


def local_weights(question: Question, passages: Sequence[Passage]) -> dict[str, float]:
    """Return the question's weights by how rare each term is among these sentences, summing to 1.

    The topic of the passages, which every sentence mentions, does not tell one sentence from another.
    """
    found = [sentence.terms for passage in passages for sentence in passage.sentences]
    weights = {}
    for term, weight in question.weights.items():
        if frequency := sum(term in sentence_terms for sentence_terms in found):
            weights[term] = weight * math.log(1 + len(found) / frequency)
    total = sum(weights.values()) or 1.0
    return {term: weight / total for term, weight in weights.items()}


def longest_run(question: Question, text: str) -> float:
    """Return how much of the question stands in the text word for word (characters for Chinese), 0 to 1."""
    if question.language == "zh":
        wanted: list[str] = [character for character in fold(question.text) if character.isalnum()]
        where, joiner = "".join(character for character in fold(text) if character.isalnum()), ""
    else:
        wanted, joiner = terms(question.text), " "
        where = f" {' '.join(terms(text))} "
    longest = 0
    for start in range(len(wanted)):
        while start + longest < len(wanted):
            run = joiner.join(wanted[start : start + longest + 1])
            if f"{joiner}{run}{joiner}" not in where:
                break
            longest += 1
    return min(1.0, longest / max(8, len(wanted)))


def features(question: Question, passage: Passage, place: int, local: Mapping[str, float]) -> list[float]:
    """Return the numbers of `FEATURES` for the sentence at ``place`` of a passage; ``local`` from `local_weights`."""
    values = _coverage(question, passage, place, local) | _form(question, passage, place)
    sentence = passage.sentences[place]
    kind = f"kind_{question.kind}"
    if kind in FEATURES:
        values[kind] = 1.0 if holds_candidate(question, sentence.text) else -1.0
    name = f"name_{question.kind}"
    if name in FEATURES:
        values[name] = 1.0 if holds_new_name(question, sentence.text) else -1.0
    values["new_number"] = float(question.kind == "count" and holds_new_number(question, sentence.text))
    values["defines"] = float(question.kind == "what" and bool(_DEFINES.search(sentence.text)))
    return [values.get(name, 0.0) for name in FEATURES]


def _coverage(question: Question, passage: Passage, place: int, local: Mapping[str, float]) -> dict[str, float]:
    sentence, folded = passage.sentences[place], fold(passage.sentences[place].text)
    none: frozenset[str] = frozenset()
    before = passage.sentences[place - 1].terms if place else none
    after = passage.sentences[place + 1].terms if place + 1 < len(passage.sentences) else none
    above = sentence.terms | passage.heading_terms
    return {
        "cover": cover(question, sentence.terms, folded),
        "cover_before": cover(question, above | before, folded),
        "cover_around": cover(question, above | before | after, folded),
        "cover_topic": cover(question, above | passage.sentences[0].terms, folded),
        "cover_passage": cover(question, passage.all_terms),
        "missing": missing(question, passage.all_terms),
        "cover_local": sum(weight for term, weight in local.items() if term in sentence.terms),
        "names": _share(question.names, above | before),
        "names_passage": _share(question.names, passage.all_terms),
    }


def _form(question: Question, passage: Passage, place: int) -> dict[str, float]:
    sentence = passage.sentences[place]
    length = len(sentence.text) * (_CHARACTERS_PER_HAN if question.language == "zh" else 1.0)
    added = sum(rarity(term) for term in sentence.terms - question.weights.keys() if len(term) > 1)
    return {
        "longest_run": longest_run(question, sentence.text),
        "dense": cover(question, sentence.terms) / math.log(10 + length),
        "adds": min(1.0, added / _ENOUGH_ADDED),
        "unpunctuated": float(not _ENDS.search(sentence.text)),
        "long": math.log(1 + length / 100),
        "first_in_passage": float(place == 0),
        "rank": 1 / passage.rank,
    }


def _share(wanted: frozenset[str], found: frozenset[str]) -> float:
    return len(wanted & found) / len(wanted) if wanted else 1.0
