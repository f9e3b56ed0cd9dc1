import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest

from secondpass.errors import StoreError
from secondpass.rerank.score_cache import ScoreCache
from secondpass.types import PassageScore, Span

SCORES = {
    "茶叶": PassageScore(0.1 + 0.2, Span(1, 2), 7, 3, True),
    "tea": PassageScore(-1e-30),
    "红茶": PassageScore(1.5, Span(0, 1), 2, evidence_confidence=0.1 + 0.2),
}


def test_a_score_comes_back_whole_after_the_file_was_closed(tmp_path):
    cache = ScoreCache(tmp_path / "scores.sqlite")
    cache.put("model", "问", SCORES)
    cache.close()
    assert ScoreCache(tmp_path / "scores.sqlite").get("model", "问", ["tea", "water", "茶叶", "红茶"]) == SCORES


def test_the_border_between_fingerprint_query_and_passage_counts(tmp_path):
    cache = ScoreCache(tmp_path / "scores.sqlite")
    cache.put("ab", "c", {"d": PassageScore(1.0)})
    assert not cache.get("a", "bc", ["d"])
    assert not cache.get("ab", "cd", [""])
    assert cache.get("ab", "c", ["d"])


def test_more_passages_than_one_statement_takes(tmp_path):
    cache = ScoreCache(tmp_path / "scores.sqlite")
    many = {f"段落 {i}": PassageScore(float(i)) for i in range(2500)}
    cache.put("m", "q", many)
    assert cache.get("m", "q", list(many)) == many
    assert (cache.counts.asked, cache.counts.found) == (2500, 2500)


def test_threads_and_two_openings_share_one_file(tmp_path):
    caches = [ScoreCache(tmp_path / "scores.sqlite") for _ in range(2)]

    def work(number: int) -> bool:
        cache, passages = caches[number % 2], {f"p{number % 7}": PassageScore(float(number % 7))}
        cache.put("m", "q", passages)
        return cache.get("m", "q", list(passages)) == passages

    with ThreadPoolExecutor(16) as threads:
        assert all(threads.map(work, range(200)))


def test_a_file_that_is_no_cache_is_named(tmp_path):
    (tmp_path / "notes.txt").write_text("these are notes, not a database\n" * 50)
    with pytest.raises(StoreError, match=r"notes\.txt cannot be used"):
        ScoreCache(tmp_path / "notes.txt")
    sqlite3.connect(tmp_path / "other.sqlite").execute("CREATE TABLE scores (key)").connection.close()
    with pytest.raises(StoreError, match=r"other\.sqlite"):
        ScoreCache(tmp_path / "other.sqlite").put("m", "q", SCORES)


def test_no_text_is_kept(tmp_path):
    cache = ScoreCache(tmp_path / "scores.sqlite")
    cache.put("m", "a secret question", {"a secret passage": PassageScore(1.0)})
    cache.close()
    assert b"secret" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())


def test_a_file_of_before_is_completed_and_its_scores_stay(tmp_path):
    old = sqlite3.connect(tmp_path / "old.sqlite")
    old.execute(
        "CREATE TABLE scores (key BLOB PRIMARY KEY, score REAL NOT NULL, start INTEGER, stop INTEGER, tokens INTEGER "
        "NOT NULL, windows INTEGER NOT NULL, truncated INTEGER NOT NULL) WITHOUT ROWID"
    )
    with old:
        known = ScoreCache(tmp_path / "new.sqlite")
        known.put("m", "问", {"茶叶": SCORES["茶叶"]})
        row = known._database.execute("SELECT * FROM scores").fetchone()[:7]
        old.execute("INSERT INTO scores VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    old.close()
    for _ in range(2):
        cache = ScoreCache(tmp_path / "old.sqlite")
        assert cache.get("m", "问", ["茶叶"]) == {"茶叶": SCORES["茶叶"]}
        cache.put("m", "问", SCORES)
        assert cache.get("m", "问", list(SCORES)) == SCORES
        cache.close()
