"""Make examples whose answer is named in one sentence and stood for in the one that answers: 它, 该项目, it, this city.

Texts go on about a thing without naming it, and who asks for it wants the name. Two ways to such passages: the answer
of a question is replaced in its sentence where it stands before, or is named in front of it, as headings do; and a
sentence of a text that begins with a word standing for the subject of the first sentence is made a question.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable

from recipes.builtin.cloze import CODE, IS_TRADITIONAL, PIECES, TRADITIONAL, thinned
from recipes.builtin.examples import LONGEST, Example, holds
from recipes.builtin.sources import Question, QuestionSet, Section

from secondpass.text.asking import asked_noun, question_kind
from secondpass.text.language import HAN, language
from secondpass.text.normalize import fold
from secondpass.text.rarity import rarity
from secondpass.text.sentences import sentences
from secondpass.text.terms import query_terms

DRAWS = 4
"""How often each question is given another passage."""
NAMED = {
    "zh": (
        "{}\n\n", "{}\n\n", "# {}\n\n", "关于{}。", "下面介绍{}。", "说到{}，", "后来，{}出现了。", "随后有了{}。",
        "接下来要讲的是{}。\n\n", "其中之一是{}。",
    ),
    "en": (
        "{}\n\n", "{}\n\n", "# {}\n\n", "This is about {}. ", "Consider {}. ", "Then {} appeared.\n\n",
        "Another one is {}. ", "Later there was {}. ",
    ),
}  # fmt: skip
LONGEST_ANSWER = {"en": 40, "zh": 16}
LEAST_ASKED = 12.0
"""How rare the words of a question made of a sentence must be, all together."""
_BEFORE_SUBJECT = re.compile(r"(?:^|[，,；;：]\s?)[“《「『\"]?$|[由被]$|\bby $|^(?:The|An?) $")
_NOUN_ZH = re.compile(
    rf"(?:哪一?[個个種种家位款部座所项項本首支條条]|什[么麼])([{HAN}]{{2}})(?=[{HAN}]?[在是于於被由的曾為为以有]|[？?]|$)"
)
_FIRST = {
    "zh": re.compile(
        rf"[《“「『]?([{HAN}A-Za-z0-9·\-. ']{{2,20}}?)[》”」』]?(?:（[^（）]{{1,80}}）|\([^()]{{1,80}}\))?[，,]?"
        rf"(?:又[称稱名][^，。]{{1,20}}，|[简簡][称稱][^，。]{{1,12}}，)?(?:是|為|为|系|係)[^，。；]{{0,40}}?([{HAN}]{{2,4}})[，。；]"
    ),
    "en": re.compile(
        r"(?:The |An? )?([A-Z0-9][\w'’.-]*(?: (?:of|the|and|de|von|van|in|for|&|[A-Z0-9][\w'’.-]*)){0,6})"
        r"(?: \([^()]{1,80}\))?,?(?: (?:also known as|or) [^,]{1,40},)? (?:is|was|are|were) (?:an?|the|one of the) "
        r"(?:[\w-]+ ){0,6}?([a-z-]+)(?=[ ,.;](?:of|in|that|which|who|from|for|located|at|on|and|to|with|by|$)|[,.;])"
    ),
}
_NO_SUBJECT = re.compile(
    "[的了该該此我你您这那们都不并要将把就也才会能可在和与及]|因为|如果|一般|首先|今天|^[0-9]|^(?:It|This|There|He|She|They|These|That|What|I|We|You|One)$"
)
_STANDS = {
    "zh": re.compile(
        rf"(?:他[们們]?|她|它[们們]?|牠|[该該]([{HAN}]{{1,4}}?)(?=[於于在是有由的為为以曾被共自]))(?![的们們此後后外前])"
    ),
    "en": re.compile(
        r"(?:It|He|She|They|This ([a-z]+)|The (city|company|school|university|film|game|album|book|river|team|project"
        r"|tool|library|program|group|organization|system|language|event|series|band|station|town|country|region|building"
        r"|church|museum|party|family|species|disease|algorithm|framework|method)) (?=[a-z])"
    ),
}


def replaced_examples(questions: QuestionSet, draw: random.Random) -> list[Example]:
    """Return questions of a set with passages in which a stand-in is said in the place of the answer."""
    found: dict[tuple[str, str], Example] = {}
    for question in [one for _ in range(DRAWS) for one in questions.questions]:
        passage = questions.passages.get(question.relevant[0], "")
        example = _replaced(f"stand_in_{questions.name}", question, passage, draw) if passage else None
        if example:
            found.setdefault((example.query, example.positives[0]), example)
    return list(found.values())


def _replaced(kind: str, question: Question, text: str, draw: random.Random) -> Example | None:
    code = language(text)
    held = [one for one in question.answers if holds(text, [one])]
    answer = min(held, key=len, default="")
    named = len(answer) > 1 and len(answer) <= LONGEST_ANSWER[code] and not re.search(r"\d", answer)
    if not named or (code == "en" and not answer[0].isupper()):
        return None
    spans = sentences(text)
    asked = {term: rarity(term) for term in query_terms(question.text)}
    places = [place for place, one in enumerate(spans) if answer in text[one.start : one.end]]
    shared = {
        place: sum(asked.get(term, 0.0) for term in set(query_terms(text[spans[place].start : spans[place].end])))
        for place in places
    }
    own = max(places, key=lambda place: (shared[place], place), default=-1)
    sentence = text[spans[own].start : spans[own].end]
    before = sentence[: sentence.find(answer)]
    is_subject = _BEFORE_SUBJECT.search(before) is not None
    said = _with_stand_in(sentence, before, answer, question.text, code, draw)
    earlier = [place for place in places if place < own]
    if own < 0 or holds(said, [answer]) or not (is_subject or (earlier and draw.random() < 0.5)):
        return None
    if earlier:
        first, last = (earlier[-1], own + draw.randint(0, 2)) if draw.random() < 0.6 else (0, len(spans) - 1)
        front = text[spans[first].start : spans[own].start]
    else:
        first, last = own - draw.randint(0, 2) if draw.random() < 0.5 else own, own + draw.randint(0, 3)
        front = draw.choice(NAMED[code]).format(answer) + text[spans[max(first, 0)].start : spans[own].start]
    behind = text[spans[own].end : spans[min(last, len(spans) - 1)].end]
    passage = f"{front}{said}{behind}"[: LONGEST[code]]
    return Example(kind, question.text, (passage,), (), (answer,)) if holds(passage, [answer]) else None


def _with_stand_in(sentence: str, before: str, answer: str, question: str, code: str, draw: random.Random) -> str:
    """Return ``sentence`` with what stands for ``answer`` in its place."""
    is_person = question_kind(fold(question), "zh" if code == "zh" else "en") == "who"
    if code == "zh":
        noun = _NOUN_ZH.search(question)
        stand = draw.choice(("他", "他", "她")) if is_person else draw.choice(("它", "它", "其"))
        if noun and not is_person and draw.random() < 0.6:
            stand = f"该{noun[1]}"
        if IS_TRADITIONAL.search(sentence):
            stand = stand.replace("该", "該")
        for marked in (f"《{answer}》", f"「{answer}」", answer):
            sentence = sentence.replace(marked, stand)
        return sentence
    is_object = before.endswith("by ")
    noun_en = asked_noun(fold(question), "en")
    if is_person:
        she = re.search(r"\b(?:her|she)\b", sentence) is not None
        stand = ("her" if she else "him") if is_object else ("she" if she else "he")
    else:
        stand = f"this {noun_en}" if noun_en and draw.random() < 0.5 else "it"
    said = re.sub(rf"\b(?:(?:[Tt]he|An?) )?{re.escape(answer)}(?!\w)", stand, sentence)
    return said[:1].upper() + said[1:]


def told_examples(sections: Iterable[Section], draw: random.Random) -> list[Example]:
    """Return questions made of sentences that begin with a stand-in for the subject of their text's first sentence."""
    found = []
    for section in sections:
        spans = sentences(section.text)
        texts = [section.text[one.start : one.end] for one in spans]
        first = _FIRST[section.language].match(texts[0]) if len(texts) > 1 and section.language in _FIRST else None
        if first is None or _NO_SUBJECT.search(first[1]):
            continue
        subject, kind = first[1].strip(), first[2]
        for place, sentence in enumerate(texts[1:6], start=1):
            stands = _STANDS[section.language].match(sentence)
            if stands is None or CODE.search(sentence) or holds(sentence, [subject]):
                continue
            query = _asked(sentence, stands, kind, section.language, draw)
            if sum(map(rarity, query_terms(query))) < LEAST_ASKED or holds(query, [subject]):
                continue
            end = len(section.text) if draw.random() < 0.5 else spans[min(place + 1, len(spans) - 1)].end
            passage = section.text[: min(end, LONGEST[section.language])]
            found.append(Example("stand_in_text", query, (passage,), (), (subject,)))
    return found


def _asked(sentence: str, stands: re.Match[str], kind: str, code: str, draw: random.Random) -> str:
    """Return what ``sentence`` says, as a question for what ``stands`` for its subject."""
    noun = next((one for one in stands.groups() if one), "")
    clauses = re.split("[，。；]" if code == "zh" else r"[,;](?= )|\.$", sentence[stands.end() :])
    taken = clauses[: draw.choice((1, 1, 2)) if len(clauses[0]) > (6 if code == "zh" else 20) else 2]
    if code == "en":
        person = stands.group().startswith(("He", "She"))
        ask = "Who" if person and not noun else f"Which {noun or kind}" if noun or draw.random() < 0.3 else "What"
        return " ".join([ask, *thinned(",".join(taken).split(), draw.uniform(0, 0.3), draw)]).strip(",;: ") + "?"
    words = "".join(thinned(PIECES["zh"].findall("，".join(taken)), draw.uniform(0, 0.35), draw)).strip("，、")
    by_word = ("谁", "哪位", "什么人") if stands.group()[0] in "他她" else ("什么", "哪个", f"哪个{kind}")
    ask = draw.choice((f"哪个{noun}", f"什么{noun}") if noun else by_word)
    ask = ask.translate(TRADITIONAL) if IS_TRADITIONAL.search(sentence) else ask
    return f"{words}的是{ask}？" if draw.random() < 0.35 else f"{ask}{words}？"
