"""Block marks beyond CommonMark, as rules for markdown-it: notes, tabs, includes, formulas, footnotes.

The marks are taken away, what they enclose is read on as usual. An include names a file of another folder; it is not
followed, and counted in ``env["includes"]``.
"""

from __future__ import annotations

import re

from markdown_it import MarkdownIt
from markdown_it.ruler import RuleOptionsType
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline

# /// note | 标题      (pymdown blocks)      ::: tip 标题   (VuePress, Docusaurus)
_FENCED_NOTE = re.compile(r"(?:/{3,}|:{3,})[ \t]*(?P<kind>\{?[\w-]*\}?)(?:[ \t]*\|)?[ \t]*(?P<title>.*)")
# !!! note "标题"   ??? note   === "Tab"     (Python-Markdown); their content is indented
_INDENTED_NOTE = re.compile(
    r'(?:!!!|\?\?\?\+?|===[!+]?)[ \t]+(?:[\w-]+(?:[ \t]+[\w-]+)*[ \t]*)?(?:"(?P<title>[^"]*)")?[ \t]*$'
)
_INCLUDE = re.compile(r"(?:\{[*!]>?.*[*!]\}|-{1,2}8<-{1,2}.*)[ \t]*$")
_FOOTNOTE = re.compile(r"\[\^[^\]\s]+\]:[ \t]*")
_FORMULA = re.compile(r"\$\$(?:[^$\\]|\\.)+?\$\$|\$(?![\s$])(?:[^$\\\n]|\\.)*?(?<![\s\\])\$(?!\d)", re.DOTALL)
_SPACES_OF_CONTENT = 4
_MOST_FORMULA_LINES = 100  # a mark that is never closed must not be looked for to the end of the file each time


def use(parser: MarkdownIt) -> None:
    """Add the rules to a parser."""
    stops: RuleOptionsType = {"alt": ["paragraph", "reference", "blockquote", "list"]}
    parser.block.ruler.before("fence", "formula_block", _formula_block, stops)
    parser.block.ruler.before("fence", "include", _include, stops)
    parser.block.ruler.before("fence", "fenced_note", _fenced_note, stops)
    parser.block.ruler.before("fence", "indented_note", _indented_note, stops)
    parser.block.ruler.before("reference", "footnote", _footnote, stops)
    parser.inline.ruler.before("escape", "formula", _formula)


def _line(state: StateBlock, number: int) -> str:
    return state.src[state.bMarks[number] + state.tShift[number] : state.eMarks[number]]


def _starts(state: StateBlock, number: int, marks: tuple[str, ...]) -> bool:
    return state.src.startswith(marks, state.bMarks[number] + state.tShift[number])


def _add_paragraph(state: StateBlock, content: str, line: int) -> None:
    state.push("paragraph_open", "p", 1).map = [line, line + 1]
    token = state.push("inline", "", 0)
    token.content, token.map, token.children = content, [line, line + 1], []
    state.push("paragraph_close", "p", -1)


def _include(state: StateBlock, start_line: int, _end_line: int, silent: bool) -> bool:
    if not _starts(state, start_line, ("{", "-")) or state.is_code_block(start_line):
        return False
    if not _INCLUDE.match(_line(state, start_line)):
        return False
    if not silent:
        state.env["includes"] = state.env.get("includes", 0) + 1
        state.line = start_line + 1
    return True


def _fenced_note(state: StateBlock, start_line: int, _end_line: int, silent: bool) -> bool:
    if not _starts(state, start_line, ("///", ":::")) or state.is_code_block(start_line):
        return False
    match = _FENCED_NOTE.match(_line(state, start_line))
    if match is None:
        return False
    if not silent:
        if match["title"].strip():
            _add_paragraph(state, match["title"].strip(), start_line)
        state.line = start_line + 1
    return True


def _indented_note(state: StateBlock, start_line: int, end_line: int, silent: bool) -> bool:
    if not _starts(state, start_line, ("!!!", "???", "===")) or state.is_code_block(start_line):
        return False
    match = _INDENTED_NOTE.match(_line(state, start_line))
    if match is None:
        return False
    if silent:
        return True
    if match["title"]:
        _add_paragraph(state, match["title"], start_line)
    inner = state.sCount[start_line] + _SPACES_OF_CONTENT
    following = start_line + 1
    while following < end_line and (state.isEmpty(following) or state.sCount[following] >= inner):
        following += 1
    indent, last = state.blkIndent, state.lineMax
    state.blkIndent, state.lineMax = inner, following
    state.md.block.tokenize(state, start_line + 1, following)
    state.blkIndent, state.lineMax, state.line = indent, last, following
    return True


def _footnote(state: StateBlock, start_line: int, _end_line: int, silent: bool) -> bool:
    """Read a footnote's text as a paragraph; CommonMark would take `[^1]: 文字` for a link's target and drop it."""
    if not _starts(state, start_line, ("[^",)) or state.is_code_block(start_line):
        return False
    line = _line(state, start_line)
    match = _FOOTNOTE.match(line)
    if match is None:
        return False
    if not silent:
        content = line[match.end() :].strip()
        if content:
            _add_paragraph(state, content, start_line)
        state.line = start_line + 1
    return True


def _formula_block(state: StateBlock, start_line: int, end_line: int, silent: bool) -> bool:
    if not _starts(state, start_line, ("$$",)) or state.is_code_block(start_line):
        return False
    line = _line(state, start_line)
    last = start_line
    closed = line.rstrip().endswith("$$") and len(line.strip()) > 3
    while not closed and last + 1 < min(end_line, start_line + _MOST_FORMULA_LINES) and not state.isEmpty(last + 1):
        last += 1
        closed = _line(state, last).rstrip().endswith("$$")
    if not closed:
        return False
    if not silent:
        token = state.push("formula_block", "", 0)
        token.content = state.getLines(start_line, last + 1, state.blkIndent, False)
        token.map = [start_line, last + 1]
        state.line = last + 1
    return True


def _formula(state: StateInline, silent: bool) -> bool:
    if state.src[state.pos] != "$":
        return False
    match = _FORMULA.match(state.src, state.pos, state.posMax)
    if match is None:
        return False
    if not silent:
        state.push("formula", "", 0).content = match.group()
    state.pos = match.end()
    return True
