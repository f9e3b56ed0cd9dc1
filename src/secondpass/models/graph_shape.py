"""What config.json says of a BERT-like encoder, and how its weights are called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from secondpass.models.jina_layout import unsupported_jina

VECTORS, MASK = "vectors", "attention_bias"
LOGITS, TOKENS, SPANS = "logits", "token_vectors", "span_logits"
GRAPH_FILE, WEIGHTS_FILE = "model.onnx", "model.weights"
SHUT = -1e9
"""What ``attention_bias`` holds where a token must not be looked at; 0 elsewhere."""

Activation = Literal["gelu", "gelu_tanh", "relu", "tanh"]
ACTIVATIONS: dict[str, Activation] = {
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "relu": "relu",
}


@dataclass(frozen=True, slots=True)
class LayerNames:
    """What the parts of a layer are called, below ``layers`` and the layer's number."""

    layers: str = "encoder.layer"
    query: str = "attention.self.query"
    key: str = "attention.self.key"
    value: str = "attention.self.value"
    attention_output: str = "attention.output.dense"
    attention_norm: str = "attention.output.LayerNorm"
    widen: str = "intermediate.dense"
    narrow: str = "output.dense"
    output_norm: str = "output.LayerNorm"


@dataclass(frozen=True, slots=True)
class HeadNames:
    """A classifier's head on the first token: dense, activation, output; ``pooled``: the dense is the encoder's own."""

    dense: str
    activation: Activation
    output: str
    pooled: bool = False


_ROBERTA_HEAD = HeadNames("classifier.dense", "tanh", "classifier.out_proj")
_DISTILBERT_LAYERS = LayerNames(
    "transformer.layer", "attention.q_lin", "attention.k_lin", "attention.v_lin", "attention.out_lin",
    "sa_layer_norm", "ffn.lin1", "ffn.lin2", "output_layer_norm",
)  # fmt: skip
_HEADS = {
    "bert": HeadNames("pooler.dense", "tanh", "classifier", pooled=True),
    "roberta": _ROBERTA_HEAD,
    "xlm-roberta": _ROBERTA_HEAD,
    "camembert": _ROBERTA_HEAD,
    "electra": HeadNames("classifier.dense", "gelu", "classifier.out_proj"),
    "distilbert": HeadNames("pre_classifier", "relu", "classifier"),
}
KINDS = tuple(_HEADS)
_COUNTING_FROM_PAD = frozenset({"roberta", "xlm-roberta", "camembert"})


@dataclass(frozen=True, slots=True)
class GraphShape:
    """An encoder's measures and names.

    ``counts_pads``: positions start after the padding id, and padding tokens have none (RoBERTa and its heirs).
    ``max_tokens``: the longest sequence there are positions for.
    """

    kind: str
    layers: int
    hidden: int
    heads: int
    epsilon: float
    activation: Activation
    pad_id: int
    max_tokens: int
    has_types: bool
    projects_embeddings: bool
    layer_names: LayerNames
    head: HeadNames

    @property
    def head_size(self) -> int:
        """The numbers in one attention head."""
        return self.hidden // self.heads

    @property
    def words(self) -> str:
        """The name of the words' table, below what stands before all names of the encoder."""
        return "embeddings.word_embeddings.weight"

    @property
    def types(self) -> str:
        """The name of the token types' table; empty where there is none."""
        return "embeddings.token_type_embeddings.weight" if self.has_types else ""

    @property
    def counts_pads(self) -> bool:
        """Whether positions are counted as RoBERTa counts them."""
        return self.kind in _COUNTING_FROM_PAD


def unsupported_encoder(config: Mapping[str, Any]) -> str | None:
    """Return why no graph can be written for this architecture, or None where one can."""
    kind = config.get("model_type")
    activation = config.get("activation" if kind == "distilbert" else "hidden_act", "gelu")
    if kind not in KINDS:
        return f"its architecture is {kind!r}"
    if activation not in ACTIVATIONS:
        return f"its activation is {activation!r}"
    if config.get("position_embedding_type", "absolute") != "absolute":
        return f"its positions are {config.get('position_embedding_type')!r}"
    if config.get("is_decoder") or config.get("add_cross_attention"):
        return "it is a decoder"
    return unsupported_jina(config)


def encoder_shape(config: Mapping[str, Any]) -> GraphShape:
    """Read the shape; `unsupported_encoder` has nothing against it.

    Raises:
        KeyError, TypeError, ValueError: the configuration lacks something or misstates it.
    """
    kind = str(config["model_type"])
    small = kind == "distilbert"
    hidden, heads = (
        int(config["dim" if small else "hidden_size"]),
        int(config["n_heads" if small else "num_attention_heads"]),
    )
    if hidden % heads:
        raise ValueError(f"hidden_size {hidden}, which {heads} heads do not divide")
    pad_id = int(config.get("pad_token_id") or 0)
    positions = int(config["max_position_embeddings"])
    return GraphShape(
        kind=kind,
        layers=int(config["n_layers" if small else "num_hidden_layers"]),
        hidden=hidden,
        heads=heads,
        epsilon=1e-12 if small else float(config.get("layer_norm_eps", 1e-12)),
        activation=ACTIVATIONS[config.get("activation" if small else "hidden_act", "gelu")],
        pad_id=pad_id,
        max_tokens=positions - pad_id - 1 if kind in _COUNTING_FROM_PAD else positions,
        has_types=not small,
        projects_embeddings=kind == "electra" and int(config.get("embedding_size", hidden)) != hidden,
        layer_names=_DISTILBERT_LAYERS if small else LayerNames(),
        head=_HEADS[kind],
    )
