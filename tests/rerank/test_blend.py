"""A model's score with that of the lexical reranker: the sum, its shares in config.json, and what depends on it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tests.models.pointing_folders import make_pointing
from tests.models.tiny_models import SENTENCES

from secondpass.errors import InputError
from secondpass.models.cross_encoder import ReadingOptions, open_cross_encoder
from secondpass.models.engine import EngineOptions
from secondpass.rerank.blend import BlendedScorer, Share, pair_kind, read_shares
from secondpass.rerank.lexical import LexicalReranker
from secondpass.rerank.names import open_reranker, release_rerankers
from secondpass.rerank.options import RerankerOptions
from secondpass.rerank.pairs import PairReranker
from secondpass.text.language import language
from secondpass.types import Chunk

SHARES = {"zh": Share(0.8, 0.5, -0.25), "en": Share(0.9, 0.25, 0.5), "crossing": Share(1.5, 0.0, -1.0)}
WRITTEN = {kind: {"score": one.score, "lexical": one.lexical, "shift": one.shift} for kind, one in SHARES.items()}
ENGINE = EngineOptions("onnx", threads=1)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pointing(tmp_path_factory.mktemp("模型") / "plain")


@pytest.fixture
def folder(plain: Path, tmp_path: Path) -> Path:
    copied = tmp_path / "混合"
    shutil.copytree(plain, copied)
    return with_shares(copied, WRITTEN)


def with_shares(folder: Path, written: object) -> Path:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config["secondpass"] = {"max_tokens": 128, "with_lexical": written}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


@pytest.mark.parametrize("question", ["长江有多长？", "How long is the Yangtze?"])
def test_a_score_is_the_weighted_sum_of_what_was_read_and_what_words_say(folder: Path, question: str) -> None:
    reader = open_cross_encoder(folder, options=ENGINE)
    words = LexicalReranker().score(question, [Chunk(str(place), text) for place, text in enumerate(SENTENCES)])
    blended = BlendedScorer(reader, SHARES).score(question, SENTENCES)
    kinds = set()
    for text, read, lexical, found in zip(SENTENCES, reader.score(question, SENTENCES), words, blended, strict=True):
        share = SHARES[pair_kind(language(question), text)]
        kinds.add(share)
        assert found.score == pytest.approx(share.score * read.score + share.lexical * lexical + share.shift)
        assert (found.span, found.evidence_confidence) == (read.span, read.evidence_confidence)
    assert len(kinds) == 2


def test_a_folder_that_names_shares_is_opened_with_them(folder: Path, plain: Path) -> None:
    question, options = "长江有多长？", RerankerOptions(ENGINE, offline=True)
    opened = open_reranker(str(folder), options)
    alone = open_reranker(str(plain), options)
    assert isinstance(opened, PairReranker)
    assert isinstance(alone, PairReranker)
    reader = open_cross_encoder(folder, options=ENGINE)
    expected = BlendedScorer(reader, SHARES).score(question, SENTENCES)
    assert [one.score for one in opened.score_texts(question, SENTENCES)] == pytest.approx(
        [one.score for one in expected], abs=1e-5
    )
    assert opened.scorer.gives_probability
    assert opened.scorer.scale == reader.scale == "logit"
    assert not isinstance(alone.scorer, BlendedScorer)
    release_rerankers()


def test_a_score_does_not_depend_on_the_passages_beside_it(folder: Path) -> None:
    scorer = BlendedScorer(open_cross_encoder(folder, options=ENGINE), SHARES)
    question = "长江有多长？"
    together = [one.score for one in scorer.score(question, SENTENCES)]
    alone = [scorer.score(question, [text])[0].score for text in SENTENCES]
    assert together == pytest.approx(alone, abs=1e-4)


def test_the_fingerprint_changes_with_a_share_and_with_the_reader(folder: Path) -> None:
    reader = open_cross_encoder(folder, options=ENGINE)
    shorter = open_cross_encoder(folder, options=ENGINE, reading=ReadingOptions(64))
    scorers = [
        BlendedScorer(reader, SHARES),
        BlendedScorer(reader, SHARES | {"zh": Share(0.8, 0.5, -0.2)}),
        BlendedScorer(shorter, SHARES),
    ]
    known = [scorer.fingerprint for scorer in scorers] + [reader.fingerprint]
    assert len(set(known)) == 4
    assert known[0] == BlendedScorer(reader, dict(reversed(SHARES.items()))).fingerprint


@pytest.mark.parametrize(
    "written",
    [
        {},
        {"zh": {}},
        WRITTEN | {"en": {"score": 1}},
        WRITTEN | {"en": {"score": "许多", "lexical": 0, "shift": 0}},
        [1],
    ],
)
def test_shares_that_are_not_whole_are_refused_with_what_is_wanted(written: object) -> None:
    with pytest.raises(InputError, match=r"secondpass\.with_lexical .* zh, en, crossing, the numbers score, lexical"):
        read_shares({"secondpass": {"with_lexical": written}})


def test_settings_without_shares_name_none() -> None:
    assert read_shares({}) is None
    assert read_shares({"secondpass": {"max_tokens": 256}}) is None
    assert read_shares({"secondpass": {"with_lexical": WRITTEN}}) == SHARES
