"""What kind of answer a question asks for, and which stretches of a text could be one.

Patterns, not understanding: a year for 何时, a number for how many, a name for who. Questions are matched folded
(traditional characters arrive simplified, and fold makes 麼 and 么 幺), texts as they are written, because a name is
known by its capitals.
"""

from __future__ import annotations

import re
from itertools import takewhile
from typing import Literal

from secondpass.text.normalize import fold
from secondpass.types import Language

Kind = Literal["list", "when", "who", "where", "count", "why", "how", "what", "yes_no", ""]
"""A list of things, a time, a person, a place, a number, a reason, a way, anything, yes or no; empty: nothing asked."""

# Tried in order.
_QUESTIONS: dict[Language, tuple[tuple[Kind, str], ...]] = {
    "zh": (
        ("list", r"哪些|哪几|哪[二两三四五六七八九十]|有什[么幺]|分别|包括(?!.*(?:[和及与]|、)(?:哪[一个]|什[么幺]))"),
        (
            "when",
            r"何[时年]|什[么幺]时[候间]|哪一?[年天日月]|[几何]年(?!龄)|几[月点时号日]|哪[一个]*(?:年代|时期|朝代|世纪)"
            r"|年份|日期|年代|世纪",
        ),
        ("who", r"谁|哪一?位|何人|哪[一个]*人|什[么幺]人|人物|[叫是]什[么幺]名字"),
        (
            "where",
            r"哪里|哪儿|何[处地]|在哪|哪[一个座]*(?:国|省|市|城|地|县|州|洲|区|岛)|什[么幺]地[方区]|位于",
        ),
        ("count", r"多少|几|多[大长高远久深宽快重]|人口|比例|数量|(?:面积|[高长宽深]度|海拔|金额|年龄)(?:是|为|有)"),
        ("why", r"为什[么幺]|为何|为啥|原因|何以|怎[么幺]会"),
        ("how", r"怎[么幺样]|如何"),
        ("yes_no", r"吗[?？]?\s*$|是否|是不是|能不能|有没有|会不会"),
        ("what", r"什[么幺]|哪|何"),
    ),
    "en": (
        (
            "when",
            r"\bwhen\b|\b(?:what|which) (?:\w+ )?(?:year|date|day|month|time|decade|century|era|period)\b",
        ),
        (
            "count",
            r"\bhow (?:many|much|long|old|far|tall|often|large|big|high|fast|deep|wide|heavy|hot|cold)\b"
            r"|\bwhat (?:\w+ )?(?:percent(?:age)?|number|amount|population|age|price|cost|size|proportion)\b"
            r"|\bwhat (?:\w+ )?(?:length|height|distance|rate|speed)\b",
        ),
        (
            "who",
            r"\bwh(?:o|om|ose)\b"
            r"|\b(?:what|which) (?:person|man|woman|king|queen|president|author|actor|player|artist)\b",
        ),
        (
            "where",
            r"\bwhere\b|\b(?:what|which) (?:\w+ )?"
            r"(?:country|city|state|place|location|region|town|county|continent|area|province|river|island)\b",
        ),
        ("why", r"\bwhy\b|\bfor what reason\b|\bwhat (?:caused|causes|reason)\b"),
        ("list", r"\bwh(?:at|ich) (?:are|were|two|three|four|five|six|several)\b|\b(?:list|name) (?:the|all)\b"),
        ("how", r"\bhow\b"),
        ("what", r"\b(?:what|which)\b"),
        ("yes_no", r"^\W*(?:is|are|was|were|do|does|did|can|could|should|would|will|has|have|had)\b"),
    ),
}
_SURNAMES = (  # the most frequent ones of China, in both writings
    "王李张張刘劉陈陳杨楊黄黃赵趙吴吳周徐孙孫马馬朱胡郭何林罗羅高郑鄭梁谢謝宋唐许許邓鄧冯馮韩韓曹曾彭萧蕭蔡潘田董"
    "袁余叶葉蒋蔣杜苏蘇魏程吕呂丁沈任姚卢盧"
)
_MONTHS = "january|february|march|april|may|june|july|august|september|october|november|december"
_DAYS = "monday|tuesday|wednesday|thursday|friday|saturday|sunday"
_NUMBER_WORDS = (
    "two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|hundred|thousand|million|billion"
    "|dozen|half|twice|percent"
)
_ANSWERS: dict[Language, dict[Kind, str]] = {
    "zh": {
        "list": r"、|和|及|与|與|《",
        "when": r"\d+\s?[年月]|[一二三四五六七八九十]月|世[纪紀]|年[代间間]|[一二三四五六七八九〇零]{2,}年|[初末]年"
        r"|(?:周|星期)[一二三四五六日]|[春夏秋冬]季",
        "count": r"\d|[一二三四五六七八九十百千万萬两兩][多余餘]?[个個名人位次年岁歲家所座条條种種只隻本部公米倍届]",
        "who": r"·|先生|女士|教授|博士|皇帝|国王|國王|[總总][統统]|[將将][军軍]|[導导]演|[作歌]手"
        r"|[由被][\u4e00-\u9fff]{2,3}"
        rf"|[{_SURNAMES}][\u4e00-\u9fff]{{1,2}}",
        "where": r"[省市县縣区區州国國镇鎮乡鄉村岛島山河湖港路街]|位[于於]|坐落|在[\u4e00-\u9fff]{2,}",
        "why": r"因[为為此]|由[于於]|原因|所以|[导導]致|以致|使得|[为為]了",
        "how": r"通[过過]|采用|[使利]用|方法|首先|以[\u4e00-\u9fff]+方式|可以|建[议議]",
        "what": r"是[一指]|是.{0,12}的|[称稱]为|名[为為]|指的是",
    },
    "en": {
        "list": r",.*\band\b|,.*,",
        "when": rf"\b(?i:1\d\d\ds?|20\d\ds?|\d{{1,2}}(?:st|nd|rd|th)|{_MONTHS}|century|{_DAYS})\b",
        "count": rf"\d|\b(?i:{_NUMBER_WORDS})\b",
        "who": r"\b[A-Z][a-z]+(?: (?:[A-Z]\. ?)*(?:de |van |von |of )?[A-Z][\w'-]+)+",
        "where": r"\b(?:in|at|near|from|to|of) (?:the )?[A-Z][\w'-]+",
        "why": r"\b(?i:because|due to|since|so that|in order to|caused|reason|as a result|therefore)\b",
        "how": r"\b(?i:by|using|through|with|via)\b",
        "what": r"\b(?:is|are|was|were) (?:an?|the|one)\b",
    },
}
# Asked for by name: which one, who, what.
_BY_NAME: dict[Language, re.Pattern[str]] = {
    "zh": re.compile(r"哪[一个种家位款部座所项本首支]|谁|何[人种]|什[么幺]人"),
    "en": re.compile(r"\b(?:who|whom|which|what)\b"),
}
_NOUN_ZH = re.compile(r"(?:哪一?[个种家位款部座所项本首支国间条任名届份]?|什[么幺]|何种?)([\u4e00-\u9fff]{2})")
_NOUN_EN = re.compile(r"\b(?:which|what)((?: [a-z-]+){1,4})")
NO_NOUN = frozenset(
    "is are was were do does did has have had can could will would should must of in on at to for and or that".split()
)
"""English words before which the name of what is asked for ends: which city is, how many dogs are."""
_QUESTION_PATTERNS = {
    language: tuple((kind, re.compile(pattern)) for kind, pattern in table) for language, table in _QUESTIONS.items()
}
_ANSWER_PATTERNS = {
    language: {kind: re.compile(pattern) for kind, pattern in table.items()} for language, table in _ANSWERS.items()
}


def question_kind(folded: str, language: Language) -> Kind:
    """Return what kind of answer a folded question asks for.

    >>> question_kind("西安交大由哪几个学校合并的", "zh"), question_kind("how many schools were merged?", "en")
    ('list', 'count')
    """
    return next((kind for kind, pattern in _QUESTION_PATTERNS[language] if pattern.search(folded)), "")


def asks_for_one(folded: str, language: Language) -> bool:
    """Tell whether a folded question asks for one name, time, place or number, and not for a clause or a list.

    >>> [asks_for_one(text, "zh") for text in ("由哪个项目提供", "何时合并", "为什么合并", "有哪些学校")]
    [True, True, False, False]
    """
    kind = question_kind(folded, language)
    if kind in ("list", "why", "how"):
        return False
    return kind in ("when", "who", "where", "count") or _BY_NAME[language].search(folded) is not None


def asked_noun(folded: str, language: Language) -> str:
    """Return what a folded question asks for one of: in Chinese the first two characters of it; empty: it does not say.

    >>> asked_noun("qlora 训练用哪个量化库", "zh"), asked_noun("which password hashing algorithm is used?", "en")
    ('量化', 'algorithm')
    """
    if language == "zh":
        match = _NOUN_ZH.search(folded)
        return match[1] if match else ""
    match = _NOUN_EN.search(folded)
    nouns = list(takewhile(lambda word: word not in NO_NOUN, match[1].split())) if match else []
    return nouns[-1] if nouns else ""


def may_answer(text: str, kind: Kind, language: Language, folded_question: str) -> bool:
    """Tell whether ``text`` holds something of the asked kind that the question itself does not say.

    >>> may_answer("该校于2000年合并。", "when", "zh", "何时合并")
    True
    >>> may_answer("2000年呢？", "when", "zh", "2000年何时合并")
    False
    """
    pattern = _ANSWER_PATTERNS[language].get(kind)
    return pattern is not None and any(fold(m.group()) not in folded_question for m in pattern.finditer(text))
