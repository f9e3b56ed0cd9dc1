"""Record what LM_Cocktail makes of tiny models, for tests that cannot depend on it.

    pip install LM_Cocktail==0.0.4 torch==2.13.0 transformers==5.23.0 sentence-transformers==6.2.0
    python -m tests.golden.make_lm_cocktail

writes tests/golden/lm_cocktail.json. The models are rebuilt from their seeds by `tests.merge.families`.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

import torch
from LM_Cocktail import mix_models, mix_models_with_data
from LM_Cocktail.utils import (
    compute_weights,
    embedder_loss,
    get_model_param_list,
    load_model,
    preprocess_data_for_embedder,
)
from tests.merge.families import EXAMPLES, as_embedder, make_family
from transformers import AutoTokenizer

TARGET = Path(__file__).with_name("lm_cocktail.json")
NEGATIVES = 3  # as many as each example has, so that its unseeded sampling takes all of them
MIXES = (("bert", (0.3, 0.7)), ("xlm-roberta", (0.5, 0.5)), ("xlm-roberta", (0.2, 0.7, 0.1)))
TEMPERATURES = (5.0, 0.5)


def described(model: Any) -> dict[str, Any]:
    """Return a digest of all tensors in the order of their names, and of each the first and the last number."""
    digest = hashlib.sha256()
    numbers = {}
    for name, tensor in sorted(model.state_dict().items()):
        array = tensor.detach().contiguous().numpy()
        digest.update(name.encode() + array.tobytes())
        numbers[name] = [float(array.flat[0]), float(array.flat[-1])]
    return {"sha256": digest.hexdigest(), "first_and_last": numbers}


def rerankers(place: Path) -> list[dict[str, Any]]:
    """Mix rerankers by given weights."""
    cases = []
    for index, (kind, weights) in enumerate(MIXES):
        folders = make_family(place / str(index), kind, children=len(weights))[1:]
        mixed = mix_models([str(folder) for folder in folders], "reranker", list(weights))
        cases.append({"kind": kind, "weights": list(weights), **described(mixed)})
    return cases


def embedders(place: Path) -> dict[str, Any]:
    """Mix embedders by weights found from examples."""
    folders = [as_embedder(folder) for folder in make_family(place / "embedders", "bert", spread=0.1)[1:]]
    names = [str(folder) for folder in folders]
    examples = [dict(example) for example in EXAMPLES]
    model, tokenizer = load_model(names[0], "encoder"), AutoTokenizer.from_pretrained(names[0])
    parameters = get_model_param_list(names, "encoder")
    batches = preprocess_data_for_embedder(examples, tokenizer, torch.device("cpu"), batch_size=2, neg_number=NEGATIVES)
    losses = []
    for one in parameters:
        model.load_state_dict(one)
        losses.append(embedder_loss(model.eval(), batches))
    found = {
        str(temperature): compute_weights(
            model, tokenizer, parameters, "encoder", examples, temperature, batch_size=2, neg_number=NEGATIVES
        )
        for temperature in TEMPERATURES
    }
    mixed = mix_models_with_data(names, "encoder", examples, TEMPERATURES[1], batch_size=2, neg_number=NEGATIVES)
    return {"losses": losses, "weights": found, **described(mixed)}


def main() -> None:
    """Write the golden numbers."""
    with tempfile.TemporaryDirectory() as place:
        golden = {"rerankers": rerankers(Path(place)), "embedders": embedders(Path(place))}
    TARGET.write_text(json.dumps(golden) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
