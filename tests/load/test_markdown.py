import textwrap

import pytest


@pytest.fixture
def parsed(parse_bytes):
    def parse(text, name="说明.md"):
        return parse_bytes(textwrap.dedent(text).lstrip("\n").encode(), name)

    return parse


def test_marks_go_and_words_stay(parsed):
    document = parsed("""
        这是**重点**，*斜体*，~~删~~，`代码_a`，[链接文字](http://x.y/z "t")，![图片说明](a.png)，<https://e.org>。

        A [link][ref] and &amp; an escaped \\* star.

        [ref]: http://hidden.example/
        """)
    assert document.text == (
        "这是重点，斜体，删，代码_a，链接文字，图片说明，https://e.org。\n\nA link and & an escaped * star."
    )


def test_headings_of_both_kinds_are_recorded_without_their_anchors(parsed):
    document = parsed("""
        总标题
        ===

        ## 用 `CORSMiddleware` { #use-corsmiddleware }

        正文

        Second
        ------

        ### Closed ### {#closed}
        """)
    assert [(h.level, h.title) for h in document.headings] == [
        (1, "总标题"), (2, "用 CORSMiddleware"), (2, "Second"), (3, "Closed ###"),
    ]  # fmt: skip
    for heading in document.headings:
        assert document.text[heading.start :].startswith(heading.title)
    assert document.title == "总标题"


def test_front_matter_goes_and_gives_the_title(parsed):
    document = parsed("""
        ---
        title: "缓存：说明"
        tags: [a]
        ---
        正文
        """)
    assert (document.title, document.text) == ("缓存：说明", "正文")
    document = parsed("+++\ntitle = 'T'\n+++\nbody")
    assert (document.title, document.text) == ("T", "body")


def test_a_rule_at_the_top_is_no_front_matter(parsed):
    assert parsed("---\n\n引子\n\n---\n正文").text == "引子\n\n正文"


def test_a_sentence_is_never_cut_by_the_end_of_a_line(parsed):
    document = parsed("""
        检索增强生成是一种
        结合检索与生成的技术。
        It is a
        technique.

        - 列表项的文字也可以
          折行
        - second item
          goes on
        """)
    assert document.text == (
        "检索增强生成是一种结合检索与生成的技术。It is a technique.\n\n- 列表项的文字也可以折行\n- second item goes on"
    )


def test_a_break_the_author_meant_stays(parsed):
    assert parsed("第一行  \n第二行<br>第三行\\\n第四行").text == "第一行\n第二行\n第三行\n第四行"


def test_lists_keep_their_lines_depth_and_numbers(parsed):
    document = parsed("""
        3. 三
        4. 四
           - 子项

           说明
        """)
    assert document.text == "3. 三\n4. 四\n  - 子项\n  说明"


def test_tables_are_rows_of_cells(parsed):
    document = parsed("""
        | 模型 | 维度 |
        |---|---|
        | **BGE** | `1024` |
        """)
    assert document.text == "模型 | 维度\nBGE | 1024"


def test_code_stays_as_it_is_without_its_fence(parsed):
    document = parsed("""
        ```python
        # 不是标题
        x = 2 ** 3  # **不是重点** <b>
        ```

            indented = True
        """)
    assert document.text == "# 不是标题\nx = 2 ** 3  # **不是重点** <b>\n\nindented = True"
    assert not document.headings


def test_colours_of_recorded_terminals_go(parsed):
    assert parsed('```console\n$ <font color="#4E9A06">fastapi</font> dev\n```').text == "$ fastapi dev"


def test_formulas_stay_as_they_were_written(parsed):
    document = parsed("""
        损失 $L_{a}*b*\\{x\\}$ 与 $5 和 $6。

        $$
        a_1 \\\\
        *b*
        $$
        """)
    assert document.text == "损失 $L_{a}*b*\\{x\\}$ 与 $5 和 $6。\n\n$$\na_1 \\\\\n*b*\n$$"


def test_notes_of_every_kind_lose_their_mark_and_keep_their_words(parsed):
    document = parsed("""
        /// note | 技术细节

        甲

        ///

        ::: tip 提示
        乙
        :::

        !!! warning "注意"
            丙
            接着

            - 项

        === "标签"

            丁

        > [!NOTE]
        > 戊
        """)
    assert document.text == "技术细节\n\n甲\n\n提示\n\n乙\n\n注意\n\n丙接着\n\n- 项\n\n标签\n\n丁\n\n戊"


def test_comments_tags_and_shortcodes_go_and_what_they_enclose_stays(parsed):
    document = parsed("""
        <!-- 隐藏

        的话 -->
        <div class="x">

        <font color="red">红字</font> and <abbr title="t">CORS</abbr>{: .y } {{< ref "a" >}}完

        </div>

        <script>var hidden = 1</script>

        <table><tr><td>甲</td><td><p>乙</p></td></tr><tr><td>丙</td><td>丁</td></tr></table>

        <p align="center"><img src="a.png" alt="徽标"></p>
        """)
    assert document.text == "红字 and CORS 完\n\n甲 | 乙\n丙 | 丁\n\n徽标"


def test_what_only_looks_like_a_tag_stays(parsed):
    assert parsed("用 vector<int> 和 <your-token>，a < b").text == "用 vector<int> 和 <your-token>，a < b"


def test_emphasis_beside_chinese_marks_goes_too(parsed):
    assert parsed("这叫**“重排”**的一步，**源（origin）**是。").text == "这叫“重排”的一步，源（origin）是。"
    assert parsed("call f(**options) or 2 ** 3").text == "call f(**options) or 2 ** 3"


def test_footnotes_keep_their_words(parsed):
    assert parsed("正文[^1]。\n\n[^1]: 没有空格的脚注。").text == "正文。\n\n没有空格的脚注。"


def test_an_include_is_not_followed_and_counted(parsed):
    document = parsed("前\n\n{* ../../docs_src/a.py hl[1] *}\n\n{!> ../b.py!}\n\n后")
    assert document.text == "前\n\n后"
    assert document.metadata["includes_not_followed"] == 2


def test_the_last_resort_for_a_title_is_the_name_of_the_file(parsed):
    assert parsed("正文", "年度 报告.md").title == "年度 报告"


def test_deep_nesting_ends(parsed):
    assert "底" in parsed(">" * 5000 + " 底" + "\n\n底").text
    assert "底" in parsed("[" * 3000 + "\n\n" + "*" * 3000 + "\n\n底").text
