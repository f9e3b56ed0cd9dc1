"""Look at a model's folder before it is loaded: what kind of model it is, and whether it can do what is asked of it.

Neither torch nor transformers is needed: everything is said by config.json, the files of sentence-transformers and
ColBERT beside it, and the headers of the weights.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from secondpass.errors import InputError
from secondpass.models.jina_layout import FUSED, computes_jina, is_jina, read_config, unsupported_jina
from secondpass.models.model_folder import check_folder, read_json
from secondpass.models.module_list import module_types, transformer_folder
from secondpass.models.profiles import PROFILES, Family, RerankerProfile
from secondpass.models.rotary_shape import unsupported_rotary
from secondpass.models.weight_files import Tensor, onnx_files, read_header, safetensors_files
from secondpass.models.weight_files import fingerprint as folder_fingerprint

Kind = Literal["cross-encoder", "causal", "seq2seq", "late-interaction", "bi-encoder", "unknown"]
_HEADS = ("classifier.out_proj.weight", "classifier.weight", "score.weight")
# Encoders under the name of a native architecture whose tensors are laid out by the repository's own code: those of
# flash-attention, JinaBERT and its later form.
_OWN_LAYOUTS = (FUSED, ".mlp.gated_layers.weight", ".mlp.up_gated_layer.weight")
_ENCODERS = frozenset({
    "bert", "roberta", "xlm-roberta", "camembert", "distilbert", "electra", "deberta", "deberta-v2", "mpnet", "albert",
    "modernbert", "nomic_bert", "gte", "eurobert", "xlm-roberta-xl", "ernie", "nezha", "convbert", "big_bird", "xlm",
    "mobilebert", "squeezebert", "funnel", "layoutlm", "luke", "fnet", "megatron-bert", "rembert", "roformer",
})  # fmt: skip
_DECODERS = frozenset({
    "qwen2", "qwen3", "llama", "gemma", "gemma2", "gemma3_text", "mistral", "phi3", "minicpm", "cost_wise_gemma",
    "gpt2", "gpt_neox", "opt", "bloom", "internlm2", "baichuan", "chatglm", "arcee", "exaone4", "falcon", "glm", "glm4",
    "gpt_bigcode", "gpt_neo", "gptj", "gpt_oss", "helium", "ministral", "ministral3", "mixtral", "nemotron", "olmo",
    "olmo2", "olmo3", "phi", "phimoe", "qwen2_moe", "qwen3_moe", "seed_oss", "smollm3", "stablelm", "starcoder2",
})  # fmt: skip
_SEQ2SEQ = frozenset({"t5", "mt5", "umt5"})
_POOLING = frozenset({"Pooling", "StaticEmbedding", "SpladePooling", "CLIPModel"})
_LAYERED: tuple[Family, ...] = ("layerwise", "lightweight")
_CAUSAL: tuple[Family, ...] = ("causal", "layerwise", "lightweight")
_PAIRED: tuple[Family, ...] = ("seq2seq", "seq2seq-pairs")


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """What a model's folder says of itself.

    ``labels`` names the outputs of a classifier, in their order (empty for other kinds). ``needs_own_code``: the
    architecture is defined by code in the model's repository, which is never run.
    """

    folder: Path
    kind: Kind
    architectures: tuple[str, ...]
    model_type: str
    labels: tuple[str, ...]
    needs_own_code: bool
    config: Mapping[str, Any]

    @property
    def entailment(self) -> int | None:
        """The index of the label that says that the first text supports the second; None where there is none."""
        names = [label.lower() for label in self.labels]
        return next((i for i, name in enumerate(names) if name in {"entailment", "entail", "蕴含", "蕴涵"}), None)

    @property
    def is_decoder(self) -> bool:
        """Whether the architecture is that of a language model, whatever head stands on it."""
        return self.model_type in _DECODERS

    @property
    def begins_with_mark(self) -> bool:
        """Whether the architecture reads nothing without a special token before the first text, as encoders do."""
        return self.model_type in _ENCODERS

    @property
    def described(self) -> str:
        """The architectures in words."""
        return ", ".join(self.architectures) or self.model_type or "no architecture named"

    def fingerprint(self) -> str:
        """Return 16 hexadecimal digits that change when weights, tokenizer or settings change."""
        return folder_fingerprint(self.folder)


def read_checkpoint(folder: Path) -> Checkpoint:
    """Say what the model in ``folder`` is.

    Raises:
        InputError: the folder holds no whole model; see `check_folder`.
    """
    check_folder(folder)
    config = read_config(transformer_folder(folder))
    architectures = tuple(str(name) for name in config.get("architectures") or ())
    model_type = str(config.get("model_type") or "")
    kind = _kind(folder, config, architectures)
    tensors = _all_tensors(folder)
    labels = _labels(config, tensors) if kind == "cross-encoder" else ()
    own_code = bool(config.get("auto_map")) and not _is_computed(config, model_type, tensors)
    return Checkpoint(folder, kind, architectures, model_type, labels, own_code, config)


def reranker_family(checkpoint: Checkpoint, profile: RerankerProfile | None) -> Family:
    """Return the family that reranks with this model; ``profile`` is the known one of its name, or the user's choice.

    Raises:
        InputError: the model is no reranker, its scores would mean nothing, or it needs code of its own.
    """
    family = _family(checkpoint, profile)
    if checkpoint.needs_own_code and family not in _LAYERED and not onnx_files(checkpoint.folder):
        reason = unsupported_jina(checkpoint.config) if is_jina(checkpoint.config) else None
        raise InputError(
            f"The model at {checkpoint.folder} ({checkpoint.described}) runs only with code from its own repository, "
            f"which is never run{f' ({reason})' if reason else ''}; give a folder that holds an ONNX export of it "
            "(onnx/model.onnx), or another model such as BAAI/bge-reranker-v2-m3."
        )
    return family


def _family(checkpoint: Checkpoint, profile: RerankerProfile | None) -> Family:
    wanted = profile.family if profile else None
    kind = checkpoint.kind
    if kind == "late-interaction" or (wanted == "late-interaction" and kind in {"bi-encoder", "unknown"}):
        return _agreed(checkpoint, profile, "late-interaction", ("late-interaction",))
    if kind == "cross-encoder":
        _check_classifier(checkpoint)
        if wanted == "causal" and checkpoint.is_decoder:
            return _converted(checkpoint, profile)
        return _agreed(checkpoint, profile, "cross-encoder", ("cross-encoder",))
    if kind in {"causal", "seq2seq"}:
        if profile is None:
            raise _no_profile(checkpoint)
        return _agreed(checkpoint, profile, profile.family, _CAUSAL if kind == "causal" else _PAIRED)
    if kind == "bi-encoder":
        raise InputError(
            f"The model at {checkpoint.folder} ({checkpoint.described}) is an embedder: it turns one text into a "
            "vector and cannot score a question with a passage. Use it with --embedder, and a reranker such as "
            "BAAI/bge-reranker-v2-m3 here."
        )
    raise InputError(
        f"The model at {checkpoint.folder} ({checkpoint.described}) is no reranker that is known here; accepted are "
        "sequence classifiers (cross-encoders), causal and T5 models with a known profile, and ColBERT models."
    )


def _agreed(
    checkpoint: Checkpoint, profile: RerankerProfile | None, family: Family, accepted: tuple[Family, ...]
) -> Family:
    if profile is not None and profile.family not in accepted:
        raise InputError(
            f"The model at {checkpoint.folder} is a {checkpoint.kind} ({checkpoint.described}), but the profile "
            f"{profile.name} is for a {profile.family} model; name the profile that fits it, or rename the folder."
        )
    return family


def _converted(checkpoint: Checkpoint, profile: RerankerProfile | None) -> Family:
    """Return the family of a causal reranker whose head was cut to a classifier's: it reads what the original reads."""
    if len(checkpoint.labels) != 1:
        raise InputError(
            f"The model at {checkpoint.folder} ({checkpoint.described}) has {len(checkpoint.labels)} outputs, and a "
            f"classifier made of {profile.name if profile else 'a causal reranker'} has one: without a profile it is "
            "read as a classifier of plain pairs."
        )
    return "causal"


def _check_classifier(checkpoint: Checkpoint) -> None:
    if len(checkpoint.labels) > 2 and checkpoint.entailment is None:
        shown = ", ".join(checkpoint.labels[:6])
        raise InputError(
            f"The model at {checkpoint.folder} ({checkpoint.described}) sorts texts into {len(checkpoint.labels)} "
            f"classes ({shown}), none of which says how relevant a passage is; a reranker has one output, two, or "
            "those of natural language inference with one named entailment."
        )


def _no_profile(checkpoint: Checkpoint) -> InputError:
    kind = "T5 model" if checkpoint.kind == "seq2seq" else "language model"
    families = _PAIRED if checkpoint.kind == "seq2seq" else _CAUSAL
    known = [profile.name for profile in PROFILES if profile.family in families]
    return InputError(
        f"The model at {checkpoint.folder} ({checkpoint.described}) is a {kind} without a known profile: without the "
        f"words it was trained with its scores would be nonsense. Known profiles are {', '.join(known)}; if it was "
        "trained like one of them, name that one as its profile."
    )


def check_is_embedder(checkpoint: Checkpoint) -> None:
    """Refuse what does not turn one text into one vector.

    Raises:
        InputError: the model is a cross-encoder, a text generator, or keeps a vector per token.
    """
    name = f"{checkpoint.folder} is"
    if checkpoint.kind == "cross-encoder":
        raise InputError(
            f"{name} a cross-encoder ({checkpoint.described}): it scores a question and a passage together and has no "
            "vectors. Use it as a reranker, and a bi-encoder such as BAAI/bge-m3 as embedder."
        )
    if checkpoint.kind == "late-interaction":
        raise InputError(
            f"{name} a late-interaction model ({checkpoint.described}): it keeps a vector for every token, not one for "
            "a text. Use it as a reranker, and a bi-encoder such as BAAI/bge-m3 as embedder."
        )
    if checkpoint.kind in {"causal", "seq2seq"}:
        raise InputError(
            f"{name} a text generator ({checkpoint.described}), not an embedder; use a bi-encoder such as BAAI/bge-m3."
        )


def _kind(folder: Path, config: Mapping[str, Any], architectures: tuple[str, ...]) -> Kind:
    def ends(*endings: str) -> bool:
        return any(name.endswith(endings) for name in architectures)

    declared = str(read_json(folder / "config_sentence_transformers.json").get("model_type") or "")
    modules = module_types(folder)
    generates = ends("ForCausalLM")
    # The first that holds. Embedders built on a language model keep the language model's name as their architecture.
    signs: tuple[tuple[bool, Kind], ...] = (
        (ends("ForSequenceClassification") or (declared == "CrossEncoder" and not generates), "cross-encoder"),
        (_is_late_interaction(folder, declared, architectures), "late-interaction"),
        (not _POOLING.isdisjoint(modules), "bi-encoder"),
        (generates, "causal"),
        (ends("ForConditionalGeneration") and config.get("model_type") in _SEQ2SEQ, "seq2seq"),
        (bool(modules) or ends("Model", "ForMaskedLM"), "bi-encoder"),
    )
    return next((kind for holds, kind in signs if holds), "unknown")


def _is_late_interaction(folder: Path, declared: str, architectures: tuple[str, ...]) -> bool:
    settings = read_json(folder / "config_sentence_transformers.json")
    return (
        declared in {"MultiVectorEncoder", "ColBERT"}
        or (folder / "artifact.metadata").is_file()
        or any("colbert" in name.lower() for name in architectures)
        or {"query_length", "document_length"} <= settings.keys()
        or "MultiVectorMask" in module_types(folder)
    )


def _labels(config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> tuple[str, ...]:
    """Return the names of a classifier's outputs; their number stands in the weights."""
    names = {int(number): str(label) for number, label in (config.get("id2label") or {}).items()}
    head = next((tensors[name] for name in _HEADS if name in tensors), None)
    # transformers writes neither number nor names where there are two, its default.
    count = head.shape[0] if head else len(names) or int(config.get("num_labels") or 2)
    return tuple(names.get(number, f"LABEL_{number}") for number in range(count))


def _all_tensors(folder: Path) -> dict[str, Tensor]:
    place = transformer_folder(folder)
    return {name: tensor for path in safetensors_files(place) for name, tensor in read_header(path).items()}


def _is_computed(config: Mapping[str, Any], model_type: str, tensors: Mapping[str, Tensor]) -> bool:
    """Say whether a model that points to code in its repository is computed without it."""
    if is_jina(config):
        return computes_jina(config)
    foreign = any(name.endswith(_OWN_LAYOUTS) for name in tensors)
    return not foreign and (_is_native(model_type) or _is_known_new(config, tensors))


def _is_known_new(config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> bool:
    """Say whether this is Alibaba's ``new``, whose arithmetic is that of the native GTE, in its usual layout."""
    if config.get("model_type") != "new" or unsupported_rotary(config) is not None:
        return False
    return any(name.endswith("encoder.layer.0.attention.qkv_proj.weight") for name in tensors)


def _is_native(model_type: str) -> bool:
    if model_type in _ENCODERS | _DECODERS - {"minicpm", "cost_wise_gemma", "baichuan", "chatglm"} | _SEQ2SEQ:
        return True
    # Looks where transformers keeps its architectures; imports nothing of it.
    package = importlib.util.find_spec("transformers")
    places = package.submodule_search_locations if package else None
    name = model_type.replace("-", "_")
    return bool(name.isidentifier() and places and any((Path(place) / "models" / name).is_dir() for place in places))
