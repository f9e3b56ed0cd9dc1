"""Make examples in which what is about the topic is right, and what is about another is wrong, whatever it answers.

Questions of answers teach that a passage on the topic is not enough; where nothing answers, as in a search for
articles, the topic is all there is. A page's title, headings, its rarest words, or some of its sentences stand for what
is looked for; right are the section itself, other sections of its page, and the bare title; others are of other pages
of the same source, near ones by words and drawn ones. How far those are on the topic too a bi-encoder says (`taught`).
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Sequence

from recipes.builtin.sources import Section

from secondpass.retrieve.collection_bm25 import CollectionBM25
from secondpass.text.rarity import rarity
from secondpass.text.sentences import sentences
from secondpass.text.terms import terms
from secondpass.types import Chunk

OTHERS, DRAWN = 6, 2
FARTHEST = 40
LONGEST, LONGEST_WANTED = {"en": 1000, "zh": 420}, 500
WANTED = {
    "en": (
        "{}", "{}", "I am interested in {}", "articles about {}", "What has been written about {}?",
        "information on {}", "material dealing with {}", "Find whatever is about {}.", "papers on {}",
        "{}, survey or introduction",
    ),
    "zh": (
        "{}", "{}", "{}的相关资料", "关于{}的文章", "与{}有关的内容", "我想了解{}", "查找讨论{}的文献", "{}方面的研究",
        "介绍一下{}",
    ),
}  # fmt: skip
_MARKS = re.compile(r"\[\[.*?\]\]|[#*_`]+|\{.*?\}")


def topic_examples(
    sections: Sequence[Section], limit: int, draw: random.Random
) -> list[tuple[str, str, list[str], list[str]]]:
    """Return at most ``limit`` examples of each source: its name, what is wanted, right texts and wrong ones."""
    by_source: dict[tuple[str, str], list[Section]] = defaultdict(list)
    for section in sections:
        if len(section.text) > 60:
            by_source[section.source, section.language].append(section)
    found = []
    for (source, code), members in sorted(by_source.items()):
        some = draw.sample(members, min(len(members), 2500))
        pages: dict[str, list[int]] = defaultdict(list)
        for place, one in enumerate(some):
            pages[_page(one)].append(place)
        if len(pages) < 2 * OTHERS:
            continue
        search = CollectionBM25(Chunk(str(place), one.text[: LONGEST[code]]) for place, one in enumerate(some))
        for place in draw.sample(range(len(some)), min(len(some), limit)):
            wanted = _wanted(some[place], draw)
            texts = _texts(some, pages, place, search, wanted, draw)
            found.append((source, draw.choice(WANTED[code]).format(wanted), *texts))
    return found


def _page(section: Section) -> str:
    """Return what tells a section's page from others: its title; without one it is a page of its own."""
    return section.title or section.text


def _wanted(section: Section, draw: random.Random) -> str:
    """Return what a section is about, in a few words or in a sentence of it."""
    kind = draw.random()
    heads = [_MARKS.sub("", head).strip() for head in dict.fromkeys((section.title, *section.headings[-1:])) if head]
    if heads and (kind < 0.35 or (kind < 0.6 and section.language == "zh")):
        return " ".join(heads)
    if kind < 0.6 and section.language == "en":
        words = [word for word in dict.fromkeys(re.findall(r"[A-Za-z][\w-]{3,}", section.text)) if terms(word)]
        rare = set(sorted(words, key=lambda word: -rarity(terms(word)[0]))[: draw.randint(3, 7)])
        return " ".join(word for word in words if word in rare) or " ".join(heads)
    spans = sentences(section.text)
    first = draw.randrange(min(len(spans), 4))
    last = min(first + draw.choice((0, 0, 1, 2)), len(spans) - 1)
    return section.text[spans[first].start : spans[last].end].strip().rstrip("。.")[:LONGEST_WANTED]


def _texts(
    some: Sequence[Section],
    pages: dict[str, list[int]],
    place: int,
    search: CollectionBM25,
    wanted: str,
    draw: random.Random,
) -> tuple[list[str], list[str]]:
    """Return right texts and others, each in a form of its own, so that neither long nor short ones are wrong."""
    own = some[place]
    near = [int(other) for other, _ in search.best(f"{own.title} {wanted}", FARTHEST)]
    chosen = [*draw.sample(near, min(len(near), OTHERS - DRAWN)), *draw.sample(range(len(some)), DRAWN)]
    others = [other for other in chosen if _page(some[other]) != _page(own)]
    beside = [other for other in pages[_page(own)] if other != place]
    right = [place, *draw.sample(beside, min(len(beside), 1))]
    draw.shuffle(right)
    forms = [[_form(some[one], wanted, draw) for one in places] for places in (right, others)]
    return [text for text in forms[0] if text], [text for text in forms[1] if text]


def _form(section: Section, wanted: str, draw: random.Random) -> str:
    """Return a section as a passage: its title alone, its first sentences, or whole, without the sentence that asks."""
    title = _MARKS.sub("", section.title).strip()
    kind = draw.random()
    if title and kind < 0.25:
        return title
    text = section.text.replace(wanted, " ").strip()
    if kind < 0.5:
        spans = sentences(text)
        text = text[: spans[min(draw.randrange(3), len(spans) - 1)].end] if spans else text
    whole = f"{title}\n{text}" if title and draw.random() < 0.5 else text
    return whole[: LONGEST[section.language]]
