"""What ``secondpass doctor`` says of models: engines, the processor, measured speeds, and the caches."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Set

from secondpass.cli.checks import Check, Status
from secondpass.cli.sizes import bytes_in_words
from secondpass.config import DEFAULT_RERANKER
from secondpass.errors import InputError
from secondpass.models.builtin_model import BUILTIN, builtin_folder
from secondpass.models.engine_cache import DAYS_KEPT, cached_graphs, gigabytes_kept, graphs_folder, surplus
from secondpass.models.engine_rates import EngineRate, all_remembered, machine
from secondpass.models.engines import ENGINE_NAMES, installed_engines, precisions_of, version_of
from secondpass.models.hub_caches import HUB_NAMES, cached_models, huggingface_cache, modelscope_root
from secondpass.models.maxsim import fastest_maxsim
from secondpass.models.processor import BF16, TILES, WIDE_INT8, instructions, tiles_refused

_MOST_SPEEDS = 8


def model_checks() -> Iterator[Check]:
    """Look at everything that models need; nothing heavy is imported, nothing is fetched."""
    yield from _engines()
    yield _maxsim()
    yield _builtin()
    yield Check("processor for models", "ok", processor_abilities(instructions()))
    yield from speeds(all_remembered())
    yield from _caches()
    yield _graphs()


def _builtin() -> Check:
    try:
        folder = builtin_folder()
    except InputError as error:
        status: Status = "missing" if DEFAULT_RERANKER == BUILTIN else "optional"
        return Check(f"model {BUILTIN}", status, str(error), "pip install --force-reinstall secondpass")
    size = bytes_in_words(sum(file.stat().st_size for file in folder.iterdir()))
    return Check(f"model {BUILTIN}", "ok", f"comes with the package, {size}")


def processor_abilities(flags: Set[str]) -> str:
    """Return what a processor with these flags computes itself.

    >>> processor_abilities({"avx2", "avx512_vnni"})
    'bf16: no (slower than f32); int8: avx512_vnni'
    """
    if not flags:
        return "bf16 and int8: this system does not say"
    bf16, int8 = (", ".join(name for name in names if name in flags) for names in (BF16, WIDE_INT8))
    return f"bf16: {bf16 or 'no (slower than f32)'}; int8: {int8 or 'no (little faster than f32)'}"


def _engines() -> Iterator[Check]:
    installed = installed_engines()
    for name in ENGINE_NAMES:
        if name in installed:
            yield Check(f"engine {name}", "ok", f"{version_of(name)}: {', '.join(precisions_of(name))}")
        else:
            yield Check(f"engine {name}", "optional", "not installed", f"pip install 'secondpass[{name}]'")


def _maxsim() -> Check:
    name = fastest_maxsim()
    if name == "amx" or tiles_refused():
        return Check("MaxSim of ColBERT", "ok", f"computed by {name}")
    return Check(
        "MaxSim of ColBERT",
        "optional",
        f"computed by {name}; {TILES} would halve its time",
        "pip install 'secondpass[amx]'",
    )


def speeds(rates: Mapping[str, EngineRate]) -> Iterator[Check]:
    """Say what was measured on this machine: one line for a model's shape at a precision."""
    lines: dict[str, dict[str, float]] = {}
    for key, rate in rates.items():
        parts = key.split(" | ")
        if len(parts) != 6 or parts[0] != machine() or "," in parts[2]:  # a comma: which of several was the fastest
            continue
        _, threads, _, shape, head, precision = parts
        lines.setdefault(f"speed {precision}, {threads}: {shape}, {head}", {})[rate.engine] = rate.tokens_per_second
    for what in list(lines)[:_MOST_SPEEDS]:
        ordered = sorted(lines[what].items(), key=lambda item: -item[1])
        yield Check(what, "ok", " · ".join(f"{name} {rate:,.0f}" for name, rate in ordered) + " tokens/s")
    if len(lines) > _MOST_SPEEDS:
        yield Check("speeds", "ok", f"and {len(lines) - _MOST_SPEEDS} more")


def _caches() -> Iterator[Check]:
    models = list(cached_models())
    for hub, folder in (("huggingface", huggingface_cache()), ("modelscope", modelscope_root())):
        count = sum(one.hub == hub for one in models)
        what = f"{next(name for key, name in HUB_NAMES.items() if key == hub)} cache"
        if count:
            yield Check(what, "ok", f"{folder}: {count} models", "")
        else:
            yield Check(what, "optional", f"{folder}: no models", "secondpass models fetch NAME")


def _graphs() -> Check:
    graphs = cached_graphs()
    try:
        most = gigabytes_kept()
    except InputError as error:
        return Check("engine graphs", "optional", str(error), "unset SECONDPASS_CACHE_GB")
    size = bytes_in_words(sum(graph.size_bytes for graph in graphs))
    going = surplus(graphs, most, DAYS_KEPT, time.time())
    found = f"{graphs_folder()}: {len(graphs)} graphs, {size} of at most {most:g} GB"
    return Check("engine graphs", "ok", found, "secondpass models clean" if going else "")
