"""Put a run on its devices: one, several that each hold all (DDP), or several that share weights and moments (FSDP).

The loop is the same on all of them; what differs is said here and in checkpoints.py.
"""

from __future__ import annotations

import os
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

from secondpass.errors import InputError
from secondpass.models.torch_device import plan_no_shapes
from secondpass.train.evidence import HEAD_SPEED, EvidenceScores
from secondpass.train.groups import Group
from secondpass.train.options import TrainOptions
from secondpass.train.reading import TrainedModel

_PROBE = Group("问题", ("段落", "passage"), (1.0, 0.0))


def open_accelerator(options: TrainOptions) -> Accelerator:
    """Return what knows the devices of this process and the others, as ``torchrun`` or ``accelerate`` started them.

    Raises:
        InputError: the options do not fit the number of processes.
    """
    if options.threads:
        torch.set_num_threads(options.threads)
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    if processes == 1:
        AcceleratorState._reset_state(reset_partial_state=True)  # of a run before, in another precision
    # Told nothing, accelerate lets every process without a GPU train a whole model of its own.
    on_cpu = processes > 1 and not torch.accelerator.is_available()
    accelerator = Accelerator(mixed_precision=_precision(options), cpu=on_cpu)
    if accelerator.device.type == "cuda":
        plan_no_shapes()
    if accelerator.num_processes != processes:
        raise InputError(
            f"{processes} processes were started, and accelerate knows of {accelerator.num_processes}; it has no way "
            f"to join processes on {accelerator.device.type}. Start one."
        )
    if options.batch_size < processes:
        raise InputError(
            f"batch_size is {options.batch_size} and there are {processes} processes; each needs a question a step."
        )
    if options.shard and processes == 1:
        raise InputError("shard = true spreads a model over several processes; start them with torchrun.")
    return accelerator


def prepare(model: TrainedModel, options: TrainOptions, accelerator: Accelerator) -> tuple[nn.Module, Any]:
    """Return the module that computes a step, and the optimizer of its parameters."""
    _freeze_unused(model, accelerator)
    if options.shard:
        mesh = init_device_mesh(accelerator.device.type, (accelerator.num_processes,))
        for layers in [part for part in model.module.modules() if isinstance(part, nn.ModuleList)]:
            for layer in layers:
                fully_shard(layer, mesh=mesh)
        fully_shard(model.module, mesh=mesh)
    # One pass over the weights instead of a dozen: a quarter of the time on a CPU (docs/log.md).
    fused = not options.shard and accelerator.device.type in {"cpu", "cuda"}
    groups = parameter_groups(model.module, options.weight_decay)
    optimizer = torch.optim.AdamW(groups, lr=options.learning_rate, fused=fused)
    if options.shard:
        return model.module, accelerator.prepare(optimizer)
    module, prepared = accelerator.prepare(model.module, optimizer)
    return module, prepared


def parameter_groups(module: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Return the trained parameters: matrices apart from biases and norms, which do not decay, and an evidence head.

    ``speed``: how many times a group's learning rate is that of the others. Beside a teacher the head learns as the
    body does: it is the teacher's, and right once the states are.
    """
    head: set[int] = set()
    if isinstance(module, EvidenceScores) and not module.taught:
        head = {id(value) for value in module.head.parameters()}
    trained = [value for value in module.parameters() if value.requires_grad]
    body = [value for value in trained if id(value) not in head]
    groups: list[dict[str, Any]] = [
        {"params": [value for value in body if value.ndim > 1], "weight_decay": weight_decay, "speed": 1.0},
        {"params": [value for value in body if value.ndim < 2], "weight_decay": 0.0, "speed": 1.0},
        {"params": [value for value in trained if id(value) in head], "weight_decay": 0.0, "speed": HEAD_SPEED},
    ]
    return [group for group in groups if group["params"]]


def summed(values: list[float], accelerator: Accelerator) -> list[float]:
    """Return the sums of ``values`` over all processes, the same on each."""
    if accelerator.num_processes == 1:
        return values
    sums: Any = accelerator.reduce(torch.tensor(values, dtype=torch.float64, device=accelerator.device), "sum")
    return [float(value) for value in sums]


def in_step(batches: list[dict[str, Tensor]], options: TrainOptions) -> list[dict[str, Tensor]]:
    """Return as many batches on every process: a model that is shared computes its layers in step.

    What is added is one pair, the first, again; its scores stand behind all others, where nobody reads them.
    """
    if not options.shard:
        return batches
    most = torch.tensor(len(batches), device=batches[-1]["input_ids"].device)
    torch.distributed.all_reduce(most, torch.distributed.ReduceOp.MAX)
    first = {name: rows[:1] for name, rows in batches[-1].items()}
    return [*batches, *[first] * (int(most) - len(batches))]


def _freeze_unused(model: TrainedModel, accelerator: Accelerator) -> None:
    """Leave out of training what no score depends on, such as a pooler that is not read: DDP would wait for it."""
    batches, order, _ = model.batches([_PROBE], accelerator.device)
    model.module.eval()
    model.module(batches, order).sum().backward()
    for parameter in model.module.parameters():
        if parameter.grad is None:
            parameter.requires_grad_(False)
        parameter.grad = None


def _precision(options: TrainOptions) -> str:
    if options.precision != "auto":
        return {"f32": "no", "bf16": "bf16", "fp16": "fp16"}[options.precision]
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported() else "fp16"
    fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return "bf16" if fast else "no"
