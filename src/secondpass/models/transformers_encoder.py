"""Any model that transformers knows, padded: for the architectures that the packed forward does not compute.

Decoders with a classifier's head are among them: transformers classifies the last token that is not the pad. Only
safetensors weights are read, and no code that comes with a model is run.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification
from transformers.models.auto.modeling_auto import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING, MODEL_MAPPING
from transformers.utils.logging import disable_progress_bar

from secondpass.errors import InputError
from secondpass.models.engine import Batch, EngineOptions, Head, Precision
from secondpass.models.model_folder import read_json
from secondpass.models.rotary_shape import as_native_gte, unsupported_rotary
from secondpass.models.span_head import beside_tokens, read_span_head
from secondpass.models.torch_device import memory_errors, number_type, open_device
from secondpass.types import FloatArray


class TransformersEncoderEngine:
    """An `EncoderEngine` over a model of transformers; parameters as for `TorchEncoderEngine`.

    Raises:
        InputError: the model, the precision or the device cannot be used.
    """

    def __init__(
        self, folder: Path, head: Head, options: EngineOptions | None = None, projection: FloatArray | None = None
    ) -> None:
        options = options or EngineOptions()
        self._precision = options.precision
        self._device = open_device(options.device)
        if options.threads is not None and self._device.type == "cpu":
            torch.set_num_threads(options.threads)
        self._head: Head = head
        self._lock = threading.Lock()
        self.fallbacks = ("computed through transformers, with padding",)
        dtype = number_type(options.precision)
        with memory_errors():
            self._model = load_encoder(folder, head).to(self._device, dtype).eval()
            self._spans = self._read_spans(folder) if head == "classify_spans" else None
            self._projection = None if projection is None else torch.from_numpy(projection).to(self._device)
        pad_id = self._model.config.get_text_config().pad_token_id
        self._pad_id = int(pad_id or 0)
        # Without a pad, a decoder classifies whatever comes last: it is given one sequence at a time, as it is.
        self._alone = pad_id is None and head == "classify"
        segments = int(getattr(self._model.config, "type_vocab_size", 0) or 0)
        self._segments = segments > 1 and "token_type_ids" in inspect.signature(self._model.forward).parameters

    @property
    def name(self) -> Literal["torch"]:
        """The engine's name: it is the torch engine for what `TorchEncoderEngine` does not compute."""
        return "torch"

    @property
    def precision(self) -> Precision:
        """The precision that everything is computed in."""
        return self._precision

    def run(self, batch: Batch) -> FloatArray:
        """Return what `EncoderEngine.run` says of each head."""
        if self._alone and len(batch.ids) > 1:
            return np.concatenate([self.run(one) for one in _each(batch)])
        feed, real = self._padded(batch)
        with self._lock, memory_errors(), torch.inference_mode():
            output = self._model(**feed, return_dict=True, output_hidden_states=self._spans is not None)
            if self._spans is not None:
                below = output.hidden_states[-2][torch.from_numpy(real).to(self._device)].float()
                token_logits = _numbers(functional.linear(below, *self._spans))
                return beside_tokens(_numbers(output.logits), token_logits, [len(ids) for ids in batch.ids])
            if self._head == "classify":
                return _numbers(output.logits)
            vectors = output.last_hidden_state[torch.from_numpy(real).to(self._device)].float()
            if self._projection is not None:
                vectors = functional.normalize(functional.linear(vectors, self._projection), dim=-1)
            return _numbers(vectors)

    def _read_spans(self, folder: Path) -> tuple[Tensor, Tensor]:
        head = read_span_head(folder, int(self._model.config.hidden_size))
        return torch.from_numpy(head.weight).to(self._device), torch.from_numpy(head.bias).to(self._device)

    def _padded(self, batch: Batch) -> tuple[dict[str, Tensor], np.ndarray[Any, np.dtype[np.bool_]]]:
        size = (len(batch.ids), max(1, *map(len, batch.ids)) if self._alone else batch.width)
        ids = np.full(size, self._pad_id, dtype=np.int64)
        mask, types = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int64)
        real = np.zeros(size, dtype=np.bool_)
        attended = batch.attended or [len(one) for one in batch.ids]
        for row, (one, second_start, seen) in enumerate(zip(batch.ids, batch.second_starts, attended, strict=True)):
            ids[row, : len(one)] = one
            real[row, : len(one)] = True
            mask[row, :seen] = 1
            types[row, second_start : len(one)] = 1
        feed = {"input_ids": ids, "attention_mask": mask} | ({"token_type_ids": types} if self._segments else {})
        return {name: torch.from_numpy(array).to(self._device) for name, array in feed.items()}, real


def _each(batch: Batch) -> list[Batch]:
    """Return a batch for every sequence."""
    return [Batch((ids,), (start,), len(ids)) for ids, start in zip(batch.ids, batch.second_starts, strict=True)]


def _numbers(tensor: Tensor) -> FloatArray:
    return np.asarray(tensor.float().cpu().numpy(), dtype=np.float32)


def _is_new(settings: Mapping[str, Any]) -> bool:
    """Say whether this is GTE under the name of its first days, which transformers does not know."""
    return settings.get("model_type") == "new" and unsupported_rotary(settings) is None


def load_encoder(folder: Path, head: Head) -> Any:
    """Load a classifier (head ``tokens``: its body alone), from safetensors and without any code that comes with it.

    Raises:
        InputError: transformers cannot load it, or weights are missing.
    """
    disable_progress_bar()
    settings = read_json(folder / "config.json")
    loader: Any = AutoModel if head == "tokens" else AutoModelForSequenceClassification
    known: dict[str, Any] = {}
    try:
        if _is_new(settings):  # not through AutoModel, which stops at the code that config.json points to
            known = {"config": AutoConfig.for_model("gte", **as_native_gte(settings))}
            classes: Any = MODEL_MAPPING if head == "tokens" else MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING
            loader = classes[type(known["config"])]
        model, report = loader.from_pretrained(
            folder,
            trust_remote_code=False,
            use_safetensors=True,
            local_files_only=True,
            output_loading_info=True,
            **known,
        )
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        raise InputError(f"transformers cannot load the model at {folder}: {error}") from error
    # transformers fills what is missing with random numbers and goes on.
    missing = [name for name in report["missing_keys"] if head != "tokens" or "pooler" not in name]
    if missing:
        raise InputError(f"The weights in {folder} hold no {missing[0]!r}, which its architecture has; fetch it again.")
    return model
