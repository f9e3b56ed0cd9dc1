"""What config.json says of an encoder whose positions are rotations (RoPE): ModernBERT, GTE and jina's XLM-R.

ModernBERT (arXiv:2412.13663) looks at a window of neighbours in most layers and at everything in each third. GTE
(arXiv:2407.19669) is the architecture of gte-multilingual-reranker-base, whose older revisions call it ``new`` and
point to code in another repository; the same arithmetic is written here, and that code is never run. jina's XLM-R
(jina-colbert-v2, arXiv:2408.16672) is XLM-R in all but its positions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from secondpass.models.graph_shape import ACTIVATIONS, Activation
from secondpass.models.jina_layout import turns_positions, unsupported_jina
from secondpass.types import FloatArray

ROTARY_KINDS = ("modernbert", "gte", "new")
Pooling = Literal["cls", "mean"]
Gate = Literal["first", "last", "none"]
_ROTATIONS = frozenset({"default", "linear", "ntk"})


@dataclass(frozen=True, slots=True)
class Rotation:
    """How fast positions turn: ``theta`` is the base of the wavelengths, ``divisor`` slows all of them down."""

    theta: float
    divisor: float = 1.0

    def tables(self, positions: int, size: int) -> tuple[FloatArray, FloatArray]:
        """Return cosines and sines, float32 [positions, size] each, in the arithmetic of the reference (float32)."""
        steps = np.arange(0, size, 2, dtype=np.float32) / np.float32(size)
        frequencies = np.float32(1) / np.power(np.float32(self.theta), steps) / np.float32(self.divisor)
        angles = np.arange(positions, dtype=np.float32)[:, None] * frequencies
        both = np.concatenate([angles, angles], axis=1)
        return np.cos(both), np.sin(both)


@dataclass(frozen=True, slots=True)
class RotaryNames:
    """What the tensors are called; layers' parts below ``layers`` and the layer's number; empty where there is none.

    ``attention`` names query, key and value, or the one tensor they lie in. ``gate``: which half of ``widen`` the other
    one, which goes through the activation, is multiplied by. ``pooled``: the head's dense layer is the encoder's own.
    """

    words: str
    types: str
    embeddings_norm: str
    layers: str
    attention: tuple[str, ...]
    attention_output: str
    attention_norm: str
    widen: str
    narrow: str
    output_norm: str
    final_norm: str
    dense: str
    dense_norm: str
    output: str
    gate: Gate
    pooled: bool


_MODERNBERT = RotaryNames(
    words="embeddings.tok_embeddings.weight", types="", embeddings_norm="embeddings.norm", layers="layers",
    attention=("attn.Wqkv",), attention_output="attn.Wo", attention_norm="attn_norm", widen="mlp.Wi", narrow="mlp.Wo",
    output_norm="mlp_norm", final_norm="final_norm", dense="head.dense", dense_norm="head.norm", output="classifier",
    gate="last", pooled=False,
)  # fmt: skip
_GTE = RotaryNames(
    words="embeddings.word_embeddings.weight", types="embeddings.token_type_embeddings.weight",
    embeddings_norm="embeddings.LayerNorm", layers="encoder.layer", attention=("attention.qkv_proj",),
    attention_output="attention.o_proj", attention_norm="attn_ln", widen="mlp.up_gate_proj", narrow="mlp.down_proj",
    output_norm="mlp_ln", final_norm="", dense="pooler.dense", dense_norm="", output="classifier", gate="first",
    pooled=True,
)  # fmt: skip
_JINA = RotaryNames(
    words="embeddings.word_embeddings.weight", types="embeddings.token_type_embeddings.weight",
    embeddings_norm="embeddings.LayerNorm", layers="encoder.layer",
    attention=("attention.self.query", "attention.self.key", "attention.self.value"),
    attention_output="attention.output.dense", attention_norm="attention.output.LayerNorm",
    widen="intermediate.dense", narrow="output.dense", output_norm="output.LayerNorm", final_norm="",
    dense="classifier.dense", dense_norm="", output="classifier.out_proj", gate="none", pooled=False,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class RotaryShape:
    """An encoder's measures and names.

    ``windows``: of each layer, how far a token looks to either side (None: everywhere). ``rotations``: of each layer.
    ``norm_first``: a part's input is normalised, not its sum with what went in.
    """

    kind: str
    layers: int
    hidden: int
    heads: int
    epsilon: float
    activation: Activation
    max_tokens: int
    has_types: bool
    norm_first: bool
    windows: tuple[int | None, ...]
    rotations: tuple[Rotation, ...]
    pooling: Pooling
    head_activation: Activation
    names: RotaryNames

    @property
    def words(self) -> str:
        """The name of the words' table, below what stands before all names of the encoder."""
        return self.names.words

    @property
    def types(self) -> str:
        """The name of the token types' table; empty where there is none."""
        return self.names.types if self.has_types else ""

    @property
    def head_size(self) -> int:
        """The numbers in one attention head."""
        return self.hidden // self.heads


def is_rotary(config: Mapping[str, Any]) -> bool:
    """Say whether these are the settings of an encoder whose positions are rotations."""
    return config.get("model_type") in ROTARY_KINDS or turns_positions(config)


def unsupported_rotary(config: Mapping[str, Any]) -> str | None:
    """Return why no graph can be written for this configuration of a rotary encoder, or None where one can."""
    if turns_positions(config):
        known = config.get("hidden_act", "gelu") in ACTIVATIONS
        return unsupported_jina(config) if known else f"its activation is {config.get('hidden_act')!r}"
    modern = config.get("model_type") == "modernbert"
    for field in ("hidden_activation", "classifier_activation") if modern else ("hidden_act",):
        if config.get(field, "gelu") not in ACTIVATIONS:
            return f"its activation is {config.get(field)!r}"
    turned = next((kind for kind in _written_rotations(config) if kind not in _ROTATIONS), None)
    # ModernBERT's files say "absolute" of positions, and mean nothing by it.
    odd = (
        (turned, f"its rotary positions are scaled by {turned!r}"),
        (config.get("logn_attention_scale"), "its attention is scaled by the logarithm of the length"),
        (config.get("layer_norm_type", "layer_norm") != "layer_norm", f"its norm is {config.get('layer_norm_type')!r}"),
        (
            not modern and config.get("position_embedding_type", "rope") != "rope",
            f"its positions are {config.get('position_embedding_type')!r}",
        ),
    )
    return next((reason for holds, reason in odd if holds), None)


def _written_rotations(config: Mapping[str, Any]) -> list[str]:
    """Return the kinds of rotation that are asked for."""
    given = config.get("rope_parameters") or {}
    older = config.get("rope_scaling") or {}
    parts = [part for part in given.values() if isinstance(part, Mapping)] or [given or older]
    return [
        "mixed" if part.get("mixed_b") is not None else str(part.get("rope_type") or part.get("type") or "default")
        for part in parts
    ]


def rotary_shape(config: Mapping[str, Any]) -> RotaryShape:
    """Read the shape; `unsupported_rotary` has nothing against it.

    Raises:
        KeyError, TypeError, ValueError: the configuration lacks something or misstates it.
    """
    modern = config["model_type"] == "modernbert"
    layers, hidden, heads = (int(config[name]) for name in ("num_hidden_layers", "hidden_size", "num_attention_heads"))
    if hidden % heads or hidden // heads % 2:
        raise ValueError(f"hidden_size {hidden}, which {heads} heads do not divide into even parts")
    if turns_positions(config):
        return _jina_shape(config, layers, hidden, heads)
    windows, rotations = _modern_layers(config, layers) if modern else _gte_layers(config, layers, hidden // heads)
    pooling: Pooling = "mean" if modern and config.get("classifier_pooling") == "mean" else "cls"
    return RotaryShape(
        kind=str(config["model_type"]),
        layers=layers,
        hidden=hidden,
        heads=heads,
        epsilon=float(config.get("norm_eps", 1e-5) if modern else config.get("layer_norm_eps", 1e-12)),
        activation=ACTIVATIONS[config.get("hidden_activation" if modern else "hidden_act", "gelu")],
        max_tokens=int(config["max_position_embeddings"]),
        has_types=not modern and int(config.get("type_vocab_size", 1) or 0) > 0,
        norm_first=modern,
        windows=windows,
        rotations=rotations,
        pooling=pooling,
        head_activation=ACTIVATIONS[config.get("classifier_activation", "gelu")] if modern else "tanh",
        names=_MODERNBERT if modern else _GTE,
    )


def _jina_shape(config: Mapping[str, Any], layers: int, hidden: int, heads: int) -> RotaryShape:
    return RotaryShape(
        kind="xlm-roberta",
        layers=layers,
        hidden=hidden,
        heads=heads,
        epsilon=float(config["layer_norm_eps"]),
        activation=ACTIVATIONS[config.get("hidden_act", "gelu")],
        # As every XLM-R counts, though nothing here would end at 8,192: what the model was trained for.
        max_tokens=int(config["max_position_embeddings"]) - int(config.get("pad_token_id") or 0) - 1,
        has_types=int(config.get("type_vocab_size", 1) or 0) > 0,
        norm_first=False,
        windows=(None,) * layers,
        rotations=(jina_rotation(config),) * layers,
        pooling="cls",
        head_activation="tanh",
        names=_JINA,
    )


def jina_rotation(config: Mapping[str, Any]) -> Rotation:
    """Return how the positions of jina's XLM-R turn."""
    return Rotation(float(config.get("rotary_emb_base") or 10_000.0))


def as_native_gte(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a ``new`` model as those of transformers' own GTE, which computes the same."""
    rotation = rotary_shape(config).rotations[0]
    left_out = {"auto_map", "model_type", "rope_scaling", "rope_theta", "architectures"}
    kept = {name: value for name, value in config.items() if name not in left_out}
    turned = {"rope_type": "linear", "factor": rotation.divisor, "rope_theta": rotation.theta}
    return {**kept, "rope_parameters": turned}


def _modern_layers(config: Mapping[str, Any], layers: int) -> tuple[tuple[int | None, ...], tuple[Rotation, ...]]:
    every = int(config.get("global_attn_every_n_layers", 3))
    kinds = config.get("layer_types") or [
        "sliding_attention" if index % every else "full_attention" for index in range(layers)
    ]
    if len(kinds) != layers:
        raise ValueError(f"layer_types, which are {len(kinds)} for {layers} layers")
    given = config.get("rope_parameters") or {}
    older = {"full_attention": ("global_rope_theta", 160_000.0), "sliding_attention": ("local_rope_theta", 10_000.0)}
    by_kind = {}
    for kind, (name, usual) in older.items():
        part = given.get(kind) or config.get("rope_scaling") or {}
        by_kind[kind] = _rotation(part, float(part.get("rope_theta") or config.get(name, usual)), 2)
    half = int(config.get("local_attention", 128)) // 2
    return tuple(half if kind == "sliding_attention" else None for kind in kinds), tuple(
        by_kind[kind] for kind in kinds
    )


def _gte_layers(
    config: Mapping[str, Any], layers: int, size: int
) -> tuple[tuple[int | None, ...], tuple[Rotation, ...]]:
    part = config.get("rope_parameters") or config.get("rope_scaling") or {}
    theta = float(part.get("rope_theta") or config.get("rope_theta") or 160_000.0)
    return (None,) * layers, (_rotation(part, theta, size),) * layers


def _rotation(part: Mapping[str, Any], theta: float, size: int) -> Rotation:
    kind, factor = part.get("rope_type") or part.get("type") or "default", float(part.get("factor") or 1.0)
    if kind == "linear":
        return Rotation(theta, factor)
    if kind == "ntk" and factor > 1:  # NTK-aware scaling as GTE was trained with it (kexue.fm/archives/9706)
        return Rotation(theta * factor, factor ** (2 / size))
    return Rotation(theta)
