"""The embedded reranker: what it prefers, what it survives, how fast it is."""

import gzip
import json
import time
from pathlib import Path

import numpy as np
import pytest

from secondpass.index.entries import make_entries
from secondpass.index.memory import MemoryStore
from secondpass.rerank.lexical import LexicalReranker, load_weights
from secondpass.rerank.lexical_features import FEATURES
from secondpass.retrieve.stored import BM25Retriever
from secondpass.types import Chunk, Hit

DATA = Path(__file__).parents[3] / "shared/data"
RERANKER = LexicalReranker()


def chunks(*texts: str) -> list[Chunk]:
    return [Chunk(str(number), text) for number, text in enumerate(texts)]


def order(query: str, *texts: str) -> list[int]:
    return np.argsort(-RERANKER.score(query, chunks(*texts)), kind="stable").tolist()


ANSWER_ZH = "2000年国务院决定将西安交通大学、西安医科大学、陕西财经学院三校合并，组建新的西安交通大学。"
ANSWER_EN = "In 2000 three schools, Xi'an Medical University among them, were merged into the new Jiaotong University."

PREFERENCES = {
    "an abbreviation finds its long form": (
        "西安交大是由哪三所学校合并的？",
        ANSWER_ZH,
        "上海交大是哪一年成立的学校，有三个校区。",
    ),
    "traditional finds simplified": ("西安交大由哪三校合併？", ANSWER_ZH, "西安的城牆建於明代，是遊客喜歡的地方。"),
    "a year answers when": ("该校何时合并？", "该校于2000年合并。", "该校后来合并。"),
    "a year answers when, English": (
        "When was the school merged?",
        "The school merged in 2000.",
        "The school merged later.",
    ),
    "a number answers how many": ("有多少名学生？", "学生共有四万三千名。", "学生有名有姓。"),
    "a name answers who": (
        "Who invented the telephone?",
        "Alexander Bell invented the telephone.",
        "The telephone was invented.",
    ),
    "digits find numerals": ("第35届奥运会", "第三十五届奥运会开幕。", "第三十四届奥运会开幕。"),
    "digits find number words": ("the 3 merged schools", "Three schools merged.", "Four schools merged."),
    "irregular verbs meet": ("When did the war begin?", "The war began in 1914.", "The war ended in 1918."),
    "kindred words meet": (
        "Who was the inventor of dynamite?",
        "The invention of dynamite by Nobel",
        "The price of dynamite by weight",
    ),
    "the rare word counts more": ("交大的历史", "交大建校于1896年。", "历史是一门学科，历史很长。"),
    "the other number is another thing": (
        "What happened in 1989?",
        "In 1989 the wall fell.",
        "In 1988 the wall stood, as what happened later shows.",
    ),
    "one sentence beats scattered words": (
        "谁发明了电话？",
        "贝尔发明了电话。当时很多人不相信。城里也没有几个人用过它，后来才普及。",
        "电话很方便。贝尔住在城里。当时很多人不相信新东西，后来才普及。他发明了留声机。",
    ),
}


@pytest.mark.parametrize(("query", "better", "worse"), PREFERENCES.values(), ids=PREFERENCES)
def test_the_better_passage_wins_from_either_place(query, better, worse):
    assert order(query, better, worse) == [0, 1]
    assert order(query, worse, better) == [1, 0]


STUFFED = {
    "zh, the question itself": ("西安交大是由哪三所学校合并而成的？", ANSWER_ZH, "西安交大是由哪三所学校合并而成的？"),
    "zh, the question again and again": (
        "西安交大是由哪三所学校合并而成的？",
        ANSWER_ZH,
        "西安交大是由哪三所学校合并而成的？" * 20,
    ),
    "zh, its words again and again": (
        "西安交大由哪三所学校合并？",
        ANSWER_ZH,
        "西安交大 三所学校 合并 西安交大 学校合并 三所 " * 10 + "点击了解更多。",
    ),
    "en, the question itself": (
        "Which schools were merged into Jiaotong University?",
        ANSWER_EN,
        "Which schools were merged into Jiaotong University?",
    ),
    "en, its words again and again": (
        "Which schools were merged into Jiaotong University?",
        ANSWER_EN,
        "merged schools Jiaotong University " * 20 + "Click here to learn more.",
    ),
}


@pytest.mark.parametrize(("query", "answer", "stuffed"), STUFFED.values(), ids=STUFFED)
def test_a_passage_stuffed_with_the_question_does_not_beat_the_answer(query, answer, stuffed):
    assert order(query, stuffed, answer) == [1, 0]


def after_bm25(query: str, *texts: str) -> list[Hit]:
    """Return the hits of a BM25 first stage over ``texts`` and others."""
    others = ("学校在西安。", "图书馆藏书很多。", "The library is large.", "Browsers cache responses.", "Tea is green.")
    store = MemoryStore()
    store.replace([""], make_entries(chunks(*texts, *others)))
    return BM25Retriever(store).retrieve(query, 10)


@pytest.mark.parametrize(("query", "answer", "stuffed"), STUFFED.values(), ids=STUFFED)
def test_not_even_where_bm25_puts_it_first(query, answer, stuffed):
    hits = after_bm25(query, stuffed, answer)
    assert RERANKER.rerank(query, hits)[0].chunk.text == answer


def test_a_score_of_bm25_counts_where_a_passage_comes_with_one():
    texts = ("西安交通大学的图书馆。", "西安交通大学的食堂。", "西安交通大学的图书馆很大，图书馆也很老。")
    hits = after_bm25("西安交通大学的图书馆", *texts)
    bare = [Hit(hit.chunk, 0.0, "unknown") for hit in hits]
    with_it = {hit.chunk.id: hit.score for hit in RERANKER.rerank("西安交通大学的图书馆", hits)}
    without = {hit.chunk.id: hit.score for hit in RERANKER.rerank("西安交通大学的图书馆", bare)}
    added = {hit.chunk.id: with_it[hit.chunk.id] - without[hit.chunk.id] for hit in hits}
    assert sorted(added, key=lambda name: -added[name]) == [hit.chunk.id for hit in hits]
    scores = RERANKER.score("西安交通大学的图书馆", [hit.chunk for hit in bare])
    assert without == {hit.chunk.id: pytest.approx(float(score)) for hit, score in zip(bare, scores, strict=True)}


def test_title_and_headings_are_read_too():
    plain = Chunk("0", "建校于1896年。")
    headed = Chunk("1", "建校于1896年。", heading_path=("西安交通大学", "历史"))
    titled = Chunk("2", "建校于1896年。", title="西安交通大学")
    scores = RERANKER.score("西安交通大学的历史", [plain, headed, titled])
    assert scores[1] > scores[0]
    assert scores[2] > scores[0]


@pytest.mark.parametrize(
    ("query", "text", "sentence"),
    [
        ("西安交大何时合并？", "西安是古都。西安交通大学于2000年合并。天气很好。", "西安交通大学于2000年合并。"),
        (
            "When was it merged?",
            "Xi'an is old. The school was merged in 2000. It rains.",
            "The school was merged in 2000.",
        ),
        ("緩存時間", "第一句。\x1e\n默认缓存时间为六十秒。第三句。", "默认缓存时间为六十秒。"),
    ],
)
def test_the_evidence_is_the_best_sentence(query, text, sentence):
    hit = RERANKER.rerank(query, [Hit(chunks(text)[0], 0, "bm25")])[0]
    assert hit.evidence is not None
    assert text[hit.evidence.start : hit.evidence.end] == sentence


def test_nothing_found_is_no_evidence():
    assert RERANKER.rerank("茶", [Hit(chunks("coffee")[0], 0, "bm25")])[0].evidence is None


STRANGE = [
    "",
    " ",
    "。",
    "😀",
    "\x00",
    "\x1e",
    "\ud83d",
    "茶",
    "a",
    "\u202e",
    "ａ",
    "。" * 1000,
    "西" * 1000,
    "a" * 5000,
    "1" * 400,
]


@pytest.mark.parametrize("query", STRANGE)
def test_strange_questions_and_passages_have_finite_scores(query):
    scores = RERANKER.score(query, chunks(*STRANGE))
    assert scores.dtype == np.float32
    assert scores.shape == (len(STRANGE),)
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("unit", ["西安交通大学于2000年合并。", "Schools merged in 2000. ", "茶", "a ", "a. ", "\n"])
def test_a_passage_of_a_hundred_thousand_characters_takes_a_moment(unit):
    long = (unit * 100_000)[:100_000]
    start = time.process_time()
    scores = RERANKER.score("西安交大何时合并？ When were the schools merged?", chunks(long, "短"))
    assert time.process_time() - start < 2.0  # measured: 0.05 to 0.2 s
    assert np.isfinite(scores).all()


def test_a_long_question_takes_a_moment():
    query = " ".join(f"word{number} 词{chr(0x4E00 + number)}" for number in range(5000))
    start = time.process_time()
    assert np.isfinite(RERANKER.score(query, chunks(*[query] * 20))).all()
    assert time.process_time() - start < 5.0


def test_the_weights_are_readable_and_cover_every_feature():
    path = Path(__file__).parents[2] / "src/secondpass/rerank/lexical.json"
    table = json.loads(path.read_text(encoding="utf-8"))
    assert table["features"] == FEATURES
    assert path.stat().st_size < 20_000
    assert set(load_weights()) == {"zh", "en"}


def _first_lists(name: str, count: int) -> list[tuple[str, list[Chunk], set[str]]]:
    folder = DATA / name
    if not folder.exists():
        pytest.skip(f"{folder} is not here")
    with gzip.open(folder / "corpus.jsonl.gz", "rt", encoding="utf-8") as lines:
        passages = {row["_id"]: Chunk(row["_id"], row["text"]) for row in map(json.loads, lines)}
    questions = [json.loads(line) for line in (folder / "queries.jsonl").read_text(encoding="utf-8").splitlines()]
    text = {row["_id"]: row["text"] for row in questions if row["split"] == "dev"}
    relevant: dict[str, set[str]] = {}
    for line in (folder / "qrels.tsv").read_text(encoding="utf-8").splitlines():
        query_id, _, doc_id, _ = line.split("\t")
        relevant.setdefault(query_id, set()).add(doc_id)
    rows = map(json.loads, (folder / "candidates.jsonl").read_text(encoding="utf-8").splitlines())
    lists = [row for row in rows if row["qid"] in text][:count]
    return [(text[row["qid"]], [passages[key] for key in row["pids"]], relevant[row["qid"]]) for row in lists]


@pytest.mark.parametrize(
    ("name", "least"), [("cmrc2018", 0.96), ("drcd", 0.90), ("squad_dev", 0.75), ("pubmedqa", 0.93)]
)
def test_real_questions_find_their_passage_first(name, least):
    lists = _first_lists(name, 150)
    first = [passages[int(np.argmax(RERANKER.score(query, passages)))].id in good for query, passages, good in lists]
    assert np.mean(first) > least


@pytest.mark.parametrize(("name", "share"), [("cmrc2018", 1 / 30), ("squad_dev", 1 / 30)])
def test_probabilities_are_about_as_high_as_they_are_right(name, share):
    lists = _first_lists(name, 150)
    logits = np.concatenate([RERANKER.score(query, passages) for query, passages, _ in lists])
    assert abs(float((1 / (1 + np.exp(-logits))).mean()) - share) < 0.05
