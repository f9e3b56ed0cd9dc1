"""A folder as training writes it, the same on every machine: a tiny embedder with a mean-pooled head, untrained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from tests.models.tiny_models import SENTENCES, Shape, make_model

from secondpass.train.opening import open_model
from secondpass.train.options import TrainOptions
from secondpass.train.saving import save_model

PAIRS = tuple((query[:9], passage) for query, passage in zip(SENTENCES, SENTENCES[3:] + SENTENCES[:3], strict=True))


def make_mean_folder(place: Path, kind: str) -> Path:
    """Write the folder ``place``; its head is drawn by numpy."""
    start = make_model(place.with_name(f"{place.name}-start"), Shape(kind, layers=2, seed=11))
    model = open_model(start, TrainOptions(head="mean"))
    module: Any = model.module.model
    last = module.classifier if kind == "bert" else module.classifier.out_proj
    drawn = np.random.default_rng(5).normal(0, 0.5, last.weight.shape).astype(np.float32)
    with torch.no_grad():
        last.weight.copy_(torch.from_numpy(drawn))
        last.bias.zero_()
    module.eval()
    save_model(model.write, place, [], "# card\n")
    return place
