"""Make examples whose right passage is the question asked otherwise: what people look for in lists of questions.

Two questions of one passage with one answer (or of one sentence) ask for the same thing; others do not. Questions that
have no such partner are changed by rule: words of asking, courtesies, a word lost, case and marks.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Sequence

from recipes.builtin.sources import Question, QuestionSet

from secondpass.retrieve.collection_bm25 import CollectionBM25
from secondpass.text.language import language
from secondpass.types import Chunk

WRONG = 8
OTHERWISE = {
    "zh": (
        ("什么时候", "何时"), ("何时", "哪一年"), ("哪一年", "什么时候"), ("为什么", "为何"), ("为何", "什么原因"),
        ("怎么办", "如何处理"), ("怎么", "如何"), ("如何", "怎样"), ("哪里", "什么地方"), ("哪儿", "何处"),
        ("多少", "几"), ("谁", "哪个人"), ("哪些", "什么"), ("是否", "是不是"), ("能不能", "可以"), ("导致", "引起"),
        ("症状", "表现"), ("治疗", "医治"), ("原因", "缘由"),
    ),
    "en": (
        ("what year", "when"), ("when", "in what year"), ("how many", "what number of"),
        ("what is the name of", "which is"),
        ("what was", "which was"), ("what is", "which is"), ("who was", "which person was"), ("who", "what person"),
        ("where", "in what place"), ("why", "for what reason"), ("how much", "what amount of"), ("what", "which"),
        ("which", "what"), ("did", "was it that"), ("begin", "start"), ("began", "started"), ("called", "named"),
    ),
}  # fmt: skip
COURTESIES = {
    "zh": ("请问{}", "想问一下，{}", "你好，{}谢谢", "有谁知道{}", "{}急", "我想知道{}", "{}求解答"),
    "en": (
        "I would like to know: {}", "Hi, {} Thanks!", "Can anybody tell me {}", "Question: {}", "{} Any ideas?",
        "Does anyone know {}", "Please help. {}",
    ),
}  # fmt: skip


def asked_examples(questions: QuestionSet, limit: int, draw: random.Random) -> list[tuple[str, list[str], list[str]]]:
    """Return ``limit`` questions, each with the same asked otherwise, and with others of the set that are near."""
    texts = [question.text for question in questions.questions]
    search = CollectionBM25(Chunk(str(place), text) for place, text in enumerate(texts))
    pairs = _same_answer(questions.questions, draw)
    pairs += [(place, changed(texts[place], draw)) for place in draw.sample(range(len(texts)), min(len(texts), limit))]
    found = []
    for place, otherwise in pairs[:limit]:
        own = questions.questions[place]
        near = [int(other) for other, _ in search.best(own.text, 30)]
        wrong = [texts[other] for other in near if not _same(own, questions.questions[other])][:WRONG]
        wrong += [draw.choice(texts) for _ in range(2)]
        found.append((own.text, [otherwise], [text for text in wrong if text not in {own.text, otherwise}]))
    return found


def _same(one: Question, other: Question) -> bool:
    """Say whether two questions may ask for the same."""
    if one.text == other.text:
        return True
    if not one.answers:
        return bool(set(one.relevant) & set(other.relevant))
    return bool({answer.lower() for answer in one.answers} & {answer.lower() for answer in other.answers})


def _same_answer(questions: Sequence[Question], draw: random.Random) -> list[tuple[int, str]]:
    """Return pairs of questions of one passage with one answer, or of one sentence, half of ``questions`` at most."""
    by_answer: dict[tuple[str, str], list[int]] = defaultdict(list)
    for place, question in enumerate(questions):
        answer = question.answers[0].lower() if question.answers else ""
        if len(question.relevant) == 1 and len(answer) != 1:
            by_answer[question.relevant[0], answer].append(place)
    found = []
    for places in by_answer.values():
        one, other = draw.sample(places, 2) if len(places) > 1 else (places[0], places[0])
        if questions[one].text != questions[other].text:
            found.append((one, questions[other].text))
    draw.shuffle(found)
    return found


def changed(question: str, draw: random.Random) -> str:
    """Return the question asked otherwise: another word of asking, a word lost, a courtesy, other marks.

    >>> changed("When did it begin?", random.Random(2)) != "When did it begin?"
    True
    """
    code = language(question)
    text = question.strip().rstrip("?？。.")
    known = [(old, new) for old, new in OTHERWISE[code] if re.search(_whole(old, code), text, re.IGNORECASE)]
    if known:
        old, new = draw.choice(known)
        text = re.sub(_whole(old, code), new, text, count=1, flags=re.IGNORECASE)
    text = _lost(text, code, draw) if draw.random() < 0.4 else text
    if code == "en" and draw.random() < 0.3:
        text = text.lower()
    mark = draw.choice(("", "？" if code == "zh" else "?"))
    text = f"{text}{mark}"
    return draw.choice(COURTESIES[code]).format(text) if draw.random() < 0.4 or text == question else text


def _whole(word: str, code: str) -> str:
    return re.escape(word) if code == "zh" else rf"\b{re.escape(word)}\b"


def _lost(text: str, code: str, draw: random.Random) -> str:
    """Leave out one short word (of Chinese, two characters) somewhere behind the beginning."""
    if code == "zh":
        place = draw.randrange(max(len(text) // 2, 1), max(len(text) - 1, 2))
        return text[:place] + text[place + 2 :] if len(text) > 12 else text
    words = text.split()
    short = [place for place, word in enumerate(words) if place and word.islower() and len(word) < 6]
    if len(words) > 6 and short:
        del words[draw.choice(short)]
    return " ".join(words)
