"""A setting as command lines that are ready to run."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from secondpass.config import RETRIEVERS
from secondpass.rerank.threshold import MinScore
from secondpass.tune.records import Setting

_QUESTION = '"..."'


def command_lines(setting: Setting, options: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the commands that use ``setting``, with ``options`` that rerankers were opened with.

    A first stage that is none of the index's own is somebody else's: its passages are reranked from a file.
    """
    stages = [part for stage in setting.stages for part in ("--rerank", f"{stage.reranker}@{stage.keep}")]
    if setting.threshold is not None:
        stages += ["--min-score", str(MinScore(setting.threshold, setting.scale))]
    depth = setting.depth if stages else setting.top_n
    if setting.first_stage in RETRIEVERS:
        asked = ["--retrieve", f"{setting.first_stage}@{depth}", *(stages or ["--no-rerank"]), *options]
        return tuple(f"secondpass {command} {_QUESTION} {shlex.join(asked)}" for command in ("ask", "search"))
    if not stages:
        return ()
    return (f"secondpass rerank --input passages.jsonl {shlex.join([*stages, *options])}",)
