import pytest

ARTICLE = """<!DOCTYPE html><html><head><meta charset="{charset}">
<title>{title}</title>
<script>hidden()</script></head>
<body><nav><a href="/">Home</a><a href="/b">About us</a></nav>
<main><article><h1>{heading}</h1>
<p>{first}<b>{bold}</b>, <a href="http://x.y/z">docs</a>. {wrapped_one}
{wrapped_two} English text that is long enough for the main text of a page, with line
breaks in it and <em>marks</em>.</p>
<h2>Models</h2><table><tr><th>{heading}</th><th>D</th></tr><tr><td>BGE</td><td>1024</td></tr></table>
<ul><li>One<ul><li>Below</li></ul></li><li>Two</li></ul><pre><code>def f(x):
    return x * 2
</code></pre></article></main><footer>Copyright</footer></body></html>"""

TEXT = """{heading}

{first}{bold}, docs. {wrapped_one}{wrapped_two} English text that is long enough for the main text of a page, with \
line breaks in it and marks.

Models

{heading} | D
BGE | 1024

- One
  - Below
- Two

def f(x):
    return x * 2"""

SIMPLE = {
    "title": "缓存 - 站点",
    "heading": "缓存与跨域",
    "first": "浏览器缓存响应的最长时间默认为 600 秒，这是",
    "bold": "重点",
    "wrapped_one": "折了",
    "wrapped_two": "行的中文不应有空格。",
}
TRADITIONAL = {
    "title": "快取 - 網站",
    "heading": "快取與跨域",
    "first": "瀏覽器快取回應的最長時間預設為 600 秒，這是",
    "bold": "重點",
    "wrapped_one": "折了",
    "wrapped_two": "行的中文不應有空格。",
}


@pytest.mark.parametrize(
    ("charset", "words"),
    [("utf-8", SIMPLE), ("utf-8", TRADITIONAL), ("gb2312", SIMPLE), ("gbk", TRADITIONAL), ("big5", TRADITIONAL)],
)
def test_the_main_text_of_a_page_is_kept_with_its_headings(parse_bytes, charset, words):
    document = parse_bytes(ARTICLE.format(charset=charset, **words).encode(charset), "a.html")
    assert document.text == TEXT.format(**words)
    assert document.title == words["title"]
    assert document.metadata["extraction"] == "main text"
    assert [h.level for h in document.headings] == [1, 2]
    for heading in document.headings:
        assert document.text[heading.start :].startswith(heading.title)


def test_a_header_goes_before_the_tag_and_bytes_before_both(parse_bytes):
    page = "<html><head><meta charset='utf-8'></head><body><p>西安交通大学</p></body></html>"
    assert parse_bytes(page.encode("gbk"), "a.html", charset="gbk").metadata["encoding"] == "gb18030"
    assert parse_bytes(page.encode("gbk"), "a.html").text == "西安交通大学"  # the tag is wrong
    assert parse_bytes(page.encode("utf-16"), "a.html").text == "西安交通大学"


def test_a_page_without_main_text_is_read_whole_and_says_so(parse_bytes):
    links = "".join(f"<li><a href='/{n}'>第{n}章 目录</a></li>" for n in range(30))
    page = f"<html><body><nav>导航</nav><div><ul>{links}</ul></div><p>短</p></body></html>"
    document = parse_bytes(page.encode(), "a.html")
    assert "第29章 目录" in document.text
    assert "导航" not in document.text
    assert document.text.count("\n- ") == 29
    assert document.metadata["extraction"] == "whole page"


def test_a_table_that_lays_out_a_page_is_read_cell_by_cell(parse_bytes):
    page = "<table><tr><td><h1>标题</h1><p>左边的文字</p></td><td><p>右边</p><p>的文字</p></td></tr></table>"
    assert parse_bytes(page.encode(), "a.html").text == "标题\n\n左边的文字\n\n右边\n\n的文字"


def test_nothing_is_fetched_or_expanded(parse_bytes, tmp_path, monkeypatch):
    def refuse(*_):
        raise AssertionError("a connection was opened")

    monkeypatch.setattr("socket.socket.connect", refuse)
    secret = tmp_path / "secret.txt"
    secret.write_text("秘密内容")
    page = f"""<?xml version="1.0"?><!DOCTYPE html [<!ENTITY x SYSTEM "file://{secret}"><!ENTITY a "aaaa">]>
    <html><head><link rel="stylesheet" href="http://example.org/a.css"><base href="http://example.org/"></head>
    <body><p>可见的文字 &x; &a;</p><iframe src="http://example.org/"></iframe><img src="http://example.org/a.png"></body></html>"""
    for name in ("a.html", "a.xhtml"):
        document = parse_bytes(page.encode(), name)
        assert "可见的文字" in document.text
        assert "秘密" not in document.text


def test_deeply_nested_and_broken_pages_end(parse_bytes):
    document = parse_bytes(("<p>面</p>" + "<div>" * 3000 + "<p>底 &amp; 完</p><script>x</script>").encode(), "a.html")
    assert document.text == "面\n\n底 & 完"
    assert document.metadata["extraction"] == "tags stripped"
    assert "好" in parse_bytes("<p>好<b>没有<i>关<table><td>".encode(), "a.html").text
