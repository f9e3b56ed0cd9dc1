"""Reading training data of every form, and saying what is wrong with a line."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from secondpass.data import lines
from secondpass.data.passages import BadLine
from secondpass.data.training import TrainExample
from secondpass.data.training_read import ReadOptions, good_examples, open_examples
from secondpass.errors import InputError

EXAMPLES = Path(__file__).parents[3] / "shared" / "data" / "finetune_examples"


def write(path: Path, *records: object) -> str:
    texts = [record if isinstance(record, str) else json.dumps(record, ensure_ascii=False) for record in records]
    path.write_text("".join(text + "\n" for text in texts), encoding="utf-8")
    return str(path)


def read(path: str, options: ReadOptions | None = None) -> list[TrainExample]:
    return list(good_examples(open_examples(path, options)))


QUERY = "西安在哪里？"
FLAG = {"query": "西安在哪里？", "pos": ["西安在陕西省。"], "neg": ["北京是首都。", "A city wall."]}


@pytest.mark.parametrize(
    ("form", "record"),
    [
        ("flag", FLAG),
        (
            "triplets",
            {"query": QUERY, "positive": "西安在陕西省。", "negative_2": "A city wall.", "negative_1": "北京是首都。"},
        ),
        (
            "triplets",
            {"anchor": QUERY, "positive": "西安在陕西省。", "negative": "北京是首都。", "negative_1": "A city wall."},
        ),
        ("lists", {"query": QUERY, "docs": ["北京是首都。", "西安在陕西省。", "A city wall."], "labels": [0, 1, 0]}),
        (
            "messages",
            {
                "messages": [{"role": "user", "content": QUERY}],
                "positive_messages": [[{"role": "assistant", "content": "西安在陕西省。"}]],
                "negative_messages": [[{"role": "assistant", "content": "北京是首都。"}], {"content": "A city wall."}],
            },
        ),
    ],
)  # fmt: skip
def test_every_form_of_lines_is_told_by_its_keys_and_says_the_same(
    tmp_path: Path, form: str, record: dict[str, object]
) -> None:
    path = write(tmp_path / "train.jsonl", record)
    examples = open_examples(path)
    assert examples.form == form
    (example,) = good_examples(examples)
    assert (example.query, example.positives) == ("西安在哪里？", ("西安在陕西省。",))
    assert example.negatives == ("北京是首都。", "A city wall.")
    assert example.place == f"{path}:1"


def test_a_pair_is_a_positive_or_a_negative(tmp_path: Path) -> None:
    path = write(
        tmp_path / "pairs.jsonl",
        {"sentence1": "西安", "sentence2": "城墙", "label": 1},
        {"query": "西安", "text": "长城", "label": 0},
        {"query": "西安", "passage": "兵马俑", "score": 0.8},
        {"query": "西安", "passage": "兵马俑", "label": True, "score": 3.5},
    )
    examples = read(path)
    assert [(one.positives, one.negatives) for one in examples] == [
        (("城墙",), ()),
        ((), ("长城",)),
        (("兵马俑",), ()),
        (("兵马俑",), ()),
    ]
    assert [one.positive_scores for one in examples] == [None, None, (0.8,), (3.5,)]
    assert examples[2].provenance == {"scores_are": "labels"}
    assert read(path, ReadOptions(positive_from=0.9))[2].negatives == ("兵马俑",)


def test_scores_prompts_ids_and_provenance_are_kept(tmp_path: Path) -> None:
    record = FLAG | {
        "pos_scores": [4], "neg_scores": [-1.5, 0.25], "prompt": "找出答案", "id": 7, "neg_id": ["a", 2],
        "type": "normal", "provenance": {"negatives": [{"source": "bm25", "rank": 3, "score": 8.5}] * 2},
    }  # fmt: skip
    (example,) = read(write(tmp_path / "train.jsonl", record))
    assert (example.positive_scores, example.negative_scores) == ((4.0,), (-1.5, 0.25))
    assert example.prompt == "找出答案"
    assert example.provenance["id"] == 7
    assert example.provenance["negative_ids"] == ["a", "2"]
    assert example.provenance["negatives"] == record["provenance"]["negatives"]  # type: ignore[index]
    (triplet,) = read(write(tmp_path / "t.jsonl", {"query": "q", "positive": "p", "negative": "n", "label": [2, -1]}))
    assert (triplet.positive_scores, triplet.negative_scores) == ((2.0,), (-1.0,))


@pytest.mark.skipif(not EXAMPLES.is_dir(), reason="shared/data is not beside this checkout")
def test_the_published_example_is_read_whole() -> None:
    examples = read(str(EXAMPLES / "flagembedding_reranker_examples.jsonl"))
    assert [len(example.negatives) for example in examples] == [25] * 10
    assert all(example.negative_scores is not None for example in examples)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{oops", "no JSON"),
        ('["query"]', "a JSON list"),
        (FLAG | {"pos": "西安在陕西省。"}, '"pos" is a text; accepted is a list of texts'),
        (FLAG | {"pos": []}, '"pos" is an empty list'),
        (FLAG | {"neg": ["好", 3]}, '"neg" is a list whose item 2 is a number'),
        (FLAG | {"query": None}, 'there is no "query"'),
        (FLAG | {"query": ["西安"]}, '"query" is a list'),
        (FLAG | {"neg_scores": [1.0]}, "one number for each of the 2 negatives"),
        (FLAG | {"neg_scores": [1, "high"]}, "item 2 is 'high'"),
        (FLAG | {"neg_scores": [1, float("nan")], "pos_scores": [1]}, "item 2 is nan; accepted is a finite number"),
        (FLAG | {"pos_scores": [1]}, '"pos_scores" is there and neg_scores is not'),
        (FLAG | {"negs": []}, "the key 'negs' means nothing in the form flag (did you mean 'neg'"),
        (FLAG | {"source": "web"}, "--ignore source"),
        (FLAG | {"relevant_passages": []}, "'pos' and 'relevant_passages' mean the same"),
        (FLAG | {"id": 3}, "the id 3 stands on line 1 too"),
        (FLAG | {"query": "\ud83d"}, "half a surrogate pair"),
        ({"query": "西安", "positive": "城墙"}, "this line is of the form triplets, the file began as flag"),
        (FLAG | {"provenance": "web"}, '"provenance" is a text'),
    ],
)
def test_a_bad_line_is_named_with_what_was_found_and_what_is_accepted(tmp_path: Path, line: object, said: str) -> None:
    written = line if isinstance(line, str) else json.dumps(line)
    path = write(tmp_path / "train.jsonl", FLAG | {"id": 3}, "", written, FLAG)
    first, bad, last = open_examples(path)
    assert isinstance(first, TrainExample)
    assert isinstance(last, TrainExample)
    assert isinstance(bad, BadLine)
    assert f"{path}:3: " in bad.reason
    assert said in bad.reason


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ([], "is empty"),
        ([{"query": "西安", "positives": ["城墙"]}], "did you mean 'positive' for 'positives'?"),
        ([{"question": "西安", "answer": "城墙"}], "--column KEY=COLUMN"),
        ([{}], "(none)"),
        ([{"query": "西安", "positive": "城墙", "negatve_2": "x"}], "did you mean 'negative_2' for 'negatve_2'?"),
    ],
)
def test_a_file_of_no_form_is_refused_at_once(tmp_path: Path, records: list[object], said: str) -> None:
    with pytest.raises(InputError, match=r"train\.jsonl") as caught:
        open_examples(write(tmp_path / "train.jsonl", *records))
    assert said in str(caught.value)


def test_columns_of_other_names_are_mapped_and_others_left_out(tmp_path: Path) -> None:
    path = write(tmp_path / "qa.jsonl", {"question": "西安？", "answer": "城墙", "source": "web"})
    options = ReadOptions(columns={"query": "question", "positive": "answer"}, ignored=("source",))
    assert read(path, options)[0].positives == ("城墙",)
    bad = next(iter(open_examples(path, ReadOptions(form="triplets", columns={"query": "asked"}))))
    assert isinstance(bad, BadLine)
    assert 'there is no column \'asked\'; this line has "question", "answer", "source"' in bad.reason


def test_tables_are_read_with_their_line_numbers(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        'question,positive,negative\n"西安，\n\n在哪里？",城墙,长城\n只有一个\n西安,城墙,\n"a",b,c,d\n',
        encoding="utf-8-sig",
    )
    options = ReadOptions(columns={"query": "question"}, form="triplets")
    first, short, third, long = open_examples(tmp_path / "a.csv", options)
    assert isinstance(first, TrainExample)
    assert (first.query, first.negatives, first.place) == ("西安，\n\n在哪里？", ("长城",), f"{tmp_path / 'a.csv'}:2")
    assert isinstance(short, BadLine)
    assert 'a.csv:5: there is no "positive"' in short.reason or "a.csv:5" in short.reason
    assert isinstance(third, TrainExample)
    assert third.negatives == ()
    assert isinstance(long, BadLine)
    assert "a.csv:7: 4 cells" in long.reason


def test_a_tsv_has_no_quotes_and_lists_stand_in_cells(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv.gz"
    path.write_bytes(gzip.compress('query\tdocs\tlabels\n"西安" 城\t["城墙", "长城"]\t[1, 0]\n'.encode()))
    (example,) = read(str(path))
    assert (example.query, example.positives, example.negatives) == ('"西安" 城', ("城墙",), ("长城",))
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("query\tpassage\tlabel\n西安\t城墙\t1\n西安\t长城\tno\n", encoding="utf-8")
    good, bad = open_examples(pairs)
    assert isinstance(good, TrainExample)
    assert good.positives == ("城墙",)
    assert isinstance(bad, BadLine)
    assert "pairs.tsv:3: \"label\" is 'no'; accepted is a finite number" in bad.reason


def test_a_file_that_is_not_utf8_and_a_line_too_long_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "gb.jsonl"
    path.write_bytes((json.dumps(FLAG) + "\n").encode() + json.dumps(FLAG, ensure_ascii=False).encode("gb18030"))
    with pytest.raises(InputError, match=r"gb\.jsonl.*not UTF-8"):
        read(str(path))
    monkeypatch.setattr(lines, "MAXIMUM_LINE_CHARACTERS", 1000)
    long = write(tmp_path / "long.jsonl", FLAG, FLAG | {"query": "长" * 2000})
    with pytest.raises(InputError, match=r"long\.jsonl:2: the line is longer"):
        read(long)


def test_a_chat_of_several_questions_is_no_question(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "你好"}, {"role": "assistant", "content": "好"}]
    good = {"messages": [{"role": "system", "content": "排序"}, turns[0]], "positive_messages": [turns[:1]]}
    path = write(tmp_path / "m.jsonl", good, {**good, "messages": turns}, {**good, "positive_messages": [turns]})
    first, *bad = open_examples(path)
    assert isinstance(first, TrainExample)
    assert (first.prompt, first.query, first.negatives) == ("排序", "你好", ())
    assert [isinstance(one, BadLine) for one in bad] == [True, True]
