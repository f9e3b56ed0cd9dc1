"""Cut a text into sentences, Chinese and English, by offsets into the text itself."""

from __future__ import annotations

import re

from secondpass.types import Span

_CLOSERS = "\"'”’」』】）)》〉]*_`"
# A Chinese mark ends a sentence wherever it stands; an English one only before white space or the end.
_END = re.compile(
    rf"(?P<wide>(?:[。！？｡]|…{{2,}})[。！？!?｡…]*[{re.escape(_CLOSERS)}]*)"
    rf"|(?P<narrow>[.!?]+[{re.escape(_CLOSERS)}]*(?=\s|$|[\u3400-\u9fff]))"
    r"|(?P<line>[^\S\n]*\n(?:[^\S\n]*\n)*)"
)
_TITLE = re.compile(
    r"(?:^|[^A-Za-z])"
    r"(?:[A-Za-z]|mr|mrs|ms|dr|prof|sr|jr|st|vs|e\.g|i\.e|cf|ca|approx|gen|col|lt|sgt|capt|rev|hon|gov|sen|rep)$",
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"(?:^|[^A-Za-z])(?:no|nos|fig|figs|eq|eqs|vol|pp|p|sec|ch|art|tab)$", re.IGNORECASE)
_LIST_NUMBER = re.compile(r"\s*(?:\d{1,3}|[ivxIVX]{1,4})")


def _ends_sentence(text: str, match: re.Match[str]) -> bool:
    if match.lastgroup != "narrow" or match.group().strip(_CLOSERS) != ".":
        return True
    following = text[match.end() : match.end() + 8].lstrip()[:1]
    before = text[max(0, match.start() - 8) : match.start()]
    line_start = text.rfind("\n", 0, match.start()) + 1
    return not (
        following.islower()  # after an abbreviation, known or not
        or (following and _TITLE.search(before))
        or (following.isdigit() and _NUMBERED.search(before))
        or _LIST_NUMBER.fullmatch(text, line_start, match.start())
    )


def sentences(text: str) -> list[Span]:
    """Return the sentences of ``text``, in order, without the white space around them.

    A sentence ends at 。！？ and …… wherever they stand, at . ! ? before white space (not after abbreviations,
    initials, numbers of lists), and at a line's end. Closing quotes and brackets belong to the sentence they close.

    >>> text = "他说：“好。”然后走了。Dr. Wu left at 3.5 p.m. on Monday. 完"
    >>> [text[s.start:s.end] for s in sentences(text)]
    ['他说：“好。”', '然后走了。', 'Dr. Wu left at 3.5 p.m. on Monday.', '完']
    """
    spans: list[Span] = []
    start = 0
    for match in _END.finditer(text):
        if not _ends_sentence(text, match):
            continue
        _add(spans, text, start, match.end())
        start = match.end()
    _add(spans, text, start, len(text))
    return spans


def _add(spans: list[Span], text: str, start: int, end: int) -> None:
    piece = text[start:end]
    stripped = piece.strip()
    if stripped:
        first = start + len(piece) - len(piece.lstrip())
        spans.append(Span(first, first + len(stripped)))
