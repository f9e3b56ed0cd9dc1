"""Make examples of where an answer stands out of text that nobody asked about.

A span of a sentence is taken out and asked for. It stands again in another window of the page, beside other words of
the sentence (recurring span selection: Ram et al., arXiv:2101.00438); or the sentence stays in the window and loses
words and order (cloze questions: Lewis et al., arXiv:1906.04980), so that what stands near the answer shows its place.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from recipes.builtin.examples import LENGTHS, LONGEST, Example, holds, windows
from recipes.builtin.sources import Section, passage_sections, read_questions, read_sections
from recipes.sets import QUESTION_SETS

from secondpass.text.language import HAN
from secondpass.text.rarity import rarity
from secondpass.text.sentences import sentences
from secondpass.text.terms import STOP_WORDS, query_terms, terms

PROSE = (
    "squad_dev", "openstax_en", "ntrex", "tico19", "pubmedqa", "opensource_en", "handbook_en", "cmrc2018", "drcd",
    "csl_zh", "opensource_zh", "medqa_zh", "recipes_zh", "oiwiki_zh",
)  # fmt: skip
"""Sources that read like what people ask of documents; manuals of software are left out."""
SINGLE = ("selqa", "squad_sentences", "tldr")
"""Sources whose passages are single sentences or commands: nothing stands around an answer there."""
CLAUSE, NUMBERED, SPECIAL, TRIED, ROUNDS, OF_PAGE, NEIGHBOURS = 0.7, 0.5, 0.75, 5, 12, 5, 12
"""How often a question keeps to one clause, prefers a sentence with figures, and a name or figure to a plain noun; how
many sentences and windows are tried; how often pages are gone through, for how many examples each time, and how many
sections that follow each other are taken for a page."""
ASKED = {"en": (40, 130), "zh": (12, 36)}
SENTENCE, REACH, SHORTEST = {"en": (50, 350), "zh": (14, 150)}, {"en": 160, "zh": 50}, {"en": 25, "zh": 10}
SHARED, SHARED_AGAIN, MOST_SHARED = {"en": 9.0, "zh": 12.0}, {"en": 10.0, "zh": 16.0}, 0.75
"""How rare the words must be, all together, that a question shares with what stands near the answer; and at most what
part of a sentence's may stand in another window, or it is the same sentence again."""
FAMILIAR, TELLING = 2.5, 4.0
"""Up to what rarity a word says nothing, and from what rarity it may be an answer."""
_STOP = "|".join(sorted(STOP_WORDS))
_NAME = r"[A-Z][\w-]*\w(?:(?: of| of the| de| von)? [A-Z][\w-]*\w)*"
_PLAIN = rf"(?!(?:{_STOP})\b)[a-z][a-z-]+[a-z]"
_MONTH = r"(?:January|February|March|April|May|June|July|August|September|October|November|December)"
_NUMBER = r"(?:\d+(?:[,.]\d+)*(?: (?:million|billion|hundred|thousand))?|two|three|four|five|six|seven|eight|nine|ten)"
_LINK = "的是在了和与與及或而跟被把由对對从從以等也都就于於其这這那此但让讓为為您你我他她它们們"
_WORD = rf"(?![{_LINK}])[{HAN}]"
_HEAD, _TAIL = (
    "不可能有要将將并並又还還更很最已曾则則各每该該第所种種些次项項款",
    "时時后後前中上下里裡内內来來个個着過过得地外间間之",
)
_CHUNK = rf"(?![{_HEAD}{_TAIL}])(?:{_WORD}){{{{1,{{}}}}}}(?![{_LINK}{_TAIL}不还還将將更最很可])[{HAN}]"
_BOUND = rf"(?=[{_TAIL}]{{0,2}}(?!{_WORD}))"
_FEW = "二两兩三四五六七八九十百千万萬亿億"
_COMMON = re.compile(
    "需要|可以|使用|进行|進行|提供|通过|通過|如果|因为|因為|由于|由於|所以|因此|但是|已经|已經|具有|包括|作为|作為|没有|沒有|开始|開始|成为|成為|能够|能夠|以及|或者|"
    "同时|同時|例如|比如|根据|根據|为了|為了|虽然|雖然|应该|應該|必须|必須|一般|通常|非常|比较|比較|自己|如下|以下|以上|任何|一些|一样|一樣|一起|以便|并且|並且|而且|"
    "只有|只能|只要|不同|所有|主要|可能|包含|存在|表示|属于|屬於|认为|認為|发生|發生|得到|随着|隨著|对于|對於|关于|關於|大概|首先|然后|然後|之后|之後|之前|"
    "其中|其他|其它|这些|這些|那些|这样|這樣|多种|多種|一[个個种種位名项項次件条條部座家款]|注意|情况|情況|方面|问题|問題|时候|時候"
)
_COUNTED = (
    "平方公里|公里|公尺|米|美元|元|人|名|个|個|座|位|次|岁|歲|天|小时|小時|分钟|分鐘|种|種|部|条|所|家|度|克|毫升"
)
_COUNT = rf"(?:\d+(?:[,.]\d+)*|[{_FEW}][{_FEW}一]*)[余多餘]?[万萬亿億]?"
SPANS = {
    "en": (
        (rf"\b(?:on |in |since )?((?:\d\d? )?{_MONTH}(?: \d\d?)?(?:,? \d{{4}})?)\b", "when/on what date/when"),
        (r"\b(?:in |since )?((?:1\d|20)\d\d)\b(?![%-])", "when/in what year/what year/in which year"),
        (r"\b(\d+(?:\.\d+)?(?:%| percent\b| per cent\b))", "what percentage/how much/what percent"),
        (r"((?:US)?[$£€]\d+(?:[.,]\d+)*(?: [mb]illion)?)", "how much/how much money"),
        (rf"(?<![\w.,-])({_NUMBER})(?= (?:[a-z-]+ ){{0,2}}[a-z-]+s\b)", "how many/how many/what number of"),
        (rf"(?<=\bby )({_NAME})", "whom/who/what"),
        (rf"\b({_NAME})(?= (?:said|says|wrote|argued|died|believed|became|founded|was born|won)\b|,? who\b)", "who"),
        (rf"\b(?:in|at|near|from) (?:the )?({_NAME})", "where/in which place/in what/in which"),
        (r"(?<=[a-z,] )([A-Z][a-z]+ (?:de |von |[A-Z]\. )?[A-Z][a-z]+)\b(?! [A-Z])", "who/what/which"),
        (rf"(?<=[a-z,] )(?:the )?({_NAME})", "what/which/what is the name of"),
        (rf"^(?:The |An? )?((?!(?i:{_STOP})\b)(?=\S+[A-Z0-9]|\S+ (?:of )?[A-Z]){_NAME})", "what/which/what"),
        (r"[“\"]([^“”\"]{4,50}\w)[”\"]", "what/which words"),
        (
            rf"\b(?:[Tt]he|[Aa]n?|[Ii]ts|[Tt]heir|of|as|called) ((?:{_PLAIN} ){{0,3}}{_PLAIN})(?<!ed)(?<!ly)"
            r"(?=[,.;:)]| (?:of|in|on|for|and|or|to|is|are|was|were|has|have|can|that|which|with|by|from|at|as)\b)",
            "what/which/what",
        ),
    ),
    "zh": (
        (r"(\d{2,4}\s?年代?(?:\d\d?月)?(?:\d\d?日)?|\d\d?月\d\d?日)", "什么时候/哪一年/何时/哪年/什么时间"),
        (r"(\d+(?:\.\d+)?[%％])", "多少/百分之几"),
        (rf"({_COUNT})(?={_COUNTED})", "多少/几/多少"),
        (rf"({_COUNT}(?:{_COUNTED}))", "多少"),
        (r"《([^《》]{2,20})》", "什么/哪部作品/什么作品"),
        (r"[「“『]([^「」“”『』，。]{2,16})[」”』]", "什么/哪个"),
        (rf"((?:{_WORD}){{1,7}}(?:·(?:{_WORD}){{1,7}})+)", "谁/哪位/什么人"),
        (r"((?<![\w.-])[A-Za-z][\w.+-]+\w(?: [A-Z][\w.+-]+)*)", "什么/什么/哪个"),
        (rf"(?<=[由被])({_CHUNK.format(5)}){_BOUND}", "谁/什么"),
        (rf"(?:(?<=在)|(?<=位[于於]))({_CHUNK.format(6)}(?<![期年日代月天说說])){_BOUND}(?!期)", "哪里/什么地方/何处"),
        (rf"(?<=[是为為叫称稱])({_CHUNK.format(11)}){_BOUND}", "什么/哪个"),
        (rf"(?<!{_WORD})({_CHUNK.format(6)}(?<=[人者家员師师王帝])){_BOUND}", "谁/什么人/哪些人"),
        (rf"(?<!{_WORD})({_CHUNK.format(7)}(?<=[省市县縣区區国國州岛島镇鎮村])){_BOUND}", "哪里/哪个地方/什么地方"),
        (rf"(?<!{_WORD})[{_HEAD}]*({_CHUNK.format(11)}){_BOUND}", "什么/什么/哪个/什么/哪些"),
    ),
}  # fmt: skip
_KINDS = {code: [(re.compile(one), asks.split("/")) for one, asks in kinds] for code, kinds in SPANS.items()}
_CLAUSE = {"en": re.compile(r"[,;:](?=\s)|\s[-–—]\s|[()]"), "zh": re.compile(r"[，,；：:（）()]")}
PIECES = {
    "en": re.compile(r"\S+"),
    "zh": re.compile(
        rf"{_COMMON.pattern}|(?:(?!{_COMMON.pattern}){_WORD}){{1,6}}|[{_LINK}]+|[^\W{HAN}]+(?:[.-][^\W{HAN}]+)*[%％]?|[，、·]"
    ),
}
_TOKEN = re.compile(rf"[{HAN}]|[^\W{HAN}]+(?:['’.,-][^\W{HAN}]+)*")
CODE = re.compile(r"[|{}<>\[\]=_\\/#*$^~@`+…;]|\(\)|--|://|\.\w+\(")
_LISTED = re.compile(r"^\s*(?:[-•*]|\d+[.)、])\s*")
TRADITIONAL = str.maketrans("么谁时个里称几处间", "麼誰時個裡稱幾處間")
IS_TRADITIONAL = re.compile("[們個這國為來時說對學會從開長與於經發現]")
_OPENERS = '“"《「『'


@dataclass(slots=True)
class _Page:
    """The windows of a page, their terms, and in which of them a term stands."""

    texts: list[str]
    terms: list[set[str]] = field(default_factory=list)
    places: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))


def cloze_sections(data: Path) -> list[Section]:
    """Return the sections of `PROSE`, those made of the question sets' training passages among them."""
    sets = [read_questions(data, name) for name in QUESTION_SETS]
    return [one for one in (*read_sections(data), *passage_sections(sets)) if one.source in PROSE]


def cloze_examples(sections: Iterable[Section], limit: int, draw: random.Random) -> list[Example]:
    """Return at most ``limit`` examples of each language, evenly by source as far as sources give so many."""
    pages: dict[str, dict[str, dict[str, list[Section]]]] = defaultdict(lambda: defaultdict(dict))
    for section in sections:
        if section.source not in SINGLE and section.language in LENGTHS:
            pages[section.language][section.source].setdefault(section.title or section.text, []).append(section)
    found: list[Example] = []
    for _, sources in sorted(pages.items()):
        streams = [_of_source(list(of_source.values()), draw) for _, of_source in sorted(sources.items())]
        some: list[Example] = []
        while streams and len(some) < limit:
            drawn = [(stream, next(stream, None)) for stream in streams]
            some += [example for _, example in drawn if example]
            streams = [stream for stream, example in drawn if example]
        found += some[:limit]
    draw.shuffle(found)
    return found


def _of_source(pages: list[list[Section]], draw: random.Random) -> Iterator[Example]:
    """Yield examples of all pages, a few of each, again and again, with windows of other sizes."""
    seen: set[str] = set()
    others: list[str] = []
    for _ in range(ROUNDS):
        for sections in draw.sample(pages, len(pages)):
            page = _read(sections, draw)
            for place in draw.sample(range(len(page.texts)), min(len(page.texts), OF_PAGE)):
                example = _asked(sections[0], page, place, others, draw)
                if example and example.query not in seen:
                    seen.add(example.query)
                    yield example
            others = [*others[-20:], *page.texts[:3]]


def _read(sections: list[Section], draw: random.Random) -> _Page:
    first = draw.randrange(max(len(sections) - NEIGHBOURS, 0) + 1)
    cut: dict[str, None] = {}
    for section in sections[first : first + NEIGHBOURS]:
        code = section.language
        for window in windows(section.text, draw.choice(LENGTHS[code])):
            if _is_prose(window, code):
                cut[window[: LONGEST[code]]] = None
    page = _Page(list(cut))
    for place, text in enumerate(page.texts):
        page.terms.append({term for term in query_terms(text) if rarity(term) > FAMILIAR})
        for term in page.terms[place]:
            page.places[term].append(place)
    return page


def _is_prose(text: str, code: str) -> bool:
    """Say whether ``text`` is made of words, not of code, of a table or of a list of names."""
    wanted = len(re.findall(rf"[{HAN}]" if code == "zh" else r"[A-Za-z ]", text))
    if len(CODE.findall(text)) > len(text) / 80 or wanted < len(text) * (0.55 if code == "zh" else 0.85):
        return False
    return len(text) / (text.count("\n") + 1) > 1.5 * SENTENCE[code][0]


def _asked(section: Section, page: _Page, place: int, others: Sequence[str], draw: random.Random) -> Example | None:
    """Return an example that asks for a span of a sentence of the window at ``place``."""
    code, text = section.language, page.texts[place]
    spans = [text[span.start : span.end] for span in sentences(text)]
    fitting = [one for one in (_LISTED.sub("", span) for span in spans) if _fits(one, code)]
    if not fitting:
        return None
    draw.shuffle(fitting)
    if draw.random() < NUMBERED:
        fitting.sort(key=lambda one: re.search(r"\d", one) is None)
    tried = [(one, other) for one in fitting[:TRIED] for other in _others(page, one, code)]
    for sentence, passage in (*tried, (fitting[0], text)):
        asked = _question(sentence, passage, passage is text, code, draw)
        if asked:
            query, answer = asked
            known = set(query_terms(query))
            near = [(len(known & own), one) for own, one in zip(page.terms, page.texts, strict=True)]
            wrong = [one for _, one in sorted(near, reverse=True) if sentence not in one and not holds(one, [answer])]
            wrong = wrong[:4] or [one for one in others if not holds(one, [answer])]
            negatives = draw.sample(wrong, min(len(wrong), 2))
            return Example(f"cloze_{section.source}", query, (passage,), tuple(negatives), (answer,))
    return None


def _question(sentence: str, passage: str, is_own: bool, code: str, draw: random.Random) -> tuple[str, str] | None:
    """Return what ``sentence`` asks of ``passage``, and the answer, where enough of the question stands near it."""
    chosen = _span(sentence, None if is_own else passage, code, draw)
    if not chosen:
        return None
    answer, cut, ask = chosen
    query = _query(sentence, cut, ask, is_own, code, draw)
    if len(query) < SHORTEST[code] or holds(query, [answer]) or not holds(passage, [answer]):
        return None
    least = (SHARED if is_own else SHARED_AGAIN)[code]
    return (query, answer) if _is_answerable(query, answer, passage, code, least) else None


def _fits(sentence: str, code: str) -> bool:
    least, most = SENTENCE[code]
    return least <= len(sentence) <= most and not CODE.search(sentence)


def _others(page: _Page, sentence: str, code: str) -> list[str]:
    """Return the windows without ``sentence`` that share its rarest words, but not nearly all of them."""
    known = {term: rarity(term) for term in query_terms(sentence)}
    shared: dict[int, float] = defaultdict(float)
    for term, weight in known.items():
        for other in page.places.get(term, ()):
            shared[other] += weight
    most = MOST_SHARED * sum(known.values())
    near = sorted((-weight, other) for other, weight in shared.items() if SHARED_AGAIN[code] < weight < most)
    return [page.texts[other] for _, other in near[:TRIED] if sentence not in page.texts[other]]


def _span(
    sentence: str, passage: str | None, code: str, draw: random.Random
) -> tuple[str, tuple[int, int], str] | None:
    """Return a span that may be asked for (and stands in ``passage``), what is cut out for it, and what asks."""
    kinds: list[list[tuple[str, tuple[int, int], str]]] = []
    taken: list[tuple[int, int]] = []
    veiled = _COMMON.sub(lambda match: "的" * len(match.group()), sentence)
    for pattern, asks in _KINDS[code]:
        found = []
        for match in pattern.finditer(veiled):
            start, end = match.span(1)
            if any(start < last and first < end and first != start for first, last in taken):
                continue
            if code == "zh" and sentence[start - 1 : start] in _OPENERS and start:
                cut = (start - 1, end + 1)
            else:
                cut = match.span() if code == "en" else match.span(1)
            found.append((sentence[start:end], cut, draw.choice(asks)))
        taken += [one[1] for one in found]
        kinds.append([one for one in found if _is_telling(one[0]) and (passage is None or holds(passage, [one[0]]))])
    if passage is not None and (draw.random() < 0.3 or not any(kinds)):
        kinds.append(_again(sentence, passage, code, draw))
    special = [kind for kind in kinds[:-1] if kind]
    kind = kinds[-1]
    if special and (not kind or draw.random() < SPECIAL):
        kind = draw.choice((draw.choice(special), special[0], special[0]))
    return draw.choice(kind) if kind else None


def _is_telling(answer: str) -> bool:
    return any(term[0].isdigit() or rarity(term) > TELLING for term in query_terms(answer))


def _again(sentence: str, passage: str, code: str, draw: random.Random) -> list[tuple[str, tuple[int, int], str]]:
    """Return the longest runs of words (characters of Chinese) that stand in ``passage`` too, none of them empty."""
    tokens = [match.span() for match in _TOKEN.finditer(sentence)]
    least, most, empty = (2, 10, _LINK + _HEAD + _TAIL) if code == "zh" else (1, 5, STOP_WORDS)
    found = []
    place = 0
    while place < len(tokens):
        last = place
        while last < len(tokens) and holds(passage, [sentence[tokens[place][0] : tokens[last][1]]]):
            last += 1
        first, following = place, last
        while first < last and sentence[slice(*tokens[first])].lower() in empty:
            first += 1
        while last > first and sentence[slice(*tokens[last - 1])].lower() in empty:
            last -= 1
        if least <= last - first <= most:
            start, end = tokens[first][0], tokens[last - 1][1]
            if _is_telling(sentence[start:end]) and _is_whole(sentence, (start, end), passage):
                asks = ("什么", "哪个") if code == "zh" else ("what", "which", "what")
                found.append((sentence[start:end], (start, end), draw.choice(asks)))
        place = max(following, place + 1)
    return found


def _is_whole(sentence: str, span: tuple[int, int], passage: str) -> bool:
    """Say whether a span is neither part of a longer word or name nor put together of several things."""
    words, before, behind = sentence[slice(*span)], sentence[: span[0]], sentence[span[1] :]
    if re.search(r"[,;:，、。：；（('’]|\b(?:to|is|are|in|a|that)\b", words):
        return False
    if words[0].isupper() and (re.search(r"[A-Z]\S* $", before) or re.match(r" [A-Z]", behind)):
        return False
    first = passage.lower().find(words.lower())
    others = passage[max(first - 1, 0) : first], passage[first + len(words) :]
    return all(
        any(not re.match(_WORD, one) for one in pair) for pair in ((before[-1:], others[0]), (behind, others[1]))
    )


def _query(sentence: str, cut: tuple[int, int], ask: str, is_own: bool, code: str, draw: random.Random) -> str:
    """Return what is asked: words before and behind the span, nearest first, some lost where the passage has all."""
    first, last = 0, len(sentence)
    if draw.random() < CLAUSE:
        ends = [match.end() for match in _CLAUSE[code].finditer(sentence, 0, cut[0])]
        starts = [match.start() for match in _CLAUSE[code].finditer(sentence, cut[1])]
        first, last = (ends or [0])[-1], (starts or [last])[0]
        if last - first - (cut[1] - cut[0]) < SHORTEST[code]:
            first, last = (ends[:-1] or [0])[-1], (starts[1:] or [len(sentence)])[0]
    left = PIECES[code].findall(sentence[first : cut[0]])
    right = PIECES[code].findall(sentence[cut[1] : last])
    sides: tuple[list[str], list[str]] = ([], [])
    length = draw.randint(ASKED[code][0] if is_own else sum(ASKED[code]) // 2, ASKED[code][1])
    while (left or right) and sum(map(len, (*sides[0], *sides[1]))) < length:
        if left and (not right or draw.random() < 0.5):
            sides[0].insert(0, left.pop())
        else:
            sides[1].append(right.pop(0))
    lost = draw.uniform(0.2, 0.6) if is_own else draw.uniform(0.0, 0.2)
    before = thinned(sides[0][::-1], lost, draw)[::-1]
    behind = thinned(sides[1], lost, draw)
    if code == "zh":
        if IS_TRADITIONAL.search(sentence):
            ask = ask.translate(TRADITIONAL)
        parts = (*before, ask, *behind) if draw.random() < 0.75 else (*behind, "，", *before, ask)
        query = re.sub(r"([，、])[，、]+", r"\1", "".join(parts)).lstrip("，、的了和与").rstrip("，、")
    else:
        parts = (*before, ask.replace("what is the name of", "what"), *behind)
        if draw.random() < 0.5:
            parts = (ask, *behind, *before) if not before or draw.random() < 0.3 else (ask, *before, *behind)
        query = " ".join(word.strip(',;:()"“”.!?') for word in parts if word.strip(',;:()"“”.!?'))
        query = query[:1].upper() + query[1:] if draw.random() < 0.7 else query.lower()
    return query + draw.choice(("？" if code == "zh" else "?", "？" if code == "zh" else "?", ""))


def thinned(words: list[str], lost: float, draw: random.Random) -> list[str]:
    """Leave out words, the more the farther from the first; rare ones less."""
    kept = []
    for place, word in enumerate(words):
        rare = any(rarity(term) > 2 * TELLING for term in query_terms(word))
        if draw.random() > lost * min(1.5, 0.3 + 0.3 * place) * (0.5 if rare else 1.0):
            kept.append(word)
    return kept


def _is_answerable(query: str, answer: str, passage: str, code: str, least: float) -> bool:
    """Say whether near the answer stand words of the question that are rare enough."""
    own = set(terms(answer))
    asked = {term: rarity(term) for term in query_terms(query) if term not in own and rarity(term) > FAMILIAR}
    lowered = passage.lower()
    at = lowered.find(answer.lower())
    while at >= 0:
        near = set(terms(lowered[max(0, at - REACH[code]) : at + len(answer) + REACH[code]]))
        if sum(weight for term, weight in asked.items() if term in near) > least:
            return True
        at = lowered.find(answer.lower(), at + 1)
    return False
