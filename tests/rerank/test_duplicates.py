"""What was said before is left out."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondpass.errors import InputError
from secondpass.rerank.duplicates import NearDuplicateReranker, find_duplicates, runs
from secondpass.rerank.lexical import LexicalReranker
from secondpass.types import Chunk, Hit

ZH = "2000年国务院决定将西安交通大学、西安医科大学、陕西财经学院三校合并，组建新的西安交通大学。"
EN = "In 2000 Xi'an Medical University and Shaanxi Institute of Finance were merged into Xi'an Jiaotong University."


def hits_of(passages):
    return [Hit(Chunk(str(i), text), 9.0 - i, "logit", probability=0.5) for i, text in enumerate(passages)]


@pytest.mark.parametrize(
    "copy",
    [
        ZH.replace("，", ","),
        ZH.replace("国务院", "國務院"),
        f"  {ZH}\n",
        EN.upper(),
        EN.replace(".", " !"),
    ],
)
def test_other_signs_spelling_and_space_make_no_other_passage(copy):
    out = NearDuplicateReranker().rerank("西安", hits_of([ZH, EN, copy, "今天天气很好。"]))
    assert [hit.chunk.id for hit in out] == ["0", "1", "3"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (ZH, "2000年国务院决定组建新的学校，三校的名字没有公布，西安的报纸对此作了报道。"),
        (EN, "In 2000 nothing was merged, and Xi'an Jiaotong University kept its name and its place."),
        ("西安。", "北京。"),
        ("1896", "1897"),
        ("😀", "😃"),
    ],
)
def test_different_passages_stay(one, other):
    assert len(NearDuplicateReranker().rerank("西安", hits_of([one, other]))) == 2


def test_what_is_left_out_is_counted_and_named(caplog):
    with caplog.at_level(logging.INFO):
        NearDuplicateReranker().rerank("西安", hits_of([ZH, EN, ZH, ZH]))
    assert "dedupe left out 2 of 4 passages: 2 (like 0), 3 (like 0)" in caplog.text


def test_the_better_one_stays_with_its_score_and_probability():
    out = NearDuplicateReranker().rerank("西安", hits_of([EN, ZH, ZH]))
    assert [(hit.chunk.id, hit.score, hit.scale, hit.probability) for hit in out] == [
        ("0", 9.0, "logit", 0.5),
        ("1", 8.0, "logit", 0.5),
    ]
    assert [(stage.stage, stage.rank) for stage in out[1].stages] == [("dedupe", 2)]


def test_the_cut_comes_after_what_is_left_out():
    out = NearDuplicateReranker(LexicalReranker()).rerank("西安交通大学", hits_of([ZH, ZH, EN]), 2)
    assert {hit.chunk.text for hit in out} == {ZH, EN}


def test_passages_without_text_are_no_duplicates():
    assert len(NearDuplicateReranker().rerank("西安", hits_of(["", " ", ZH]))) == 3


pieces = st.sampled_from(["西安交大", "，", "合并", " merged", "。", "university ", "3.5", "😀"])
texts = st.lists(st.lists(pieces, max_size=8).map("".join) | st.text(max_size=12), max_size=8)


@given(texts=texts, threshold=st.sampled_from([0.3, 0.8, 1.0]))
def test_every_passage_is_kept_or_resembles_a_kept_one_by_the_counted_share(texts, threshold):
    duplicates = find_duplicates(texts, threshold)
    left_out = {duplicate.place for duplicate in duplicates}
    kept = [place for place in range(len(texts)) if place not in left_out]
    shares = {
        (a, b): len(runs(texts[a]) & runs(texts[b])) / len(runs(texts[a]) | runs(texts[b]))
        for a in kept
        for b in range(a + 1, len(texts))
        if texts[a].strip() and texts[b].strip()
    }
    assert all(shares[a, b] < threshold for a, b in shares if b not in left_out)
    for duplicate in duplicates:
        assert duplicate.of in kept
        assert duplicate.of < duplicate.place
        assert duplicate.resemblance == shares[duplicate.of, duplicate.place] >= threshold


@given(texts=texts)
def test_what_is_kept_is_in_the_given_order_and_nothing_more_is_left_out_of_it(texts):
    once = NearDuplicateReranker().rerank("西安", hits_of(texts))
    numbers = [int(hit.chunk.id) for hit in once]
    assert numbers == sorted(numbers)
    assert [hit.chunk.id for hit in NearDuplicateReranker().rerank("西安", once)] == [hit.chunk.id for hit in once]


@pytest.mark.parametrize("threshold", [0.0, -1.0, 1.1])
def test_a_threshold_outside_0_to_1_is_refused(threshold):
    with pytest.raises(InputError, match="threshold"):
        NearDuplicateReranker(threshold=threshold)
