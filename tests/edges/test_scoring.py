"""The model's edge, on the tiny version: the real path in milliseconds."""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import random
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig

from riskstream.core.errors import InternalError, OperatorError
from riskstream.core.ports import Scorer
from riskstream.core.records import Encoded, Labels, Partition, Prediction, Ticket
from riskstream.scoring.backends import load
from riskstream.scoring.heads import RiskNet, first_segment, pad
from riskstream.scoring.plain import ConstantScorer
from riskstream.scoring.torch_backend import TorchScorer
from riskstream.scoring.weights import pack, unpack
from riskstream.scoring.worker import Scored, Worker

TINY = Path(__file__).parents[2] / "models" / "tiny" / "1"
PAIRS = [
    ("Acme", "Acme files for bankruptcy"),
    ("", "Markets were quiet"),
    ("恒兴地产", "恒兴地产未能兑付到期票据"),
    ("Acme", "Acme " + "rises again " * 200),
    ("", "x"),
]


def items(scorer: Scorer, pairs: Sequence[tuple[str, str]]) -> list[Encoded]:
    ticket = Ticket(Partition("news", 0), 1, 0)
    return [Encoded(ticket, index, tokens) for index, tokens in enumerate(scorer.encode(pairs))]


@pytest.fixture(scope="module")
def tiny() -> TorchScorer:
    return TorchScorer.load(TINY, device="cpu")


@pytest.fixture(params=["tiny", "constant"])
def scorer(request: pytest.FixtureRequest, tiny: TorchScorer) -> Scorer:
    return tiny if request.param == "tiny" else ConstantScorer()


def test_a_scorer_answers_each_item_in_order_with_probabilities(scorer: Scorer) -> None:
    batch = items(scorer, PAIRS)
    found = scorer.score(batch)
    assert len(found) == len(PAIRS)
    for one in found:
        for head in ("sentiment", "severity", "topic"):
            shares = getattr(one, head)
            assert len(shares) == len(getattr(scorer.labels, head))
            assert sum(shares) == pytest.approx(1.0)
        assert len(one.risk) == len(scorer.labels.risk)
        assert all(0.0 <= share <= 1.0 for share in (*one.risk, one.risk_score))
    assert len({one.sentiment for one in found}) == len(found)


def test_a_score_does_not_depend_on_its_company(scorer: Scorer) -> None:
    batch = items(scorer, PAIRS)
    alone = {item.index: scorer.score([item])[0] for item in batch}
    for seed in range(5):
        shuffled = random.Random(seed).sample(batch, len(batch))
        for item, found in zip(shuffled, scorer.score(shuffled), strict=True):
            assert distance(found, alone[item.index]) <= 0.005


def test_an_empty_batch_has_no_answers(scorer: Scorer) -> None:
    assert scorer.score([]) == []
    assert scorer.encode([]) == []


def distance(one: Prediction, other: Prediction) -> float:
    """The largest move of any probability."""
    heads = ("sentiment", "severity", "risk", "topic")
    moves = [abs(a - b) for head in heads for a, b in zip(getattr(one, head), getattr(other, head), strict=True)]
    return max(*moves, abs(one.risk_score - other.risk_score))


def test_a_pair_is_framed_and_only_its_text_is_cut(tiny: TorchScorer) -> None:
    start, end = 0, 2
    (pair,), (alone,), (long,) = (tiny.encode([pair]) for pair in (("ab", "cd"), ("", "cd"), ("ab", "c" * 500)))
    assert pair[0] == start and pair[-1] == end and pair[3:5] == (end, end)
    assert alone == (start, *pair[5:7], end)
    assert len(long) == tiny.manifest.tokens_max and long[:5] == pair[:5] and long[-1] == end
    (both_long,) = tiny.encode([("a" * 500, "c" * 500)])
    assert len(both_long) == tiny.manifest.tokens_max and pair[5] in both_long


def test_a_question_is_read_from_the_first_segment_alone() -> None:
    ids = torch.tensor([[0, 7, 8, 2, 2, 9, 2], [0, 9, 2, 1, 1, 1, 1]])
    mask = (ids != 1).long()
    assert first_segment(ids, mask, 2).tolist() == [[1, 1, 1, 1, 0, 0, 0], [1, 1, 1, 0, 0, 0, 0]]
    assert first_segment(ids, mask, -1).tolist() == mask.tolist()


def test_pooling_by_question_is_the_mean_where_no_entity_is_asked_about(tiny: TorchScorer) -> None:
    torch.manual_seed(3)
    net = RiskNet(AutoConfig.from_pretrained(TINY), {"severity": 4}, "question", end_id=2).eval()
    mean = RiskNet(AutoConfig.from_pretrained(TINY), {"severity": 4}, "mean").eval()
    mean.load_state_dict(net.state_dict())
    for pair, same in ((("", "Acme sued"), True), (("Acme", "Acme sued"), False)):
        ids, mask = pad(tiny.encode([pair]), 1)
        assert torch.equal(net(ids, mask)["severity"], mean(ids, mask)["severity"]) == same


def test_a_scorer_says_what_it_is_and_on_what_it_runs(tiny: TorchScorer) -> None:
    assert (tiny.name, tiny.backend) == ("tiny@1", "torch cpu float32")


def test_an_output_that_is_not_finite_is_told_by_its_score_alone(
    tiny: TorchScorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tiny.logits

    def broken(rows: Sequence[tuple[int, ...]]) -> dict[str, object]:
        found = whole(rows)
        found["severity"][1, 0] = math.nan
        return dict(found)

    monkeypatch.setattr(tiny, "logits", broken)
    found = tiny.score(items(tiny, PAIRS))
    assert [math.isnan(one.risk_score) for one in found] == [False, True, False, False, False]


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))


def forget(directory: Path, name: str) -> None:
    manifest = json.loads((directory / "manifest.json").read_text())
    del manifest["files"][name]
    (directory / "manifest.json").write_text(json.dumps(manifest))


def swap_weights(directory: Path) -> None:
    """Weights of another shape, correctly hashed."""
    path = directory / "model.safetensors"
    state = load_file(path)
    del state["heads.severity.bias"]
    save_file(state, path)
    manifest = json.loads((directory / "manifest.json").read_text())
    manifest["files"]["model.safetensors"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (directory / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda d: (d / "model.safetensors").unlink(), "model.safetensors': the file is missing"),
        (lambda d: (d / "tokenizer.json").unlink(), "tokenizer.json': the file is missing"),
        (lambda d: (d / "manifest.json").unlink(), "there is no manifest.json in it"),
        (lambda d: (d / "manifest.json").write_text("{"), "manifest.json"),
        (lambda d: (d / "manifest.json").write_bytes(b'{"\xff": 1}'), "manifest.json"),
        (lambda d: (d / "config.json").write_text("{}"), "config.json': its sha256 is"),
        (lambda d: flip(d / "model.safetensors"), "model.safetensors': its sha256 is"),
        (lambda d: forget(d, "model.safetensors"), "it has no hash of model.safetensors"),
        (swap_weights, "does not fit config.json"),
    ],
    ids=[
        "no-weights",
        "no-tokenizer",
        "no-manifest",
        "broken-manifest",
        "no-utf-8",
        "other-config",
        "one-bit",
        "no-hash",
        "unfit",
    ],
)
def test_a_damaged_version_is_refused_by_name(tmp_path: Path, damage: object, says: str) -> None:
    directory = tmp_path / "1"
    shutil.copytree(TINY, directory)
    damage(directory)  # type: ignore[operator]
    with pytest.raises(OperatorError) as caught:
        TorchScorer.load(directory, device="cpu")
    assert says in str(caught.value)
    assert caught.value.fix


@pytest.mark.parametrize("backend", ["openvino", "torch"])
@pytest.mark.parametrize(
    ("key", "value"), [("num_hidden_layers", 10**9), ("hidden_size", 10**7), ("hidden_size", []), ("model_type", {})]
)
def test_a_config_with_hashes_that_fit_is_the_versions_fault(
    tmp_path: Path, backend: Literal["openvino", "torch"], key: str, value: object
) -> None:
    directory = tmp_path / "1"
    shutil.copytree(TINY, directory)
    config = json.dumps({**json.loads((directory / "config.json").read_text()), key: value})
    (directory / "config.json").write_text(config)
    manifest = json.loads((directory / "manifest.json").read_text())
    manifest["files"]["config.json"] = hashlib.sha256(config.encode()).hexdigest()
    (directory / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(OperatorError) as caught:
        load(directory, backend=backend, device="cpu", dtype="auto", threads=1)
    assert str(directory) in str(caught.value)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_cuda_without_a_gpu_is_the_operators_mistake() -> None:
    with pytest.raises(OperatorError, match=r"models\.device = 'cuda': torch sees no GPU"):
        TorchScorer.load(TINY, device="cuda")


def test_bfloat16_on_a_cpu_would_break_the_promise_and_is_refused() -> None:
    with pytest.raises(OperatorError, match=r"models\.dtype = 'bfloat16'"):
        TorchScorer.load(TINY, device="cpu", dtype="bfloat16")


@pytest.mark.parametrize("size", [1e-3, 1.0, 40.0])
def test_packing_moves_a_weight_by_half_a_step_at_most(size: float) -> None:
    generator = torch.Generator().manual_seed(3)
    matrix = torch.randn(20, 64, generator=generator) * size
    matrix[4] = 0.0
    state = {"m": matrix, "b": torch.randn(64, generator=generator)}
    found = unpack(pack(state))
    assert set(found) == {"m", "b"} and found["m"].dtype == torch.float32
    step = matrix.abs().amax(dim=1, keepdim=True) / 127
    assert ((found["m"] - matrix).abs() <= step * 0.57 + 1e-7).all()
    assert torch.allclose(found["b"], state["b"], atol=2e-3)


def test_weights_that_are_not_finite_are_not_packed() -> None:
    with pytest.raises(ValueError, match="m has weights that are not finite"):
        pack({"m": torch.tensor([[1.0, math.inf]])})


class Gate:
    """A scorer that waits to be let through, and fails on a marked item."""

    name = "gate@1"
    backend = "none"
    labels = Labels(("a",), ("b",), ("c",))

    def __init__(self) -> None:
        self.open, self.entered, self.begun = threading.Event(), threading.Event(), 0
        self.threads: set[str] = set()

    def encode(self, pairs: Sequence[tuple[str, str]]) -> list[tuple[int, ...]]:
        self.threads.add(threading.current_thread().name)
        return [(len(text),) for _, text in pairs]

    def score(self, batch: Sequence[Encoded]) -> list[Prediction]:
        self.threads.add(threading.current_thread().name)
        self.begun += 1
        self.entered.set()
        assert self.open.wait(10)
        if any(item.tokens == (13,) for item in batch):
            raise RuntimeError("unlucky")
        return [Prediction((), (), (), (), float(item.tokens[0])) for item in batch]


async def test_a_worker_answers_off_the_loop_and_survives_a_failure() -> None:
    gate = Gate()
    gate.open.set()
    worker = Worker(gate)
    tokens = await worker.encode([("", "four"), ("", "x" * 13)])
    ticket = Ticket(Partition("news", 0), 1, 0)
    good, bad = (Encoded(ticket, index, ids) for index, ids in enumerate(tokens))
    with pytest.raises(InternalError, match="unlucky"):
        await worker.score([good, bad])
    assert [one.risk_score for one in (await worker.score([good])).predictions] == [4.0]
    await worker.close()
    assert len(gate.threads) == 2 and threading.current_thread().name not in gate.threads
    with pytest.raises(InternalError, match="closed"):
        await worker.score([good])


async def test_a_worker_holds_two_batches_and_a_third_can_be_given_up() -> None:
    gate = Gate()
    worker = Worker(gate)
    item = Encoded(Ticket(Partition("news", 0), 1, 0), 0, (1,))
    tasks = [asyncio.create_task(worker.score([item])) for _ in range(3)]
    await asyncio.to_thread(gate.entered.wait, 10)
    tasks[2].cancel()
    gate.open.set()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(one) for one in found] == [Scored, Scored, asyncio.CancelledError]
    await worker.close()
    assert gate.begun == 2


def test_the_arithmetic_of_a_gpu_gives_the_answers_of_float32_to_its_own_precision(tiny: TorchScorer) -> None:
    """bfloat16 is refused on a CPU for its scores, not for its code, so the code can be run here."""
    mixed = TorchScorer(tiny.net, tiny._tokenizer, tiny.manifest, torch.device("cpu"), "bfloat16")
    rows = [item.tokens for item in items(tiny, PAIRS)]
    exact, found = tiny.logits(rows), mixed.logits(rows)
    assert found.keys() == exact.keys()
    moved = [abs(found[head] - exact[head]).max() for head in exact]
    assert 0 < max(moved) < 0.1
    pairs = zip(mixed.score(items(tiny, PAIRS)), tiny.score(items(tiny, PAIRS)), strict=True)
    assert all(abs(one.risk_score - other.risk_score) < 0.02 for one, other in pairs)
