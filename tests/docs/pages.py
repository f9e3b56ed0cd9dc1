"""Pages taken apart: headings, tables, links and pieces of code."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
LANGUAGES = ("en", "zh")
PAGES = ("rerankers", "engines", "evaluate", "data", "train", "merge")
_FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Fence:
    """A piece of code: its language, a word on what is to be done with it, and the code.

    Of ``console`` every command runs, and lines below a command are what it prints (… stands for anything);
    ``console network`` needs what tests have not, ``console files`` files of the reader's, ``console gpu`` a GPU,
    ``console plugin`` the page's own plug-in. ``python`` runs, ``python other`` belongs to other libraries. A file's
    name after the language: that file, in the folder where the commands run.
    """

    kind: str
    word: str
    body: str


@dataclass(frozen=True, slots=True)
class Command:
    """A command as its words, the variables set before it, and the lines that are shown below it."""

    words: tuple[str, ...]
    variables: dict[str, str]
    shown: tuple[str, ...]


def page_text(language: str, page: str) -> str:
    return (ROOT / "docs" / language / f"{page}.md").read_text(encoding="utf-8")


def fences(text: str) -> list[Fence]:
    return [Fence(*[*info.split(), "", ""][:2], body) for info, body in _FENCE.findall(text)]


def prose(text: str) -> str:
    """The page without its code."""
    return _FENCE.sub("", text)


def headings(text: str) -> list[tuple[int, str]]:
    found = re.findall(r"^(#+) (.*)$", prose(text), re.MULTILINE)
    return [(len(marks), title) for marks, title in found]


def tables(text: str) -> list[list[list[str]]]:
    """The cells of every table, row by row, the line of dashes left out."""
    found: list[list[list[str]]] = [[]]
    for line in prose(text).splitlines():
        if not line.startswith("|"):
            found.append([])
        elif not set(line) <= set("|- :"):
            found[-1].append([cell.strip() for cell in line.strip("|").split(" | ")])
    return [table for table in found if table]


def links(text: str) -> list[tuple[str, str]]:
    """File and anchor of every link that stays in the repository."""
    targets = re.findall(r"\]\(([^)]+)\)", prose(text))
    return [(file, anchor) for file, _, anchor in (t.partition("#") for t in targets if "://" not in t)]


def anchor_of(title: str) -> str:
    """The anchor that a heading gets on GitHub."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def commands(fence: Fence) -> list[Command]:
    """The commands of a console, each with what it is shown to print."""
    found: list[Command] = []
    for line in fence.body.splitlines():
        if not line.startswith("$ "):
            last = found[-1]
            found[-1] = Command(last.words, last.variables, (*last.shown, line))
            continue
        words = shlex.split(line[2:])
        if words[0] == "export":
            words = words[1:]
        count = next((i for i, word in enumerate(words) if not re.fullmatch(r"[A-Z_]+=.*", word)), len(words))
        variables = dict(word.split("=", 1) for word in words[:count])
        found.append(Command(tuple(words[count:]), variables, ()))
    return found
