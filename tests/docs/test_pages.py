"""The pages of docs/en and docs/zh: their code runs, both say the same, and what they name is there."""

from __future__ import annotations

import re
import tomllib
from itertools import chain
from typing import Any

import click
import pytest
from tests.docs.conftest import RunPage
from tests.docs.pages import (
    LANGUAGES,
    PAGES,
    ROOT,
    Command,
    anchor_of,
    commands,
    fences,
    headings,
    links,
    page_text,
    prose,
    tables,
)

from secondpass.cli.main import cli

_REFUSALS = (
    "which is not to be used (offline)",
    "cannot be fetched (SECONDPASS_OFFLINE is set)",
    "cannot be fetched (nothing is to be fetched now)",
)
_PLUGIN = "my_rerankers-1.dist-info"


def shown_commands(page: str, word: str) -> list[Command]:
    """The commands of ``secondpass`` in the consoles of a page that carry ``word``."""
    consoles = (fence for fence in fences(page_text("en", page)) if (fence.kind, fence.word) == ("console", word))
    return [command for fence in consoles for command in commands(fence) if command.words[:1] == ("secondpass",)]


def job(command: Command) -> dict[str, Any]:
    return {"command": list(command.words[1:])}


def files_of(page: str) -> dict[str, str]:
    """The files that a page asks to be written, and its plug-in as an installed package would announce it."""
    found = fences(page_text("en", page))
    written = [fence for fence in found if fence.kind in {"json", "python", "toml", "yaml"} and "." in fence.word]
    files = {fence.word: fence.body for fence in written}
    points: dict[str, dict[str, str]] = {}
    for fence in found:
        if (fence.kind, fence.word) == ("toml", ""):
            points |= tomllib.loads(fence.body)["project"]["entry-points"]
    lines = [f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in names.items()) for group, names in points.items()]
    files[f"{_PLUGIN}/entry_points.txt"] = "".join(lines)
    files[f"{_PLUGIN}/METADATA"] = "Metadata-Version: 2.1\nName: my-rerankers\nVersion: 1\n"
    return files | {"passages.jsonl": next(f.body for f in fences(page_text("en", "rerankers")) if f.kind == "json")}


@pytest.mark.parametrize("page", PAGES)
def test_both_languages_have_the_same_code_headings_and_tables(page: str) -> None:
    english, chinese = (page_text(language, page) for language in LANGUAGES)
    assert fences(english) == fences(chinese)
    assert [level for level, _ in headings(english)] == [level for level, _ in headings(chinese)]
    shapes = [[[len(row) for row in table] for table in tables(text)] for text in (english, chinese)]
    assert shapes[0] == shapes[1]
    assert all(len(set(map(len, table))) == 1 for table in tables(english))
    assert len(links(english)) == len(links(chinese))


@pytest.mark.parametrize("page", PAGES)
def test_the_chinese_page_is_chinese_and_the_english_one_is_not(page: str) -> None:
    han = [len(re.findall("[\u4e00-\u9fff]", prose(page_text(language, page)))) for language in LANGUAGES]
    assert han[0] < 20
    assert han[1] > 500
    assert not re.search("[\u4e00-\u9fff][,;:?!](?![\\w/`])", prose(page_text("zh", page)))


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_the_code_of_a_page_runs_and_prints_what_is_shown(page: str, run_page: RunPage) -> None:
    pieces: list[tuple[dict[str, Any], Command | None]] = []
    for fence in fences(page_text("en", page)):
        if (fence.kind, fence.word) in {("console", ""), ("console", "plugin")}:
            pieces += [(job(one), one) for one in commands(fence) if one.words[0] == "secondpass"]
        elif (fence.kind, fence.word) == ("python", ""):
            pieces.append(({"python": fence.body}, None))
    assert len(pieces) > 5
    for (wanted, command), answer in zip(pieces, run_page([p for p, _ in pieces], files_of(page)), strict=True):
        nothing_found = answer["code"] == 1 and "ask" in wanted.get("command", ())  # the weights are random
        assert answer["code"] == 0 or nothing_found, (wanted, answer["error"])
        if command and command.shown:
            pattern = re.escape("\n".join(command.shown)).replace("…", ".*")
            assert re.fullmatch(pattern, answer["out"].strip()), answer["out"]


@pytest.mark.parametrize("page", PAGES)
def test_commands_that_need_a_network_or_a_gpu_are_refused_for_nothing_else(page: str, run_page: RunPage) -> None:
    network, gpu = shown_commands(page, "network"), shown_commands(page, "gpu")
    answers = run_page([job(command) for command in (*network, *gpu)], files_of(page))
    for command, answer in zip(network, answers, strict=False):
        assert answer["code"] == 2, command
        assert any(words in answer["error"] for words in _REFUSALS), answer["error"]
    for answer in answers[len(network) :]:
        assert answer["code"] == 0 or "CUDA" in answer["error"], answer["error"]


def command_of(group: click.Group, words: tuple[str, ...]) -> tuple[click.Command, str, list[str]]:
    """The command that ``words`` name, of a group within ``group`` where it is one, and its arguments."""
    _, name, *arguments = words
    command = group.get_command(click.Context(group), name)
    assert command is not None, name
    if isinstance(command, click.Group) and arguments and not arguments[0].startswith("-"):
        return command_of(command, (name, *arguments))
    return command, name, arguments


@pytest.mark.parametrize("page", PAGES)
def test_commands_on_files_of_the_reader_have_the_options_they_name(page: str) -> None:
    for shown in shown_commands(page, "files"):
        command, name, arguments = command_of(cli, shown.words)
        assert command.make_context(name, arguments)  # raises where an option or a value is not there


@pytest.mark.parametrize("page", PAGES)
def test_what_is_installed_and_what_is_measured_is_there(page: str) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    text = page_text("en", page)
    assert set(re.findall(r"\[(\w+)\]'", text)) <= set(extras)
    lines = re.findall(r"python (benchmarks/\w+\.py)([^`\n]*)", text)
    assert lines
    for file, arguments in lines:
        script = (ROOT / file).read_text(encoding="utf-8")
        assert all(f'"{flag}"' in script for flag in re.findall(r"--[\w-]+", arguments)), file


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files_and_headings(page: str, language: str) -> None:
    folder = ROOT / "docs" / language
    for file, anchor in links(page_text(language, page)):
        target = (folder / file).resolve() if file else folder / f"{page}.md"
        assert target.is_file(), file
        if anchor:
            assert anchor in {anchor_of(title) for _, title in headings(target.read_text(encoding="utf-8"))}


def test_pages_are_listed_everywhere() -> None:
    readmes = {"en": "README.md", "zh": "README.zh.md"}
    for language, page in ((language, page) for language in LANGUAGES for page in PAGES):
        text = (ROOT / readmes[language]).read_text(encoding="utf-8")
        assert f"(docs/{language}/{page}.md)" in text
    shown = set(chain.from_iterable(command.words for page in PAGES for command in shown_commands(page, "")))
    assert {"index", "search", "ask", "compare", "rerank", "models", "evaluate", "data", "train", "merge"} <= shown
