"""Training runs in a process of their own, one after the other: ``torchrun ... process.py OPTIONS.json ...``."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import torch

from secondpass.train.options import make_options
from secondpass.train.run import run_training


def teach(path: str, resume: bool) -> None:
    """Run what the file of options says; ``pause`` seconds after every step, so that a signal finds the run within."""
    torch.set_num_threads(1)
    settings: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
    pause = settings.pop("pause", 0.0)

    def hear(record: dict[str, Any]) -> None:
        if record["event"] == "step":
            time.sleep(pause)

    run_training(make_options(settings, "test"), hear, resume)


if __name__ == "__main__":
    for given in sys.argv[1:]:
        teach(given, resume=False)
