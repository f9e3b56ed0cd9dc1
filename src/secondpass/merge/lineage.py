"""Where a merged model comes from: ``merge.json`` for programs, a section of the model card for people."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from secondpass.merge.kinship import Kinship
from secondpass.merge.methods import MergeMethod
from secondpass.merge.parents import Parent
from secondpass.models.model_folder import read_json
from secondpass.types import Json

LINEAGE_FILE, CARD = "merge.json", "README.md"
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class SourceModel:
    """One of the models that were merged: its name, a fingerprint of its files, and its own lineage if it has one."""

    name: str
    role: str
    fingerprint: str
    merged_from: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Lineage:
    """How a model was made of others."""

    format: int
    secondpass: str
    created: str
    method: str
    settings: Mapping[str, Json]
    sources: tuple[SourceModel, ...]
    distances: tuple[Mapping[str, Json], ...]
    notes: tuple[str, ...]
    found: Mapping[str, Json]

    @classmethod
    def of(
        cls,
        parents: Sequence[Parent],
        base: Parent | None,
        method: MergeMethod,
        kinships: Sequence[Kinship],
        notes: Sequence[str],
        found: Mapping[str, Json],
    ) -> Lineage:
        """Return the lineage of a merge that is to be written now."""
        models = [*((parent, "merged") for parent in parents), *([(base, "base")] if base else [])]
        sources = tuple(
            SourceModel(model.name, role, model.fingerprint(), read_json(model.folder / LINEAGE_FILE))
            for model, role in models
        )
        distances: tuple[Mapping[str, Json], ...] = tuple(
            {"from": one.first, "to": one.other, "distance": one.distance, "norm": one.norm, "nearness": one.nearness}
            for one in kinships
        )
        warnings = [warning for one in kinships for warning in one.warnings()]
        created = datetime.now(UTC).isoformat(timespec="seconds")
        return cls(
            _FORMAT, version("secondpass"), created, method.name, method.settings, sources, distances,
            (*notes, *warnings), found,
        )  # fmt: skip


def write_lineage(folder: Path, name: str, lineage: Lineage) -> None:
    """Write ``merge.json`` and the model card."""
    content = json.dumps(asdict(lineage), indent=2, ensure_ascii=False)
    (folder / LINEAGE_FILE).write_text(content + "\n", encoding="utf-8")
    (folder / CARD).write_text(_card(name, lineage), encoding="utf-8")


def _card(name: str, lineage: Lineage) -> str:
    weights = lineage.settings.get("weights")
    given = list(weights) if isinstance(weights, Sequence) else []
    rows = [
        f"| {_cell(source.name)} | {source.role} | {f'{given[index]:.6g}' if index < len(given) else '–'} "
        f"| `{source.fingerprint}` |"
        for index, source in enumerate(lineage.sources)
    ]
    settings = ", ".join(f"{key} {value}" for key, value in lineage.settings.items() if key != "weights")
    distances = [
        f"- {one['to']}: {one['distance']:.4g} from {one['from']}, of a norm of {one['norm']:.4g} ({one['nearness']})"
        for one in lineage.distances
    ]
    hub_names = [
        source.name
        for source in lineage.sources
        if source.name.count("/") == 1 and not source.name.startswith((".", "/"))
    ]
    front = "".join(f"- {hub_name}\n" for hub_name in hub_names if not Path(hub_name).exists())
    return "\n".join(
        [
            "---",
            *(["base_model:", front.rstrip()] if front else []),
            "tags:",
            "- merge",
            "- secondpass",
            "---",
            "",
            f"# {name}",
            "",
            "## Merge",
            "",
            f"Made of {len(lineage.sources)} models by `{lineage.method}`{f' ({settings})' if settings else ''} with "
            f"secondpass {lineage.secondpass}, {lineage.created}. Settings and tokenizer are those of the first.",
            "",
            "| model | role | weight | fingerprint |",
            "| --- | --- | --- | --- |",
            *rows,
            "",
            *distances,
            *[f"- {_cell(note)}" for note in lineage.notes],
            "",
            "The licences of all these models hold for this one. Everything above, for programs: `merge.json`.",
            "",
        ]
    )


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
