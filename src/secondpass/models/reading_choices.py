"""What a person may choose of how a model reads; imports nothing, so that options can be named before a model is."""

from __future__ import annotations

from typing import Literal

WindowUnit = Literal["tokens", "sentences"]
"""What the windows of a long passage end at."""
Skiplist = Literal["checkpoint", "chinese"]
"""Which tokens of a passage late interaction leaves out: those of the checkpoint, or Chinese punctuation, too."""
