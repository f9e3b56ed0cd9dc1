import io

import pytest
from pypdf import PdfReader, PdfWriter

from secondpass.errors import InputError

EN = ["Many of the algorithms need large amounts of labelled data, in order for the", "model to func-",
      "tion correctly. The sec-", "ond part follows."]  # fmt: skip
ZH = ["检索增强生成先从文档中找出相关的段落，再让语言模型根据这些段落回", "答问题，并且注明出处。"]


def test_lines_become_paragraphs_and_pages_have_offsets(parse_bytes, make_pdf):
    document = parse_bytes(make_pdf([EN, [], ZH], title="手册"), "a.pdf")
    assert document.text == (
        "Many of the algorithms need large amounts of labelled data, in order for the model to function correctly. "
        "The second part follows.\n\n" + "".join(ZH)
    )
    assert document.title == "手册"
    assert [document.text[start : start + 2] for start in document.pages] == ["Ma", "检索", "检索"]
    assert document.metadata["pages"] == 3
    assert document.metadata["pages_without_text"] == 1


def test_a_sentence_goes_on_over_the_end_of_a_page(parse_bytes, make_pdf):
    document = parse_bytes(make_pdf([ZH[:1], ZH[1:]]), "a.pdf")
    assert document.text == "".join(ZH)
    assert document.pages == (0, len(ZH[0]))


def test_running_lines_and_page_numbers_go_and_are_counted(parse_bytes, make_pdf):
    bodies = [f"这是第{word}段正文，每一页的内容都不一样，讲的是不同的事情。" for word in "甲乙丙丁戊"]
    pages = [["西安交通大学年报 2024", body, "12 月的数字是 3", f"第 {n} 页"] for n, body in enumerate(bodies, 1)]
    document = parse_bytes(make_pdf(pages), "a.pdf")
    assert "年报" not in document.text
    assert "第 3 页" not in document.text
    assert all(body in document.text for body in bodies)
    assert document.metadata["running_lines_dropped"] >= 10


def test_numbers_that_do_not_count_the_pages_stay(parse_bytes, make_pdf):
    pages = [["表格的内容在这里", value] for value in ("17", "4", "256", "31")]
    document = parse_bytes(make_pdf(pages), "a.pdf")
    assert "256" in document.text


def test_a_written_hyphen_stays_where_the_word_is_written_so_elsewhere(parse_bytes, make_pdf):
    lines = ["A well-known method, and well-known it is, which all of the readers call well-", "known here."]
    assert "call well-known here." in parse_bytes(make_pdf([lines]), "a.pdf").text


def test_bookmarks_become_headings(parse_bytes, make_pdf):
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(make_pdf([["第一章 总则", *ZH], ["第二章 附则", *ZH]]))))
    parent = writer.add_outline_item(title="第一章 总则", page_number=0)
    writer.add_outline_item(title="第二章 附则", page_number=1, parent=parent)
    buffer = io.BytesIO()
    writer.write(buffer)
    document = parse_bytes(buffer.getvalue(), "a.pdf")
    assert [(h.level, h.title) for h in document.headings] == [(1, "第一章 总则"), (2, "第二章 附则")]
    for heading in document.headings:
        assert document.text[heading.start :].startswith(heading.title)


def _encrypted(data, password):
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(data)))
    writer.encrypt(user_password=password, owner_password="owner", algorithm="AES-256")
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


def test_a_password_is_asked_for_only_where_there_is_one(parse_bytes, make_pdf):
    with pytest.raises(InputError, match="is password-protected"):
        parse_bytes(_encrypted(make_pdf([ZH]), "秘密secret"), "a.pdf")
    assert "".join(ZH) in parse_bytes(_encrypted(make_pdf([ZH]), ""), "a.pdf").text


def test_a_scan_is_told_to_need_ocr(parse_bytes, make_pdf):
    with pytest.raises(InputError, match=r"2 pages but no text layer.*OCR"):
        parse_bytes(make_pdf([[], []]), "a.pdf")


def test_a_file_cut_off_gives_what_can_be_read_or_one_sentence(parse_bytes, make_pdf):
    data = make_pdf([ZH] * 3)
    outcomes = set()
    for length in (*range(0, len(data), 61), len(data)):
        try:
            document = parse_bytes(data[:length] or b"%", "a.pdf")
        except InputError as error:
            outcomes.add(str(error).split(";")[0].split("(")[0])
        else:
            outcomes.add("read")
            assert length == len(data) or document.metadata["cut_off"] is True
            assert "检索" in document.text
    assert outcomes >= {"read", "/somewhere/a.pdf is damaged or cut off "}


def test_damaged_pages_are_counted_and_the_others_read(parse_bytes, make_pdf):
    data = make_pdf([ZH, EN]).replace(b"/Contents 10 0 R", b"/Contents [7 7 7 R")
    document = parse_bytes(data, "a.pdf")
    assert "".join(ZH) in document.text
    assert document.metadata.get("damaged_pages", 0) + document.metadata.get("pages_without_text", 0) == 1


def test_what_is_no_pdf_is_told(parse_bytes):
    with pytest.raises(InputError, match="is not a PDF file"):
        parse_bytes("这是文本".encode(), "a.pdf")
