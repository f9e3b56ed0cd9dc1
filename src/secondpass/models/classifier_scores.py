"""From a classifier's logits to one number a passage, and what that number means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from secondpass.errors import InputError
from secondpass.models.checkpoint import Checkpoint
from secondpass.models.model_folder import read_json
from secondpass.models.profile_records import RerankerProfile
from secondpass.types import FloatArray, Scale

_POSITIVE = frozenset({"relevant", "yes", "true", "positive", "match", "相关", "是"})


@dataclass(frozen=True, slots=True)
class LogitReading:
    """How logits become a score.

    ``outputs`` is the number of logits. ``positive`` is the one that speaks for the passage where there are several:
    the score is then its log-odds against all others. ``scale`` probability applies the logistic function.
    """

    outputs: int
    positive: int
    scale: Scale
    gives_probability: bool

    def scores(self, logits: FloatArray) -> npt.NDArray[np.float64]:
        """Return float64 [B] of ``logits`` float32 [B, outputs].

        Raises:
            InputError: the engine gives another number of logits than config.json says.
        """
        if logits.ndim != 2 or logits.shape[1] != self.outputs:
            raise InputError(
                f"The model gives scores of shape {list(logits.shape[1:])} per passage; its config.json names "
                f"{self.outputs} outputs. Fetch or export the model again."
            )
        values = logits.astype(np.float64)
        if self.outputs > 1:
            others = np.delete(values, self.positive, axis=1)
            return np.asarray(values[:, self.positive] - np.logaddexp.reduce(others, axis=1))
        if self.scale == "probability":
            return np.asarray(np.exp(-np.logaddexp(0.0, -values[:, 0])))
        return values[:, 0]


def logit_reading(checkpoint: Checkpoint, profile: RerankerProfile | None) -> LogitReading:
    """Say how the logits of a classifier are read.

    One logit is the score. Of two, the second speaks for the passage, unless their names say otherwise; of more, the
    one named entailment. BCEmbedding's model gives probabilities, because that is what its authors merge and publish.
    """
    labels = [label.lower() for label in checkpoint.labels]
    if len(labels) > 1:
        positive = next((index for index, label in enumerate(labels) if label in _POSITIVE), 1)
        positive = positive if checkpoint.entailment is None else checkpoint.entailment
        return LogitReading(len(labels), positive, "log_odds", profile.gives_probability if profile else True)
    if profile and profile.windows == "bce":
        return LogitReading(1, 0, "probability", gives_probability=True)
    known = profile.gives_probability if profile else not _is_identity(checkpoint.folder, checkpoint.config)
    return LogitReading(1, 0, "logit", known)


def _is_identity(folder: Path, config: Mapping[str, Any]) -> bool:
    """Whether the model's files say that its logit is the score, as sentence-transformers writes them."""
    settings = read_json(folder / "config_sentence_transformers.json")
    written = (
        settings.get("activation_fn"),
        (config.get("sentence_transformers") or {}).get("activation_fn"),
        config.get("sbert_ce_default_activation_function"),
    )
    return any(str(name).endswith("Identity") for name in written if name)
