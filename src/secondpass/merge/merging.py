"""The flow of a merge: look at the models, say what will be done, write the folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from secondpass.errors import InputError
from secondpass.merge.adapters import AdapterStack
from secondpass.merge.compatibility import check_compatible
from secondpass.merge.evidence_heads import settle_heads
from secondpass.merge.floats import CONFIG_NAMES, FLOATS, FloatKind, RawArray, is_finite, narrowed
from secondpass.merge.kinship import Kinship, kinship
from secondpass.merge.lineage import Lineage, write_lineage
from secondpass.merge.methods import MergeMethod, Mix, Progress, no_progress
from secondpass.merge.parents import WEIGHTS, Parent, Part
from secondpass.merge.tensor_files import AlignedTensor, raw_blocks
from secondpass.merge.tensor_writer import TensorForm, shards_of, write_sharded
from secondpass.merge.whole_folder import check_free_name, whole_folder
from secondpass.models.weight_files import SPANS_FILE
from secondpass.types import Json

SHARD_BYTES = 5_000_000_000


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """How the merged folder is written: in files of at most ``shard_bytes``, as ``kind`` (None: as the first model)."""

    shard_bytes: int = SHARD_BYTES
    kind: FloatKind | None = None


@dataclass(frozen=True, slots=True, eq=False)
class MergePlan:
    """Models that can be merged, and how: nothing is written yet.

    ``found`` is what was learned of the models beyond their files, such as their losses, for the lineage. ``stack``:
    the models are LoRA adapters, whose updates are added up. ``evidence_head``: the file that is taken over, where only
    some of the models have an evidence head.
    """

    parents: tuple[Parent, ...]
    base: Parent | None
    method: MergeMethod
    kinships: tuple[Kinship, ...]
    notes: tuple[str, ...]
    options: WriteOptions
    found: Mapping[str, Json] = field(default_factory=dict)
    stack: AdapterStack | None = None
    evidence_head: Path | None = None

    @property
    def total_bytes(self) -> int:
        """The size of the merged weights."""
        return sum(form.bytes for part in self.parents[0].parts for form in self.forms(part))

    @property
    def warnings(self) -> list[str]:
        """What speaks against this merge."""
        return [warning for one in self.kinships for warning in one.warnings()]

    def forms(self, part: Part) -> list[TensorForm]:
        """Return the tensors of one place as they will be written."""
        if self.stack:
            return self.stack.forms()
        return [
            TensorForm(name, self.options.kind if stored.is_float and self.options.kind else stored.kind, stored.shape)
            for name, stored in self.parents[0].part_of(part).items()
        ]

    def files(self) -> int:
        """Return how many weight files there will be."""
        return sum(len(shards_of(self.forms(part), self.shard_bytes(part))) for part in self.parents[0].parts)

    def shard_bytes(self, part: Part) -> int:
        """Return how large a file may be; adapters, modules and evidence heads are read from one file alone."""
        whole = part.stem != WEIGHTS or bool(part.place)
        return max(1, sum(form.bytes for form in self.forms(part))) if whole else self.options.shard_bytes


def plan_merge(
    parents: tuple[Parent, ...],
    method: MergeMethod,
    base: Parent | None = None,
    options: WriteOptions | None = None,
    found: Mapping[str, Json] | None = None,
) -> MergePlan:
    """Look whether the models can be merged, and how near they are to each other.

    Raises:
        InputError: there are too few, they do not fit, or a base is missing.
    """
    if len(parents) < 2:
        raise InputError("A merge takes at least two models; name another one.")
    if method.needs_base and base is None:
        raise InputError(f"{method.name} merges what each model learned over a base; name it with --base.")
    if all(parent.kind == "adapter" for parent in parents):
        return _plan_stack(parents, method, options or WriteOptions(), found or {})
    heads = settle_heads(parents, base if method.needs_base else None)
    notes = [*check_compatible(heads.parents, heads.base), *heads.notes, *_beyond(method)]
    near_to = heads.base or heads.parents[0]
    kinships = tuple(kinship(near_to, one) for one in heads.parents if one is not near_to)
    return MergePlan(
        heads.parents,
        heads.base,
        method,
        kinships,
        tuple(notes),
        options or WriteOptions(),
        found or {},
        evidence_head=heads.taken,
    )


def _plan_stack(
    parents: tuple[Parent, ...], method: MergeMethod, options: WriteOptions, found: Mapping[str, Json]
) -> MergePlan:
    """Plan the exact sum of LoRA updates; what works on single numbers has none in their factors."""
    if not isinstance(method, Mix):
        raise InputError(
            f"{method.name} compares weights number by number, and one LoRA update has many pairs of factors, none of "
            "them more right than another. Merge each adapter into its model first (peft: merge_and_unload) and then "
            "the models, or add the updates up exactly by `merge mix`."
        )
    stack = AdapterStack.of(parents, method.weights, options.kind)
    note = f"the updates of all adapters stand side by side: rank {stack.rank}, exactly their weighted sum"
    return MergePlan(parents, None, method, (), (note, *_beyond(method)), options, found, stack)


def _beyond(method: MergeMethod) -> list[str]:
    """Say that weights lead out of the space between the models, where nobody trained."""
    weights = method.settings.get("weights")
    outside = [one for one in weights if not 0 <= float(str(one)) <= 1] if isinstance(weights, Sequence) else []
    return [f"weights beyond 0 and 1 ({', '.join(map(str, outside))}) lead away from the models"] if outside else []


def write_merge(plan: MergePlan, target: Path, progress: Progress = no_progress) -> Path:
    """Write the merged model into the new folder ``target``: whole, or not at all.

    Raises:
        InputError: the folder exists, a parent holds what is no number, or the disk is full.
    """
    check_free_name(target)
    first = plan.parents[0]
    whole = {} if plan.stack else first.tensors
    floats = {key: _aligned(plan, key) for key, stored in whole.items() if stored.is_float}
    progress(0, plan.total_bytes, f"{plan.method.name}: looking at the models as a whole")
    method = plan.method.prepared(list(floats.values()), progress)
    writing = _Writing(plan, method, floats, progress)
    lineage = Lineage.of(plan.parents, plan.base, plan.method, plan.kinships, plan.notes, plan.found)
    with whole_folder(target, plan.total_bytes) as made:
        for name in first.settings:
            (made / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(first.folder / name, made / name)
        if plan.evidence_head:
            shutil.copyfile(plan.evidence_head, made / SPANS_FILE)
        for part in first.parts:
            (made / part.place).mkdir(parents=True, exist_ok=True)
            write_sharded(
                made / part.place, part.stem, plan.forms(part), plan.shard_bytes(part), writing.produces(part)
            )
        if plan.stack:
            plan.stack.write_config(made)
        elif plan.options.kind:
            _name_kind(made, plan.options.kind)
        write_lineage(made, target.name, lineage)
    return target


def _aligned(plan: MergePlan, key: str) -> AlignedTensor:
    base = plan.base.tensors[key] if plan.base else None
    return AlignedTensor(key, tuple(parent.tensors[key] for parent in plan.parents), base)


class _Writing:
    """Makes the bits of every tensor in turn, and says how far it is."""

    def __init__(
        self, plan: MergePlan, method: MergeMethod, floats: Mapping[str, AlignedTensor], progress: Progress
    ) -> None:
        self._plan, self._method, self._floats, self._progress = plan, method, floats, progress
        self._done, self._total = 0, plan.total_bytes

    def produces(self, part: Part) -> Callable[[str], Iterator[RawArray]]:
        """Return what makes the tensors of one place by their names there."""
        return lambda name: self._produce(part.key(name))

    def _produce(self, key: str) -> Iterator[RawArray]:
        for raw in self._blocks(key):
            yield raw
            self._done += raw.nbytes
            self._progress(self._done, self._total, key)

    def _blocks(self, key: str) -> Iterator[RawArray]:
        if self._plan.stack:
            return self._plan.stack.produce(key)
        stored = self._plan.parents[0].tensors[key]
        return self._merged(key) if stored.is_float else raw_blocks(stored)

    def _merged(self, key: str) -> Iterator[RawArray]:
        tensor = self._floats[key]
        written = self._plan.options.kind or tensor.parents[0].kind
        kind: FloatKind = next(one for one in CONFIG_NAMES if one == written)
        for block in self._method.blocks(tensor):
            raw = narrowed(block, kind)
            if not is_finite(raw, kind):
                raise self._not_finite(tensor, kind)
            yield raw

    def _not_finite(self, tensor: AlignedTensor, kind: FloatKind) -> InputError:
        models = [*self._plan.parents, *([self._plan.base] if self._plan.base else [])]
        for model in models:
            stored = model.tensors[tensor.key]
            own: FloatKind = next(one for one in CONFIG_NAMES if one == stored.kind)
            if not all(is_finite(raw, own) for raw in raw_blocks(stored)):
                return InputError(
                    f"{tensor.key} of {model.name} holds nan or infinity ({stored.path}): the model is damaged; "
                    "fetch or train it again."
                )
        return InputError(
            f"{tensor.key} becomes too large for {CONFIG_NAMES[kind]}; write it as another type, such as --dtype f32."
        )


def _name_kind(made: Path, kind: FloatKind) -> None:
    """Say in config.json in which type the weights are."""
    for path in made.rglob("config.json"):
        config = json.loads(path.read_text(encoding="utf-8"))
        named = [key for key in ("dtype", "torch_dtype") if key in config]
        if named:
            config |= dict.fromkeys(named, CONFIG_NAMES[kind])
            path.write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


assert set(CONFIG_NAMES) == set(FLOATS)
