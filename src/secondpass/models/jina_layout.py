"""XLM-R as jina saves it: jina-reranker-v2-base-multilingual, jina-colbert-v2.

The arithmetic is that of XLM-R, with positions that are added (the reranker) or turned (ColBERT); the tensors have the
names and the form that flash-attention gives a BERT: query, key and value are one matrix. config.json points to code
for it, which is never run: here the tensors get the names that XLM-R's have elsewhere.

Names and arithmetic as four sources have them that agree: jina's published code (XLMRobertaFlashConfig),
flash-attention's ``remap_state_dict``, vLLM's JinaRobertaModel, and transformers' own jina_embeddings_v3.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from secondpass.models.model_folder import read_json

FUSED = ".mixer.Wqkv.weight"
"""What names of this layout end with."""
_CONFIGURATION = "XLMRobertaFlashConfig"
_LAYER = re.compile(r"encoder\.layers\.(\d+)\.(.+)\.(weight|bias)$")
_PARTS = {
    "mixer.Wqkv": ("attention.self.query", "attention.self.key", "attention.self.value"),
    "mixer.out_proj": ("attention.output.dense",),
    "norm1": ("attention.output.LayerNorm",),
    "mlp.fc1": ("intermediate.dense",),
    "mlp.fc2": ("output.dense",),
    "norm2": ("output.LayerNorm",),
}


@dataclass(frozen=True, slots=True)
class StoredAt:
    """Where a tensor lies: the part ``number`` of ``count`` equal parts of the rows of the tensor ``name``."""

    name: str
    number: int = 0
    count: int = 1

    def rows(self, total: int) -> slice:
        """Return its rows, of the ``total`` that the stored tensor has."""
        return slice(self.number * total // self.count, (self.number + 1) * total // self.count)


def read_config(folder: Path) -> dict[str, Any]:
    """Return config.json of the encoder in ``folder``, with the architecture that jina's leaves out."""
    return with_model_type(read_json(folder / "config.json"))


def with_model_type(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings with ``model_type``, which jina-reranker-v2's file does not say."""
    return {"model_type": "xlm-roberta", **config} if is_jina(config) else dict(config)


def is_jina(config: Mapping[str, Any]) -> bool:
    """Say whether these are the settings of an XLM-R in jina's layout."""
    own_code = config.get("auto_map") or {}
    known = config.get("model_type", "xlm-roberta") == "xlm-roberta"
    return known and str(own_code.get("AutoConfig", "")).endswith(_CONFIGURATION)


def turns_positions(config: Mapping[str, Any]) -> bool:
    """Say whether this is an XLM-R whose positions are rotations, as only jina's are."""
    return config.get("model_type") == "xlm-roberta" and config.get("position_embedding_type") == "rotary"


def unsupported_jina(config: Mapping[str, Any]) -> str | None:
    """Return why a model of jina's with these settings cannot be computed, or None where it can."""
    size = int(config.get("hidden_size") or 0) // max(1, int(config.get("num_attention_heads") or 1))
    scaling = config.get("rope_scaling") or config.get("rope_parameters") or {}
    scaled = scaling.get("rope_type") or scaling.get("type") or "default"
    odd = (
        (config.get("lora_adaptations"), "its weights hold LoRA adapters for several tasks"),
        (config.get("rotary_emb_dim", size) != size, "only a part of each attention head is turned by its position"),
        (config.get("rotary_emb_interleaved"), "neighbouring numbers are turned together (rotary_emb_interleaved)"),
        (config.get("rotary_emb_scale_base") is not None, "its attention fades with the distance (xPos)"),
        (scaled != "default", f"its rotary positions are scaled by {scaled!r}"),
    )
    return next((reason for holds, reason in odd if holds), None)


def computes_jina(config: Mapping[str, Any]) -> bool:
    """Say whether these are the settings of a model of jina's that is computed from its safetensors."""
    return is_jina(config) and unsupported_jina(config) is None


def usual_places(names: Iterable[str]) -> dict[str, StoredAt]:
    """Return where each tensor lies, under the name that XLM-R usually gives it; most lie under their own."""
    stored = list(names)
    if not any(name.endswith(FUSED) for name in stored):
        return {name: StoredAt(name) for name in stored}
    places: dict[str, StoredAt] = {}
    for name in stored:
        usual = _usual_names(name)
        places |= {one: StoredAt(name, number, len(usual)) for number, one in enumerate(usual)}
    return places


def _usual_names(name: str) -> tuple[str, ...]:
    found = _LAYER.search(name)
    if found is None or found[2] not in _PARTS:
        return (re.sub(r"(^|\.)emb_ln\.", r"\1embeddings.LayerNorm.", name),)
    before, kind = name[: found.start()], found[3]
    return tuple(f"{before}encoder.layer.{found[1]}.{part}.{kind}" for part in _PARTS[found[2]])
