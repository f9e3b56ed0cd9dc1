from pathlib import Path

import pytest

from secondpass.answer.generate import LLMAnswerer, says_not_found
from secondpass.errors import RemoteError
from secondpass.llm.openai import OpenAIChat
from secondpass.llm.replay import RecordingLLM, ReplayLLM
from secondpass.types import Answer, Chunk, Hit, TokenCounts

CLUBS = "学校拥有156个学生社团。"
MERGED = "2000年西安交通大学、西安医科大学、陕西财经学院三校合并。"
CORS = "Browsers cache CORS responses. The default is 600 seconds."
HITS = [
    Hit(Chunk(name, text, f"doc-{name}", 10, 10 + len(text)), 1.0, "bm25")
    for name, text in (("a", CLUBS), ("b", MERGED), ("c", CORS))
]
QUESTION = "西安交通大学由哪三校合并？"


def answerer(url: str, model: str = "quote", max_prompt_tokens: int = 3000) -> LLMAnswerer:
    return LLMAnswerer(OpenAIChat(model, url, max_retries=0), max_prompt_tokens)


def replayed(tmp_path: Path, text: str) -> LLMAnswerer:
    path = tmp_path / "replies.jsonl"
    path.write_text('{"text": "' + text + '", "prompt_tokens": 5, "completion_tokens": 6}', "utf-8")
    return LLMAnswerer(ReplayLLM(path))


def test_an_answer_over_a_real_connection_cites_its_passage(server_url: str) -> None:
    answer = answerer(server_url).answer(QUESTION, HITS)
    assert answer.text == f"{MERGED} [2]"
    assert answer.found
    assert [(c.number, c.quote, c.start) for c in answer.citations] == [(2, MERGED, 10)]
    assert answer.tokens == TokenCounts(11, 7)
    assert answer.warnings == ()
    assert answer.seconds["generate"] > 0


def test_a_reply_that_was_cut_off_is_named(server_url: str) -> None:
    answer = answerer(server_url, "cut").answer(QUESTION, HITS)
    assert answer.warnings == ("the model's limit of tokens cut its reply off",)


def test_an_english_question_gets_an_english_answer(server_url: str) -> None:
    answer = answerer(server_url).answer("How many seconds is the default of the CORS cache?", HITS)
    assert answer.citations[0].number == 3


def test_a_stream_ends_with_the_answer_that_answer_gives(server_url: str) -> None:
    *pieces, answer = answerer(server_url).stream(QUESTION, HITS)
    assert isinstance(answer, Answer)
    assert "".join(str(piece) for piece in pieces) == answer.text == f"{MERGED} [2]"
    assert answer.citations == answerer(server_url).answer(QUESTION, HITS).citations
    assert 0 < answer.seconds["first_token"] <= answer.seconds["generate"]


@pytest.mark.parametrize("model", ["think", "think-open"])
def test_numbers_in_thoughts_are_no_citations(server_url: str, model: str) -> None:
    answer = answerer(server_url, model).answer(QUESTION, HITS)
    assert [citation.number for citation in answer.citations] == [2]
    assert answer.warnings == ()


def test_what_the_model_does_not_find_is_not_found(server_url: str) -> None:
    answer = answerer(server_url).answer("谁发明了电话？", HITS)
    assert (answer.text, answer.found, answer.citations) == ("文档中没有找到答案", False, ())


def test_an_invented_citation_is_removed_and_named(server_url: str) -> None:
    answer = answerer(server_url, "fake-citation").answer(QUESTION, HITS)
    assert answer.text == f"{MERGED} [2]"
    assert answer.warnings == ("citation [9] was removed: there are only passages 1 to 3",)


def test_a_passage_that_was_cut_from_the_prompt_cannot_be_cited(server_url: str) -> None:
    long = [HITS[0], Hit(Chunk("long", "无关内容。" * 500), 1.0, "bm25"), HITS[1]]
    answer = answerer(server_url, max_prompt_tokens=600).answer(QUESTION, long)
    assert "passage 3 did not fit the prompt and the model has not seen it" in answer.warnings
    assert not any(citation.number == 3 for citation in answer.citations)


def test_an_answer_without_citations_says_so(tmp_path: Path) -> None:
    answer = replayed(tmp_path, "三校合并。").answer(QUESTION, HITS)
    assert answer.found
    assert answer.warnings == ("the answer cites no passage, so that nothing in it could be checked",)


def test_circled_numbers_are_citations_where_no_bracket_is(tmp_path: Path) -> None:
    assert replayed(tmp_path, "三校合并为西安交通大学②。").answer(QUESTION, HITS).text == "三校合并为西安交通大学[2]。"
    kept = replayed(tmp_path, "①西安交通大学②西安医科大学三校合并[2]。").answer(QUESTION, HITS)
    assert kept.text == "①西安交通大学②西安医科大学三校合并[2]。"


def test_without_passages_the_model_is_not_asked() -> None:
    nobody = LLMAnswerer(OpenAIChat("quote", "http://127.0.0.1:9/v1"))
    assert nobody.answer(QUESTION, []).text == "文档中没有找到答案"
    *_, last = nobody.stream("Who?", [])
    assert isinstance(last, Answer)
    assert not last.found


def test_the_servers_error_reaches_the_caller(server_url: str) -> None:
    with pytest.raises(RemoteError, match="status 500"):
        answerer(server_url, "status-500").answer(QUESTION, HITS)


def test_an_answer_can_be_recorded_and_replayed(server_url: str, tmp_path: Path) -> None:
    path = tmp_path / "replies.jsonl"
    live = LLMAnswerer(RecordingLLM(OpenAIChat("quote", server_url), path)).answer(QUESTION, HITS)
    again = LLMAnswerer(ReplayLLM(path)).answer(QUESTION, HITS)
    assert (again.text, again.citations, again.tokens) == (live.text, live.citations, live.tokens)


@pytest.mark.parametrize(
    ("text", "not_found"),
    [
        ("文档中没有找到答案", True),
        ("抱歉，文檔中沒有找到答案。", True),
        ("**Not found in the documents.**", True),
        ("I'm sorry: not found in the documents", True),
        ("文档中没有找到答案，但学校拥有156个社团 [1]。", False),
        ("西安交通大学由三校合并 [2]。", False),
    ],
)
def test_saying_that_nothing_was_found_is_recognised(text: str, not_found: bool) -> None:
    assert says_not_found(text) is not_found
