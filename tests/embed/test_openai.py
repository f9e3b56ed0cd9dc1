import numpy as np
import pytest

from secondpass.embed.openai import OpenAIEmbedder
from secondpass.errors import InputError, RemoteError


def embedder(url: str, model: str = "bag-of-words", batch_size: int = 64) -> OpenAIEmbedder:
    return OpenAIEmbedder(model, url, batch_size=batch_size, max_retries=0)


def test_batches_give_the_rows_of_one_request(server_url: str) -> None:
    texts = [f"第{number}个学校 school {number}" for number in range(25)]
    whole = embedder(server_url).encode_document(texts)
    np.testing.assert_array_equal(embedder(server_url, batch_size=7).encode_document(texts), whole)


def test_a_server_that_takes_ten_texts_a_request_is_given_ten(server_url: str) -> None:
    texts = ["三校合并"] * 11
    with pytest.raises(RemoteError, match="status 400: batch size is invalid"):
        embedder(server_url, "ten-at-most").encode_document(texts)
    assert embedder(server_url, "ten-at-most", batch_size=10).encode_document(texts).shape == (11, 64)


def test_rows_are_put_in_the_order_of_the_texts(server_url: str) -> None:
    texts = ["三校合并", "浏览器缓存", "browsers cache"]
    expected = embedder(server_url).encode_document(texts)
    np.testing.assert_array_equal(embedder(server_url, "shuffled").encode_document(texts), expected)


def test_a_dimension_is_asked_for_and_learned(server_url: str) -> None:
    assert embedder(server_url).dimension == 64
    short = OpenAIEmbedder("bag-of-words", server_url, dimension=16)
    assert short.encode_query(["三校"]).shape == (1, 16)
    assert short.revision == "bag-of-words-2/16"


def test_empty_texts_do_not_spoil_a_request(server_url: str) -> None:
    assert embedder(server_url).encode_document(["", " \n", "三校"]).shape == (3, 64)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("nan", "not finite"),
        ("ragged", "one length was expected"),
        ("short", "given 3 texts and answered with 2 vectors"),
        ("status-500", "status 500: The server says"),
        ("html", "no embeddings"),
        ("not-json", "cannot be read"),
    ],
)
def test_a_bad_answer_is_an_error_that_says_what_came(server_url: str, model: str, words: str) -> None:
    with pytest.raises(RemoteError, match=words):
        embedder(server_url, model).encode_document(["一", "二", "三校合并"])


def test_a_busy_server_is_asked_again(server_url: str) -> None:
    patient = OpenAIEmbedder("status-429-once", server_url, max_retries=2)
    assert patient.encode_query(["三校"]).shape == (1, 64)


def test_a_bge_model_gets_its_instruction_before_questions_only(server_url: str) -> None:
    bge, plain = embedder(server_url, "bge-base-zh-v1.5"), embedder(server_url)
    instruction = "为这个句子生成表示以用于检索相关文章："
    np.testing.assert_array_equal(bge.encode_query(["三校合并"]), plain.encode_query([f"{instruction}三校合并"]))
    np.testing.assert_array_equal(bge.encode_document(["三校合并"]), plain.encode_document(["三校合并"]))


def test_openai_without_a_key_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="OPENAI_API_KEY"):
        OpenAIEmbedder("text-embedding-3-small")
