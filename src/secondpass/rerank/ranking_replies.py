"""Read what a chat model says about passages: an order, a label, a grade. Every reply ends in something usable.

The order of passages is read in layers, each tried where the one before finds nothing: JSON, identifiers in brackets,
bare numbers; thoughts are left out, numbers may be written in any way (`secondpass.rerank.ranking_numerals`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Literal, TypeVar

from secondpass.llm.thinking import answer_text
from secondpass.rerank.ranking_numerals import CHINESE_NUMERAL, plain_numbers
from secondpass.text.numerals import chinese_number

Outcome = Literal["clean", "repaired", "fallback"]
T = TypeVar("T")

_READ_AT_ENDS = 4000
_THOUGHTS = re.compile(
    r"<(think(?:ing)?|thoughts?|reason(?:ing)?|analysis|scratchpad)>.*?(?:</\1>|\Z)", re.IGNORECASE | re.DOTALL
)
_NUMBER = r"\d{1,6}(?!\d)"
_PREFIX = r"(?:passages?|documents?|docs?|no\.?|id|第|段落|文段|文档|文章|段)?[\s:：#]*"
_ID = rf"\[\s*{_PREFIX}\^?({_NUMBER})(?: ?[段篇](?!落))?\s*\]"
_DASH = re.compile(r"\s*(?:-|–|—|~|～|\.{2,3}|…|to|through|至|到)\s*(?:passages?\s*)?", re.IGNORECASE)
_ROUND = re.compile(rf"\(\s*({_NUMBER})\s*\)")
_TO = r"\s*(?:-|–|—|~|～|\.{2,3}|…|to|through|至|到)\s*"
_NUMBERING = r"(?:\n\s*(?:\(?\d{1,3}[.)、:：]|[-*•])?)?"
_SEPARATOR = rf"\s*(?:>|≻|→|=>|->|,|，|、|;|；|\||/)*\s*{_NUMBERING}\s*"
_INSIDE = re.compile(
    rf"\[\s*{_PREFIX}({_NUMBER}(?:(?:\s*[,，、;；>|/\s]\s*|{_TO}){_PREFIX}{_NUMBER})+)\s*\]", re.IGNORECASE
)
_CHAIN_OF_IDS = re.compile(rf"{_ID}(?:(?:{_TO}|{_SEPARATOR}){_ID})+", re.IGNORECASE)
_ONE_ID = re.compile(_ID, re.IGNORECASE)
_LEADING_ID = re.compile(rf"^\s*(?:\(?\d{{1,3}}[.)、:：]|[-*•])?[\s*]*{_PREFIX}{_ID}", re.IGNORECASE | re.MULTILINE)
_BARE = rf"(?<![\d.\w]){_PREFIX}(?<![\d.])({_NUMBER})(?!\.\d)(?: ?[段篇](?!落))?"
_STRONG = rf"\s*(?:>|≻|→|=>|->|,|，|、|;|；|\||{_NUMBERING.rstrip('?')})\s*"
_CHAIN_OF_NUMBERS = re.compile(rf"{_BARE}(?:(?:{_STRONG}|\s+|{_TO}){_BARE})+", re.IGNORECASE)
_ONE_NUMBER = re.compile(rf"(?<![\d.])({_NUMBER})(?!\.\d)")
_NAMED_NUMBER = re.compile(
    rf"(?:passages?|documents?|docs?|no\.|#|第|段落|文段|文档|文章)[\s:：#]*({_NUMBER})", re.IGNORECASE
)
_LIST_NUMBER = re.compile(r"\s*\(?\d{1,3}(?:[.)]\s+|[、:：]\s*)(?=\D*\d)")
_FENCED = re.compile(r"```(?:json)?\s*(.*?)```", re.DOTALL | re.IGNORECASE)
_RANKING_KEYS = ("ranking", "order", "ranked", "result", "排序", "排名", "顺序", "结果")
_LABEL_KEYS = ("label", "answer", "choice", "passage", "标签", "答案", "选择", "段落")
_ID_KEYS = ("id", "index", "passage", "identifier", "number", "编号", "序号")


@dataclass(frozen=True, slots=True)
class Reading(Generic[T]):
    """What was read of a reply, and how: ``clean`` as asked for, ``repaired`` mended, ``fallback`` nothing usable.

    ``structured``: it came as the JSON asked for.
    """

    value: T
    outcome: Outcome
    structured: bool = False


def read_ranking(text: str, count: int) -> Reading[tuple[int, ...]]:
    """Read an order of ``count`` passages, as places counted from 0; always a permutation.

    Clean: every passage is named once, and nothing else. Duplicates and numbers without a passage are dropped, missing
    passages follow in the given order; that is repaired. Without any number the given order stays: fallback.

    >>> read_ranking("Here is the ranking of the 3 passages: [2] > [1] > [3]", 3)
    Reading(value=(1, 0, 2), outcome='clean', structured=False)
    >>> read_ranking("<think>[3]?</think>第三段、②", 4).value, read_ranking("[1]-[2] > [4]", 4).value
    ((2, 1, 0, 3), (0, 1, 3, 2))
    """
    said = without_thoughts(text)
    structured = _json_numbers(said)
    plain = plain_numbers(said)
    numbers = (
        structured
        or _bracketed_numbers(plain, count)
        or _bracketed_numbers(_ROUND.sub(r"[\1]", plain), count)
        or _bare_numbers(plain, count)
    )
    known = list(dict.fromkeys(number for number in numbers if 1 <= number <= count))
    order = tuple(number - 1 for number in known) + tuple(i for i in range(count) if i + 1 not in set(known))
    if not known:
        return Reading(order, "fallback")
    return Reading(order, "clean" if len(known) == len(numbers) == count else "repaired", bool(structured))


def without_thoughts(text: str) -> str:
    """Return a reply without what a reasoning model thought aloud; of an endless one, its beginning and its end."""
    said = _THOUGHTS.sub("", answer_text(text)).strip()
    return said if len(said) <= 2 * _READ_AT_ENDS else f"{said[:_READ_AT_ENDS]}\n{said[-_READ_AT_ENDS:]}"


def json_value(text: str) -> Any:
    """Return the JSON value that a reply is or holds, None where there is none."""
    fenced = _FENCED.search(text)
    start, end = text.find("{"), text.rfind("}")
    for candidate in (text, fenced[1] if fenced else "", text[start : end + 1] if 0 <= start < end else ""):
        if candidate.strip()[:1] in ("{", "["):
            try:
                return json.loads(candidate)
            except (ValueError, RecursionError):
                continue
    return None


def _json_numbers(text: str) -> list[int]:
    value = json_value(text)
    if isinstance(value, dict):
        named = [value[key] for key in _RANKING_KEYS if isinstance(value.get(key), list)]
        lists = named or [item for item in value.values() if isinstance(item, list)]
        value = lists[0] if len(lists) == 1 or named else None
    if not isinstance(value, list):
        return []
    numbers = [_item_number(item) for item in value]
    return [number for number in numbers if number is not None]


def _item_number(item: Any) -> int | None:
    """Return the passage that an item of a JSON list names; 0, which is none, for what cannot be read."""
    if isinstance(item, dict):
        item = next((item[key] for key in _ID_KEYS if key in item), None)
    if isinstance(item, bool) or not isinstance(item, int | str):
        return 0
    if isinstance(item, int):
        return item
    found = _ONE_NUMBER.search(plain_numbers(item))
    return int(found[1]) if found else 0


def _bracketed_numbers(text: str, count: int) -> list[int]:
    text = _INSIDE.sub(lambda match: _spread(match[1]), text)
    chains = [_expand(match.group(), _ONE_ID, count) for match in _CHAIN_OF_IDS.finditer(text)]
    leading = [int(match[1]) for match in _LEADING_ID.finditer(text)]
    return _longest([*chains, leading], [int(match[1]) for match in _ONE_ID.finditer(text)], count)


def _bare_numbers(text: str, count: int) -> list[int]:
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) > 1 and all(_LIST_NUMBER.match(line) for line in lines):  # 1. Passage 3
        text = "\n".join(_LIST_NUMBER.sub("", line, count=1) for line in lines)
    chains = [_expand(match.group(), _ONE_NUMBER, count) for match in _CHAIN_OF_NUMBERS.finditer(text)]
    named = [int(match[1]) for match in _NAMED_NUMBER.finditer(text)]
    return _longest(chains, named or [int(match[1]) for match in _ONE_NUMBER.finditer(text)], count)


def _spread(inside: str) -> str:
    """Give every number of a bracket its own: ``1, 3-5`` becomes ``[1], [3]-[5]``."""
    return re.sub(_NUMBER, lambda match: f"[{match.group()}]", inside)


def _expand(chain: str, one: re.Pattern[str], count: int) -> list[int]:
    """Return the numbers of a chain; two joined by a dash are a range, three or more are a list."""
    runs: list[list[int]] = []
    end = None
    for match in one.finditer(chain):
        joined = end is not None and _DASH.fullmatch(chain, end, match.start())
        runs = [*runs[:-1], [*runs[-1], int(match[1])]] if joined else [*runs, [int(match[1])]]
        end = match.end()
    return [number for run in runs for number in (_between(run[0], run[1], count) if len(run) == 2 else run)]


def _between(first: int, last: int, count: int) -> list[int]:
    """Return the numbers from ``first`` to ``last``, either may be the greater; those beyond ``count`` only once."""
    within = range(max(1, min(first, last)), min(count, max(first, last)) + 1)
    beyond = [number for number in (first, last) if not 1 <= number <= count]
    return [*(within if first <= last else reversed(within)), *beyond]


def _longest(chains: Sequence[list[int]], mentioned: list[int], count: int) -> list[int]:
    """Return the chain that ranks most passages, or all mentions in order where the best chain has but few of them."""

    def known(numbers: list[int]) -> int:
        return len({number for number in numbers if 1 <= number <= count})

    best = max(chains, key=known, default=[])
    return best if known(best) > 1 and known(best) * 2 > known(mentioned) else mentioned


_LABEL = r"[\s\"'“”‘’\[\](){}*_`:：.。]{0,8}"
_MARK = r"(?:passages?|documents?|段落|文段|文档|文章|段|选项|option)"
_ALONE = re.compile(
    rf"{_LABEL}(?:(?:the\s+)?(?:answer|label|答案|标签){_LABEL}(?:is|是|为)?{_LABEL})?{_MARK}?{_LABEL}([A-W]){_LABEL}",
    re.IGNORECASE,
)
_BEST = (
    re.compile(
        rf"{_MARK}{_LABEL}([A-W])\b{_LABEL}(?:is|seems|appears)\s+(?:\w+\s+){{0,2}}?(?:more|most|best|better)",
        re.IGNORECASE,
    ),
    re.compile(
        rf"(?:more relevant|most relevant|better|best)[^.\n]{{0,40}}?\b(?:is|:)\s*{_MARK}?{_LABEL}([A-W])\b",
        re.IGNORECASE,
    ),
    re.compile(
        rf"{_MARK}{_LABEL}([A-W])(?![A-Za-z])[^，。\n]{{0,16}}?[更最](?:为|加)?(?:相关|符合|合适|好)", re.IGNORECASE
    ),
    re.compile(
        rf"[更最](?:为|加)?(?:相关|符合|合适|好)的?[^，。\n]{{0,8}}?(?:是|为|：|:){_LABEL}{_MARK}?{_LABEL}([A-W])(?![A-Za-z])",
        re.IGNORECASE,
    ),
)
_NAMED = re.compile(rf"{_MARK}{_LABEL}([A-W])(?![A-Za-z])", re.IGNORECASE)
_CAPITAL = re.compile(r"(?<![A-Za-z])([B-HJ-W])(?![A-Za-z])")


def read_label(text: str, count: int) -> Reading[int]:
    """Read which of the passages A, B, ... is chosen, counted from 0; the first one where nothing can be read.

    >>> read_label("Passage B", 2), read_label("段落Ｃ比段落A更相关。", 4).value, read_label("I cannot tell.", 3)
    (Reading(value=1, outcome='clean', structured=False), 2, Reading(value=0, outcome='fallback', structured=False))
    >>> read_label('{"label": "B"}', 2)
    Reading(value=1, outcome='clean', structured=True)
    """
    answer = without_thoughts(text)
    if in_json := _json_label(answer):
        reading = _label_reading([in_json], count, "clean")
        return replace(reading, structured=reading.outcome == "clean")
    said = plain_numbers(answer)
    if alone := _ALONE.fullmatch(said):
        return _label_reading([alone[1]], count, "clean")
    lines = [line for line in said.splitlines() if line.strip()]
    ends = [match[1] for line in (lines[-1:] + lines[:1]) if (match := _ALONE.fullmatch(line))]
    named = _NAMED.findall(said)
    searches: list[Callable[[], list[str]]] = [
        lambda: ends[:1],
        *(lambda pattern=pattern: pattern.findall(said)[-1:] for pattern in _BEST),
        lambda: _only(named or _CAPITAL.findall(said)),
    ]
    for search in searches:
        if found := search():
            return _label_reading(found, count, "repaired")
    return Reading(0, "fallback")


def _json_label(text: str) -> str | None:
    """Return the label that a JSON object names, None where there is none or several are named."""
    value = json_value(text)
    texts = {key: item for key, item in value.items() if isinstance(item, str)} if isinstance(value, dict) else {}
    named = [texts[key] for key in _LABEL_KEYS if key in texts] or list(texts.values())
    labels = [found[1] for item in named if (found := _ALONE.fullmatch(plain_numbers(item)))]
    return labels[0] if len(labels) == 1 else None


def _only(found: list[str]) -> list[str]:
    return found[:1] if len({label.upper() for label in found}) == 1 else []


def _label_reading(found: list[str], count: int, outcome: Outcome) -> Reading[int]:
    place = ord(found[0].upper()) - ord("A")
    return Reading(place, outcome) if 0 <= place < count else Reading(0, "fallback")


_GRADE_IN_WORDS = re.compile(rf"(?:(?<=[:：是为])|^)\s*([{CHINESE_NUMERAL}]{{1,3}})\s*(?=分|[。.]?\s*$)")


def read_grade(text: str, highest: int) -> Reading[float | None]:
    """Read a grade from 0 to ``highest``; None where there is none.

    >>> read_grade('{"relevance": 7}', 10), read_grade("相关性：８/10", 10).value, read_grade("很相关", 10).value
    (Reading(value=7.0, outcome='clean', structured=True), 8.0, None)
    """
    said = without_thoughts(text)
    value = json_value(said)
    if isinstance(value, dict):
        numbers = [float(item) for item in value.values() if isinstance(item, int | float) and abs(item) <= highest]
        if len(numbers) == 1 and numbers[0] >= 0:
            return Reading(numbers[0], "clean", True)
    plain = re.sub(rf"/\s*{highest}(?!\d)|\bout of {highest}(?!\d)|满分{highest}", " ", plain_numbers(said))
    plain = _GRADE_IN_WORDS.sub(lambda match: f" {chinese_number(match[1])} ", plain)
    found = [float(number) for number in re.findall(r"(?<![\d.\-])\d{1,4}(?:\.\d{1,4})?(?![\d.]*\d)", plain)]
    graded = [number for number in found if number <= highest]
    if len(graded) == 1:
        return Reading(graded[0], "clean" if re.fullmatch(r"[\s\[\]*]*[\d.]+[\s\[\]*.]*", plain) else "repaired")
    return Reading(graded[-1], "repaired") if graded else Reading(None, "fallback")
