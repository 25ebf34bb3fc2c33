"""What people would score with instead: each over the same weights, each a function from texts to answers.

Tokenising is inside, and batches are sorted by length wherever a peer's own interface lets one. An answer is the label
of `sentiment` and of `severity`, by number, so that every peer's F1 can be told from the same rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file
from torch import Tensor, nn

from riskstream.core.lanes.batching import Batcher
from riskstream.core.records import Encoded, Partition, Ticket
from riskstream.scoring.graph import build
from riskstream.scoring.heads import HEADS, RiskNet, first_segment, pad, pool
from riskstream.scoring.manifest import TOKENIZER, WEIGHTS, Manifest, read_manifest
from riskstream.scoring.openvino_backend import GROUP, OpenVinoScorer, read_config
from riskstream.scoring.torch_backend import TorchScorer
from riskstream.sections import Batching
from riskstream.service.parts import batch_limits

Pairs = Sequence[tuple[str, str]]
Answers = NDArray[np.int64]
Peer = Callable[[Pairs], Answers]
LANE = Partition("bench", 0)
BATCH = 32


def riskstream(directory: Path, threads: int, dtype: Any = "int8") -> Peer:
    """Our whole path without a broker: tokenise, micro-batch with the default limits, model, calibrated predictions."""
    scorer, limits = OpenVinoScorer.load(directory, dtype=dtype, threads=threads), batch_limits(Batching())

    def score(pairs: Pairs) -> Answers:
        batcher, found = Batcher(limits), np.empty((len(pairs), 2), np.int64)
        for place, row in enumerate(scorer.encode(pairs)):
            batcher.add(Encoded(Ticket(LANE, 0, place), 0, row), now_ms=0)
        while batch := batcher.take(now_ms=0):
            for item, one in zip(batch.items, scorer.score(batch.items), strict=True):
                found[item.ticket.sequence] = np.argmax(one.sentiment), np.argmax(one.severity)
        return found

    return score


def bare_openvino(directory: Path, threads: int) -> Peer:
    """The same graph and kernels in the loop that one would write: batches of one length, one at a time, all cores."""
    manifest, scorer = read_manifest(directory), OpenVinoScorer.load(directory, threads=1)
    graph = build(read_config(directory), manifest, load_file(directory / WEIGHTS), HEADS)
    hints = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    compiled = ov.Core().compile_model(graph, "CPU", {**hints, "DYNAMIC_QUANTIZATION_GROUP_SIZE": GROUP})
    answers = _answers(manifest)

    def score(pairs: Pairs) -> Answers:
        rows, found = scorer.encode(pairs), np.empty((len(pairs), 2), np.int64)
        for places in _sorted_batches(rows, one_length=True):
            found[places] = answers(compiled([np.array([rows[i] for i in places], np.int32)])[0])
        return found

    return score


def bare_onnx(directory: Path, threads: int, folder: Path) -> Peer:
    """ONNX Runtime's dynamic int8, sorted batches of 32. It breaks the promise: one scale for a whole batch."""
    import onnxruntime as ort
    from onnxruntime.quantization import QuantType, quantize_dynamic

    scorer = TorchScorer.load(directory, device="cpu", threads=threads)
    whole, small = folder / "model.onnx", folder / "model.int8.onnx"
    names = {"ids": {0: "texts", 1: "tokens"}, "mask": {0: "texts", 1: "tokens"}}
    example = pad(scorer.encode([("Acme", "Acme pays"), ("", "quiet")]), scorer.manifest.pad_id)
    torch.onnx.export(
        _Joined(scorer.net), example, whole, input_names=["ids", "mask"], output_names=["logits"],
        dynamic_axes=names, dynamo=False, opset_version=17,
    )  # fmt: skip
    quantize_dynamic(whole, small, weight_type=QuantType.QInt8)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session, answers = ort.InferenceSession(small, options), _answers(scorer.manifest)

    def score(pairs: Pairs) -> Answers:
        rows, found = scorer.encode(pairs), np.empty((len(pairs), 2), np.int64)
        for places in _sorted_batches(rows):
            ids, mask = pad([rows[i] for i in places], scorer.manifest.pad_id)
            found[places] = answers(session.run(None, {"ids": ids.numpy(), "mask": mask.numpy()})[0])
        return found

    return score


def pipeline(directory: Path, threads: int, *, by_length: bool) -> Peer:
    """`transformers`' text-classification pipeline, batch 32: as it comes, or with its texts sorted first."""
    from transformers import AutoConfig, PreTrainedModel, PreTrainedTokenizerFast, TextClassificationPipeline
    from transformers.modeling_outputs import SequenceClassifierOutput
    from transformers.utils import logging

    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    scorer = TorchScorer.load(directory, device="cpu", threads=threads)
    manifest, config = scorer.manifest, AutoConfig.from_pretrained(directory)
    config.num_labels, config.problem_type = sum(_sizes(manifest)), "multi_label_classification"

    class Classifier(PreTrainedModel):  # type: ignore[misc]
        config_class = type(config)

        def __init__(self) -> None:
            super().__init__(config)
            self.net = _Joined(scorer.net)

        def forward(self, input_ids: Tensor, attention_mask: Tensor, **_: Any) -> Any:
            return SequenceClassifierOutput(logits=self.net(input_ids, attention_mask))

    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(directory / TOKENIZER), pad_token="<pad>")
    run = TextClassificationPipeline(model=Classifier().eval(), tokenizer=tokenizer, device="cpu")
    answers = _answers(manifest)

    def score(pairs: Pairs) -> Answers:
        order = sorted(range(len(pairs)), key=lambda i: len(pairs[i][1])) if by_length else range(len(pairs))
        asked = [{"text": e, "text_pair": t} if e else {"text": t} for e, t in (pairs[i] for i in order)]
        told = run(asked, batch_size=BATCH, top_k=None, truncation=True, max_length=manifest.tokens_max)
        logits = np.empty((len(pairs), config.num_labels))
        for place, labels in zip(order, told, strict=True):
            for one in labels:
                logits[place, config.label2id[one["label"]]] = one["score"]
        return answers(logits)

    return score


def sentence_transformers(directory: Path, threads: int, folder: Path) -> Peer:
    """sentence-transformers' `encode`, batch 32, which sorts by itself, with our pooling as a module; then heads."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Transformer
    from transformers import PreTrainedTokenizerFast

    scorer = TorchScorer.load(directory, device="cpu", threads=threads)
    scorer.net.encoder.save_pretrained(folder)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(directory / TOKENIZER), pad_token="<pad>", model_max_length=scorer.tokens_max
    )
    tokenizer.save_pretrained(folder)
    model = SentenceTransformer(modules=[Transformer(str(folder)), _Pool(scorer.net)], device="cpu")
    answers = _answers(scorer.manifest)

    def score(pairs: Pairs) -> Answers:
        found = np.empty((len(pairs), 2), np.int64)
        for alone in (True, False):  # it takes pairs or texts, not both in one call
            places = [place for place, (entity, _) in enumerate(pairs) if alone == (not entity)]
            asked = [pairs[place][1] if alone else pairs[place] for place in places]
            if asked:
                pooled = model.encode(asked, batch_size=BATCH, convert_to_tensor=True)  # type: ignore[call-overload]
                with torch.inference_mode():
                    logits = torch.cat([head(pooled) for head in scorer.net.heads.values()], dim=-1)
                found[places] = answers(logits.numpy())
        return found

    return score


class _Joined(nn.Module):
    """The network with its heads side by side."""

    def __init__(self, net: RiskNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        return torch.cat(list(self.net(ids, mask).values()), dim=-1)


class _Pool(nn.Module):
    """Our pooling, for sentence-transformers."""

    def __init__(self, net: RiskNet) -> None:
        super().__init__()
        self.pooling, self.end_id = net.pooling, net.end_id

    def forward(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        ids, mask = features["input_ids"], features["attention_mask"]
        read = first_segment(ids, mask, self.end_id) if self.pooling == "question" else mask
        return {**features, "sentence_embedding": pool(features["token_embeddings"], read, self.pooling)}


def _sizes(manifest: Manifest) -> list[int]:
    return [len(getattr(manifest.labels, head)) for head in HEADS]


def _answers(manifest: Manifest) -> Callable[[Any], Answers]:
    """Logits of all heads to the answers."""
    sentiment, severity, *_ = np.cumsum(_sizes(manifest)).tolist()

    def read(logits: Any) -> Answers:
        return np.stack([logits[:, :sentiment].argmax(1), logits[:, sentiment:severity].argmax(1)], axis=1)

    return read


def _sorted_batches(rows: Sequence[tuple[int, ...]], *, one_length: bool = False) -> Iterator[list[int]]:
    """Places in batches of at most 32, by length."""
    batch: list[int] = []
    for place in sorted(range(len(rows)), key=lambda i: len(rows[i])):
        if batch and (len(batch) == BATCH or (one_length and len(rows[place]) != len(rows[batch[-1]]))):
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch
