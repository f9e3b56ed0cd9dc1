"""Texts to ids and pairs to sequences, as the model's own tokenizer makes them."""

import json
import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.models.tiny_models import EMOJI_AND_WIDE, SENTENCES, Shape, make_model
from tokenizers import Tokenizer, processors

from secondpass.errors import InputError, MissingExtraError
from secondpass.models import tokenizer as tokenizer_module
from secondpass.models.tokenizer import EncodedText, TextTokenizer

TEXTS = [*SENTENCES, EMOJI_AND_WIDE, "", " ", "\n第一段\n\n第二段　全角空格", "a<mask> b</s>c [SEP] d", "ｗｉｄｅ　ﬁ"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    base = tmp_path_factory.mktemp("tokenizers")
    return {kind: make_model(base / kind, Shape(kind)) for kind in ("bert", "xlm-roberta", "roberta")}


@pytest.fixture(scope="module", params=["bert", "xlm-roberta", "roberta"])
def folder(folders, request):
    return folders[request.param]


def segments(folder) -> int:
    return json.loads((folder / "config.json").read_text())["type_vocab_size"]


def test_texts_encoded_apart_and_joined_are_the_pair_that_the_tokenizer_makes(folder):
    own, reference = TextTokenizer(folder), Tokenizer.from_file(str(folder / "tokenizer.json"))
    template = own.pair_template(segments(folder))
    encoded = own.encode(TEXTS)
    for first in (0, 2, 16, len(SENTENCES), len(SENTENCES) + 1):
        for second, text in enumerate(TEXTS):
            ids, start = template.join(encoded[first].ids, encoded[second].ids)
            expected = reference.encode(TEXTS[first], text)
            assert ids.tolist() == expected.ids
            assert [int(index >= start) for index in range(len(ids))] == expected.type_ids


def test_every_token_points_at_the_characters_it_was_made_of(folder):
    for text, encoded in zip(TEXTS, TextTokenizer(folder).encode(TEXTS), strict=True):
        if len(encoded):
            offsets = encoded.offsets
            assert (np.diff(offsets[:, 0]) >= 0).all()
            assert offsets.min() >= 0
            assert offsets.max() <= len(text)
            span = encoded.span(0, len(encoded))
            assert text[span.start : span.end].strip() == text.strip()


@pytest.mark.parametrize(("text", "piece"), [("西安ＡＢ交通大学", "大学"), ("the ﬁne 😀 capital city", "capital")])
def test_spans_are_of_the_text_before_it_was_normalised(folders, text, piece):
    encoded = TextTokenizer(folders["xlm-roberta"]).encode([text])[0]
    at = text.index(piece)
    covered = [
        i for i in range(len(encoded)) if encoded.offsets[i, 0] >= at and encoded.offsets[i, 1] <= at + len(piece)
    ]
    span = encoded.span(covered[0], covered[-1] + 1)
    assert text[span.start : span.end] == piece


def test_blank_lines_part_the_tokens_of_paragraphs(folder):
    texts = ("北京。\n\n首都 is large.\n \n上海", "北京。\n上海", "\n\n北京", "", "\n\n")
    tokenizer = TextTokenizer(folder)
    for text, encoded in zip(texts, tokenizer.encode(texts), strict=True):
        parts = [part.strip() for part in re.split(r"\n[^\S\n]*\n", text)]
        [counts] = encoded.paragraphs([(0, len(encoded))])
        assert sum(counts) == len(encoded)
        said, first = [], 0
        for count in counts:
            span = encoded.span(first, first + count)
            said.append(text[span.start : span.end].strip())
            first += count
        assert [one for one in said if one] == [one for one in parts if one]
        windows = [(first, min(first + 2, len(encoded))) for first in range(0, len(encoded), 2)]
        ends = set(np.cumsum(counts).tolist())
        for (first, end), part in zip(windows, encoded.paragraphs(windows), strict=True):
            assert sum(part) == end - first
            assert {first + done for done in np.cumsum(part)} - {first} == (ends & set(range(first + 1, end))) | {end}
    assert EncodedText(np.arange(3)).paragraphs([(0, 3), (1, 3)]) == [(3,), (2,)]


def test_offsets_are_kept_of_long_texts_only_when_asked(folder):
    short, long = TextTokenizer(folder).encode(["北京", "北京是首都。" * 20], offsets_from=30)
    assert short.offsets is None
    assert long.offsets is not None


@settings(max_examples=60, deadline=None)
@given(texts=st.lists(st.text(max_size=40), min_size=1, max_size=4))
def test_a_text_is_encoded_the_same_beside_any_others(folders, texts):
    tokenizer = TextTokenizer(folders["xlm-roberta"])
    together = tokenizer.encode(texts)
    for text, encoded in zip(texts, together, strict=True):
        assert encoded.ids.tolist() == tokenizer.encode([text])[0].ids.tolist()


def test_the_files_own_truncation_and_padding_do_not_count(folders, tmp_path):
    tokenizer = Tokenizer.from_file(str(folders["bert"] / "tokenizer.json"))
    tokenizer.enable_truncation(8)
    tokenizer.enable_padding(length=16)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    encoded = TextTokenizer(tmp_path).encode([SENTENCES[0]])[0]
    assert len(encoded) == len(TextTokenizer(folders["bert"]).encode([SENTENCES[0]])[0])


def test_many_threads_share_one_tokenizer(folders):
    tokenizer = TextTokenizer(folders["xlm-roberta"])
    expected = [encoded.ids.tolist() for encoded in tokenizer.encode(TEXTS)]
    with ThreadPoolExecutor(32) as pool:
        for encoded in pool.map(lambda _: tokenizer.encode(TEXTS), range(64)):
            assert [one.ids.tolist() for one in encoded] == expected


@pytest.mark.parametrize(
    "processor",
    [
        processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2)),
        processors.TemplateProcessing(
            single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
        ),
    ],
)
def test_the_template_is_read_from_the_file_whatever_form_it_has(folders, tmp_path, processor):
    tokenizer = Tokenizer.from_file(str(folders["bert"] / "tokenizer.json"))
    tokenizer.post_processor = processor
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    template = TextTokenizer(tmp_path).pair_template(2)
    assert (template.prefix, template.middle, template.suffix) == ((2,), (3,), (3,))
    assert template.segments


@pytest.mark.parametrize(("inputs", "count"), [(["input_ids", "attention_mask"], 2), (None, 1)])
def test_a_model_that_reads_no_segments_gets_none(folders, tmp_path, inputs, count):
    (tmp_path / "tokenizer.json").write_bytes((folders["bert"] / "tokenizer.json").read_bytes())
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"model_input_names": inputs} if inputs else {}))
    assert not TextTokenizer(tmp_path).pair_template(count).segments


def test_a_tokenizer_without_a_form_for_pairs_is_refused(folders, tmp_path):
    tokenizer = Tokenizer.from_file(str(folders["bert"] / "tokenizer.json"))
    tokenizer.post_processor = None
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(InputError, match="special token, the first text, special tokens, the second text"):
        TextTokenizer(tmp_path).pair_template(1)


def test_a_folder_without_a_tokenizer_says_how_to_make_one(tmp_path):
    with pytest.raises(InputError, match=r"no tokenizer\.json.*save_pretrained"):
        TextTokenizer(tmp_path)
    (tmp_path / "tokenizer.json").write_text('{"model": "坏的"}', encoding="utf-8")
    with pytest.raises(InputError, match="not a tokenizer that can be read"):
        TextTokenizer(tmp_path)


def test_a_missing_library_is_named_with_the_command_that_installs_it(folders, monkeypatch):
    monkeypatch.setattr(tokenizer_module, "_missing", ModuleNotFoundError("tokenizers"))
    with pytest.raises(MissingExtraError, match=r"pip install 'secondpass\[onnx\]'"):
        TextTokenizer(folders["bert"])
