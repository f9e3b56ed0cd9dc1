"""``secondpass data synthesize`` as a person meets it, and an LLM's ranking as teacher scores."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

PASSAGES = [
    "西安城墙周长约十四公里，是中国现存最完整的古代城垣。明代在唐皇城的基础上修建。现在可以骑自行车游览。",
    "钟楼位于西安市中心四条大街的交汇处。建于明洪武年间，原址在广济街口。一百多年后整体迁移到现在的位置。",
    "Browsers cache the response to a preflight request for ten minutes. Servers may set another limit with a header.",
]


def test_questions_are_written_and_negatives_ranked_by_a_chat_model(
    run: Callable[..., Any], server_url: str, tmp_path: Path
) -> None:
    lines = [json.dumps({"_id": f"d{n}", "text": text}, ensure_ascii=False) for n, text in enumerate(PASSAGES)]
    (tmp_path / "corpus.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    arguments = ["--corpus-file", "corpus.jsonl", "--llm", "openai:ask", "--llm-url", server_url, "--prices", "1,2"]
    done = run("data", "synthesize", "out.jsonl", *arguments, "--questions", "2")
    assert done.returncode == 0, done.stderr
    assert "6 of 6 questions for 3 passages kept" in done.stdout
    assert "3 calls" in done.stdout
    assert "cost" in done.stdout
    out = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {line["provenance"]["question"]["round_trip_rank"] for line in out} == {1}
    again = run("data", "synthesize", "out.jsonl", *arguments, "--questions", "2", "--json")
    assert json.loads(again.stdout)["calls"]["calls"] == 0
    teacher = ["--teacher", "listwise:openai/rank", "--rerank-url", server_url]
    wanted = ["--corpus-file", "corpus.jsonl", "--negatives", "1", "--ranks", "1-5"]
    ranked = run("data", "mine", "out.jsonl", "mined.jsonl", *wanted, *teacher)
    assert ranked.returncode == 0, ranked.stderr
    mined = [json.loads(line) for line in (tmp_path / "mined.jsonl").read_text(encoding="utf-8").splitlines()]
    assert any(line["neg"] for line in mined)
    assert all(line["pos_scores"][0] > score for line in mined for score in line["neg_scores"])
    assert {line["provenance"]["teacher_scale"] for line in mined} == {"rank_only"}


def test_the_passages_of_an_index_are_asked_about(
    run: Callable[..., Any], server_url: str, indexed: Path, tmp_path: Path
) -> None:
    arguments = ["--llm", "openai:ask", "--llm-url", server_url, "--passages", "4", "--json", "--round-trip", "0"]
    done = run("data", "synthesize", "out.jsonl", "--index", str(indexed / ".secondpass"), *arguments)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["passages"] == 4
    assert run("data", "synthesize", "o.jsonl", "--llm", "openai:ask", "--llm-url", server_url).returncode == 2
