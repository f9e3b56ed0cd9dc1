"""How a reranker is opened: what a person may say beside its name."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from secondpass.models.engine import EngineOptions
from secondpass.models.reading_choices import Skiplist, WindowUnit
from secondpass.rerank.neighbours import ReadText
from secondpass.rerank.ranking_calls import CallOptions
from secondpass.rerank.threshold import MinScore


@dataclass(frozen=True, slots=True)
class RerankerOptions:
    """What holds for every reranker of a run; each takes of it what concerns it.

    What a model cannot do is refused; for one of several models it stands behind that one's name (`stage_settings`).

    ``profile``: which known model a folder holds, where its name does not say it. ``max_tokens``: the longest input,
    query included (None: the model's own). ``cut_long``: cut passages that are too long instead of reading them in
    windows, as the reference libraries do. ``instruction``: what the task is, for models that take one. ``url``: the
    server of a hosted reranker or chat model. ``offline``: fetch nothing. ``cache``: the file of known scores (None:
    none is kept). ``min_score``: what scores below it is dropped, after the last stage. ``budget_seconds``: the time
    that all stages may take together. ``calls``: how a chat model that ranks is called; ``ranking_runs``: how
    often, each time with the passages in another order, whose outcomes become one. ``read_text``: where the text
    between two chunks of a document is known, for joining neighbours. ``window_unit``: what the windows of a
    cross-encoder end at. ``skiplist``: what ColBERT leaves out of a passage. ``layer``: after which layer BGE's
    layerwise and lightweight models give their score (None: the 28th). ``compress``: how many neighbouring tokens of a
    passage the lightweight one makes one, and before which layers (None: 2, before 24 and 40).
    """

    engine: EngineOptions = field(default_factory=EngineOptions)
    profile: str | None = None
    max_tokens: int | None = None
    cut_long: bool = False
    instruction: str | None = None
    url: str | None = None
    offline: bool = False
    cache: Path | None = None
    min_score: MinScore | None = None
    budget_seconds: float | None = None
    calls: CallOptions = field(default_factory=CallOptions)
    ranking_runs: int = 1
    read_text: ReadText | None = None
    window_unit: WindowUnit = "tokens"
    skiplist: Skiplist = "checkpoint"
    layer: int | None = None
    compress: tuple[int, tuple[int, ...]] | None = None
