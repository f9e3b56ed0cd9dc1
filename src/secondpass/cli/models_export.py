"""``secondpass models export``: a reranker as an ONNX file, checked before it is kept."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import click

from secondpass.cli.model_choice import ChosenModel, with_model
from secondpass.cli.options import json_option
from secondpass.cli.output import print_json
from secondpass.cli.plain import plain
from secondpass.cli.sizes import bytes_in_words
from secondpass.errors import MissingExtraError
from secondpass.models.engines import installed_engines


@click.command("export")
@click.argument("name")
@click.argument("target", metavar="FILE.onnx|FOLDER")
@with_model
@json_option
def export_command(chosen: ChosenModel, target: str, as_json: bool) -> None:
    """Write the reranker NAME as ONNX: one FILE.onnx, or a new FOLDER with tokenizer and settings.

    Its scores of 24 pairs of texts are compared with those of the exact engine; a file that differs is not kept.
    A FOLDER is read as NAME is: its config.json records the profile, and its tokenizer the longest input.
    """
    if not {"onnx", "openvino"} & set(installed_engines()):
        raise MissingExtraError("Writing and checking ONNX files", "onnx")
    exporting = importlib.import_module("secondpass.models.exporting")
    comparison = importlib.import_module("secondpass.models.engine_comparison")
    model = comparison.reranking_encoder(chosen.source.folder, chosen.profile, chosen.max_tokens)
    exported = exporting.export_model(model, Path(target))
    if as_json:
        print_json(_described(exported))
        return
    click.echo(plain(f"{exported.path}: {bytes_in_words(exported.size_bytes)}"))
    click.echo(plain(f"in:  {'; '.join(exported.inputs)}"))
    click.echo(plain(f"out: {'; '.join(exported.outputs)}"))
    parity = exported.parity
    click.echo(
        f"checked with {exported.checked_with}: at most {parity.max_difference:.1e} from the exact numbers "
        f"(spread {parity.spread:.2g})"
    )


def _described(exported: Any) -> dict[str, Any]:
    return {
        "path": str(exported.path),
        "inputs": list(exported.inputs),
        "outputs": list(exported.outputs),
        "bytes": exported.size_bytes,
        "max_difference": exported.parity.max_difference,
        "spread": exported.parity.spread,
        "checked_with": exported.checked_with,
    }
