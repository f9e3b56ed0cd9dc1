import io
import zipfile

import docx
import pytest
from docx.enum.style import WD_STYLE_TYPE
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls, qn

from secondpass.errors import InputError


@pytest.fixture
def document():
    return docx.Document()


@pytest.fixture
def parsed(parse_bytes, word_bytes):
    return lambda document: parse_bytes(word_bytes(document), "报告.docx")


def test_headings_paragraphs_lists_and_tables_stand_in_reading_order(document, parsed):
    document.add_heading("年度报告", level=1)
    document.add_paragraph("学校有156个学生社团。")
    document.add_heading("Numbers", level=2)
    document.add_paragraph("第一项", style="List Bullet")
    document.add_paragraph("second", style="List Number")
    table = document.add_table(rows=2, cols=2)
    for cell, words in zip((c for row in table.rows for c in row.cells), ["模型", "维度", "BGE", "1024"], strict=True):
        cell.text = words
    document.add_paragraph("结尾")
    result = parsed(document)
    assert result.text == (
        "年度报告\n\n学校有156个学生社团。\n\nNumbers\n\n- 第一项\n- second\n\n模型 | 维度\nBGE | 1024\n\n结尾"
    )
    assert [(h.level, h.title) for h in result.headings] == [(1, "年度报告"), (2, "Numbers")]
    assert result.title == "年度报告"
    assert result.metadata["encoding"] == "binary"


def test_chinese_styles_styles_built_on_them_and_outline_levels_are_headings(document, parsed):
    chinese = document.styles.add_style("标题 2", WD_STYLE_TYPE.PARAGRAPH)
    mine = document.styles.add_style("我的样式", WD_STYLE_TYPE.PARAGRAPH)
    mine.base_style = chinese
    document.add_paragraph("甲", style="标题 2")
    document.add_paragraph("乙", style="我的样式")
    outlined = document.add_paragraph("丙")
    outlined._p.get_or_add_pPr().append(parse_xml(f'<w:outlineLvl {nsdecls("w")} w:val="2"/>'))
    document.add_paragraph("正文")
    assert [(h.level, h.title) for h in parsed(document).headings] == [(2, "甲"), (2, "乙"), (3, "丙")]


def test_the_title_of_the_properties_is_the_title(document, parsed):
    document.core_properties.title = "学校概况"
    document.add_paragraph("正文")
    assert parsed(document).title == "学校概况"


def test_merged_cells_are_read_once(document, parsed):
    table = document.add_table(rows=2, cols=3)
    table.cell(0, 0).merge(table.cell(0, 2)).text = "合并"
    table.cell(1, 1).text = "中"
    assert parsed(document).text == "合并\n | 中 |"


def test_insertions_controls_and_boxes_are_read_and_deletions_are_not(document, parsed):
    paragraph = document.add_paragraph("原文")._p
    paragraph.append(parse_xml(f'<w:ins {nsdecls("w")} w:id="1"><w:r><w:t>插入</w:t></w:r></w:ins>'))
    paragraph.append(parse_xml(f'<w:del {nsdecls("w")} w:id="2"><w:r><w:delText>删去</w:delText></w:r></w:del>'))
    body = document.element.body
    control = f"<w:sdt {nsdecls('w')}><w:sdtContent><w:p><w:r><w:t>控件</w:t></w:r></w:p></w:sdtContent></w:sdt>"
    body.insert(len(body) - 1, parse_xml(control))
    box = (
        f"<w:p {nsdecls('w')}><w:r><w:t>外</w:t><w:pict><w:txbxContent><w:p><w:r><w:t>框内</w:t></w:r></w:p>"
        "</w:txbxContent></w:pict></w:r></w:p>"
    )
    body.insert(len(body) - 1, parse_xml(box))
    assert parsed(document).text == "原文插入\n\n控件\n\n外\n\n框内"


def test_line_breaks_and_tabs_stay_and_field_codes_do_not(document, parsed):
    paragraph = document.add_paragraph("一\n二\t三")
    paragraph._p.append(parse_xml(f"<w:r {nsdecls('w')}><w:instrText>PAGEREF _Toc</w:instrText></w:r>"))
    assert parsed(document).text == "一\n二\t三"


def test_a_style_that_is_based_on_itself_ends(document, parsed):
    first = document.styles.add_style("甲式", WD_STYLE_TYPE.PARAGRAPH)
    second = document.styles.add_style("乙式", WD_STYLE_TYPE.PARAGRAPH)
    first.base_style, second.base_style = second, first
    document.add_paragraph("正文", style="甲式")
    assert parsed(document).text == "正文"


def test_a_broken_zip_an_old_file_and_another_zip_are_told_apart(document, parse_bytes, word_bytes):
    data = word_bytes(document)
    with pytest.raises(InputError, match="not a Word document or is damaged"):
        parse_bytes(data[: len(data) // 2], "a.docx")
    with pytest.raises(InputError, match="old Word file or is password-protected"):
        parse_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500), "a.docx")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        package.writestr("a.txt", "文字")
    with pytest.raises(InputError, match="is a zip file, but not a Word document"):
        parse_bytes(buffer.getvalue(), "a.docx")
    with pytest.raises(InputError, match="holds no text"):
        parse_bytes(data, "a.docx")


def test_a_zip_bomb_is_not_opened(parse_bytes):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("[Content_Types].xml", "<x/>")
        with package.open("word/document.xml", "w", force_zip64=True) as part:
            for _ in range(300):
                part.write(bytes(2**20))
    assert len(buffer.getvalue()) < 2**20
    with pytest.raises(InputError, match="unpacks to 300 MB"):
        parse_bytes(buffer.getvalue(), "a.docx")


def test_no_entity_is_expanded(document, parse_bytes, word_bytes, tmp_path):
    (tmp_path / "secret.txt").write_text("秘密内容")
    document.add_paragraph("MARK 可见")
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(word_bytes(document))) as old, zipfile.ZipFile(buffer, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "word/document.xml":
                head = f'<!DOCTYPE x [<!ENTITY s SYSTEM "file://{tmp_path}/secret.txt">]>\n<w:document'.encode()
                data = data.replace(b"<w:document", head, 1).replace(b"MARK", b"&s;")
            new.writestr(name, data)
    assert parse_bytes(buffer.getvalue(), "a.docx").text == "可见"


def test_the_names_of_xml_are_those_of_word():
    assert qn("w:p") == "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}p"
