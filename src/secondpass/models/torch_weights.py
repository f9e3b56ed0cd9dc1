"""Read the weights of a BERT, XLM-R or RoBERTa encoder from safetensors files, whatever prefix they were saved with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from secondpass.errors import InputError
from secondpass.models.jina_layout import read_config, turns_positions, unsupported_jina, usual_places
from secondpass.models.model_folder import read_json
from secondpass.models.rotary_shape import Rotation, jina_rotation

KINDS = ("bert", "roberta", "xlm-roberta")
Activation = Literal["gelu", "tanh", "relu"]
_ACTIVATIONS: dict[str, Activation] = {
    "gelu": "gelu",
    "gelu_new": "tanh",
    "gelu_pytorch_tanh": "tanh",
    "gelu_fast": "tanh",
    "relu": "relu",
}


@dataclass(frozen=True, slots=True)
class EncoderShape:
    """What config.json says of an encoder; ``rotation``: how positions turn, None where they are added."""

    kind: str
    layers: int
    hidden: int
    heads: int
    epsilon: float
    activation: Activation
    pad_id: int
    max_tokens: int
    rotation: Rotation | None = None

    @property
    def head_size(self) -> int:
        """The numbers in one attention head."""
        return self.hidden // self.heads

    @property
    def counts_pads(self) -> bool:
        """Whether positions are added, start after the padding id, and padding tokens have none (RoBERTa's heirs)."""
        return self.kind != "bert" and self.rotation is None


def unsupported(config: Mapping[str, Any]) -> str | None:
    """Return why the packed forward cannot compute this architecture, or None where it can."""
    kind = config.get("model_type")
    if kind not in KINDS:
        return f"its architecture is {kind!r}"
    if config.get("hidden_act", "gelu") not in _ACTIVATIONS:
        return f"its activation is {config.get('hidden_act')!r}"
    if turns_positions(config):
        return unsupported_jina(config)
    if config.get("position_embedding_type", "absolute") != "absolute":
        return f"its positions are {config.get('position_embedding_type')!r}"
    if config.get("is_decoder") or config.get("add_cross_attention"):
        return "it is a decoder"
    return unsupported_jina(config)


def read_shape(folder: Path) -> EncoderShape:
    """Read the shape of the encoder in ``folder``.

    Raises:
        InputError: it is none that the packed forward computes.
    """
    config = read_config(folder)
    if reason := unsupported(config):
        raise InputError(
            f"The torch engine computes {', '.join(KINDS)}; of the model at {folder}, {reason}. "
            "Models of other architectures are computed through transformers."
        )
    kind = str(config["model_type"])
    pad_id = int(config.get("pad_token_id") or 0)
    positions = int(config["max_position_embeddings"])
    return EncoderShape(
        kind=kind,
        layers=int(config["num_hidden_layers"]),
        hidden=int(config["hidden_size"]),
        heads=int(config["num_attention_heads"]),
        epsilon=float(config.get("layer_norm_eps", 1e-12)),
        activation=_ACTIVATIONS[config.get("hidden_act", "gelu")],
        pad_id=pad_id,
        max_tokens=positions if kind == "bert" else positions - pad_id - 1,
        rotation=jina_rotation(config) if turns_positions(config) else None,
    )


class Weights:
    """The named tensors of a model folder, as float32, read when asked for.

    Raises:
        InputError: there are no safetensors weights, or they cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        index = folder / "model.safetensors.index.json"
        names = ["model.safetensors"]
        if index.is_file():
            names = sorted(set(read_json(index)["weight_map"].values()))
        self._files: dict[str, Any] = {}
        for name in names:
            path = folder / name
            if not path.is_file():
                raise InputError(f"The model folder {folder} has no {name}; only safetensors weights are read.")
            try:
                file = safe_open(path, framework="pt")
            except (SafetensorError, OSError) as error:
                raise InputError(f"{path} cannot be read as safetensors: {error}") from error
            self._files |= dict.fromkeys(file.keys(), file)  # type: ignore[no-untyped-call]
        self._places = usual_places(self._files)
        self._prefix = self._encoder_prefix()

    def _encoder_prefix(self) -> str:
        suffix = "embeddings.word_embeddings.weight"
        prefixes = [name.removesuffix(suffix) for name in self._places if name.endswith(suffix)]
        if not prefixes:
            raise InputError(f"The weights in {self._folder} hold no {suffix}; they are not those of an encoder.")
        return min(prefixes, key=len)

    def raw(self, name: str) -> Tensor:
        """Return the tensor ``name``, float32."""
        if name not in self._places:
            raise InputError(f"The weights in {self._folder} hold no {name!r}, which the model's architecture has.")
        place = self._places[name]
        try:
            tensor: Tensor = self._files[place.name].get_tensor(place.name)
        except SafetensorError as error:
            raise InputError(f"The weights in {self._folder} are damaged at {name!r}: {error}") from error
        return (tensor[place.rows(len(tensor))] if place.count > 1 else tensor).to(torch.float32)

    def encoder(self, name: str) -> Tensor:
        """Return the encoder's tensor ``name``, float32, without regard to the prefix the file uses."""
        full = self._prefix + name
        if full not in self._places and "LayerNorm" in name:  # the names that TensorFlow checkpoints were given
            full = full.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
        return self.raw(full)

    def pair(self, name: str) -> tuple[Tensor, Tensor]:
        """Return weight and bias of the encoder's part ``name``."""
        return self.encoder(f"{name}.weight"), self.encoder(f"{name}.bias")

    def has(self, name: str) -> bool:
        """Whether the files hold the tensor ``name``."""
        return name in self._places
