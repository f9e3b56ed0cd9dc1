"""The rerankers that `rerank_speed` compares, each as a function from a query and passages to logits.

Every one runs in a process of its own, so that its start and its memory are its own:

    python benchmarks/rerank_engines.py NAME FOLDER THREADS MAX_TOKENS

then reads one job a line from standard input, ``{"query", "passages"}``, and answers each with one line of JSON; the
first line says how long it took to open, or why it could not be (``error``).

``tokens`` is how many tokens were computed for a job, padding included: of ours as they were planned, of the peers as
they are handed to the model (FlagReranker hands over its first batch twice, to see whether memory suffices).
"""

import json
import os
import re
import resource
import sys
import time
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

Scorer = Callable[[str, Sequence[str]], list[float]]
MAX_TOKENS = int(sys.argv[4]) if len(sys.argv) > 4 and sys.argv[4].isdigit() else 512
SEEN: list[int] = []
"""Tokens of each batch of the job at hand, padding included."""
PEERS = {
    "sentence-transformers": "sentence_transformers",
    "sentence-transformers-bf16": "sentence_transformers",
    "FlagReranker": "FlagEmbedding",
    "rerankers": "rerankers",
    "transformers-sorted": "transformers",
    "onnxruntime-plain": "onnxruntime",
    "openvino-plain": "openvino",
    "fastembed": "fastembed",
}


def watch_ours() -> None:
    """Note the tokens of each batch that we plan; torch computes those without padding."""
    from secondpass.models import cross_encoder

    begin = cross_encoder.begin_batches

    def noted(engine: Any, batches: Sequence[Any]) -> Any:
        pads = type(engine).__name__ != "TorchEncoderEngine"
        SEEN.extend(batch.width * len(batch.ids) if pads else sum(map(len, batch.ids)) for batch in batches)
        return begin(engine, batches)

    cross_encoder.begin_batches = noted


def watch_torch(model: Any) -> None:
    """Note the tokens of each batch that the transformers model in ``model`` is given."""
    from transformers import PreTrainedModel

    inner = next(part for part in model.modules() if isinstance(part, PreTrainedModel))
    forward = inner.forward

    @wraps(forward)  # sentence-transformers calls it by itself, which passes hooks by, and asks what it takes
    def noted(*args: Any, **named: Any) -> Any:
        SEEN.append((named["input_ids"] if "input_ids" in named else args[0]).numel())
        return forward(*args, **named)

    inner.forward = noted


def watch_onnxruntime() -> None:
    """Note the tokens of each batch that a session of ONNX Runtime is given."""
    import onnxruntime

    run = onnxruntime.InferenceSession.run

    def noted(session: Any, names: Any, feeds: dict[str, Any], *rest: Any) -> Any:
        SEEN.append(feeds["input_ids"].size)
        return run(session, names, feeds, *rest)

    onnxruntime.InferenceSession.run = noted


def ours(name: str, folder: Path, threads: int) -> Scorer:
    """Open ``secondpass``, ``secondpass-ENGINE`` or ``secondpass-ENGINE-PRECISION``."""
    from secondpass.models.cross_encoder import ReadingOptions, open_cross_encoder
    from secondpass.models.engine import EngineOptions

    _, _, rest = name.partition("-")
    engine, _, precision = rest.partition("-")
    options = EngineOptions(engine or "auto", precision or "f32", threads)  # type: ignore[arg-type]
    scorer = open_cross_encoder(folder, None, options, ReadingOptions(MAX_TOKENS, "truncate"))
    watch_ours()
    return lambda query, passages: [score.score for score in scorer.score(query, passages)]


def sentence_transformers(name: str, folder: Path, threads: int) -> Scorer:
    """Open sentence-transformers with its defaults (f32, batches of 32), or in bf16."""
    import torch
    from sentence_transformers import CrossEncoder

    torch.set_num_threads(threads)
    settings = {"dtype": torch.bfloat16} if name.endswith("bf16") else {}
    model = CrossEncoder(str(folder), max_length=MAX_TOKENS, device="cpu", model_kwargs=settings)
    watch_torch(model)
    raw = torch.nn.Identity()

    def score(query: str, passages: Sequence[str]) -> list[float]:
        pairs = [(query, passage) for passage in passages]
        return [float(x) for x in model.predict(pairs, activation_fn=raw, show_progress_bar=False)]

    return score


def flag_reranker(folder: Path, threads: int) -> Scorer:
    """Open FlagEmbedding's FlagReranker with its defaults."""
    import torch
    from FlagEmbedding import FlagReranker

    torch.set_num_threads(threads)
    model = FlagReranker(str(folder), use_fp16=False, devices="cpu", max_length=MAX_TOKENS)
    watch_torch(model.model)

    def score(query: str, passages: Sequence[str]) -> list[float]:
        found = model.compute_score([[query, passage] for passage in passages])
        return [float(x) for x in (found if isinstance(found, list) else [found])]

    return score


def rerankers(folder: Path, threads: int) -> Scorer:
    """Open the package rerankers with its defaults."""
    import torch
    from rerankers import Reranker

    torch.set_num_threads(threads)
    model = Reranker(str(folder), model_type="cross-encoder", device="cpu", dtype="float32", verbose=0)
    watch_torch(model.model)

    def score(query: str, passages: Sequence[str]) -> list[float]:
        out = [0.0] * len(passages)
        for result in model.rank(query, list(passages), doc_ids=list(range(len(passages)))).results:
            out[result.doc_id] = float(result.score)
        return out

    return score


def transformers_sorted(folder: Path, threads: int) -> Scorer:
    """Open transformers, sorted by tokens, batches of about 1,024 tokens: what one writes who has read the advice."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    torch.set_num_threads(threads)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    watch_torch(model)

    @torch.inference_mode()
    def score(query: str, passages: Sequence[str]) -> list[float]:
        encoded = tokenizer([query] * len(passages), list(passages), truncation=True, max_length=MAX_TOKENS)
        rows = [{key: values[i] for key, values in encoded.items()} for i in range(len(passages))]
        out = [0.0] * len(rows)
        for group in sorted_groups([len(row["input_ids"]) for row in rows]):
            batch = tokenizer.pad([rows[i] for i in group], return_tensors="pt")
            for i, logit in zip(group, model(**batch).logits[:, 0].tolist(), strict=True):
                out[i] = logit
        return out

    return score


def sorted_groups(lengths: Sequence[int], budget: int = 1024) -> list[list[int]]:
    """Return indices sorted by length, in groups of about ``budget`` padded tokens."""
    groups: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if groups and lengths[groups[-1][0]] * (len(groups[-1]) + 1) <= budget:
            groups[-1].append(index)
        else:
            groups.append([index])
    return groups


def exported(folder: Path) -> Path:
    """Return the model as torch exports it to ONNX; made once."""
    out = folder / "plain" / "model.onnx"
    if out.exists():
        return out
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    out.parent.mkdir(exist_ok=True)
    model = AutoModelForSequenceClassification.from_pretrained(folder, attn_implementation="eager").eval()
    names = [n for n in AutoTokenizer.from_pretrained(folder).model_input_names if n != "token_type_ids"]
    names += ["token_type_ids"] if model.config.type_vocab_size > 1 else []
    example = {name: torch.ones(2, 9, dtype=torch.long) for name in names}
    axes = {name: {0: "batch", 1: "length"} for name in names}
    torch.onnx.export(
        model, (), str(out), kwargs=example, input_names=names, output_names=["logits"], dynamic_axes=axes, dynamo=False
    )
    return out


def plain_feeds(folder: Path) -> Callable[[str, Sequence[str]], object]:
    """Return a function that tokenises all pairs as one batch of numpy arrays."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)

    def feeds(query: str, passages: Sequence[str]) -> object:
        return tokenizer(
            [query] * len(passages),
            list(passages),
            truncation=True,
            max_length=MAX_TOKENS,
            padding=True,
            return_tensors="np",
        )

    return feeds


def onnxruntime_plain(folder: Path, threads: int) -> Scorer:
    """Open ONNX Runtime on torch's export, batches of 32 as they come."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(exported(folder)), options, providers=["CPUExecutionProvider"])
    wanted, feeds = {entry.name for entry in session.get_inputs()}, plain_feeds(folder)
    watch_onnxruntime()

    def score(query: str, passages: Sequence[str]) -> list[float]:
        out: list[float] = []
        for start in range(0, len(passages), 32):
            arrays = {k: v for k, v in feeds(query, passages[start : start + 32]).items() if k in wanted}  # type: ignore[attr-defined]
            out += session.run(["logits"], arrays)[0][:, 0].tolist()
        return out

    return score


def openvino_plain(folder: Path, threads: int) -> Scorer:
    """Open OpenVINO in f32 on torch's export, batches of 32 as they come."""
    import openvino

    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads}
    model = openvino.Core().compile_model(exported(folder), "CPU", settings)
    wanted, feeds = {port.any_name for port in model.inputs}, plain_feeds(folder)

    def score(query: str, passages: Sequence[str]) -> list[float]:
        out: list[float] = []
        for start in range(0, len(passages), 32):
            arrays = {k: v for k, v in feeds(query, passages[start : start + 32]).items() if k in wanted}  # type: ignore[attr-defined]
            SEEN.append(arrays["input_ids"].size)
            out += model(arrays)[0][:, 0].tolist()
        return out

    return score


def fastembed(folder: Path, threads: int) -> Scorer:
    """Open fastembed (also FlashRank's way: ONNX Runtime, unsorted) on torch's export."""
    from fastembed.common.model_description import ModelSource
    from fastembed.rerank.cross_encoder import TextCrossEncoder

    exported(folder)
    TextCrossEncoder.add_custom_model(
        "local/random", model_file="plain/model.onnx", sources=ModelSource(hf="local/random")
    )
    model = TextCrossEncoder("local/random", specific_model_path=str(folder), threads=threads)
    watch_onnxruntime()
    return lambda query, passages: [float(x) for x in model.rerank(query, list(passages))]


def build(name: str, folder: Path, threads: int) -> Scorer:
    """Open the reranker ``name``."""
    if name.startswith("secondpass"):
        return ours(name, folder, threads)
    if name.startswith("sentence-transformers"):
        return sentence_transformers(name, folder, threads)
    builders = {
        "FlagReranker": flag_reranker,
        "rerankers": rerankers,
        "transformers-sorted": transformers_sorted,
        "onnxruntime-plain": onnxruntime_plain,
        "openvino-plain": openvino_plain,
        "fastembed": fastembed,
    }
    return builders[name](folder, threads)


def peak_mib() -> float:
    """Return the most memory this process had; on Linux without what the one that started it had (ru_maxrss has it)."""
    status = Path("/proc/self/status")
    if status.is_file() and (found := re.search(r"VmHWM:\s+(\d+)", status.read_text())):
        return int(found[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 1024)


def serve(name: str, folder: Path, threads: int) -> None:
    """Open ``name`` and answer jobs until standard input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the libraries print must not come between the answers
    cpu, wall = time.process_time(), time.perf_counter()
    try:
        score = build(name, folder, threads)
    except Exception as error:  # whatever a peer raises is what its row says
        print(json.dumps({"error": f"{error} ({type(error).__name__})"}), file=answers, flush=True)
        raise SystemExit(1) from error
    start = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
    print(json.dumps({"start": start}), file=answers, flush=True)
    for line in sys.stdin:
        job = json.loads(line)
        SEEN.clear()
        cpu, wall = time.process_time(), time.perf_counter()
        scores = score(job["query"], job["passages"])
        seconds = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
        answer = {**seconds, "peak_mib": peak_mib(), "tokens": sum(SEEN), "scores": scores}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    serve(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
