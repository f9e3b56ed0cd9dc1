import codecs
import gzip
import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondpass.errors import InputError
from secondpass.load.encodings import decode

SIMPLE = "西安交通大学是我国最早兴办的著名高等学府。"
TRADITIONAL = "臺灣大學是一所研究型的綜合大學，學生很多。"
ENGLISH = "Browsers cache CORS responses for 600 seconds."
WESTERN = "Les élèves étaient déjà très fatigués à l'arrivée ; le garçon n'a rien mangé – 20 €."


@pytest.mark.parametrize(
    ("text", "encoding", "name"),
    [
        (SIMPLE, "utf-8", "utf-8"),
        (SIMPLE, "gbk", "gb18030"),
        (SIMPLE + "𠀀㐀", "gb18030", "gb18030"),
        (SIMPLE, "utf-16-le", "utf-16-le"),
        (SIMPLE, "utf-16-be", "utf-16-be"),
        (TRADITIONAL, "big5", "big5hkscs"),
        (TRADITIONAL + "嘅係咗", "big5hkscs", "big5hkscs"),
        (TRADITIONAL, "gb18030", "gb18030"),
        (TRADITIONAL, "utf-16-be", "utf-16-be"),
        (ENGLISH, "ascii", "utf-8"),
        (ENGLISH, "utf-16-le", "utf-16-le"),
        (ENGLISH, "utf-16-be", "utf-16-be"),
        (WESTERN, "cp1252", "cp1252"),
        (WESTERN.replace("–", "-").replace("€", "E"), "latin-1", "cp1252"),
    ],
)
def test_a_short_text_is_read_in_the_encoding_it_was_saved_in(text, encoding, name):
    decoded = decode(text.encode(encoding), "f")
    assert (decoded.text, decoded.encoding, decoded.replaced) == (text, name, 0)


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
    ],
)
@pytest.mark.parametrize("text", [SIMPLE, ENGLISH, ""])
def test_a_byte_order_mark_decides_and_is_not_part_of_the_text(mark, encoding, text):
    decoded = decode(mark + text.encode(encoding), "f")
    assert (decoded.text, decoded.encoding) == (text, encoding)


@given(st.text(st.characters(codec="utf-8", min_codepoint=32)))
def test_whatever_is_saved_as_utf8_is_read_as_it_was(text):
    if not text.startswith(("\ufeff", "%PDF-", "GIF8")) and "\x7f" not in text:
        assert decode(text.encode(), "f").text == text


@given(st.binary(max_size=300), st.sampled_from([None, "gbk", "utf-8", "base64", "rot13", "没有", "utf-16", "\0"]))
def test_any_bytes_are_text_or_an_input_error(data, declared):
    try:
        decoded = decode(data, "f", declared)
    except InputError:
        return
    assert not any("\ud800" <= character <= "\udfff" for character in decoded.text)


def test_a_declared_encoding_is_believed_only_where_the_bytes_allow_it():
    assert decode("é".encode("latin-1") * 3, "f", "iso-8859-1").text == "ééé"
    assert decode(SIMPLE.encode(), "f", "iso-8859-1").text == SIMPLE  # the default of many servers
    assert decode(SIMPLE.encode("gbk"), "f", "utf-8").text == SIMPLE
    assert decode("龍".encode("big5"), "f", "Big5").text == "龍"
    assert decode(SIMPLE.encode(), "f", "nonsense").text == SIMPLE


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\x01\x02\x03" * 20,
        b"\x7fELF" + bytes(60),
        b"%PDF-1.7 ...",
        b"\x89PNG\r\n\x1a\n" + bytes(20),
        b"PK\x03\x04a",
        b"text\x01\x02\x03\x04 with controls",
    ],
)
def test_binary_data_posing_as_text_is_refused(data):
    with pytest.raises(InputError, match="looks like a binary file"):
        decode(data, "f")


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (
            "이것은 한국어 문장입니다. 서울에 사는 친구와 함께 새로운 프로그램을 작성하고 있습니다. "
            "검색 결과를 다시 정렬합니다.",
            "euc-kr",
        ),
        ("Это русский текст, который мы сохранили в старой кодировке.", "cp1251"),
        ("これは日本語の文章です。東京に住んでいる友達と一緒に、新しいプログラムを書いています。", "shift_jis"),
    ],
)
def test_an_encoding_that_is_not_known_is_refused_and_not_guessed(text, encoding):
    with pytest.raises(InputError, match="tried utf-8, gb18030, big5hkscs"):
        decode(text.encode(encoding), "f")


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_a_long_text_with_a_damaged_byte_is_read_and_the_damage_counted(encoding):
    data = bytearray((SIMPLE * 50).encode(encoding))
    data[301] = 0xFF
    decoded = decode(bytes(data), "f")
    assert decoded.encoding == encoding
    assert 1 <= decoded.replaced <= 3
    assert decoded.text.count("西安交通大学") >= 48


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("corpus", ["cmrc2018", "drcd"])
def test_twenty_characters_of_real_text_are_enough(shared, corpus, encoding):
    with gzip.open(shared / corpus / "corpus.jsonl.gz", "rt", encoding="utf-8") as file:
        texts = [json.loads(line)["text"] for line in file]
    draw = random.Random(7)
    right = total = 0
    while total < 300:
        text = draw.choice(texts)
        start = draw.randrange(max(1, len(text) - 20))
        piece = text[start : start + 20]
        if sum("\u4e00" <= character <= "\u9fff" for character in piece) < 12:
            continue
        total += 1
        try:
            right += decode(piece.encode(encoding), "f").text == piece
        except InputError:
            continue
    assert right >= 0.985 * total
