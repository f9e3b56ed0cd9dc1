"""Word vectors of the package's model: they lie near in both languages, and a question's lie near the other one."""

import threading

import numpy as np
import pytest

from secondpass.embed.names import open_embedder
from secondpass.models.builtin_model import builtin_folder

pytest.importorskip("tokenizers", reason="pip install 'secondpass[onnx]'")

PASSAGES = [
    "向量数据库保存文本的向量，用来检索。",
    "西安的冬天又冷又干燥。",
    "A vector database stores the vectors of texts for retrieval.",
    "The winter in the city is cold and dry.",
    "",
]


@pytest.fixture(scope="module")
def embedder():
    return open_embedder("builtin")


def test_it_opens_by_its_name_and_says_what_space_it_is(embedder):
    again = open_embedder(embedder.name)
    assert (again.name, again.revision, again.dimension) == ("builtin", embedder.revision, embedder.dimension)
    assert embedder.encode_document(PASSAGES).shape == (5, embedder.dimension)
    assert embedder.encode_document([]).shape == (0, embedder.dimension)


def test_a_question_is_near_passages_in_the_other_language_the_one_that_means_the_same_first(embedder):
    near = embedder.encode_query(["冬天的天气", "vectors in a database"]) @ embedder.encode_document(PASSAGES).T
    assert near[0].argsort()[::-1].tolist()[:2] == [3, 2]
    assert near[1].argsort()[::-1].tolist()[:2] == [0, 1]


def test_the_cosine_of_words_is_what_it_says_of_the_other_language(embedder):
    same = embedder.encode_query(["vectors"]) @ embedder.encode_document(["vectors"]).T
    other = embedder.encode_query(["向量"]) @ embedder.encode_document(["vectors"]).T
    words = embedder.encode_query(["向量"])[0, :-1] @ embedder.encode_document(["vectors"])[0, :-1]
    assert same.item() == pytest.approx(0, abs=1e-6)  # the same words, asked for in the same language
    assert other.item() == pytest.approx(0.5 + words, abs=1e-6)


def test_a_text_without_a_word_is_near_to_nothing(embedder):
    assert not embedder.encode_query(["", " \n\t"]).any()
    assert np.isfinite(embedder.encode_document(["\ud83d", "\x00", "😀" * 1000])).all()


def test_a_vector_is_the_mean_by_squared_lengths_as_torch_says(embedder):
    torch = pytest.importorskip("torch", reason="pip install 'secondpass[torch]'")
    transformers = pytest.importorskip("transformers", reason="pip install 'secondpass[torch]'")
    model = transformers.AutoModelForSequenceClassification.from_pretrained(builtin_folder())
    tokenizer = transformers.AutoTokenizer.from_pretrained(builtin_folder())
    ids = tokenizer(PASSAGES[2], add_special_tokens=False, return_tensors="pt")["input_ids"][0]
    vectors = model.get_input_embeddings()(ids).detach()
    mean = torch.nn.functional.normalize((vectors.norm(dim=1, keepdim=True) ** 2 * vectors).sum(0), dim=0)
    assert np.abs(embedder.encode_document([PASSAGES[2]])[0, :-1] * 2**0.5 - mean.numpy()).max() < 1e-5


def test_threads_share_one(embedder):
    alone, seen = embedder.encode_document(PASSAGES), []
    threads = [
        threading.Thread(target=lambda: seen.append(embedder.encode_document(PASSAGES[::-1])[::-1])) for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 16
    assert all((one == alone).all() for one in seen)
