"""Word vectors of the package's model: texts and translations lie near, and each language on its side."""

import threading

import numpy as np
import pytest

from secondpass.embed.names import open_embedder
from secondpass.errors import InputError
from secondpass.models.builtin_model import builtin_folder

pytest.importorskip("tokenizers", reason="pip install 'secondpass[onnx]'")

PASSAGES = [
    "向量数据库保存文本的向量，用来检索。",
    "西安的冬天又冷又干燥。",
    "A vector database stores the vectors of texts for retrieval.",
    "The winter in the city is cold and dry.",
]


@pytest.fixture(scope="module")
def embedder():
    return open_embedder("builtin")


def test_a_passage_in_the_other_language_that_means_the_same_is_nearest_there(embedder):
    questions = embedder.encode_query(["冬天的天气", "vectors in a database"])
    questions[:, -1] *= -1
    near = questions @ embedder.encode_document(PASSAGES).T
    assert near[0].argsort()[::-1].tolist()[:2] == [3, 2]
    assert near[1].argsort()[::-1].tolist()[:2] == [0, 1]


def test_languages_are_two_sides(embedder):
    one, same, other = embedder.encode_document(["vectors", "vectors", "向量"])
    assert one @ same == pytest.approx(1, abs=1e-6)
    assert one @ other == pytest.approx(one[:-1] @ other[:-1] - 0.5, abs=1e-6)


def test_texts_that_no_tokenizer_takes_have_vectors(embedder):
    found = embedder.encode_document(["\ud83d", "\x00", "😀" * 1000, " \n\t"])
    assert np.abs(np.linalg.norm(found, axis=1) - 1).max() < 1e-5


def test_nothing_stands_behind_its_name():
    with pytest.raises(InputError, match="takes nothing behind its name; found 'builtin:x'"):
        open_embedder("builtin:x")


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
