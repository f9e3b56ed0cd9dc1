"""What kind of answer a question asks for, and which stretches of text could be one.

Patterns, not understanding: a year for 何时, a number for how many, a name for who. Questions are matched folded
(traditional characters as simplified ones), passages as they are written, because a name is known by its capitals.
"""

from __future__ import annotations

import re

from secondpass.types import Language

_QUESTION_KINDS: dict[Language, list[tuple[str, str]]] = {
    "en": [
        ("when", r"\b(?:when|(?:what|which) (?:year|date|day|month|time|century|decade|era))\b"),
        (
            "number",
            r"\b(?:how (?:many|much|long|far|old|tall|big|large|high|often|deep|wide|fast|heavy)|population"
            r"|what (?:percent|percentage|number|amount|age|proportion))\b",
        ),
        ("who", r"\b(?:whom?|whose|(?:what|which) (?:person|president|actor|player|king|queen|author|artist))\b"),
        (
            "where",
            r"\b(?:where|(?:what|which) (?:country|city|state|place|location|town|region|continent|area|province"
            r"|county|river|island))\b",
        ),
        ("why", r"\bwhy\b"),
        ("how", r"\bhow\b"),
        ("what", r"\b(?:what|which)\b"),
    ],
    "zh": [  # 么 is folded to 幺, as 麼 is
        ("when", r"什幺时[候间]|何时|何年|哪一?[年天日月]|几[月号日年](?!龄)|时间|年份|年代|世纪"),
        ("number", r"多少|几|多[大长高远久宽深重]|人口|比例|数量"),
        ("who", r"谁|何人|哪一?位|什幺人|人物"),
        ("where", r"哪里|哪儿|何处|何地|在哪|什幺地[方区]|哪[一个]*(?:国|城市|省|地区|地方|州|市|县|洲)|位于"),
        ("why", r"为什幺|为何|原因|何以"),
        ("how", r"如何|怎[幺样]"),
        ("what", r"什幺|哪|何"),
    ],
}
_SURNAMES = (
    "王李张張刘劉陈陳杨楊黄黃赵趙吴吳周徐孙孫马馬朱胡郭何林罗羅高郑鄭梁谢謝宋唐许許邓鄧冯馮韩韓曹曾彭萧蕭蔡潘田董"
    "袁余叶葉蒋蔣杜苏蘇魏程吕呂丁沈任姚卢盧"
)
_MONTHS = "january|february|march|april|may|june|july|august|september|october|november|december"
_DAYS = "monday|tuesday|wednesday|thursday|friday|saturday|sunday"
_NUMBER_WORDS = (
    "two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|hundred|thousand|million|billion"
    "|dozen|half|twice|percent"
)
_ANSWERS: dict[Language, dict[str, str]] = {
    "en": {
        "when": rf"\b(?i:1\d\d\ds?|20\d\ds?|\d{{1,2}}(?:st|nd|rd|th)|{_MONTHS}|century|{_DAYS})\b",
        "number": rf"\d|\b(?i:{_NUMBER_WORDS})\b",
        "who": r"\b[A-Z][a-z]+(?: (?:[A-Z]\. ?)*(?:de |van |von |of )?[A-Z][\w'-]+)+",
        "where": r"\b(?:in|at|near|from|to|of) (?:the )?[A-Z][\w'-]+",
        "why": r"\b(?i:because|due to|since|so that|in order to|caused|reason|as a result|therefore)\b",
        "how": r"\b(?i:by|using|through|with|via)\b",
        "what": r"\b(?:is|are|was|were) (?:an?|the|one)\b",
    },
    "zh": {
        "when": r"\d+\s?[年月]|[一二三四五六七八九十]月|世[纪紀]|年[代间間]|[一二三四五六七八九〇零]{2,}年|[初末]年"
        r"|(?:周|星期)[一二三四五六日]",
        "number": r"\d|[一二三四五六七八九十百千万萬两兩][多余餘]?[个個名人位次年岁歲家所座条條种種只隻本部公米倍届]",
        "who": r"·|先生|女士|教授|博士|皇帝|国王|國王|[總总][统統]|[將将][军軍]|[導导]演|[作歌]手"
        r"|[由被][\u4e00-\u9fff]{2,3}"
        rf"|[{_SURNAMES}][\u4e00-\u9fff]{{1,2}}",
        "where": r"[省市县縣区區州国國镇鎮乡鄉村岛島山河湖港路街]|位[于於]|坐落|在[\u4e00-\u9fff]{2,}",
        "why": r"因[为為此]|由[于於]|原因|所以|[导導]致|以致|使得|[为為]了",
        "how": r"通[过過]|采用|[使利]用|方法|首先|以[\u4e00-\u9fff]+方式|可以|建[议議]",
        "what": r"是[一指]|是.{0,12}的|[称稱]为|名[为為]|指的是",
    },
}
_KIND_PATTERNS = {
    language: [(kind, re.compile(pattern)) for kind, pattern in table] for language, table in _QUESTION_KINDS.items()
}
_ANSWER_PATTERNS = {
    language: {kind: re.compile(pattern) for kind, pattern in table.items()} for language, table in _ANSWERS.items()
}


def question_kind(folded: str, language: Language) -> str:
    """Return what a folded question asks for: when, number, who, where, why, how, what, or nothing known (empty).

    >>> question_kind("西安交大是什幺时候合并的", "zh"), question_kind("who merged the schools", "en")
    ('when', 'who')
    """
    return next((kind for kind, pattern in _KIND_PATTERNS[language] if pattern.search(folded)), "")


def may_answer(text: str, kind: str, language: Language, folded_question: str) -> bool:
    """Tell whether ``text`` holds something of the asked kind that the question itself does not say.

    >>> may_answer("该校于2000年合并。", "when", "zh", "何时合并")
    True
    >>> may_answer("2000年呢？", "when", "zh", "2000年何时合并")
    False
    """
    pattern = _ANSWER_PATTERNS[language].get(kind)
    return pattern is not None and any(m.group().lower() not in folded_question for m in pattern.finditer(text))
