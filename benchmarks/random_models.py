"""Random models of real shapes: what a benchmark of speed needs, since speed does not depend on the weights' values.

    python benchmarks/random_models.py MiniLM-L6 folder

The text that the tokenizers are trained on, and that passages are made of, is drawn from the shipped table of terms, so
that nothing has to be fetched.
"""

import argparse
import json
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from secondpass.text.rarity import rarity_table

WORDS_A_SENTENCE = 12
TRAINING_SENTENCES = 4000


@dataclass(frozen=True, slots=True)
class Shape:
    """The numbers of an encoder that its speed depends on."""

    model_type: str
    vocabulary: int
    hidden: int
    layers: int
    heads: int
    intermediate: int
    positions: int
    head: int = 0
    key_heads: int = 0

    @property
    def causal(self) -> bool:
        """Whether it is a language model, whose layers have gates and whose heads share keys."""
        return self.key_heads > 0

    @property
    def queried(self) -> int:
        """Numbers of all heads' queries of one token."""
        return self.heads * self.head or self.hidden

    @property
    def parameters(self) -> int:
        """Weights of the layers, embeddings not counted."""
        keys = self.key_heads * self.head or self.hidden
        inner = (3 if self.causal else 2) * self.intermediate
        return self.layers * self.hidden * (2 * self.queried + 2 * keys + inner)

    def useful_flops(self, tokens: int) -> float:
        """Floating-point operations for one sequence of ``tokens``: matrix products and attention of all layers.

        Of a language model, half of the attention: a token looks back alone.
        """
        attention = (2.0 if self.causal else 4.0) * self.layers * self.queried * tokens**2
        return 2.0 * self.parameters * tokens + attention


QWEN3 = "qwen3-0.6b"
SHAPES = {
    "MiniLM-L6": Shape("bert", 30522, 384, 6, 12, 1536, 512),
    "bge-base": Shape("xlm-roberta", 250002, 768, 12, 12, 3072, 514),
    "v2-m3": Shape("xlm-roberta", 250002, 1024, 24, 16, 4096, 8194),
    QWEN3: Shape("qwen3", 151669, 1024, 28, 16, 3072, 40960, 128, 8),
}
ENCODERS = [name for name, shape in SHAPES.items() if not shape.causal]


def sentences(count: int, seed: int = 0) -> list[str]:
    """Return sentences of words drawn as often as words are in real text (Zipf), Chinese and English in turns."""
    draw = random.Random(seed)
    known = sorted(rarity_table().idf.items(), key=lambda item: (item[1], item[0]))
    out = []
    for chinese in (True, False):
        words = [term for term, _ in known if (not term.isascii()) == chinese][:20_000]
        weights = [1 / rank for rank in range(1, len(words) + 1)]
        for _ in range(count // 2):
            drawn = draw.choices(words, weights, k=WORDS_A_SENTENCE)
            out.append("".join(drawn) + "。" if chinese else " ".join(drawn) + ".")
    draw.shuffle(out)
    return out


def make_model(shape: Shape, folder: Path) -> Path:
    """Write a sequence classifier with one label, or a language model, into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    if shape.causal:
        return _make_causal(shape, folder)
    tokenizer = _bert_tokenizer(shape) if shape.model_type == "bert" else _xlm_roberta_tokenizer(shape)
    tokenizer.save(str(folder / "tokenizer.json"))
    _write(folder / "tokenizer_config.json", _tokenizer_config(shape))
    _write(folder / "config.json", _config(shape))
    save_file(_weights(shape), folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def _make_causal(shape: Shape, folder: Path) -> Path:
    """Write a language model with the tokens of Qwen3's form; half precision, as the real files have it."""
    tokenizer = _byte_tokenizer()
    tokenizer.add_tokens([AddedToken(word, single_word=True) for word in ("yes", "no", "Yes")])
    tokenizer.save(str(folder / "tokenizer.json"))
    names = {"pad_token": "<|endoftext|>", "eos_token": "<|im_end|>"}
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "padding_side": "left", "model_max_length": 8192}
    _write(folder / "tokenizer_config.json", names | settings)
    config = _config(shape) | {
        "architectures": ["Qwen3ForCausalLM"], "num_key_value_heads": shape.key_heads, "head_dim": shape.head,
        "hidden_act": "silu", "rms_norm_eps": 1e-6, "tie_word_embeddings": True, "attention_bias": False,
        "rope_theta": 1e6, "dtype": "bfloat16", "eos_token_id": 1, "pad_token_id": 0,
    }  # fmt: skip
    _write(folder / "config.json", config)
    save_file(_causal_weights(shape), folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def _causal_weights(shape: Shape) -> dict[str, np.ndarray]:
    draw, hidden = np.random.default_rng(0), shape.hidden
    keys = shape.key_heads * shape.head
    sizes = {
        "self_attn.q_proj": (shape.queried, hidden), "self_attn.k_proj": (keys, hidden),
        "self_attn.v_proj": (keys, hidden), "self_attn.o_proj": (hidden, shape.queried),
        "mlp.gate_proj": (shape.intermediate, hidden), "mlp.up_proj": (shape.intermediate, hidden),
        "mlp.down_proj": (hidden, shape.intermediate),
    }  # fmt: skip
    norms = {"self_attn.q_norm": shape.head, "self_attn.k_norm": shape.head}
    norms |= {"input_layernorm": hidden, "post_attention_layernorm": hidden}

    def matrix(size: tuple[int, int]) -> np.ndarray:
        return (draw.standard_normal(size, dtype=np.float32) * np.float32(0.03)).astype(np.float16)

    out = {"model.embed_tokens.weight": matrix((shape.vocabulary, hidden))}
    out["model.norm.weight"] = np.ones(hidden, np.float16)
    for layer in range(shape.layers):
        place = f"model.layers.{layer}."
        out |= {f"{place}{name}.weight": matrix(size) for name, size in sizes.items()}
        out |= {f"{place}{name}.weight": np.ones(size, np.float16) for name, size in norms.items()}
    return out


def _write(path: Path, content: dict[str, object]) -> None:
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")


def _bert_tokenizer(shape: Shape) -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    size = min(shape.vocabulary, 20_000)
    trainer = trainers.WordPieceTrainer(vocab_size=size, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(sentences(TRAINING_SENTENCES), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer


def _xlm_roberta_tokenizer(shape: Shape) -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram())
    # As in the real files; what transformers 5 does not know of an XLM-R tokenizer it replaces by this without a word.
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    size = min(shape.vocabulary, 20_000)
    trainer = trainers.UnigramTrainer(vocab_size=size, special_tokens=special, unk_token="<unk>", show_progress=False)
    tokenizer.train_from_iterator(sentences(TRAINING_SENTENCES), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.decoder = decoders.Metaspace()
    return tokenizer


def _byte_tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_end|>", "<|im_start|>", "<think>", "</think>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=20_000, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(sentences(TRAINING_SENTENCES), trainer)
    return tokenizer


def _tokenizer_config(shape: Shape) -> dict[str, object]:
    if shape.model_type == "bert":
        names = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
        inputs = ["input_ids", "token_type_ids", "attention_mask"]
        return {
            "tokenizer_class": "BertTokenizerFast",
            "mask_token": "[MASK]",
            **names,
            "model_input_names": inputs,
            "model_max_length": shape.positions,
        }
    names = {"unk_token": "<unk>", "pad_token": "<pad>", "cls_token": "<s>", "sep_token": "</s>", "bos_token": "<s>"}
    inputs = ["input_ids", "attention_mask"]
    return {
        "tokenizer_class": "XLMRobertaTokenizerFast",
        "eos_token": "</s>",
        "mask_token": "<mask>",
        **names,
        "model_input_names": inputs,
        "model_max_length": shape.positions - 2,
    }


def _config(shape: Shape) -> dict[str, object]:
    bert = shape.model_type == "bert"
    return {
        "architectures": ["BertForSequenceClassification" if bert else "XLMRobertaForSequenceClassification"],
        "model_type": shape.model_type,
        "vocab_size": shape.vocabulary,
        "hidden_size": shape.hidden,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "intermediate_size": shape.intermediate,
        "max_position_embeddings": shape.positions,
        "type_vocab_size": 2 if bert else 1,
        "pad_token_id": 0 if bert else 1,
        "layer_norm_eps": 1e-12 if bert else 1e-5,
        "hidden_act": "gelu",
        "id2label": {"0": "LABEL_0"},
        "label2id": {"LABEL_0": 0},
    }


def _weights(shape: Shape) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(0)
    bert = shape.model_type == "bert"
    prefix = "bert." if bert else "roberta."
    out: dict[str, np.ndarray] = {}

    def matrix(name: str, *size: int) -> None:
        out[name] = draw.standard_normal(size, dtype=np.float32) * np.float32(0.05)

    def linear(name: str, rows: int, columns: int) -> None:
        matrix(name + ".weight", rows, columns)
        out[name + ".bias"] = np.zeros(rows, np.float32)

    def norm(name: str) -> None:
        out[name + ".weight"], out[name + ".bias"] = (
            np.ones(shape.hidden, np.float32),
            np.zeros(shape.hidden, np.float32),
        )

    size = shape.hidden
    matrix(prefix + "embeddings.word_embeddings.weight", shape.vocabulary, size)
    matrix(prefix + "embeddings.position_embeddings.weight", shape.positions, size)
    matrix(prefix + "embeddings.token_type_embeddings.weight", 2 if bert else 1, size)
    norm(prefix + "embeddings.LayerNorm")
    for layer in range(shape.layers):
        place = f"{prefix}encoder.layer.{layer}."
        for part in ("query", "key", "value"):
            linear(f"{place}attention.self.{part}", size, size)
        linear(place + "attention.output.dense", size, size)
        norm(place + "attention.output.LayerNorm")
        linear(place + "intermediate.dense", shape.intermediate, size)
        linear(place + "output.dense", size, shape.intermediate)
        norm(place + "output.LayerNorm")
    if bert:
        linear("bert.pooler.dense", size, size)
        linear("classifier", 1, size)
    else:
        linear("classifier.dense", size, size)
        linear("classifier.out_proj", 1, size)
    return out


@dataclass(frozen=True, slots=True)
class Job:
    """One query with its passages."""

    query: str
    passages: list[str]


def make_job(folder: Path, count: int, lengths: str = "mixed", seed: int = 0) -> Job:
    """Return a query and ``count`` passages, each in one language, about half of them Chinese.

    ``lengths``: ``mixed`` (log-normal, 30 to 490 tokens, median 150), ``chunks`` (300 tokens each), or a number.
    """
    draw, tokenizer = random.Random(seed), Tokenizer.from_file(str(folder / "tokenizer.json"))
    mixed = sentences(2000, seed + 1)
    languages = [[text for text in mixed if text.isascii()], [text for text in mixed if not text.isascii()]]

    def text(tokens: int) -> str:
        pool, written, enough = draw.choice(languages), "", tokens + WORDS_A_SENTENCE
        while len(offsets := tokenizer.encode(written, add_special_tokens=False).offsets) < tokens:
            sentence_count = max(1, (enough - len(offsets)) // (2 * WORDS_A_SENTENCE))
            written += " ".join(draw.choices(pool, k=sentence_count)) + " "
        return written[: offsets[tokens - 1][1]]

    def length() -> int:
        if lengths == "mixed":
            return int(min(490, max(30, draw.lognormvariate(np.log(150), 0.65))))
        return 300 if lengths == "chunks" else int(lengths)

    return Job(text(draw.randint(8, 20)), [text(length()) for _ in range(count)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shape", choices=SHAPES)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    print(make_model(SHAPES[arguments.shape], arguments.folder))


if __name__ == "__main__":
    main()
