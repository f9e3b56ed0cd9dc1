"""The engine under all rankers: side by side, again, from memory, counted, stopped."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest
from tests.rerank.test_listwise import PASSAGES, QUESTION
from tests.rerank.word_judge import FunctionLLM, StructuredWordJudge, WordJudge, hits_of, ids

from secondpass.errors import InputError, RemoteError, StoreError
from secondpass.llm.openai import OpenAIChat
from secondpass.rerank.listwise import ListwiseRanking
from secondpass.rerank.llm_reranker import LLMReranker
from secondpass.rerank.pairwise import PairwiseRanking
from secondpass.rerank.pointwise import PointwiseRanking
from secondpass.rerank.ranking_cache import DiskReplies, MemoryReplies, question_key
from secondpass.rerank.ranking_calls import CallOptions
from secondpass.rerank.ranking_report import Prices
from secondpass.rerank.side_by_side import side_by_side
from secondpass.types import Message, Reply, ReplyForm, TokenChance, TokenCounts

GRADE = PointwiseRanking("grade")
AT_ONCE = CallOptions(backoff_seconds=0.0)


class Failing(FunctionLLM):
    """Fails where a word stands in the prompt, for the first ``times`` times."""

    def __init__(self, word: str, times: int = 10**6) -> None:
        super().__init__(lambda _: '{"relevance": 5}')
        self.word, self.times = word, times

    def chat(self, messages):
        reply = super().chat(messages)
        if self.word in messages[1].content:
            with self._lock:
                self.times -= 1
                if self.times >= 0:
                    raise RemoteError(f"status 500 about {self.word}")
        return reply


def test_calls_run_side_by_side_but_never_more_than_allowed() -> None:
    running, most, lock = 0, 0, threading.Lock()

    def answer(messages) -> str:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.01)
        with lock:
            running -= 1
        return "A"

    reranker = LLMReranker(PairwiseRanking("all_pairs"), FunctionLLM(answer), CallOptions(max_concurrent_calls=3))
    threads = [threading.Thread(target=reranker.rerank, args=(f"茶{n}", hits_of(list("一二三四")))) for n in range(4)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 3
    assert time.perf_counter() - started < 48 * 0.01 * 0.9


def test_an_error_that_passes_is_waited_for(caplog) -> None:
    llm = Failing("茶", times=1)
    _, report = LLMReranker(GRADE, llm, AT_ONCE).rank_with_report("查", hits_of(["茶", "水"]))
    assert (report.clean, report.repeats, report.calls, report.failed) == (2, 1, 3, 0)


def test_one_passage_that_the_server_refuses_does_not_lose_the_others() -> None:
    out, report = LLMReranker(GRADE, Failing("炸"), AT_ONCE).rank_with_report("查", hits_of(["炸弹", "茶", "水"]))
    assert ids(out) == [1, 2, 0]
    assert (report.clean, report.failed, report.repeats, report.calls) == (2, 1, 1, 4)
    assert report.errors == ("status 500 about 炸",)
    assert "1 failed at the server; first error: status 500" in report.troubles


def test_a_server_that_fails_again_and_again_is_given_up_by_its_own_words() -> None:
    llm = Failing("")
    with pytest.raises(RemoteError, match="status 500"):
        LLMReranker(GRADE, llm, CallOptions(backoff_seconds=0.0, max_concurrent_calls=1)).rerank(
            "查", hits_of([f"茶 {number}" for number in range(50)])
        )
    assert len(llm.asked) == 6
    with pytest.raises(RemoteError, match="status 500"):
        LLMReranker(ListwiseRanking(), Failing(""), AT_ONCE).rerank("查", hits_of(["茶", "水"]))


@pytest.mark.parametrize("model", ["status-401", "status-500"])
def test_a_real_servers_error_reaches_the_caller(server_url: str, model: str) -> None:
    reranker = LLMReranker(ListwiseRanking(), OpenAIChat(model, server_url, max_retries=0), AT_ONCE)
    with pytest.raises(RemoteError, match=f"The server says {model}"):
        reranker.rerank(QUESTION["zh"], hits_of(PASSAGES["zh"]))


def test_what_was_asked_before_is_not_asked_again(tmp_path: Path) -> None:
    for cache in (MemoryReplies(), DiskReplies(tmp_path / "a" / "replies.sqlite")):
        judge = WordJudge()
        reranker = LLMReranker(ListwiseRanking(3, 1), judge, cache=cache)
        first, report = reranker.rank_with_report(QUESTION["zh"], hits_of(PASSAGES["zh"]))
        again, second = reranker.rank_with_report(QUESTION["zh"], hits_of(PASSAGES["zh"]))
        assert first == again
        assert (report.calls, report.cache_hits, second.calls, second.cache_hits) == (2, 0, 0, 2)
        assert (second.prompt_tokens, second.clean) == (0, 2)


def test_the_disk_remembers_across_programs_and_keeps_models_apart(tmp_path: Path) -> None:
    path = tmp_path / "replies.sqlite"
    hits = hits_of(PASSAGES["zh"])
    for expected in (4, 0):
        cache = DiskReplies(path)
        judge = StructuredWordJudge()
        out = LLMReranker(PointwiseRanking("log_odds"), judge, cache=cache).rerank(QUESTION["zh"], hits)
        assert {hit.scale for hit in out} == {"log_odds"}
        assert len(judge.asked) == expected
        cache.close()
    other = StructuredWordJudge()
    other.fingerprint = "another model"
    LLMReranker(PointwiseRanking("log_odds"), other, cache=DiskReplies(path)).rerank(QUESTION["zh"], hits)
    assert len(other.asked) == 4


def test_an_unusable_reply_is_not_remembered() -> None:
    said = iter(["嗯", "嗯", "[2] > [1]"])
    reranker = LLMReranker(ListwiseRanking(), FunctionLLM(lambda _: next(said)))
    assert ids(reranker.rerank("茶", hits_of(["一", "二"]))) == [0, 1]
    assert ids(reranker.rerank("茶", hits_of(["一", "二"]))) == [1, 0]


def test_the_memory_forgets_what_was_not_used_for_longest() -> None:
    cache, reply = MemoryReplies(2), Reply("茶", TokenCounts(1, 1))
    cache.put("a", reply)
    cache.put("b", reply)
    assert cache.get("a") == reply
    cache.put("c", reply)
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (reply, None, reply)


def test_a_reply_comes_back_from_disk_as_it_was(tmp_path: Path) -> None:
    cache = DiskReplies(tmp_path / "replies.sqlite")
    reply = Reply("是 \ud800", TokenCounts(3, 1, True), True, (TokenChance("是", -0.5), TokenChance("否", -1.25)))
    cache.put("key", reply)
    assert cache.get("key") == reply
    assert cache.get("other") is None


def test_a_file_that_is_no_cache_is_named(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database " * 100, "utf-8")
    with pytest.raises(StoreError, match=r"notes\.txt cannot be used .*remove it, or name another file"):
        DiskReplies(path)


def test_messages_models_and_forms_make_different_keys() -> None:
    one, other = [Message("user", "茶")], [Message("system", "茶")]
    keys = {
        question_key(model, messages, form)
        for model in ("a", "b")
        for messages in (one, other)
        for form in (ReplyForm(), ReplyForm({"type": "object"}), ReplyForm(top_tokens=5))
    }
    assert len(keys) == 12


def test_the_cost_is_counted_from_tokens_and_prices() -> None:
    options = CallOptions(prices=Prices(2.0, 10.0))
    _, report = LLMReranker(ListwiseRanking(), WordJudge(), options).rank_with_report("茶", hits_of(["一", "二"]))
    assert report.cost == pytest.approx((2.0 * report.prompt_tokens + 10.0 * report.completion_tokens) / 1e6)
    assert report.prompt_tokens > 100
    assert report.seconds > 0


def test_sixteen_threads_sharing_a_reranker_get_reports_of_their_own() -> None:
    reranker = LLMReranker(ListwiseRanking(3, 1), WordJudge())
    results = side_by_side(
        lambda number: reranker.rank_with_report(
            f"第{number}个问题：西安", hits_of([f"西安 {n}" for n in range(number)])
        ),
        list(range(3, 19)),
        16,
        threading.Event(),
    )
    for number, (out, report) in zip(range(3, 19), results, strict=True):
        assert len(out) == number
        assert report.questions == report.calls == report.clean == max(1, number - 2)


def test_ctrl_c_begins_nothing_further_and_waits_for_nobody() -> None:
    begun = []
    interrupted = threading.Event()

    def answer(messages) -> str:
        begun.append(1)
        if len(begun) == 2:
            os.kill(os.getpid(), signal.SIGINT)
        interrupted.wait(20)
        return "A"

    llm = FunctionLLM(answer)
    reranker = LLMReranker(PairwiseRanking("all_pairs"), llm, CallOptions(max_concurrent_calls=2))
    started = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        reranker.rerank("茶", hits_of(list("一二三四五六七八")))
    assert time.perf_counter() - started < 10
    interrupted.set()
    time.sleep(0.1)
    assert len(begun) == 2


def test_an_error_in_one_thread_is_raised_in_the_callers() -> None:
    def work(number: int) -> int:
        if number == 3:
            raise ValueError("three")
        return number

    assert side_by_side(work, [1, 2], 2, threading.Event()) == [1, 2]
    with pytest.raises(ValueError, match="three"):
        side_by_side(work, [1, 2, 3, 4], 2, threading.Event())


@pytest.mark.parametrize("options", [CallOptions(max_concurrent_calls=0), CallOptions(max_calls=0)])
def test_limits_below_one_are_refused(options: CallOptions) -> None:
    with pytest.raises(InputError, match="must be 1 or more"):
        LLMReranker(ListwiseRanking(), WordJudge(), options)
