"""``secondpass data split`` as a person meets it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any


def test_a_file_is_parted_beside_itself(run: Callable[..., Any], tmp_path: Path) -> None:
    lines = [{"query": f"第{n}问", "positive": f"第{n // 4}段", "negative": "无关"} for n in range(40)]
    (tmp_path / "all.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    done = run("data", "split", "all.jsonl", "--dev", "0.15")
    assert done.returncode == 0, done.stderr
    assert "36 rows for training: all.train.jsonl" in done.stdout
    assert "4 rows for development (10.0%): all.dev.jsonl" in done.stdout
    assert "10 groups that hang together, the largest has 4 rows" in done.stdout
    assert "uneven: 15.0% was wanted" in done.stdout
    dev = [json.loads(line) for line in (tmp_path / "all.dev.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len({line["positive"] for line in dev}) == 1
