import textwrap


def _wrapped(text, width):
    """Wrap as editors do: at blanks for English, anywhere for Chinese."""
    if " " in text:
        return textwrap.fill(text, width)
    return "\n".join(text[i : i + width // 2] for i in range(0, len(text), width // 2))


ZH = (
    "检索增强生成先从文档中找出相关的段落，再让语言模型根据这些段落回答问题，并且在回答里注明出处，这样读者可以核对每一句话。"
    * 3
)
EN = "Retrieval first finds the passages that matter, then a reranker orders them, and a model answers from them. " * 4


def test_a_clearly_wrapped_text_is_unwrapped(parse_bytes):
    for text, width in ((ZH, 60), (EN.strip(), 72)):
        document = parse_bytes((_wrapped(text, width) + "\n\n" + _wrapped(text, width)).encode(), "a.txt")
        assert document.text == f"{text}\n\n{text}"
        assert document.metadata["wrapped_lines_joined"] is True


def test_lines_that_are_records_stay_lines(parse_bytes):
    text = "\n".join(f"2024-01-{day:02} 用户{day} 登录 status={day * 37}" for day in range(1, 29))
    assert parse_bytes(text.encode(), "a.log").text == text
    poem = "床前明月光，\n疑是地上霜。\n举头望明月，\n低头思故乡。"
    assert parse_bytes(poem.encode("gbk"), "诗.txt").text == poem


def test_new_items_and_indented_paragraphs_begin_a_line_in_wrapped_text(parse_bytes):
    text = _wrapped(ZH, 60) + "\n　　" + _wrapped(ZH, 60) + "\n1. 第一条"
    assert parse_bytes(text.encode(), "a.txt").text == f"{ZH}\n\n{ZH}\n\n1. 第一条"


def test_form_feeds_are_pages_and_newlines_become_one_kind(parse_bytes):
    document = parse_bytes("一\r\n二\r\f三\x00\x08\r\n\r\n\r\n四  ".encode(), "a.txt")
    assert document.text == "一\n二\n三\n\n四"
    assert [document.text[start] for start in document.pages] == ["一", "三"]


def test_restructured_text_keeps_headings_words_and_code(parse_bytes):
    text = """
====
教程
====

.. _anchor:

用 :func:`reload <importlib.reload>` 和 ``code``，见 `文档 <http://x.y>`_，**重点**。这一行
折行了。

安装
----

.. note:: 注意

   缩进的
   说明

- 一
- 二

::

    x = 1
      y = 2

.. image:: a.png
   :alt: t
"""
    document = parse_bytes(text.encode(), "a.rst")
    assert [(h.level, h.title) for h in document.headings] == [(1, "教程"), (2, "安装")]
    assert document.text == (
        "教程\n\n用 reload 和 code，见 文档，重点。这一行折行了。\n\n安装\n\n注意\n\n缩进的说明\n\n- 一\n- 二\n\n"
        "x = 1\n  y = 2"
    )
