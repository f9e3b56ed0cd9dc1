"""The page in a real browser: it is quiet, asks for nothing, speaks both languages and fits a phone."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.report.reports import make_big_report, make_report

from secondpass.report.page import write_page

if sys.platform == "win32":
    pytest.skip("the browser is driven over inherited pipes, which Windows has not", allow_module_level=True)

from tests.report.browser import Page, browser_page, find_browser

PHONE, DESK = (390, 844), (1280, 900)
SHOWN = "document.querySelector('.page').innerText"


@pytest.fixture(scope="module")
def program() -> str:
    found = find_browser()
    if found is None and os.environ.get("CI") == "true":
        pytest.fail("no Chromium is installed, and continuous integration must have one: see .ci/run")
    if found is None:
        pytest.skip("no Chromium is installed: apt-get install chromium")
    return found


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_page(make_report(), path)
    return path


@pytest.fixture(scope="module")
def page(program: str, written: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser_page(program, tmp_path_factory.mktemp("browser")) as opened:
        opened.resize(*DESK)
        opened.open(written)
        yield opened


def choose(page: Page, language: str) -> None:
    page.value(f"document.querySelector('label[for={language}]').click()")


def open_all(page: Page) -> None:
    page.value("document.querySelectorAll('details').forEach(one => { one.open = true; })")


def test_the_page_is_quiet_and_asks_for_nothing(page: Page, written: Path) -> None:
    assert page.messages() == []
    assert set(page.requests()) == {written.as_uri()}


def test_the_driver_would_see_a_request_and_a_complaint(page: Page, written: Path, tmp_path: Path) -> None:
    noisy = tmp_path / "noisy.html"
    noisy.write_text(
        written.read_text(encoding="utf-8").replace(
            "</body>", "<img src='missing.png'><script>throw new Error('x')</script></body>"
        ),
        encoding="utf-8",
    )
    before = len(page.messages())
    page.open(noisy)
    # The policy forbids both, and the browser says so.
    assert len(page.messages()) >= before + 2
    page.events.clear()
    page.open(written)


def test_switching_the_language_changes_what_is_read(page: Page) -> None:
    choose(page, "english")
    english = page.value(SHOWN)
    choose(page, "chinese")
    chinese = page.value(SHOWN)
    assert "In short" in english
    assert "结论" not in english
    assert "结论" in chinese
    assert "In short" not in chinese
    assert page.value("document.documentElement.lang") == "zh-Hans"
    choose(page, "english")
    assert page.value("document.documentElement.lang") == "en"


def test_the_arrow_keys_choose_the_language(page: Page) -> None:
    page.value("document.getElementById('english').focus()")
    for kind in ("keyDown", "keyUp"):
        key = {"type": kind, "key": "ArrowRight", "code": "ArrowRight", "windowsVirtualKeyCode": 39}
        page.ask("Input.dispatchKeyEvent", key)
    assert "结论" in page.value(SHOWN)
    choose(page, "english")


def test_without_scripts_the_switch_works_all_the_same(page: Page, written: Path) -> None:
    page.ask("Emulation.setScriptExecutionDisabled", {"value": True})
    page.open(written)
    assert "In short" in page.value(SHOWN)
    choose(page, "chinese")
    assert "结论" in page.value(SHOWN)
    page.ask("Emulation.setScriptExecutionDisabled", {"value": False})
    page.open(written)


def test_every_drawing_is_seen(page: Page) -> None:
    open_all(page)
    sizes = page.value(
        "[...document.querySelectorAll('svg')].map(one => {"
        " const box = one.getBoundingClientRect(); return [box.width, box.height]; })"
    )
    assert len(sizes) > 20
    assert all(width >= 250 and height >= 80 for width, height in sizes)


@pytest.mark.parametrize("language", ["english", "chinese"])
def test_no_letters_leave_their_drawing(page: Page, language: str) -> None:
    open_all(page)
    choose(page, language)
    outside = page.value(
        "[...document.querySelectorAll('svg text')].filter(one => one.getClientRects().length).filter(one => {"
        " const box = one.getBoundingClientRect(), frame = one.closest('svg').getBoundingClientRect();"
        " return box.left < frame.left - 2 || box.right > frame.right + 2 || box.bottom > frame.bottom + 2; })"
        ".map(one => one.textContent)"
    )
    assert outside == []
    choose(page, "english")


@pytest.mark.parametrize("language", ["english", "chinese"])
@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_the_page_itself_never_scrolls_sideways(page: Page, size: tuple[int, int], language: str) -> None:
    page.resize(*size)
    open_all(page)
    choose(page, language)
    assert page.value("document.documentElement.scrollWidth") <= size[0]
    page.resize(*DESK)
    choose(page, "english")


def test_a_link_to_a_closed_task_opens_it(page: Page, written: Path, tmp_path: Path) -> None:
    many = tmp_path / "many.html"
    write_page(make_big_report(5, 12), many)
    page.open(many)
    assert page.value("document.querySelectorAll('details.task[open]').length") == 0
    page.value("document.querySelector('nav a[href=\"#task-4\"]').click()")
    assert page.value("document.querySelectorAll('details.task')[3].open") is True
    page.open(written)


def test_print_shows_closed_parts(page: Page) -> None:
    page.ask("Emulation.setEmulatedMedia", {"media": "print"})
    assert page.value("getComputedStyle(document.querySelector('nav')).display") == "none"
    height = page.value("document.querySelector('.worst table').getBoundingClientRect().height")
    assert height > 50
    page.ask("Emulation.setEmulatedMedia", {"media": ""})


def test_dark_and_light_both_have_enough_contrast(page: Page) -> None:
    ratios = {}
    for scheme in ("light", "dark"):
        page.ask("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
        colours = page.value(
            "['--paper', '--ink', '--quiet', '--accent', '--harm', '--on-accent'].map("
            "name => getComputedStyle(document.documentElement).getPropertyValue(name).trim())"
        )
        paper, *others, on_accent = (luminance(colour) for colour in colours)
        ratios[scheme] = [contrast(paper, other) for other in others] + [contrast(others[2], on_accent)]
    assert all(ratio >= 4.5 for found in ratios.values() for ratio in found), ratios
    assert ratios["light"] != ratios["dark"]


def luminance(colour: str) -> float:
    """Relative luminance of ``#rrggbb`` (WCAG 2.2)."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: float, other: float) -> float:
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)


def test_a_chinese_browser_starts_in_chinese(program: str, written: Path, tmp_path: Path) -> None:
    with browser_page(program, tmp_path, language="zh-CN") as opened:
        opened.open(written)
        assert "结论" in opened.value(SHOWN)
        assert opened.value("document.documentElement.lang") == "zh-Hans"
