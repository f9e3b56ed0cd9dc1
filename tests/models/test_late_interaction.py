from __future__ import annotations

import json
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from tests.models.colbert_checkpoints import PASSAGES, QUERIES, write_pylate, write_stanford

from secondpass.errors import InputError
from secondpass.models.colbert_settings import read_projection
from secondpass.models.engine import EngineOptions
from secondpass.models.late_interaction import CHINESE_PUNCTUATION, LateInteractionEncoder, LateInteractionOptions
from secondpass.models.late_interaction_scorer import LateInteractionScorer, open_late_interaction
from secondpass.models.torch_encoder import TorchEncoderEngine
from secondpass.rerank.model_names import open_model
from secondpass.rerank.options import RerankerOptions
from secondpass.types import Chunk, Hit

LONG_ZH = "长江在哪里？" * 12 + "兵马俑在西安。" + "黄河水深。" * 12
LONG_EN = "money is in the bank. " * 12 + "the terracotta army was founded where? " + "the river is deep. " * 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_stanford(tmp_path_factory.mktemp("colbert") / "colbert-tiny")


@pytest.fixture(scope="module")
def engine(folder: Path) -> TorchEncoderEngine:
    return TorchEncoderEngine(folder, "tokens", projection=read_projection(folder))


@pytest.fixture(scope="module")
def scorer(folder: Path, engine: TorchEncoderEngine) -> LateInteractionScorer:
    return open_late_interaction(folder, engine=engine)


def with_options(folder: Path, engine: TorchEncoderEngine, **options: object) -> LateInteractionScorer:
    return open_late_interaction(folder, options=LateInteractionOptions(**options), engine=engine)  # type: ignore[arg-type]


def values(scorer: LateInteractionScorer, query: str, passages: list[str]) -> list[float]:
    return [one.score for one in scorer.score(query, passages)]


@pytest.mark.parametrize("query", QUERIES)
def test_scores_do_not_depend_on_order_or_neighbours(scorer: LateInteractionScorer, query: str) -> None:
    passages = [*PASSAGES, LONG_ZH, LONG_EN]
    together = dict(zip(passages, values(scorer, query, passages), strict=True))
    for passage in passages:
        assert values(scorer, query, [passage])[0] == pytest.approx(together[passage], abs=1e-4)
    random.Random(4).shuffle(passages)
    assert values(scorer, query, passages) == pytest.approx([together[passage] for passage in passages], abs=1e-4)


def test_sixty_four_threads_get_the_scores_that_one_gets(scorer: LateInteractionScorer) -> None:
    jobs = [(QUERIES[index % 3], PASSAGES[index % 5 :]) for index in range(128)]
    expected = [values(scorer, *job) for job in jobs]
    with ThreadPoolExecutor(64) as pool:
        found = list(pool.map(lambda job: values(scorer, *job), jobs))
    assert found == expected


@pytest.mark.parametrize(("query", "passage"), [("兵马俑在哪里", LONG_ZH), ("where is the terracotta army", LONG_EN)])
def test_a_long_passage_scores_as_the_union_of_its_windows(
    scorer: LateInteractionScorer, query: str, passage: str
) -> None:
    score = scorer.score(query, [passage])[0]
    vectors = scorer.encoder.encode_documents([passage])[0]
    assert score.windows == len(vectors.spans) > 2
    assert not score.truncated
    question = scorer.encoder.encode_query(query).vectors
    assert score.score == pytest.approx(float((question @ vectors.vectors.T).max(axis=1).sum()), abs=1e-4)
    singly = [
        float((question @ part.T).max(axis=1).sum())
        for part in np.split(vectors.vectors, np.cumsum(vectors.window_lengths)[:-1])
    ]
    assert score.score >= max(singly) - 1e-4
    assert (vectors.spans[0].start, vectors.spans[-1].end) == (0, len(passage.rstrip()))
    assert all(one.end >= other.start for one, other in zip(vectors.spans, vectors.spans[1:], strict=False))


@pytest.mark.parametrize(("query", "passage"), [("兵马俑在哪里", LONG_ZH), ("where is the terracotta army", LONG_EN)])
def test_the_span_is_the_window_that_gives_most(scorer: LateInteractionScorer, query: str, passage: str) -> None:
    score = scorer.score(query, [passage])[0]
    vectors = scorer.encoder.encode_documents([passage])[0]
    question = scorer.encoder.encode_query(query).vectors
    similarities = question @ vectors.vectors.T
    owner = np.repeat(np.arange(len(vectors.spans)), vectors.window_lengths)[similarities.argmax(axis=1)]
    given = [float(similarities.max(axis=1)[owner == window].sum()) for window in range(len(vectors.spans))]
    assert score.span == vectors.spans[int(np.argmax(given))]


def test_a_passage_that_fits_has_no_span_and_one_window(scorer: LateInteractionScorer) -> None:
    for score in scorer.score("西安", ["西安交通大学在西安。", "river"]):
        assert (score.span, score.windows, score.truncated) == (None, 1, False)
    assert [score.tokens for score in scorer.score("西安", ["西安。", "the river"])] == [3, 2]


def test_cut_passages_say_that_they_were_cut(folder: Path, engine: TorchEncoderEngine) -> None:
    scores = with_options(folder, engine, cut_long=True).score("西安", [LONG_ZH, LONG_EN, "西安"])
    assert [score.truncated for score in scores] == [True, True, False]
    assert [score.windows for score in scores] == [1, 1, 1]


def test_a_question_that_is_cut_is_counted_and_marks_its_scores(folder: Path, engine: TorchEncoderEngine) -> None:
    scorer = with_options(folder, engine)
    assert scorer.score("长江在哪里" * 9, ["长江"])[0].truncated
    assert scorer.queries_cut == 1
    assert not with_options(folder, engine, query_length=64).score("长江在哪里" * 9, ["长江"])[0].truncated


def test_questions_are_filled_up_with_masks_that_nobody_looks_at(folder: Path, engine: TorchEncoderEngine) -> None:
    long = with_options(folder, engine).encoder.encode_query("西安在哪里").vectors
    short = with_options(folder, engine, query_length=12).encoder.encode_query("西安在哪里").vectors
    assert len(long) == 32
    assert len(short) == 12
    np.testing.assert_allclose(long[:12], short, atol=1e-5)


def test_the_mean_form_divides_by_the_vectors_of_the_question(folder: Path, engine: TorchEncoderEngine) -> None:
    total, mean = with_options(folder, engine), with_options(folder, engine, mean=True)
    assert values(mean, QUERIES[0], PASSAGES) == pytest.approx([v / 32 for v in values(total, QUERIES[0], PASSAGES)])
    assert mean.fingerprint != total.fingerprint


def test_punctuation_has_no_vectors_and_chinese_punctuation_only_where_asked(
    folder: Path, engine: TorchEncoderEngine
) -> None:
    plain, chinese = with_options(folder, engine), with_options(folder, engine, skiplist="chinese")

    def vectors(scorer: LateInteractionScorer, text: str) -> int:
        return len(scorer.encoder.encode_documents([text])[0].vectors)

    frame = 3  # [CLS], the marker, [SEP]
    assert vectors(plain, "river, bank. (deep)!") == vectors(chinese, "river, bank. (deep)!") == frame + 3
    assert vectors(plain, "西安，北京。（水）！") == frame + 5 + 5
    assert vectors(chinese, "西安，北京。（水）！") == frame + 5
    assert chinese.fingerprint != plain.fingerprint
    assert set("，。！？、；：（）《》“”") <= set(CHINESE_PUNCTUATION)


@pytest.mark.parametrize("skiplist", ["checkpoint", "chinese"])
def test_symbols_that_the_vocabulary_lacks_do_not_drop_unknown_words(
    folder: Path, engine: TorchEncoderEngine, skiplist: str
) -> None:
    encoder = with_options(folder, engine, skiplist=skiplist).encoder
    assert len(encoder.encode_documents(["龘靐 ~ river"])[0].vectors) == 3 + 4


@pytest.mark.parametrize("text", [" ", "\u200b", "。", "...", "\n\t"])
def test_passages_without_words_have_a_finite_score(scorer: LateInteractionScorer, text: str) -> None:
    assert np.isfinite(scorer.score("西安", [text])[0].score)


def test_no_passages_have_no_scores(scorer: LateInteractionScorer) -> None:
    assert scorer.score("西安在哪里", []) == []


def test_lower_casing_by_the_checkpoint_leaves_the_places_of_windows(tmp_path: Path) -> None:
    folder = write_pylate(tmp_path / "m")
    path = folder / "sentence_bert_config.json"
    path.write_text(
        json.dumps(json.loads(path.read_text(encoding="utf-8")) | {"do_lower_case": True}), encoding="utf-8"
    )
    scorer = open_late_interaction(
        folder, engine=TorchEncoderEngine(folder, "tokens", projection=read_projection(folder))
    )
    passage = "İSTANBUL " + "RIVER BANK " * 40
    spans = scorer.encoder.encode_documents([passage])[0].spans
    assert spans[-1].end == len(passage.rstrip())


def test_the_revision_names_the_vector_space(folder: Path, engine: TorchEncoderEngine, tmp_path: Path) -> None:
    revision = LateInteractionEncoder(folder, engine).revision
    assert LateInteractionEncoder(folder, engine).revision == revision
    assert LateInteractionEncoder(folder, engine, LateInteractionOptions(document_length=40)).revision != revision
    assert LateInteractionEncoder(write_pylate(tmp_path / "m"), engine).revision != revision


def test_a_length_without_room_for_text_is_refused(folder: Path, engine: TorchEncoderEngine) -> None:
    with pytest.raises(InputError, match="leaves 2 for the text; set a length of 7 or more"):
        with_options(folder, engine, document_length=5).score("西安", ["西安"])


@pytest.mark.parametrize("length", [0, 513])
def test_a_length_that_the_encoder_does_not_read_is_refused(
    folder: Path, engine: TorchEncoderEngine, length: int
) -> None:
    with pytest.raises(InputError, match=f"length of {length} tokens was asked for; the model reads 1 to 512"):
        with_options(folder, engine, document_length=length)


def test_the_options_of_a_reranker_reach_the_model(folder: Path) -> None:
    options = RerankerOptions(engine=EngineOptions("onnx", threads=1), cut_long=True, max_tokens=20)
    reranker = open_model(str(folder), options)
    [hit] = reranker.rerank("西安", [Hit(Chunk("1", LONG_ZH), 0.0, "unknown")])
    assert (hit.scale, hit.truncated, hit.probability) == ("maxsim", True, None)
    short = open_late_interaction(folder, options=LateInteractionOptions(document_length=20, cut_long=True))
    assert hit.score == pytest.approx(values(short, "西安", [LONG_ZH])[0], abs=1e-4)


def test_a_cross_encoder_is_refused(tiny_bert: Path) -> None:
    with pytest.raises(InputError, match="family cross-encoder, not late-interaction"):
        open_late_interaction(tiny_bert)
