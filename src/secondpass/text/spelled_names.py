"""Chinese names spelled in pinyin: Xi'an Jiaotong in an English text is 西安交通 in a Chinese one.

A small model knows few names in both scripts. Where a question spells a name that a passage writes in characters, or
the other way round, the question can be asked with the passage's own writing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from itertools import accumulate, islice, product, takewhile

from secondpass.text.language import HAN
from secondpass.text.normalize import fold
from secondpass.text.rarity import rarity
from secondpass.text.terms import stem
from secondpass.types import Span

_WORD = re.compile(r"[A-Za-z\u00c0-\u024f]+(?:['’-][A-Za-z\u00c0-\u024f]+)*")
_HAN_RUN = re.compile(f"[{HAN}]{{2,}}")
_NOT_LETTERS = re.compile(r"[^a-z]")
_RARE = 5.5
"""From this rarity (`secondpass.text.rarity`) a word may be a name: women, change and men are words first."""
_LONGEST = 1000
"""Characters: what is longer is no question that turns on a name."""
_MOST_CHARACTERS, _MOST_WORDS, _MOST_READINGS, _LONGEST_SYLLABLE = 8, 4, 16, 6


def respelled(question: str, passage: str) -> str:
    """Return ``question`` with the names that ``passage`` writes in the other script as they are written there.

    Names have two syllables or more; what the passage spells as the question does stays, and so does a question of
    more than 1,000 characters.

    >>> respelled("When was Xi'an Jiaotong University founded?", "西安交通大学创建于1896年。")
    'When was 西安交通 University founded?'
    >>> respelled("西安交通大学何时创建？", "Xi'an Jiaotong University was founded in 1896.")
    "Xi'an Jiaotong大学何时创建？"
    """
    if len(question) > _LONGEST:
        return question
    asked = _read(question)
    names: dict[Span, str] = {}
    if asked.spelled and _HAN_RUN.search(passage):
        names |= _in_characters(question, asked.spelled, passage)
    if asked.readings:
        names |= _in_letters(question, asked, passage)
    for place in sorted(names, key=lambda one: one.start, reverse=True):
        question = question[: place.start] + names[place] + question[place.end :]
    return question


@dataclass(frozen=True, slots=True)
class _Asked:
    """The names that a question may hold.

    ``spelled``: runs of words that may be names. ``readings``: every way to spell a stretch of Chinese characters, and
    where it stands; ``beginnings``: how such spellings begin, up to the end of a syllable.
    """

    spelled: tuple[tuple[Span, ...], ...]
    readings: Mapping[str, Span]
    beginnings: frozenset[str]


@lru_cache(maxsize=256)
def _read(question: str) -> _Asked:
    readings: dict[str, Span] = {}
    beginnings: set[str] = set()
    for run in _HAN_RUN.finditer(question):
        for start in range(*run.span()):
            for end in range(start + 1, min(run.end(), start + _MOST_CHARACTERS) + 1):
                for spelling in _spellings(question[start:end]):
                    beginnings.add(spelling)
                    if end > start + 1:
                        readings.setdefault(spelling, Span(start, end))
    return _Asked(tuple(_name_runs(question)), readings, frozenset(beginnings))


def _name_runs(text: str) -> Iterator[tuple[Span, ...]]:
    """Yield the words that may be names, those together that nothing but a space parts."""
    run: list[Span] = []
    for match in _WORD.finditer(text):
        word = Span(*match.span())
        if run and (text[run[-1].end : word.start] != " " or not _may_be_name(match.group())):
            yield tuple(run)
            run = []
        if _may_be_name(match.group()):
            run.append(word)
    if run:
        yield tuple(run)


def _in_characters(question: str, runs: tuple[tuple[Span, ...], ...], passage: str) -> dict[Span, str]:
    """Return the names of ``question`` that ``passage`` has in characters; of those that overlap the longest."""
    names: dict[Span, str] = {}
    for run in runs:
        first = 0
        while first < len(run):
            tried = (Span(run[first].start, one.end) for one in reversed(run[first : first + _MOST_WORDS]))
            found = ((name, _characters(question[name.start : name.end], passage)) for name in tried)
            name, written = next(((name, written) for name, written in found if written), (run[first], ""))
            names |= {name: written} if written else {}
            first += sum(one.end <= name.end for one in run[first:])
    return names


def _in_letters(question: str, asked: _Asked, passage: str) -> dict[Span, str]:
    """Return the names of ``question`` that ``passage`` has in pinyin; of those that overlap the longest."""
    found: dict[Span, str] = {}
    words = [Span(*match.span()) for match in _WORD.finditer(passage)]
    for first, word in enumerate(words):
        ends = [one.end for one in words[first : first + _MOST_WORDS]]
        spellings = (passage[word.start : end] for end in ends)
        for spelling in takewhile(lambda text: _letters(text) in asked.beginnings, spellings):
            place = asked.readings.get(_letters(spelling))
            named = all(_may_be_name(part) for part in _WORD.findall(spelling))
            if place and named and question[place.start : place.end] not in passage:
                found.setdefault(place, spelling)
    names: dict[Span, str] = {}
    for place in sorted(found, key=lambda one: one.start - one.end):
        if all(place.end <= other.start or other.end <= place.start for other in names):
            names[place] = found[place]
    return names


def _characters(spelled: str, passage: str) -> str:
    """Return the first two or more Chinese characters of ``passage`` that are read as ``spelled``; empty: none are."""
    pattern = _read_as(_letters(spelled))
    found = pattern.search(passage) if pattern and spelled not in passage else None
    return found.group() if found else ""


@lru_cache(maxsize=1024)
def _read_as(letters: str) -> re.Pattern[str] | None:
    """Return what finds two or more characters that are read as ``letters``; None where nothing is."""
    if len(letters) > _MOST_CHARACTERS * _LONGEST_SYLLABLE:
        return None
    syllables = _syllables()
    steps: dict[int, list[int]] = {len(letters): []}  # from where the end is reached, and how: no way is a dead end
    for start in reversed(range(len(letters))):
        ends = range(start + 1, min(len(letters), start + _LONGEST_SYLLABLE) + 1)
        if found := [end for end in ends if end in steps and letters[start:end] in syllables]:
            steps[start] = found

    def ways(start: int) -> Iterator[str]:
        if start == len(letters):
            yield ""
        for end in steps.get(start, ()):
            yield from (f"[{syllables[letters[start:end]]}]{behind}" for behind in ways(end))

    found_ways = (way for way in islice(ways(0), _MOST_READINGS) if way.count("[") > 1)
    pattern = "|".join(found_ways)
    return re.compile(pattern) if pattern else None


def _spellings(characters: str) -> list[str]:
    """Return how ``characters`` may be spelled; none where one is unknown or there are too many ways."""
    known = _known()
    ways = [known.get(one, ()) for one in characters]
    counts = list(accumulate((len(one) for one in ways), lambda a, b: a * b))
    return ["".join(one) for one in product(*ways)] if 0 < counts[-1] <= _MOST_READINGS else []


def _letters(spelled: str) -> str:
    return _NOT_LETTERS.sub("", fold(spelled))


@lru_cache(maxsize=4096)
def _may_be_name(word: str) -> bool:
    return rarity(stem(fold(word))) >= _RARE


@cache
def _known() -> Mapping[str, tuple[str, ...]]:
    """Return how each Chinese character is read."""
    known: dict[str, tuple[str, ...]] = {}
    for syllable, characters in _syllables().items():
        for one in characters:
            known[one] = (*known.get(one, ()), syllable)
    return known


@cache
def _syllables() -> Mapping[str, str]:
    """Return the characters that are read as each syllable; the first call takes some milliseconds."""
    lines = files("secondpass.text").joinpath("han_pinyin.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split(" ") for line in lines)
