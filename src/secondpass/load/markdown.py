"""Markdown to blocks: what a reader sees, without the marks.

CommonMark with tables, by markdown-it, and the marks of `markdown_marks`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token

from secondpass.load import markdown_marks
from secondpass.load.blocks import Block, Parsed
from secondpass.load.cleaning import LINE_BREAK, collapse, is_wide
from secondpass.load.html_tags import HTML_TAGS
from secondpass.load.html_tree import fragment_blocks
from secondpass.types import Json

_FRONT_MATTER = re.compile(r"\s*(---|\+\+\+)[ \t]*\n(?P<fields>.*?)\n(?:\1|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_FIELD = re.compile(r"^[\w-]+[ \t]*[:=]", re.MULTILINE)
_TITLE = re.compile(r"^title[ \t]*[:=][ \t]*(?P<title>.+?)[ \t]*$", re.MULTILINE | re.IGNORECASE)
_ANCHOR = re.compile(r"[ \t]*\{[ \t]*[#.:][^{}\n]*\}[ \t]*$")  # heading { #anchor }, {: .class }
_ATTRIBUTES = re.compile(r"\{:[^{}\n]*\}")
_SHORT_CODE = re.compile(r"\{\{[<%].{0,300}?[%>]\}\}")  # Hugo
_FOOTNOTE_MARK = re.compile(r"\[\^[^\]\s]+\]")
_ALERT = re.compile(r"^\[!\w+\][+-]?[ \t]*")  # GitHub, Obsidian
_LOOSE_STRONG = re.compile(r"(?<![A-Za-z0-9(])\*\*([^*\n]+?)\*\*(?![A-Za-z0-9])")  # ** words ** is none in CommonMark
_STRAY_STRONG = re.compile(r"\*\*")
_COLOUR = re.compile(r"</?(?:font|span|b|u|i|small)\b[^>\n]*>")
_TAG = re.compile(r"</?([A-Za-z][\w-]*)([^>]*)>")
_ALT = re.compile(r"""\balt\s*=\s*(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)
_SPECIAL = re.compile(r"[\\`*_\[\]<>&!$~{}]|  \n")


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    markdown_marks.use(parser)
    # Inline marks are looked for here, and only where there are any: most paragraphs are plain.
    return parser.disable(["inline"])


_PARSER = _parser()


def parse_markdown(text: str) -> Parsed:
    """Take a Markdown text apart."""
    text, title = _without_front_matter(text.replace("\r\n", "\n").replace("\r", "\n"))
    environment: dict[str, Json] = {}
    tokens = _PARSER.parse(text, environment)
    blocks = tuple(_Reader(environment).blocks(tokens))
    remarks: list[tuple[str, Json]] = []
    if environment.get("includes"):
        remarks.append(("includes_not_followed", environment["includes"]))
    return Parsed(blocks, title, tuple(remarks))


def _without_front_matter(text: str) -> tuple[str, str]:
    match = _FRONT_MATTER.match(text)
    if match is None or not _FIELD.search(match["fields"]):
        return text, ""
    title = _TITLE.search(match["fields"])
    words = title["title"] if title else ""
    if len(words) > 1 and words[0] in "\"'" and words[-1] == words[0]:
        words = words[1:-1]
    return text[match.end() :], words.strip() if words not in ("|", ">", "") else ""


class _Reader:
    """Walks over block tokens; remembers the lists it is in."""

    def __init__(self, environment: dict[str, Json]) -> None:
        self._environment = environment
        self._numbers: list[int | None] = []  # per open list: the next number, None for bullets
        self._mark = ""  # of the list item that has just begun
        self._first_of_list = False
        self._cells: list[str] = []
        self._in_table = self._first_row = False

    def blocks(self, tokens: Sequence[Token]) -> Iterator[Block]:
        level = 0
        for token in tokens:
            kind = token.type
            if kind == "inline":
                words = self.inline(token, heading=level > 0)
                if self._in_table:
                    self._cells.append(words.replace("\n", " "))
                elif words:
                    yield self._paragraph(words, level)
            elif kind in ("heading_open", "heading_close"):
                level = int(token.tag[1:]) if kind == "heading_open" else 0
            elif kind == "tr_close":
                yield Block(" | ".join(self._cells), tight=not self._first_row)
                self._cells, self._first_row = [], False
            elif kind in ("fence", "code_block", "formula_block"):
                yield Block(_code(token))
            elif kind == "html_block":
                yield from fragment_blocks(token.content)
            else:
                self._enter(token)

    def _enter(self, token: Token) -> None:
        """Remember which list or table begins or ends."""
        if token.type in ("table_open", "table_close"):
            self._in_table = self._first_row = token.type == "table_open"
        elif token.type in ("bullet_list_open", "ordered_list_open"):
            self._first_of_list = not self._numbers
            start = token.attrGet("start")
            self._numbers.append(None if token.type.startswith("bullet") else int(1 if start is None else start))
        elif token.type in ("bullet_list_close", "ordered_list_close"):
            self._numbers.pop()
        elif token.type == "list_item_open":
            number = self._numbers[-1]
            self._mark = "- " if number is None else f"{number}. "
            if number is not None:
                self._numbers[-1] = number + 1

    def _paragraph(self, words: str, level: int) -> Block:
        if not self._numbers or level:
            return Block(words, level)
        indent = "  " * (len(self._numbers) - 1)
        mark, self._mark = self._mark, ""
        tight, self._first_of_list = not self._first_of_list, False
        return Block(f"{indent}{mark or '  '}{words}", tight=tight)

    def inline(self, token: Token, *, heading: bool = False) -> str:
        content = _ANCHOR.sub("", token.content) if heading or "{" in token.content else token.content
        if not _SPECIAL.search(content):
            return collapse(content)
        children: list[Token] = []
        _PARSER.inline.parse(content, _PARSER, self._environment, children)
        return collapse("".join(_rendered(children)))


def _code(token: Token) -> str:
    """Return the code as it is; recorded terminal sessions are full of tags that colour them."""
    is_session = token.type == "fence" and token.info.strip().startswith(("console", "termynal"))
    return (_COLOUR.sub("", token.content) if is_session else token.content).rstrip()


def _rendered(tokens: Sequence[Token]) -> Iterator[str]:
    """Yield the readable pieces; runs of plain text are cleaned of marks, code and formulas are left as they are."""
    run: list[str] = []
    names = _closed_names(tokens)
    for token in tokens:
        kind = token.type
        if kind in ("text", "text_special"):
            run.append(token.content)
        elif kind == "softbreak":
            run.append("\n")
        elif kind == "hardbreak":
            run.append(LINE_BREAK)
        elif kind == "html_inline":
            run.append(_tag(token.content, names))
        elif kind == "image":
            run.append("".join(_rendered(token.children or [])))
        elif kind in ("code_inline", "formula"):
            yield _plain("".join(run))
            run = []
            yield token.content
    yield _plain("".join(run))


def _plain(text: str) -> str:
    if "[" in text:
        text = _ALERT.sub("", _FOOTNOTE_MARK.sub("", text))
    if "{" in text:
        text = _ATTRIBUTES.sub("", _SHORT_CODE.sub("", text))
    if "**" in text:
        text = _LOOSE_STRONG.sub(r"\1", text)
        text = _STRAY_STRONG.sub(lambda match: _stray(text, match), text)
    return text


def _stray(text: str, match: re.Match[str]) -> str:
    """Drop a mark of emphasis that CommonMark leaves beside Chinese marks: ``**“重点”**是``."""
    around = text[max(0, match.start() - 1) : match.start()] + text[match.end() : match.end() + 1]
    return "" if any(map(is_wide, around)) or any(character in "“”‘’…—" for character in around) else match.group()


def _closed_names(tokens: Sequence[Token]) -> frozenset[str]:
    tags = (token.content for token in tokens if token.type == "html_inline" and token.content.startswith("</"))
    return frozenset(match[1].lower() for tag in tags if (match := _TAG.match(tag)))


def _tag(tag: str, closed: frozenset[str]) -> str:
    """Return what a reader sees of a tag: a break, an image's words, or nothing.

    What is no HTML stays: ``vector<int>``, ``<your-token>``.
    """
    match = _TAG.match(tag)
    if match is None:
        return ""  # a comment
    name = match[1].lower()
    if name == "br":
        return LINE_BREAK
    if name == "img":
        words = _ALT.search(tag)
        return (words[1] or words[2] or "") if words else ""
    known = name in HTML_TAGS or name in closed or tag.startswith("</") or match[2].strip(" /")
    return "" if known else tag
