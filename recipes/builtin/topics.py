"""Make examples in which what is about the topic is right, and what is about another is wrong, whatever it answers.

Questions of answers teach that a passage on the topic is not enough; where nothing answers, as in a search for
articles, the topic is all there is. A page's title, headings, or its rarest words stand for what is looked for; right
are the section itself, other sections of its page, and the bare title; wrong are other pages of the same source,
of which those that are nearest by words are left out: they may be on the topic.
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

WRONG = 9
NEAREST_LEFT, FARTHEST = 5, 60
LONGEST = {"en": 1000, "zh": 420}
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
        if section.title and len(section.text) > 60:
            by_source[section.source, section.language].append(section)
    found = []
    for (source, code), members in sorted(by_source.items()):
        some = draw.sample(members, min(len(members), 2500))
        pages: dict[str, list[int]] = defaultdict(list)
        for place, one in enumerate(some):
            pages[one.title].append(place)
        if len(pages) < 2 * WRONG:
            continue
        search = CollectionBM25(Chunk(str(place), one.text[: LONGEST[code]]) for place, one in enumerate(some))
        for place in draw.sample(range(len(some)), min(len(some), limit)):
            wanted = draw.choice(WANTED[code]).format(_wanted(some[place], draw))
            found.append((source, wanted, *_texts(some, pages, place, search, wanted, draw)))
    return found


def _wanted(section: Section, draw: random.Random) -> str:
    """Return what a section is about, in a few words or in a sentence of it."""
    kind = draw.random()
    heads = [_MARKS.sub("", head).strip() for head in dict.fromkeys((section.title, *section.headings[-1:]))]
    if kind < 0.4 or (kind < 0.7 and section.language == "zh"):
        return " ".join(heads)
    if kind < 0.7:
        words = [word for word in dict.fromkeys(re.findall(r"[A-Za-z][\w-]{3,}", section.text)) if terms(word)]
        rare = set(sorted(words, key=lambda word: -rarity(terms(word)[0]))[: draw.randint(3, 7)])
        return " ".join(word for word in words if word in rare) or " ".join(heads)
    spans = sentences(section.text)
    span = draw.choice(spans[:4])
    return section.text[span.start : span.end].strip().rstrip("。.")[:300]


def _texts(
    some: Sequence[Section],
    pages: dict[str, list[int]],
    place: int,
    search: CollectionBM25,
    wanted: str,
    draw: random.Random,
) -> tuple[list[str], list[str]]:
    """Return right and wrong texts, each in a form of its own, so that neither long nor short ones are wrong."""
    own = some[place]
    near = [int(other) for other, _ in search.best(f"{own.title} {wanted}", FARTHEST)][NEAREST_LEFT:]
    far = draw.sample(range(len(some)), WRONG)
    others = [
        other for other in (*draw.sample(near, min(len(near), WRONG - 3)), *far) if some[other].title != own.title
    ]
    beside = [other for other in pages[own.title] if other != place]
    right = [place, *draw.sample(beside, min(len(beside), 1))]
    draw.shuffle(right)
    forms = [_form(some[one], wanted, draw) for one in right]
    return forms, [_form(some[other], wanted, draw) for other in others[:WRONG]]


def _form(section: Section, wanted: str, draw: random.Random) -> str:
    """Return a section as a passage: its title alone, its first sentences, or whole, without the sentence that asks."""
    title = _MARKS.sub("", section.title).strip()
    kind = draw.random()
    if kind < 0.25:
        return title
    text = section.text.replace(wanted, " ").strip()
    if kind < 0.5:
        spans = sentences(text)
        text = text[: spans[min(draw.randrange(3), len(spans) - 1)].end] if spans else text
    whole = f"{title}\n{text}" if draw.random() < 0.5 else text
    return whole[: LONGEST[section.language]]
