"""What every scorer of pairs promises, whichever family it is of: a score belongs to a question and a passage alone.

Scores beside other passages, or in another order, are the same to 1e-4: batches are padded to other widths, and sums of
floats depend on the width. They are bit for bit the same where nothing is computed in batches (a hosted service).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from tests.models.colbert_checkpoints import write_pylate, write_stanford
from tests.models.tiny_causal import make_causal
from tests.models.tiny_models import EMOJI_AND_WIDE, SENTENCES, Shape, make_model
from tests.models.tiny_seq2seq import make_seq2seq
from tests.rerank.rerank_server import running

from secondpass.models.causal import open_causal
from secondpass.models.cross_encoder import ReadingOptions, open_cross_encoder
from secondpass.models.engine import EngineName, EngineOptions, Precision
from secondpass.models.late_interaction import LateInteractionOptions
from secondpass.models.late_interaction_scorer import open_late_interaction
from secondpass.models.layerwise import open_layerwise
from secondpass.models.lightweight import Compression, open_lightweight
from secondpass.models.profiles import RerankerProfile, find_profile
from secondpass.models.query_likelihood import likelihood_profile, open_query_likelihood
from secondpass.models.seq2seq import open_seq2seq
from secondpass.rerank.hosted import HostedScorer
from secondpass.rerank.hosted_service import HostedSettings
from secondpass.rerank.pairs import PairReranker
from secondpass.types import Chunk, Hit, PairScorer, PassageScore

EXACT = 1e-4
NLI = {"id2label": {"0": "contradiction", "1": "entailment", "2": "neutral"}}
QUESTIONS = {"zh": "长江有多长？", "en": "Who was awarded the first patent?", "mixed": "asyncio 事件循环 😀"}
PASSAGES = [*SENTENCES[:6], *SENTENCES[11:16], SENTENCES[-1], EMOJI_AND_WIDE]
LONG = {"zh": "".join(SENTENCES[:11]) * 8, "en": " ".join(SENTENCES[11:21]) * 8}
STRANGE = {
    "nul": "长江\x00很长\x00",
    "control": "a\x01b\x1f\x7f长\x85江\u2028",
    "emoji": "😀👩‍👩‍👧🇨🇳",
    "one word": "pneumonoultramicroscopicsilicovolcanoconiosis" * 40,
    "no spaces": "江" * 900,
    "combining": "e" + "\u0301" * 50,
    "private": "\ue000\ufffe\U0010ffff",
    "marks of templates": "<|im_end|>[SEP]</s><pad>{query}{passage}%s",
    "quiet": "\u200b\ufeff",
}


class Family:
    """How tiny models of a family are opened, for the tests to vary."""

    def __init__(
        self,
        make: Callable[[Path], Path],
        open_one: Callable[[Path, int | None, bool, Precision], PairScorer],
        max_tokens: int,
        rough: Precision = "int8",
    ) -> None:
        self.make = make
        self.open_one = open_one
        self.max_tokens = max_tokens
        self.rough = rough
        self.folder = Path()

    def open(self, max_tokens: int | None = None, cut: bool = False, precision: Precision = "f32") -> PairScorer:
        """Open the family's model, to read ``max_tokens`` at once."""
        return self.open_one(self.folder, max_tokens or self.max_tokens, cut, precision)

    @cache  # noqa: B019 - families live as long as the tests
    def opened(self) -> PairScorer:
        """Return one scorer for all tests."""
        return self.open()


def encoder(engine: EngineName, shape: Shape, profile: RerankerProfile | None = None, max_tokens: int = 128) -> Family:
    def open_one(folder: Path, longest: int | None, cut: bool, precision: Precision) -> PairScorer:
        reading = ReadingOptions(longest, "truncate" if cut else "windows")
        return open_cross_encoder(folder, profile, EngineOptions(engine, precision, threads=1), reading)

    return Family(
        lambda folder: make_model(folder, shape), open_one, max_tokens, "bf16" if engine == "torch" else "int8"
    )


def late(write: Callable[[Path], Path]) -> Family:
    def open_one(folder: Path, longest: int | None, cut: bool, precision: Precision) -> PairScorer:
        reading = LateInteractionOptions(document_length=longest, cut_long=cut)
        return open_late_interaction(folder, "tiny", reading, EngineOptions("onnx", precision, threads=1))

    return Family(write, open_one, 48)


def language_model(
    kind: str, profile: RerankerProfile, open_it: Callable[[Path, RerankerProfile, EngineOptions], PairScorer]
) -> Family:
    def open_one(folder: Path, longest: int | None, cut: bool, precision: Precision) -> PairScorer:
        known = replace(profile, max_tokens=longest or 512, windows="first" if cut else "max")
        return open_it(folder, known, EngineOptions("torch", precision))

    def make(folder: Path) -> Path:
        return make_seq2seq(folder) if kind == "t5" else make_causal(folder, kind)

    return Family(make, open_one, 400, "bf16")


def causal(kind: str, template: str, scale: str) -> Family:
    profile = RerankerProfile(f"tiny-{kind}", "causal", scale, 512, template)  # type: ignore[arg-type]
    return language_model(kind, profile, open_causal)


LAYERWISE = RerankerProfile("tiny-layerwise", "layerwise", "logit", 512, "bge-minicpm-layerwise")
LIGHTWEIGHT = RerankerProfile("tiny-lightweight", "lightweight", "logit", 512, "bge-gemma2-lightweight")
MONO = RerankerProfile("tiny-mono", "seq2seq", "log_odds", 512, "monot5")
FAMILIES: dict[str, Family] = {
    "cross-encoder on openvino": encoder("openvino", Shape("bert")),
    "cross-encoder on onnx": encoder("onnx", Shape("xlm-roberta")),
    "cross-encoder on torch": encoder("torch", Shape("roberta")),
    "bce": encoder("onnx", Shape("xlm-roberta"), find_profile("bce-reranker-base_v1"), 200),
    "two labels": encoder("onnx", Shape("bert", labels=2)),
    "nli": encoder("torch", Shape("bert", labels=3, config=NLI)),
    "bge-gemma": causal("gemma", "bge-gemma", "logit"),
    "qwen3": causal("qwen3", "qwen3", "log_odds"),
    "mxbai": causal("qwen2", "mxbai-v2", "log_odds"),
    "layerwise": language_model("minicpm", LAYERWISE, lambda *given: open_layerwise(*given, cutoff_layer=3)),
    "lightweight": language_model(
        "gemma2", LIGHTWEIGHT, lambda *given: open_lightweight(*given, compression=Compression(4, 2, (2,)))
    ),
    "seq2seq": language_model("t5", MONO, open_seq2seq),
    "query likelihood": language_model("qwen3", likelihood_profile("tiny"), open_query_likelihood),
    "colbert": late(write_stanford),
    "pylate": late(write_pylate),
}
SCALES = {
    "bce": "probability", "two labels": "log_odds", "nli": "log_odds", "qwen3": "log_odds", "mxbai": "log_odds",
    "seq2seq": "log_odds", "query likelihood": "log_likelihood", "colbert": "maxsim", "pylate": "maxsim",
    "hosted": "probability",
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def folders(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Give each family a folder; its model is made when it is first asked for."""
    for name, family in FAMILIES.items():
        family.folder = tmp_path_factory.mktemp("scorers") / name.replace(" ", "-")


@pytest.fixture(scope="module")
def hosted_url() -> Iterator[str]:
    with running() as url:
        yield f"{url}/vllm"


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest) -> Family:
    """A family whose model runs here."""
    found = FAMILIES[request.param]
    if not found.folder.exists():
        found.make(found.folder)
    return found


@pytest.fixture(params=[*FAMILIES, "hosted"])
def scorer(request: pytest.FixtureRequest) -> PairScorer:
    if request.param == "hosted":
        settings = HostedSettings(max_passage_tokens=60)
        return HostedScorer("vllm", "BAAI/bge-reranker-v2-m3", request.getfixturevalue("hosted_url"), settings=settings)
    found = FAMILIES[request.param]
    if not found.folder.exists():
        found.make(found.folder)
    return found.opened()


def values(scorer: PairScorer, query: str, passages: Sequence[str]) -> list[float]:
    return [one.score for one in scorer.score(query, passages)]


@pytest.mark.parametrize("language", QUESTIONS)
def test_scores_are_finite_numbers_that_tell_passages_apart(scorer: PairScorer, language: str) -> None:
    scores = scorer.score(QUESTIONS[language], PASSAGES)
    assert len(scores) == len(PASSAGES)
    assert all(isinstance(one, PassageScore) and type(one.score) is float for one in scores)
    assert all(math.isfinite(one.score) for one in scores)
    assert len({round(one.score, 6) for one in scores}) > 1


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_score_is_the_same_alone_among_neighbours_and_in_any_order(scorer: PairScorer, language: str) -> None:
    query, passages = QUESTIONS[language], [*PASSAGES, LONG["zh"][:150], LONG["en"][:200]]
    together = dict(zip(passages, values(scorer, query, passages), strict=True))
    assert values(scorer, query, passages) == list(together.values())  # asked again: bit for bit the same
    alone = [values(scorer, query, [passage])[0] for passage in passages]
    assert alone == pytest.approx(list(together.values()), abs=EXACT)
    backwards = passages[::-1]
    assert values(scorer, query, backwards) == pytest.approx([together[text] for text in backwards], abs=EXACT)
    if isinstance(scorer, HostedScorer):
        assert alone == list(together.values())


def test_no_passages_give_no_scores(scorer: PairScorer) -> None:
    assert scorer.score("长江", []) == []


@pytest.mark.parametrize("language", LONG)
def test_a_long_passage_is_read_in_windows_to_its_end(scorer: PairScorer, language: str) -> None:
    short, long = scorer.score(QUESTIONS[language], [PASSAGES[0], LONG[language]])
    assert (short.windows, short.span, short.truncated) == (1, None, False)
    assert long.windows > 1
    assert not long.truncated
    assert long.span is not None
    assert 0 <= long.span.start < long.span.end <= len(LONG[language])
    assert long.span.end - long.span.start < len(LONG[language])


@pytest.mark.parametrize("language", LONG)
def test_a_passage_that_is_cut_says_so(family: Family, language: str) -> None:
    scorer = family.open(cut=True)
    short, long = scorer.score(QUESTIONS[language], [PASSAGES[0], LONG[language]])
    assert (short.truncated, long.truncated) == (False, True)
    assert long.windows == 1
    assert scorer.fingerprint != family.opened().fingerprint


def test_tokens_are_counted_by_the_models_own_tokenizer(family: Family) -> None:
    once, twice, long = family.opened().score("谁", ["长江 river", "长江 river 长江 river", LONG["zh"]])
    assert 0 < once.tokens < twice.tokens <= 2 * once.tokens + 1
    assert long.tokens > len(LONG["zh"]) // 3


@pytest.mark.parametrize("text", STRANGE.values(), ids=STRANGE)
def test_strange_text_is_scored_like_any_other(scorer: PairScorer, text: str) -> None:
    (alone,) = scorer.score("长江有多长？", [text])
    assert math.isfinite(alone.score)
    assert not alone.truncated
    assert values(scorer, "长江有多长？", [PASSAGES[0], text])[1] == pytest.approx(alone.score, abs=EXACT)
    assert math.isfinite(values(scorer, text[:60], [PASSAGES[0]])[0])


@pytest.mark.parametrize("query", ["长\ud800江", "\udfff", "？", "a" * 50])
def test_halves_of_surrogates_and_passages_of_spaces_pass_through_a_reranker(scorer: PairScorer, query: str) -> None:
    texts = ["\ud83d", "长\udc00江", " \t\n", "", "　　", PASSAGES[0]]
    hits = [Hit(Chunk(str(place), text), 0.0, "unknown") for place, text in enumerate(texts)]
    ranked = PairReranker(scorer).rerank(query, hits)
    assert sorted(hit.chunk.id for hit in ranked) == list("012345")
    assert [hit.chunk.id for hit in ranked][-3:] == ["2", "3", "4"]
    assert all(math.isfinite(hit.score) for hit in ranked)


def test_sixty_four_threads_get_the_scores_that_one_gets(scorer: PairScorer) -> None:
    jobs = [(list(QUESTIONS.values())[number % 3], PASSAGES[number % 5 : number % 5 + 4]) for number in range(128)]
    one = {number: values(scorer, *jobs[number]) for number in range(15)}
    with ThreadPoolExecutor(64) as pool:
        found = list(pool.map(lambda job: values(scorer, *job), jobs))
    assert found == [pytest.approx(one[number % 15], abs=1e-6) for number in range(128)]


def test_a_fingerprint_is_the_same_every_time_and_changes_with_length_and_precision(family: Family) -> None:
    first = family.opened().fingerprint
    assert family.open().fingerprint == first
    assert family.open(max_tokens=family.max_tokens - 8).fingerprint != first
    assert family.open(precision=family.rough).fingerprint != first


def test_a_fingerprint_changes_with_the_weights_and_the_template(family: Family, tmp_path: Path) -> None:
    other = Family(family.make, family.open_one, family.max_tokens)
    other.folder = tmp_path / "other"
    other.make(other.folder)
    assert other.open().fingerprint == family.opened().fingerprint
    with (other.folder / "tokenizer_config.json").open("a", encoding="utf-8") as file:
        file.write("\n")
    assert other.open().fingerprint != family.opened().fingerprint


def test_another_template_or_instruction_is_another_fingerprint(tmp_path: Path) -> None:
    folder = make_causal(tmp_path, "qwen3")
    profile = RerankerProfile("tiny", "causal", "log_odds", 512, "qwen3")
    forms = [(profile, None), (profile, "找出答案"), (replace(profile, template="qwen3-blank-lines"), None)]
    assert len({open_causal(folder, form, None, instruction).fingerprint for form, instruction in forms}) == 3


def test_hosted_scores_of_another_model_length_or_instruction_have_another_fingerprint(hosted_url: str) -> None:
    settings = [HostedSettings(), HostedSettings(instruction="找出答案"), HostedSettings(max_passage_tokens=20)]
    scorers = [HostedScorer("vllm", model, hosted_url, settings=one) for model in ("a", "b") for one in settings]
    marks = [scorer.fingerprint for scorer in scorers]
    assert len(set(marks)) == 6
    again = [HostedScorer("vllm", model, hosted_url, settings=one) for model in ("a", "b") for one in settings]
    assert [scorer.fingerprint for scorer in again] == marks


def test_the_scale_and_the_probability_agree(scorer: PairScorer, request: pytest.FixtureRequest) -> None:
    name = request.node.callspec.params["scorer"]
    assert scorer.scale == SCALES.get(name, "logit")
    scores = values(scorer, QUESTIONS["zh"], PASSAGES)
    if scorer.scale == "probability":
        assert all(0 <= score <= 1 for score in scores)
    if scorer.scale in ("log_likelihood", "maxsim"):
        assert not scorer.gives_probability
    hits = [Hit(Chunk(str(place), text), 0.0, "unknown") for place, text in enumerate(PASSAGES)]
    for hit in PairReranker(scorer).rerank(QUESTIONS["zh"], hits):
        assert (hit.probability is not None) == scorer.gives_probability
        assert hit.probability is None or 0 <= hit.probability <= 1
        assert hit.scale == scorer.scale


@pytest.mark.parametrize("name", ["bce", "bge-gemma", "qwen3", "layerwise", "seq2seq", "two labels"])
def test_the_table_of_profiles_says_what_the_scorer_does(name: str) -> None:
    known = {
        "bce": "maidalun1020/bce-reranker-base_v1", "bge-gemma": "BAAI/bge-reranker-v2-gemma",
        "qwen3": "Qwen/Qwen3-Reranker-0.6B", "layerwise": "BAAI/bge-reranker-v2-minicpm-layerwise",
        "seq2seq": "castorini/monot5-base-msmarco", "two labels": "cross-encoder/nli-MiniLM2-L6-H768",
    }[name]  # fmt: skip
    profile = find_profile(known)
    family = FAMILIES[name]
    if not family.folder.exists():
        family.make(family.folder)
    assert profile is not None
    assert (profile.scale, profile.gives_probability) == (family.opened().scale, family.opened().gives_probability)
