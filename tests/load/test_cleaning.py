from hypothesis import example, given
from hypothesis import strategies as st

from secondpass.load.blocks import Block, assemble
from secondpass.load.cleaning import clean_characters, join_lines


def test_wrapped_lines_join_with_a_blank_only_where_the_writing_has_blanks():
    assert join_lines(["检索增强", "生成"]) == "检索增强生成"
    assert join_lines(["a wrapped", "line"]) == "a wrapped line"
    assert join_lines(["使用 FastAPI", "框架，", "then go"]) == "使用 FastAPI 框架，then go"
    assert join_lines(["他说“好”", "“不”，她说"]) == "他说“好” “不”，她说"
    assert join_lines(["姓名：张三", "年龄：30"]) == "姓名：张三\n年龄：30"


@given(st.text())
def test_clean_text_has_no_control_characters_no_blanks_at_line_ends_and_is_clean_already(text):
    cleaned = clean_characters(text)
    assert not any(ord(character) < 32 and character not in "\n\t\f" for character in cleaned)
    assert not any(line != line.rstrip(" \t") for line in cleaned.split("\n"))
    assert clean_characters(cleaned) == cleaned
    cleaned.encode("utf-8")


BLOCKS = st.lists(st.builds(Block, st.text("中a \n\f\0", max_size=12), st.sampled_from([0, 0, 1, 2]), st.booleans()))


@given(BLOCKS)
@example([Block("a\n \f\n\na")])
@example([Block("! \f"), Block("a")])
def test_headings_point_at_their_titles_and_every_page_has_a_start(blocks):
    assembled = assemble(blocks, paged=True)
    for heading in assembled.headings:
        assert assembled.text[heading.start : heading.start + len(heading.title)] == heading.title
        assert heading.title.strip()
    assert len(assembled.pages) == 1 + sum(block.text.count("\f") for block in blocks)
    assert list(assembled.pages) == sorted(assembled.pages)
    assert assembled.pages[0] == 0
    assert assembled.pages[-1] <= len(assembled.text)
    assert "\f" not in assembled.text
    assert not any(line != line.rstrip() for line in assembled.text.split("\n"))
    assert "\n\n\n" not in assembled.text


def test_a_page_that_starts_inside_a_paragraph_starts_at_its_first_character():
    assembled = assemble([Block("一页的\f二页。"), Block("尾\f"), Block("三")], paged=True)
    assert assembled.text == "一页的二页。\n\n尾\n\n三"
    assert [assembled.text[start] for start in assembled.pages] == ["一", "二", "三"]
