"""The model card of a trained model: data, settings, versions, and figures before and after."""

from __future__ import annotations

import platform
from importlib.metadata import version

from secondpass.train.development import Measured
from secondpass.train.options import TrainOptions, as_toml

_PARTS = ("secondpass", "torch", "transformers", "accelerate")


def model_card(options: TrainOptions, before: Measured | None, after: Measured | None, seconds: float) -> str:
    """Return the card as Markdown."""
    lines = [
        "# A reranker trained with secondpass",
        "",
        f"Started from `{options.model}`, taught with `{options.train}`.",
    ]
    if before and after:
        lines += ["", "| dev | before | after |", "| --- | --- | --- |"]
        lines += [f"| {name} | {before.means[name]:.4f} | {after.means[name]:.4f} |" for name in after.means]
        lines += [f"| loss | {before.loss:.4f} | {after.loss:.4f} |"]
    versions = ", ".join(f"{name} {version(name)}" for name in _PARTS)
    lines += ["", f"{seconds / 60:.1f} minutes. Python {platform.python_version()}, {versions}.", ""]
    return "\n".join([*lines, "```toml", as_toml(options).rstrip(), "```", ""])
