"""Where answers stand is learned beside relevance, in the same pass."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tests.merge.families import change_json
from tests.models.pointing_folders import make_pointing, write_spans
from tests.train.runs import metrics, run, settings
from torch.nn import functional

from secondpass.errors import InputError
from secondpass.models.cross_encoder import open_cross_encoder
from secondpass.models.engine import EngineOptions
from secondpass.models.weight_files import SPANS_FILE
from secondpass.train.doctor import examine
from secondpass.train.evidence import HEAD_KEPT, HEAD_LEFT, EvidenceScores
from secondpass.train.material import read_material
from secondpass.train.opening import open_model
from secondpass.train.options import TrainOptions
from secondpass.train.place_losses import place_losses


def batch_of(width: int, passage: slice, firsts: list[int], lasts: list[int]) -> dict[str, torch.Tensor]:
    parts = {name: torch.zeros(1, width, dtype=torch.bool) for name in ("passage", "firsts", "lasts")}
    parts["passage"][0, passage] = True
    parts["firsts"][0, firsts] = True
    parts["lasts"][0, lasts] = True
    return parts


def test_one_place_is_learned_by_the_cross_entropies_of_its_ends() -> None:
    spans = torch.randn(1, 9, 2)
    found = place_losses(spans, batch_of(9, slice(3, 8), [4], [6]))
    within = spans[:, 3:8]
    expected = 0.5 * (
        functional.cross_entropy(within[:, :, 0], torch.tensor([1]))
        + functional.cross_entropy(within[:, :, 1], torch.tensor([3]))
    )
    torch.testing.assert_close(found, expected[None])


def test_several_places_are_learned_by_the_sum_of_their_probabilities() -> None:
    spans = torch.randn(1, 6, 2)
    found = place_losses(spans, batch_of(6, slice(0, 6), [1, 4], [2, 5]))
    chances = spans.softmax(dim=1)
    expected = -0.5 * (chances[0, [1, 4], 0].sum().log() + chances[0, [2, 5], 1].sum().log())
    torch.testing.assert_close(found, expected[None])


def test_a_pair_without_an_answer_teaches_nothing_of_places() -> None:
    spans = torch.randn(1, 6, 2, requires_grad=True)
    place_losses(spans, batch_of(6, slice(0, 6), [], [])).sum().backward()
    assert spans.grad is not None
    assert not spans.grad.any()


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Questions that name what stands behind a sign in the passage, Chinese and English."""
    folder = tmp_path_factory.mktemp("answered")
    rows = []
    for number in range(24):
        answer, wrong = ("东海" if number % 2 else "harbour"), ("没有" if number % 2 else "nothing")
        text = f"长江流入{answer}。" if number % 2 else f"the river ends in the {answer}."
        rows.append({"query": f"{number}?", "pos": [text], "neg": [wrong, f"{wrong} {number}"], "answers": [answer]})
    for name, part in (("train", rows[:18]), ("dev", rows[18:])):
        lines = [json.dumps(row, ensure_ascii=False) for row in part]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def test_both_are_learned_and_the_head_is_kept_beside_the_checkpoint(
    embedder: Path, answered: Path, tmp_path: Path
) -> None:
    output = tmp_path / "证据"
    run(settings(embedder, answered, output, max_steps=40, evaluate_every=40, evidence=1.0))
    steps = [record for record in metrics(output) if record["event"] == "step"]
    assert steps[-1]["loss"] < 0.5 * steps[0]["loss"]
    assert steps[-1]["evidence"] < 0.5 * steps[0]["evidence"]
    head = load_file(output / SPANS_FILE)
    assert {name: tuple(value.shape) for name, value in head.items()} == {"weight": (2, 32), "bias": (2,)}


@pytest.mark.parametrize("loss", ["group_softmax", "pointwise", "ranknet", "listnet", "p_listmle", "lambda"])
def test_a_passage_alone_teaches_its_place_and_no_level_of_scores(
    loss: str, embedder: Path, answered: Path, tmp_path: Path
) -> None:
    rows = [json.loads(line) for line in (answered / "train.jsonl").read_text(encoding="utf-8").splitlines()]
    alone = [row | {"query": f"{row['query']}{turn}", "neg": []} for turn in range(8) for row in rows]
    data = tmp_path / "data"
    data.mkdir()
    lines = [json.dumps(row, ensure_ascii=False) for row in (rows[0], *alone)]
    (data / "train.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (data / "dev.jsonl").write_bytes((answered / "dev.jsonl").read_bytes())
    shape = {"max_steps": 24, "evaluate_every": 24, "evidence": 1.0, "loss": loss, "absolute": 0.5}
    run(settings(embedder, data, tmp_path / "单独", **shape))
    steps = [record for record in metrics(tmp_path / "单独") if record["event"] == "step"]
    ranked = [step for step in steps if step["loss"]]
    assert 1 <= len(ranked) < 4  # the one question that has negatives, in an epoch and a half
    assert all(step["line"] is None and step["spread"] == 0 for step in steps if step not in ranked)
    assert steps[-1]["evidence"] < 0.7 * steps[0]["evidence"]


def test_a_head_that_is_there_is_taken_up(embedder: Path, answered: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    run(settings(embedder, answered, first, max_steps=2, evidence=1.0))
    run(settings(first, answered, second, max_steps=1, evidence=1.0, learning_rate=0.0))
    before, after = load_file(first / SPANS_FILE), load_file(second / SPANS_FILE)
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert {file.stat().st_mode & 0o777 for file in second.iterdir()} == {0o644}  # a server of another user reads it


def test_without_the_option_no_head_is_made(embedder: Path, answered: Path, tmp_path: Path) -> None:
    run(settings(embedder, answered, tmp_path / "plain", max_steps=1))
    assert not (tmp_path / "plain" / SPANS_FILE).exists()


def test_a_head_that_is_not_learned_is_kept_as_it_was_and_it_is_said(answered: Path, tmp_path: Path) -> None:
    start, output = make_pointing(tmp_path / "指点"), tmp_path / "法律"
    said: list[str] = []
    outcome = run(
        settings(start, answered, output, max_steps=2, evaluate_every=2, learning_rate=1e-3),
        listener=lambda record: said.append(str(record.get("text"))),
    )
    assert (output / SPANS_FILE).read_bytes() == (start / SPANS_FILE).read_bytes()
    assert HEAD_KEPT in said
    assert HEAD_KEPT in outcome.notes
    assert HEAD_KEPT in (output / "README.md").read_text(encoding="utf-8")
    scorer = open_cross_encoder(output, options=EngineOptions("onnx", threads=1))  # checks its probes, too
    found = scorer.score("长江流入哪里？", ["长江流入东海。"])[0]
    assert found.span
    assert found.evidence_confidence


def test_under_a_new_layer_the_old_head_is_left_out_and_it_is_said(answered: Path, tmp_path: Path) -> None:
    start = make_pointing(tmp_path / "start")
    kept, left = (open_model(start, TrainOptions(head=head)) for head in ("own", "mean"))
    assert (kept.old_evidence, kept.notes) == (True, (HEAD_KEPT,))
    assert (left.old_evidence, left.notes) == (False, (HEAD_LEFT,))
    (tmp_path / "made").mkdir()
    left.write(tmp_path / "made")
    assert not (tmp_path / "made" / SPANS_FILE).exists()
    learned = open_model(start, TrainOptions(head="mean", evidence=0.25)).module
    assert isinstance(learned, EvidenceScores)
    assert not learned.head.bias.any()  # a new one


@pytest.mark.parametrize("evidence", [0.0, 0.25])
def test_shares_of_word_counts_that_were_fitted_to_the_start_are_left_out_and_it_is_said(
    evidence: float, tmp_path: Path
) -> None:
    start, made = make_pointing(tmp_path / "起点"), tmp_path / "made"
    change_json(start, "config.json", {"secondpass": {"max_tokens": 256, "with_lexical": {"zh": {}}}})
    model = open_model(start, TrainOptions(evidence=evidence))
    assert model.notes[0].startswith("with_lexical of config.json, fitted to the scores of the start, is left out")
    made.mkdir()
    model.write(made)
    kept = json.loads((made / "config.json").read_text(encoding="utf-8"))["secondpass"]
    assert kept.keys() == {"max_tokens", "version"}


def test_a_damaged_head_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    start = make_pointing(tmp_path / "坏的")
    write_spans(start, hidden=16)
    for evidence in (0.0, 0.25):
        with pytest.raises(InputError, match=r"spans\.safetensors holds .*weight \[2, 16\]"):
            open_model(start, TrainOptions(evidence=evidence))


def test_answers_that_could_teach_a_model_that_points_are_advised(answered: Path, tmp_path: Path) -> None:
    start = make_pointing(tmp_path / "start")
    for own, expected in (({}, 18), ({"evidence": 0.25}, 0), ({"head": "mean"}, 0)):
        options = TrainOptions(model=str(start), train=str(answered / "train.jsonl"), dev_share=0, **own)
        model = open_model(start, options)
        report = examine(options, read_material(options), model.reader, model.old_evidence)
        found = [finding for finding in report.findings if finding.name == "unused_answers"]
        assert sum(finding.count for finding in found) == expected
        assert all("evidence = 0.25" in finding.advice for finding in found)


def test_a_weight_below_zero_is_refused() -> None:
    with pytest.raises(InputError, match="evidence"):
        run({"evidence": -1.0})
