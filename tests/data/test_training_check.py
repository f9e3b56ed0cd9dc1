"""Looking at training data before anything is trained, and cleaning it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from secondpass.data.check_lengths import LengthCheck
from secondpass.data.passages import BadLine
from secondpass.data.teacher import Teacher
from secondpass.data.token_lengths import estimated_lengths, model_lengths
from secondpass.data.training import TrainExample
from secondpass.data.training_check import Checked, CheckOptions, check
from secondpass.data.training_clean import clean
from secondpass.data.training_findings import Finding, seen
from secondpass.data.training_read import good_examples, open_examples
from secondpass.rerank.lexical import LexicalReranker

WALL = "西安城墙是中国现存规模最大、保存最完整的古代城垣，周长约十四公里。"
TOWER = "钟楼位于西安市中心，明代建成，是中国古代遗留下来的众多钟楼中规模最大的一座。"
PAGODA = "大雁塔在西安市南的大慈恩寺内，唐代玄奘为保存经卷佛像而主持修建。"
CORS = "Browsers cache the response to a preflight request for ten minutes by default."


def write(path: Path, *records: dict[str, object] | str) -> Path:
    texts = [record if isinstance(record, str) else json.dumps(record, ensure_ascii=False) for record in records]
    path.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    return path


def row(query: str, pos: Iterable[str], neg: Iterable[str], **more: object) -> dict[str, object]:
    return {"query": query, "pos": list(pos), "neg": list(neg), **more}


def found(checked: Checked) -> dict[str, Finding]:
    return {finding.name: finding for finding in checked.report.findings}


def lines_of(finding: Finding) -> list[int]:
    return [int(place.split(" ")[0].rpartition(":")[2]) for place in finding.places]


GOOD = [row("城墙有多长？", [WALL], [TOWER, PAGODA]), row("How long is a preflight cached?", [CORS], [WALL])]


def test_good_data_give_no_finding(tmp_path: Path) -> None:
    checked = check(open_examples(write(tmp_path / "a.jsonl", *GOOD)), CheckOptions(teacher=Teacher(LexicalReranker())))
    assert checked.report.findings == ()
    assert not checked.report.spoiled
    assert checked.report.facts["languages"] == {"zh": 1, "en": 1}
    assert checked.report.facts["negatives"] == {"least": 1, "median": 1.5, "most": 2}


def test_each_kind_of_spoiled_row_is_found_at_its_line(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.jsonl",
        row("城墙有多长？", [WALL], [PAGODA, "西安城墙是中国现存规模最大保存最完整的古代城垣,周长約十四公里"]),
        row("钟楼在哪里？", [TOWER], [TOWER.replace("众多", ""), PAGODA]),
        row("大雁塔在哪？", [PAGODA], [WALL, WALL]),
        row("大雁塔在哪", [WALL], [PAGODA, TOWER]),
        row("", [WALL], [TOWER]),
        row("谁建了大雁塔？", [PAGODA, "  "], ["", "12 3.4"]),
        row("读错了？", ["cafÃ© 锟斤拷"], [TOWER]),
        row("城墙有多长？", [WALL], [TOWER]),
        row("城墙有多長", [WALL], [TOWER]),
        "{broken",
    )
    problems: list[BadLine] = []
    checked = check(open_examples(path), problems=problems)
    findings = found(checked)
    assert {name: (one.severity, one.count, lines_of(one)) for name, one in findings.items()} == {
        "bad_lines": ("spoils", 1, [10]),
        "positive_as_negative": ("spoils", 1, [1]),
        "positive_nearly_as_negative": ("spoils", 1, [2]),
        "positive_as_negative_elsewhere": ("spoils", 3, [3, 4]),
        "empty_query": ("spoils", 1, [5]),
        "empty_positive": ("spoils", 1, [6]),
        "empty_negative": ("warning", 1, [6]),
        "no_letters": ("warning", 1, [6]),
        "mojibake": ("warning", 1, [7]),
        "repeated_rows": ("warning", 1, [9]),
        "repeated_queries": ("note", 3, [4, 8, 9]),
        "negative_twice": ("note", 1, [3]),
    }
    assert len(problems) == 1
    assert checked.report.spoiled


def test_a_cleaned_copy_has_no_findings_that_spoil_and_says_what_went(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.jsonl",
        row("城墙有多长？", [WALL], [PAGODA, WALL + " "], pos_scores=[3], neg_scores=[0.5, 3]),
        row("钟楼在哪里？", [TOWER, "..."], [TOWER.replace("众多", ""), PAGODA, PAGODA]),
        row("大雁塔在哪？", [PAGODA], [WALL]),
        row("大雁塔在哪", [WALL], [PAGODA, TOWER]),
        row(" ", [WALL], [TOWER]),
        row("空", [""], [TOWER]),
        "{broken",
        row("钟楼在哪里？", [TOWER, "..."], [TOWER.replace("众多", ""), PAGODA, PAGODA]),
    )
    options, problems = CheckOptions(), list[BadLine]()
    examples = open_examples(path)
    report = clean(examples, tmp_path / "b.jsonl", check(examples, options, problems), options)
    kept = list(good_examples(open_examples(tmp_path / "b.jsonl")))
    assert [(one.query, one.positives, one.negatives) for one in kept] == [
        ("城墙有多长？", (WALL,), (PAGODA,)),
        ("钟楼在哪里？", (TOWER,), (PAGODA,)),
        ("大雁塔在哪？", (PAGODA,), ()),
        ("大雁塔在哪", (WALL,), (TOWER,)),
    ]
    assert kept[0].negative_scores == (0.5,)
    assert report.notes == {
        "negatives that are a positive of their row, left out": 2,
        "positives without a letter, left out": 2,
        "negatives that stand twice in their row, left out": 1,
        "negatives that are a positive of their question in another row, left out": 2,
        "rows whose question is empty, left out": 1,
        "rows without a positive, left out": 1,
        "rows that stand before already, left out": 1,
        "lines that cannot be used, left out": 1,
    }
    assert not check(open_examples(tmp_path / "b.jsonl")).report.spoiled


def test_what_leaks_from_the_development_set_is_found_and_left_out(tmp_path: Path) -> None:
    train = write(
        tmp_path / "train.jsonl",
        row("城墙的周长一共是多少公里", [WALL], [TOWER]),
        row("请问城墙的周长一共是多少公里？", [PAGODA], [CORS]),
        row("大雁塔由谁修建", [PAGODA.replace("主持", "")], [TOWER]),
        *GOOD,
    )
    dev = write(
        tmp_path / "dev.jsonl", row("城墙的周长，一共是多少公里？", [WALL], [CORS]), row("塔？", [PAGODA], [WALL])
    )
    options = CheckOptions(dev=open_examples(dev), near=0.75)
    checked = check(open_examples(train), options)
    assert {name: (one.severity, lines_of(one)) for name, one in found(checked).items() if "leaks" in name} == {
        "query_leaks": ("spoils", [1]),
        "query_nearly_leaks": ("spoils", [2]),
        "passage_leaks": ("warning", [1, 2, 4]),
        "passage_nearly_leaks": ("warning", [3]),
    }
    clean(open_examples(train), tmp_path / "out.jsonl", checked, options)
    assert len(list(open_examples(tmp_path / "out.jsonl"))) == 3


def test_labels_all_alike_and_scores_that_say_nothing_are_found(tmp_path: Path) -> None:
    pairs = write(tmp_path / "p.jsonl", *({"query": "西安", "text": text, "label": 1} for text in (WALL, TOWER)))
    assert found(check(open_examples(pairs)))["no_negative"].severity == "spoils"
    zeros = write(tmp_path / "z.jsonl", {"query": "西安", "docs": [WALL, TOWER], "labels": [0, 0]})
    assert found(check(open_examples(zeros)))["no_positive"].severity == "spoils"
    scored = write(
        tmp_path / "s.jsonl",
        *(row(f"第{n}问？", [f"{WALL}{n}"], [f"{TOWER}{n}"], pos_scores=[0.9], neg_scores=[0.2]) for n in range(18)),
        row("相同？", [WALL], [TOWER], pos_scores=[0.5], neg_scores=[0.5]),
        row("相反？", [WALL], [TOWER], pos_scores=[0.1], neg_scores=[0.5]),
        row("没有？", [WALL], []),
    )
    findings = found(check(open_examples(scored)))
    assert lines_of(findings["equal_scores"]) == [19]
    assert lines_of(findings["teacher_disagrees"]) == [20]
    assert lines_of(findings["no_negative"]) == [21]
    assert findings["scores_are_probabilities"].count == 20


def test_pairs_are_looked_at_by_question(tmp_path: Path) -> None:
    path = write(
        tmp_path / "p.jsonl",
        {"query": "城墙？", "text": WALL, "label": 1},
        {"query": "钟楼？", "text": TOWER, "label": 1},
        {"query": "城墙？", "text": TOWER, "label": 0},
        {"query": "城墙？", "text": WALL, "label": 0},
        {"query": "钟楼？", "text": WALL, "label": 0},
    )
    examples, options = open_examples(path), CheckOptions()
    checked = check(examples, options)
    assert checked.report.rows == 2
    assert lines_of(found(checked)["positive_as_negative"]) == [1]
    clean(examples, tmp_path / "out.jsonl", checked, options)
    assert len((tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()) == 4


def test_a_teacher_doubts_hard_negatives_and_reversed_labels(tmp_path: Path) -> None:
    right, wrong = "西安城墙周长约十四公里。", "天气很好。"
    rows = [row(f"西安城墙周长约多少公里？第{n}问", [wrong], [right]) for n in range(30)]
    options = CheckOptions(teacher=Teacher(LexicalReranker()), teacher_rows=25)
    report = check(open_examples(write(tmp_path / "a.jsonl", *rows)), options).report
    assert {one.name: one.count for one in report.findings if one.name in ("labels_reversed", "hard_negatives")} == {
        "labels_reversed": 25,
        "hard_negatives": 25,
    }
    assert report.bounds == ("negatives scored by lexical: a sample of 25 of 30 rows",)


def test_swapped_columns_are_noticed(tmp_path: Path) -> None:
    rows = [row(WALL * 2 + str(n), [f"城墙{n}？"], [f"钟楼{n}？"]) for n in range(25)]
    assert found(check(open_examples(write(tmp_path / "a.jsonl", *rows))))["columns_swapped"].severity == "spoils"


def test_long_passages_are_counted_with_what_is_cut(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", row("城墙？", [WALL * 40], [TOWER]))
    report = check(open_examples(path), CheckOptions(lengths=estimated_lengths(128))).report
    (finding,) = report.findings
    assert (finding.name, finding.severity, finding.count, finding.of) == ("too_long", "warning", 1, 2)
    assert report.facts["lengths"]["limit"] == 128  # type: ignore[index,call-overload]
    assert "128 estimated tokens" in finding.what


def test_the_sample_for_lengths_is_bounded_and_said() -> None:
    checker = LengthCheck(estimated_lengths(None), 10, 1)
    for number in range(50):
        checker.see(seen(TrainExample(f"问{number}", (WALL,), place=f"a:{number}")))
    assert checker.bound == "lengths: a sample of 10 of 50 rows"


def test_lengths_are_counted_in_a_models_own_tokens(tmp_path: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    vocabulary = {token: number for number, token in enumerate(["[UNK]", "[CLS]", "[SEP]", *sorted(set(WALL + TOWER))])}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    tokenizer.normalizer = tokenizers.normalizers.BertNormalizer()
    tokenizer.post_processor = tokenizers.processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    folder = tmp_path / "model"
    folder.mkdir()
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text('{"model_max_length": 40}', encoding="utf-8")
    (folder / "config.json").write_text('{"model_type": "bert", "max_position_embeddings": 512}', encoding="utf-8")
    (folder / "model.safetensors").write_bytes(b"\x02\x00\x00\x00\x00\x00\x00\x00{}")
    lengths = model_lengths(str(folder), offline=True)
    assert (lengths.limit, lengths.special, lengths.estimated) == (40, 3, False)
    assert lengths.count([WALL, "城墙"]) == [len(WALL), 2]
    assert model_lengths(str(folder), 64, offline=True).limit == 64
