"""The model card of a trained model: data, settings, versions, and figures before and after."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib.metadata import version

from secondpass.evaluate.records import Estimate
from secondpass.train.options import TrainOptions, as_toml
from secondpass.train.verdict import Verdict

_PARTS = ("secondpass", "torch", "transformers", "accelerate")


def model_card(options: TrainOptions, verdicts: Sequence[Verdict], seconds: float, notes: Sequence[str]) -> str:
    """Return the card as Markdown."""
    lines = [
        "# A reranker trained with secondpass",
        "",
        f"Started from `{options.model}`, taught with `{options.train}`.",
    ]
    for verdict in verdicts:
        lines += ["", str(verdict), "", f"| {verdict.name} | before | after |", "| --- | --- | --- |"]
        lines += [
            f"| {name} | {_written(one.before)} | {_written(one.after)} |" for name, one in verdict.measures.items()
        ]
        lines += [f"| loss | {verdict.loss[0]:.4f} | {verdict.loss[1]:.4f} |"]
    lines += ["", *(f"- {note}" for note in notes)]
    versions = ", ".join(f"{name} {version(name)}" for name in _PARTS)
    lines += ["", f"{seconds / 60:.1f} minutes. Python {platform.python_version()}, {versions}.", ""]
    return "\n".join([*lines, "```toml", as_toml(options).rstrip(), "```", ""])


def _written(estimate: Estimate) -> str:
    return f"{estimate.mean:.4f} [{estimate.low:.4f}, {estimate.high:.4f}]"
