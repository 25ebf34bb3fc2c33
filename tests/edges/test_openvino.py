"""The integer backend: it computes what torch computes, and a text's numbers are its own to the last bit."""

from __future__ import annotations

import json
import math
import random
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, BertConfig, PreTrainedConfig, RobertaConfig, XLMRobertaConfig

from riskstream.core.errors import OperatorError
from riskstream.core.records import Encoded, Partition, Ticket
from riskstream.scoring import backends
from riskstream.scoring.heads import HEADS, RiskNet
from riskstream.scoring.manifest import read_manifest, sha256, write_manifest
from riskstream.scoring.openvino_backend import OpenVinoScorer
from riskstream.scoring.slices import equal_slices
from riskstream.scoring.torch_backend import TorchScorer
from riskstream.scoring.weights import pack

TINY = Path(__file__).parents[2] / "models" / "tiny" / "1"
SIZES = {"vocab_size": 260, "hidden_size": 128, "num_hidden_layers": 3, "num_attention_heads": 4}
SHAPE = {**SIZES, "intermediate_size": 256, "max_position_embeddings": 132, "pad_token_id": 1}
TOKENS_MAX = 96
INT8_LIMIT = 0.05
"""Largest difference of any probability from float32 on these random weights; 0.02 is what is seen."""


def version(directory: Path, config: PreTrainedConfig, pooling: str = "mean") -> Path:
    """A version of random weights, large enough for the integer kernels."""
    shutil.copytree(TINY, directory)
    tiny = read_manifest(TINY)
    torch.manual_seed(11)
    net = RiskNet(config, {head: len(getattr(tiny.labels, head)) for head in HEADS}, "mean")
    for name, weights in net.named_parameters():
        if name.endswith("weight") and weights.ndim == 2:
            torch.nn.init.normal_(weights, std=0.12)
    config.save_pretrained(directory)
    save_file(pack(net.state_dict()), directory / "model.safetensors")
    files = {name: sha256(directory / name) for name in ("config.json", "model.safetensors", "tokenizer.json")}
    manifest = msgspec.structs.replace(tiny, files=files, pooling=pooling, end_id=2, tokens_max=TOKENS_MAX)
    write_manifest(directory, manifest)
    return directory


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return version(tmp_path_factory.mktemp("bert") / "1", BertConfig(**SHAPE), "question")


def pairs(count: int, seed: int = 5) -> list[tuple[str, str]]:
    """Invented pairs of every length, some without an entity, some too long."""
    draw = random.Random(seed)
    return [
        ("Acme"[: draw.randrange(5)], "".join(draw.choices("abc xyz恒兴", k=draw.randrange(1, 120))))
        for _ in range(count)
    ]


def items(scorer: OpenVinoScorer, asked: list[tuple[str, str]]) -> list[Encoded]:
    ticket = Ticket(Partition("news", 0), 1, 0)
    return [Encoded(ticket, place, row) for place, row in enumerate(scorer.encode(asked))]


@pytest.mark.parametrize("pooling", ["first", "mean", "last", "question"])
@pytest.mark.parametrize("family", [BertConfig, RobertaConfig, XLMRobertaConfig])
def test_it_computes_what_torch_computes(tmp_path: Path, family: type[PreTrainedConfig], pooling: str) -> None:
    directory = version(tmp_path / "1", family(**SHAPE), pooling)
    theirs, ours = TorchScorer.load(directory, device="cpu"), OpenVinoScorer.load(directory, dtype="float32")
    assert ours.backend == "openvino cpu float32"
    rows = theirs.encode(pairs(12))
    expected = theirs.logits(rows)
    for head, found in ours.logits(rows).items():
        np.testing.assert_allclose(found, expected[head], atol=2e-4)


@pytest.mark.parametrize("dtype", ["int8", "float32"])
def test_the_same_in_any_company_to_the_last_bit(bert: Path, dtype: str) -> None:
    scorer = OpenVinoScorer.load(bert, dtype=dtype, threads=2)  # type: ignore[arg-type]
    batch = items(scorer, pairs(80))
    alone = [scorer.score([item])[0] for item in batch]
    for seed in range(4):
        shuffled = random.Random(seed).sample(batch, len(batch))
        for size in (3, 40):
            for first in range(0, len(batch), size):
                part = shuffled[first : first + size]
                assert scorer.score(part) == [alone[item.index] for item in part]


def test_8_bits_stay_near_to_float32(bert: Path) -> None:
    whole, ours = OpenVinoScorer.load(bert, dtype="float32"), OpenVinoScorer.load(bert)
    batch = items(ours, pairs(60))
    moves = [
        abs(a - b)
        for one, other in zip(ours.score(batch), whole.score(batch), strict=True)
        for head in HEADS
        for a, b in zip(getattr(one, head), getattr(other, head), strict=True)
    ]
    assert max(moves) < INT8_LIMIT
    assert (max(moves) > 1e-5) == ours.backend.endswith("int8"), "the backend says what really runs"


def test_an_output_that_is_not_finite_is_told_by_its_score(bert: Path, tmp_path: Path) -> None:
    directory = tmp_path / "1"
    shutil.copytree(bert, directory)
    state = load_file(directory / "model.safetensors")
    state["heads.topic.bias"][0] = math.inf
    save_file(state, directory / "model.safetensors")
    manifest = read_manifest(directory)
    files = {**manifest.files, "model.safetensors": sha256(directory / "model.safetensors")}
    write_manifest(directory, msgspec.structs.replace(manifest, files=files))
    scorer = OpenVinoScorer.load(directory)
    assert all(math.isnan(found.risk_score) for found in scorer.score(items(scorer, pairs(3))))


@pytest.mark.parametrize(
    ("lengths", "tokens_max", "expected"),
    [
        ([], 10, []),
        ([3, 5, 3, 5], 10, [[1, 3], [0, 2]]),  # one length a slice, longest first
        ([4, 4, 4], 8, [[0, 1], [2]]),  # no more than the budget
        ([20, 4], 8, [[0], [1]]),  # what is longer than the budget stands alone
    ],
)
def test_slices_are_of_one_length(lengths: list[int], tokens_max: int, expected: list[list[int]]) -> None:
    assert equal_slices(lengths, tokens_max) == expected


def reconfigured(bert: Path, directory: Path, **changes: object) -> Path:
    """The version with another `config.json` or manifest, correctly hashed."""
    shutil.copytree(bert, directory)
    config = json.loads((directory / "config.json").read_text())
    (directory / "config.json").write_text(json.dumps(config | {k: v for k, v in changes.items() if k != "pooling"}))
    manifest = read_manifest(directory)
    files = {**manifest.files, "config.json": sha256(directory / "config.json")}
    pooling = str(changes.get("pooling", manifest.pooling))
    write_manifest(directory, msgspec.structs.replace(manifest, files=files, pooling=pooling))
    return directory


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"model_type": "deberta-v2"}, "model_type is 'deberta-v2', not one of ('bert', 'roberta', 'xlm-roberta')"),
        ({"hidden_act": "silu"}, "hidden_act is 'silu'"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type is 'relative_key'"),
        ({"pooling": "max"}, "pooling is 'max'"),
    ],
)
def test_what_the_graph_does_not_know_is_refused_by_name(
    bert: Path, tmp_path: Path, changes: dict[str, object], says: str
) -> None:
    with pytest.raises(OperatorError) as caught:
        OpenVinoScorer.load(reconfigured(bert, tmp_path / "1", **changes))
    assert says in str(caught.value) and "models.backend" in str(caught.value)


def test_weights_that_do_not_fit_are_refused(bert: Path, tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=r"does not fit config\.json"):
        OpenVinoScorer.load(reconfigured(bert, tmp_path / "1", num_hidden_layers=4))


CHOICES = [
    (("auto", "cpu", "auto"), "openvino cpu int8"),
    (("auto", "cpu", "float32"), "openvino cpu float32"),
    (("openvino", "auto", "auto"), "openvino cpu int8"),
    (("torch", "cpu", "auto"), "torch cpu float32"),
    (("openvino", "cuda", "auto"), "models.backend"),
    (("auto", "cpu", "bfloat16"), "models.dtype"),
    (("torch", "cpu", "bfloat16"), "models.dtype"),
    (("torch", "cpu", "int8"), "models.dtype"),
]


@pytest.mark.parametrize(("asked", "expected"), CHOICES, ids=[" ".join(asked) for asked, _ in CHOICES])
def test_the_backend_is_chosen_by_one_rule(bert: Path, asked: tuple[str, str, str], expected: str) -> None:
    backend, device, dtype = asked
    try:
        found = backends.load(bert, backend=backend, device=device, dtype=dtype, threads=1).backend  # type: ignore[arg-type]
    except OperatorError as error:
        found = error.thing
    assert found == expected


def test_a_model_that_the_graph_does_not_know_goes_to_torch(bert: Path, tmp_path: Path) -> None:
    directory = reconfigured(bert, tmp_path / "1", hidden_act="relu")
    assert AutoConfig.from_pretrained(directory).hidden_act == "relu"
    assert (
        backends.load(directory, backend="auto", device="cpu", dtype="auto", threads=1).backend == "torch cpu float32"
    )


WITHOUT_TORCH = """
import sys
class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "transformers"):
            raise ModuleNotFoundError(name, name=name)
def offline(event, args):
    if event in ("socket.connect", "socket.getaddrinfo"):
        raise RuntimeError(f"{event}{args}: nobody is asked")
sys.meta_path.insert(0, Nothing())
sys.addaudithook(offline)
from riskstream.cli import main
sys.argv = ["riskstream", "score", "--model", sys.argv[1]]
main()
"""


def test_the_base_install_scores_without_torch_and_asks_nobody() -> None:
    command = [sys.executable, "-c", WITHOUT_TORCH, str(TINY)]
    asked = '{"id": "1", "entity": "Acme", "text": "Acme files for bankruptcy"}\n'
    done = subprocess.run(command, input=asked, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["model"] == "tiny@1"
