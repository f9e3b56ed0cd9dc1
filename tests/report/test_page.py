"""The page of a report: everything is on it, nothing on it does anything, and it is the same every time."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from lxml import html
from tests.report.reports import SYSTEMS, make_bare_report, make_big_report, make_report

from secondpass.errors import InputError
from secondpass.evaluate.records import MovedPassage, Report, SystemResult, TaskResult, WorseQuery
from secondpass.report.page import page_html, write_page
from secondpass.report.page_numbers import count, interval, p_value, percent, points, signed_points

HOSTILE = '"><img src=x onerror=alert(1)><script>alert(1)</script></style></svg>\u202e\x1b[31m西安\x00'
VOID = {"meta", "input", "br"}
REPORTS = {"full": make_report, "bare": make_bare_report}


@pytest.fixture(scope="module")
def full() -> Report:
    return make_report()


@pytest.fixture(scope="module")
def page(full: Report) -> str:
    return page_html(full)


@pytest.fixture(scope="module")
def tree(page: str) -> html.HtmlElement:
    return html.document_fromstring(page)


def words_of(node: html.HtmlElement) -> str:
    return " ".join(node.text_content().split())


def shown_in(page: str, language: str) -> str:
    """The words of the page that one language shows."""
    tree = html.document_fromstring(page)
    other = "zh" if language == "en" else "en"
    for node in tree.xpath(f"//*[contains(concat(' ', @class, ' '), ' {other} ')] | //script | //style"):
        node.drop_tree()
    return words_of(tree)


class Balance(HTMLParser):
    """Counts what a strict reader of HTML would complain of: ends without starts, starts without ends, double names."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.faults: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        names = [name for name, _ in attrs]
        if len(names) != len(set(names)):
            self.faults.append(f"<{tag}> names an attribute twice")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if "svg" not in self.open:
            self.faults.append(f"<{tag}/> outside a drawing")

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> ends nothing")


@pytest.mark.parametrize("name", REPORTS)
def test_every_element_is_closed_where_it_was_opened(name: str) -> None:
    balance = Balance()
    balance.feed(page_html(REPORTS[name]()))
    assert balance.faults == []
    assert balance.open == []


@pytest.mark.parametrize("name", REPORTS)
def test_names_are_unique_and_every_reference_has_its_target(name: str) -> None:
    tree = html.document_fromstring(page_html(REPORTS[name]()))
    names = tree.xpath("//@id")
    assert len(names) == len(set(names))
    targets = [value.removeprefix("#") for value in tree.xpath("//a/@href")] + tree.xpath("//label/@for")
    targets += [one for value in tree.xpath("//@aria-labelledby | //@aria-describedby") for one in value.split()]
    assert targets
    assert set(targets) <= set(names)


def test_paragraphs_hold_no_blocks(tree: html.HtmlElement) -> None:
    blocks = "ul ol li p div table details section figure h1 h2 h3 h4 h5 dl".split()
    assert tree.xpath(" | ".join(f"//p//{name} | //span//{name}" for name in blocks)) == []


def test_every_table_row_has_as_many_cells_as_the_head(tree: html.HtmlElement) -> None:
    for table in tree.xpath("//table[not(@class='measures')]"):
        width = len(table.xpath("./thead/tr/th"))
        for row in table.xpath("./tbody/tr"):
            assert sum(int(cell.get("colspan", "1")) for cell in row) == width


def test_headings_go_down_one_step_at_a_time(tree: html.HtmlElement) -> None:
    levels = [int(node.tag[1]) for node in tree.xpath("//h1|//h2|//h3|//h4|//h5")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_the_page_asks_for_nothing_from_elsewhere(page: str, tree: html.HtmlElement) -> None:
    assert tree.xpath("//link | //img | //iframe | //object | //embed | //form | //base | //video | //audio") == []
    assert tree.xpath("//script/@src | //@style | //image | //use") == []
    assert not [name for name in tree.xpath("//@*") if name.attrname.startswith("on")]
    assert all(address.startswith("#") for address in tree.xpath("//@href"))
    assert "url(" not in page
    assert "@import" not in page
    assert "http://" not in page
    assert "https://" not in page


def test_only_the_pages_own_script_and_style_may_run(tree: html.HtmlElement) -> None:
    (policy,) = tree.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    for kind in ("script", "style"):
        (own,) = tree.xpath(f"//{kind}")
        digest = base64.b64encode(hashlib.sha256(own.text.encode()).digest()).decode()
        assert rules[f"{kind}-src"] == f"'sha256-{digest}'"


def test_nothing_is_remembered(page: str) -> None:
    assert not re.search(r"localStorage|sessionStorage|cookie|indexedDB", page)


def hostile_task(task: TaskResult) -> TaskResult:
    def system(one: SystemResult, place: int) -> SystemResult:
        return replace(
            one,
            name=HOSTILE if place == 1 else f"{HOSTILE}{place}",
            identity=HOSTILE,
            scale=HOSTILE,
            notes=(HOSTILE,),
            per_query={f"{HOSTILE}{key}": value for key, value in one.per_query.items()},
        )

    passage = MovedPassage(HOSTILE, 1, 0, 1, HOSTILE)
    return replace(
        task,
        name=HOSTILE,
        baseline=HOSTILE,
        candidates_hash=HOSTILE,
        systems=tuple(system(one, place) for place, one in enumerate(task.systems)),
        worst=(WorseQuery(HOSTILE, HOSTILE, HOSTILE, 1.0, 0.0, (passage,)),),
        notes=(HOSTILE,),
    )


def test_hostile_strings_in_every_field_are_shown_and_do_nothing(full: Report) -> None:
    tasks = tuple(hostile_task(task) for task in full.tasks)
    overall = tuple(replace(row, name=HOSTILE) for row in full.overall)
    fields: dict[str, Any] = {"created": HOSTILE, "version": HOSTILE, "conventions": (HOSTILE,)}
    attacked = replace(
        full, tasks=tasks, overall=overall, machine={HOSTILE: HOSTILE}, options={HOSTILE: [HOSTILE]}, **fields
    )
    written = page_html(attacked)
    tree = html.document_fromstring(written)
    assert len(tree.xpath("//script")) == 1
    assert len(tree.xpath("//style")) == 1
    assert tree.xpath("//img") == []
    assert len(tree.xpath("//svg")) >= len(html.document_fromstring(page_html(full)).xpath("//svg")) // 2
    assert not re.search("[\x00-\x08\x1b\u202e]", written)
    assert "<img src=x onerror=alert(1)>" in tree.text_content()
    assert "[U+202E][U+001B][31m西安[U+0000]" in tree.text_content()
    balance = Balance()
    balance.feed(written)
    assert balance.faults == []


def test_hostile_measure_names_are_text_too(full: Report) -> None:
    measures = (HOSTILE, *full.measures[1:])
    tree = html.document_fromstring(page_html(replace(full, measures=measures)))
    assert len(tree.xpath("//script")) == 1
    assert tree.xpath("//img") == []


def numbers_of(system: SystemResult) -> Iterator[str]:
    for estimate in system.measures.values():
        yield points(estimate.mean)
        yield interval(estimate.low, estimate.high)
    for difference in system.differences.values():
        yield signed_points(difference.mean)
        yield interval(difference.low, difference.high)
        yield p_value(difference.p_value)
        yield p_value(difference.p_holm)
        yield f"{count(difference.wins)} / {count(difference.ties)} / {count(difference.losses)}"
    for estimate in system.answers.values():
        yield points(estimate.mean)
        yield interval(estimate.low, estimate.high)
    yield from (percent(gain) for gain in system.gain_reached.values())
    if system.cost is not None:
        yield from (count(value) for value in (system.cost.pairs, system.cost.known, system.cost.truncated))
    if system.calibration is not None:
        yield f"{system.calibration.error:.3f}"
        yield from (count(one.pairs) for one in system.calibration.bins if one.pairs)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_number_of_a_task_stands_in_its_section(full: Report, page: str, language: str) -> None:
    for place, task in enumerate(full.tasks, start=1):
        (section,) = html.document_fromstring(page).xpath(f"//details[.//*[@id='task-{place}']]")
        shown = shown_in(html.tostring(section, encoding="unicode"), language)
        for system in task.systems:
            assert system.name in shown
            assert [value for value in numbers_of(system) if value not in shown] == []
        for value in (task.queries, task.passages, task.pairs):
            assert count(value) in shown
        assert task.candidates_hash in shown


@pytest.mark.parametrize("language", ["en", "zh"])
def test_figures_over_all_tasks_conventions_machine_and_options_are_there(
    full: Report, page: str, language: str
) -> None:
    shown = shown_in(page, language)
    for row in full.overall:
        assert all(interval(one.low, one.high) in shown for one in row.measures.values())
    wanted = [
        *full.conventions,
        *full.machine,
        *full.machine.values(),
        *full.options,
        full.version,
        full.created,
        "--out",
    ]
    assert [text for text in wanted if text not in shown] == []


def test_questions_that_got_worst_are_there_with_their_passages(full: Report, page: str) -> None:
    shown = shown_in(page, "zh")
    for task in full.tasks:
        for one in task.worst:
            assert one.query in shown
            assert one.query_id in shown
            assert one.passages[0].text[:100] in shown
    assert "1 → 被截去" in shown
    assert "未显示的段落：2 个。" in shown


def test_each_language_shows_all_sections_and_none_of_the_other(page: str) -> None:
    english, chinese = shown_in(page, "en"), shown_in(page, "zh")
    for mine, other in (("In short", "结论"), ("Task by task", "逐个任务"), ("How this was measured", "怎样测的")):
        assert mine in english
        assert other not in english
        assert other in chinese
        assert mine not in chinese


def test_every_drawing_has_a_name_and_a_sentence_on_how_to_read_it(tree: html.HtmlElement) -> None:
    drawings = tree.xpath("//svg")
    assert len(drawings) > 20
    named = {node.get("id"): node for node in tree.xpath("//*[@id]")}
    for drawing in drawings:
        assert drawing.get("role") == "img"
        for names in (drawing.get("aria-labelledby"), drawing.get("aria-describedby")):
            for name in names.split():
                assert words_of(named[name])


def test_what_a_report_leaves_out_the_page_leaves_out() -> None:
    bare = make_bare_report()
    written = page_html(bare)
    assert "All tasks together" not in written
    assert "Quality against latency" not in written
    assert "Where relevant passages went" not in written
    assert "内部文档" in written
    for empty in (replace(bare, tasks=()), replace(bare, measures=())):
        Balance().feed(page_html(empty))
    assert "No task was measured." in page_html(replace(bare, tasks=()))


def test_the_same_report_gives_the_same_bytes(page: str) -> None:
    assert page_html(make_report()) == page


def test_sixteen_tasks_of_a_thousand_questions_stay_below_a_megabyte() -> None:
    names = {"random", "bm25", "fuse:bm25+dense", "lexical@10", "BAAI/bge-reranker-v2-m3@10", "ceiling"}
    report = make_big_report(16, 1000, tuple(system for system in SYSTEMS if system.name in names))
    written = page_html(report)
    assert len(written.encode("utf-8")) < 1_000_000
    # Many tasks start closed, so that their list is seen at once.
    assert '<details class="task" open' not in written


def test_the_file_takes_its_name_only_when_all_of_it_is_written(tmp_path: Path, full: Report) -> None:
    path = tmp_path / "报告.html"
    write_page(full, path)
    assert path.read_text(encoding="utf-8") == page_html(full)
    assert [one.name for one in tmp_path.iterdir()] == ["报告.html"]
    with pytest.raises(InputError, match="cannot be written"):
        write_page(full, tmp_path / "nowhere" / "page.html")
