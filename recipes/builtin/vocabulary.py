"""Choose the pieces that texts are cut into, and write the tokenizer.

The English pieces are those of the model that training starts from, the most used ones; Chinese ones are characters
and the most used words of the dictionary, so that a word's meaning has one vector, and a text takes a third less
tokens than characters would. All of them are cut by one unigram model (Kudo, arXiv:1804.10959): Chinese by the
words' frequencies, English into as few pieces as possible. English words begin with "▁" where those of the start
model's continue with "##".
"""

from __future__ import annotations

import json
import math
import random
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from recipes.builtin.folding import character_map
from recipes.builtin.sources import read_dictionary, read_questions, read_sections
from recipes.sets import QUESTION_SETS
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
HAN = re.compile("[\u3400-\u9fff]+")
MAP, TOKENIZER = "start_pieces.json", "tokenizer.json"
_WORD_PART = r"[^\s\p{Han}\p{P}\p{S}]"
_LONGEST_WORD = 4
_CHARACTERS_A_SOURCE = {"zh": 400_000, "en": 1_200_000}


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many pieces of each kind are taken; English ones fill the rest of ``all``."""

    all: int = 17_600
    characters: int = 4_100
    words: int = 4_200


def make_tokenizer(data: Path, start: Path, output: Path, sizes: Sizes, seed: int) -> None:
    """Write tokenizer.json, and which piece of the model ``start`` each of the first pieces was."""
    texts = _texts(data, seed)
    start_tokenizer = Tokenizer.from_file(str(start / TOKENIZER))
    start_tokenizer.no_truncation()
    start_tokenizer.no_padding()
    chinese = _chinese(texts["zh"], _dictionary_words(data), sizes)
    english = _english(texts["en"], start_tokenizer, sizes.all - len(SPECIAL) - len(chinese))
    total = sum(chinese.values())
    pieces: dict[str, float] = dict.fromkeys(SPECIAL, 0.0)
    origin: list[str] = list(SPECIAL)
    for piece in english:
        ours = _renamed(piece)
        if ours not in pieces:
            begins = ours.startswith("▁") or not _is_word(ours)
            pieces[ours] = -10 + (0.05 * len(ours.strip("▁")) if begins else 0.0)
            origin.append(piece)
    for piece, count in chinese.items():
        pieces[piece] = math.log(count / total)
    _write(pieces, output)
    (output / MAP).write_text(json.dumps(origin, ensure_ascii=False), encoding="utf-8")


def normalizer() -> normalizers.Normalizer:
    """Return what texts go through before they are cut."""
    return normalizers.Sequence(
        [
            normalizers.Precompiled(character_map()),
            normalizers.BertNormalizer(handle_chinese_chars=False, lowercase=True),
            normalizers.Replace(Regex(f"(?<!{_WORD_PART})(?={_WORD_PART})"), "▁"),
        ]
    )


def _write(pieces: dict[str, float], output: Path) -> None:
    tokenizer = Tokenizer(models.Unigram(list(pieces.items()), SPECIAL.index("[UNK]"), False))
    tokenizer.normalizer = normalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in SPECIAL])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(name, SPECIAL.index(name)) for name in ("[CLS]", "[SEP]")],
    )  # fmt: skip
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    tokenizer.save(str(output / TOKENIZER))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 512,
        "model_input_names": ["input_ids", "token_type_ids", "attention_mask"],
        "pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]",
    }  # fmt: skip
    (output / "tokenizer_config.json").write_text(json.dumps(settings, indent=1), encoding="utf-8")


def _texts(data: Path, seed: int) -> dict[str, list[list[str]]]:
    """Return normalized texts by language, a list for each source, no source with more than its share."""
    sources: dict[tuple[str, str], list[str]] = defaultdict(list)
    for section in read_sections(data):
        sources[section.language, section.source].append(section.text)
    for name in QUESTION_SETS:
        found = read_questions(data, name)
        language = "zh" if name in {"cmrc2018", "drcd", "medqa_zh"} else "en"
        sources[language, name] = list(found.passages.values())
        sources[language, f"{name}_questions"] = [question.text for question in found.questions]
    draw, normal = random.Random(seed), normalizers.Sequence([*_without_marks()])
    texts: dict[str, list[list[str]]] = {"zh": [], "en": []}
    for (language, _), members in sorted(sources.items()):
        draw.shuffle(members)
        kept, length = [], 0
        for text in members:
            if length > _CHARACTERS_A_SOURCE[language]:
                break
            kept.append(normal.normalize_str(text))
            length += len(text)
        texts[language].append(kept)
    return texts


def _without_marks() -> tuple[normalizers.Normalizer, normalizers.Normalizer]:
    return (
        normalizers.Precompiled(character_map()),
        normalizers.BertNormalizer(handle_chinese_chars=False, lowercase=True),
    )


def _dictionary_words(data: Path) -> set[str]:
    fold = normalizers.Precompiled(character_map())
    folded = (fold.normalize_str(word) for word, _ in read_dictionary(data))
    return {word for word in folded if 2 <= len(word) <= _LONGEST_WORD and HAN.fullmatch(word)}


def _chinese(sources: Iterable[list[str]], known: set[str], sizes: Sizes) -> dict[str, float]:
    """Return the most used characters and words, and how often each is used where all of them are known.

    Which words a text has depends on how often each is used, and that on the words: three rounds settle it.
    """
    runs = Counter(run for texts in sources for text in texts for run in HAN.findall(text))
    characters: Counter[str] = Counter()
    for run, count in runs.items():
        for character in run:
            characters[character] += count
    # At first every piece costs the same, so that the cut with the fewest pieces wins.
    scores = dict.fromkeys(characters, -10.0) | {word: -10.0 + 0.001 * len(word) for word in known}
    for _ in range(3):
        scores = _scores(_cut(runs, scores), scores)
    counts = _cut(runs, scores)
    words = Counter({piece: counts[piece] for piece in scores if len(piece) > 1})
    chosen = [
        *(one for one, _ in characters.most_common(sizes.characters)),
        *(w for w, _ in words.most_common(sizes.words)),
    ]
    final = _cut(runs, {piece: scores[piece] for piece in chosen})
    return {piece: final[piece] + 0.5 for piece in chosen}


def _scores(counts: Counter[str], pieces: Iterable[str]) -> dict[str, float]:
    total = sum(counts.values())
    return {
        piece: math.log((counts[piece] + (0.5 if len(piece) == 1 else 0.0)) / total)
        for piece in pieces
        if len(piece) == 1 or counts[piece] >= 3
    }


def _cut(runs: Counter[str], scores: dict[str, float]) -> Counter[str]:
    tokenizer = Tokenizer(models.Unigram([("[UNK]", 0.0), *scores.items()], 0, False))
    counts: Counter[str] = Counter()
    texts = list(runs)
    for start in range(0, len(texts), 5000):
        part = texts[start : start + 5000]
        for run, encoding in zip(part, tokenizer.encode_batch(part), strict=True):
            for piece in encoding.tokens:
                counts[piece] += runs[run]
    return counts


def _english(sources: Iterable[list[str]], tokenizer: Tokenizer, count: int) -> list[str]:
    """Return the most used pieces, every source with the same weight; letters and digits always."""
    known = tokenizer.get_vocab()
    shares: Counter[str] = Counter()
    for texts in sources:
        pieces = Counter(
            piece for encoding in tokenizer.encode_batch(texts, add_special_tokens=False) for piece in encoding.tokens
        )
        for piece, times in pieces.items():
            shares[piece] += times / max(1, sum(pieces.values()))
    single = [piece for piece in known if len(piece) == 1 and ord(piece) < 0x250]
    single += [f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz0123456789"]
    ordered = dict.fromkeys([*sorted(single), *(piece for piece, _ in shares.most_common())])
    wanted = [piece for piece in ordered if piece not in SPECIAL and piece in known and not HAN.search(piece)]
    return wanted[:count]


def _renamed(piece: str) -> str:
    if piece.startswith("##") and len(piece) > 2:
        return piece[2:]
    return f"▁{piece}" if _is_word(piece) else piece


def _is_word(text: str) -> bool:
    return all(unicodedata.category(letter)[0] not in "PS" for letter in text)
