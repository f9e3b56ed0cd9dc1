"""From one token to 8,192: every engine gives the scores that sentence-transformers gives, in Chinese and English."""

from functools import cache

import numpy as np
import pytest
import torch
from sentence_transformers import CrossEncoder
from tests.models.tiny_models import SENTENCES, Shape, make_model

from secondpass.models.cross_encoder import ReadingOptions, open_cross_encoder
from secondpass.models.engine import EngineOptions
from secondpass.models.engines import ENGINE_NAMES
from secondpass.models.tokenizer import TextTokenizer

LIMIT = 8192
LENGTHS = (1, 2, 17, 511, 513, 2048, LIMIT)
"""Tokens of the passage; the last one is what question and marks leave of the longest input."""
SCRIPTS = {
    "zh": ("最长的河流有多长？", "".join(text for text in SENTENCES if not text.isascii())),
    "en": ("Which river is the longest?", " ".join(text for text in SENTENCES if text.isascii())),
    "mixed": ("长江 or the Yangtze: how long?", " ".join(SENTENCES)),
}
EXACT = 1e-4


pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    base = tmp_path_factory.mktemp("models")
    narrow = {"hidden": 16, "layers": 2, "heads": 1, "intermediate": 32, "max_tokens": LIMIT}
    return {kind: make_model(base / kind, Shape(kind, **narrow)) for kind in ("bert", "xlm-roberta")}


def text_of(tokenizer: TextTokenizer, source: str, length: int) -> str:
    """Return the shortest beginning of ``source``, said again and again, that has ``length`` tokens."""
    said = source
    while len(tokenizer.encode([said])[0]) < length:
        said += " " + said
    end = tokenizer.encode([said], offsets_from=1)[0].span(0, length).end
    ends = [at for at in range(max(end - 8, 1), end + 9) if len(tokenizer.encode([said[:at]])[0]) == length]
    assert ends, f"no beginning has {length} tokens"
    return said[: ends[0]]


@cache
def passages_of(folder, script):
    """Return the passages, and how many tokens each has."""
    tokenizer = TextTokenizer(folder)
    question, source = SCRIPTS[script]
    room = LIMIT - tokenizer.pair_template(2).special_count - len(tokenizer.encode([question])[0])
    least = len(tokenizer.encode([source[0]])[0])  # XLM-R's tokenizer puts a mark before the first word
    counts = [min(max(length, least), room) for length in LENGTHS]
    return [text_of(tokenizer, source, count) for count in counts], counts


@cache
def expected_of(folder, script):
    peer = CrossEncoder(str(folder), device="cpu", max_length=LIMIT)
    pairs = [(SCRIPTS[script][0], passage) for passage in passages_of(folder, script)[0]]
    return peer.predict(pairs, batch_size=1, activation_fn=torch.nn.Identity(), show_progress_bar=False)


@pytest.mark.parametrize(
    ("kind", "script"), [*(("bert", script) for script in SCRIPTS), ("xlm-roberta", "zh"), ("xlm-roberta", "en")]
)
@pytest.mark.parametrize("engine", ENGINE_NAMES)
def test_a_cross_encoder_is_exact_from_one_token_to_its_limit(folders, engine, kind, script):
    folder = folders[kind]
    scorer = open_cross_encoder(folder, options=EngineOptions(engine), reading=ReadingOptions(max_tokens=LIMIT))
    passages, counts = passages_of(folder, script)
    scores = scorer.score(SCRIPTS[script][0], passages)
    assert scorer.engine.name == engine
    assert [one.tokens for one in scores] == counts
    assert all(one.windows == 1 and not one.truncated for one in scores)
    got = np.array([one.score for one in scores])
    assert np.abs(got - expected_of(folder, script)).max() < EXACT
    assert got.std() > 0.01
