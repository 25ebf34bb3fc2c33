"""The network that is trained: a base with fresh heads, frozen or adapted as the config says.

base ──► RiskNet ──► frozen | LoRA ──► (fit) ──► merged, auxiliary heads left out ──► a version
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from peft import LoraConfig as PeftConfig
from peft import get_peft_model
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import AutoConfig

from riskstream.core.errors import OperatorError
from riskstream.core.records import Labels
from riskstream.scoring.heads import HEADS, Pooling, RiskNet
from riskstream.scoring.weights import unpack
from riskstream.trainer.config import LoraConfig, TrainConfig

WEIGHTS, SHAPE = "model.safetensors", "config.json"


def head_sizes(labels: Labels) -> dict[str, int]:
    """The outputs of each head of a version."""
    return {head: len(getattr(labels, head)) for head in HEADS}


def base_shape(config: TrainConfig, base: Path) -> Any:
    """The configuration of the network: the base's, with the dropouts of the run."""
    if not (base / SHAPE).is_file():
        raise OperatorError("model.base", str(base), f"there is no {SHAPE} in it", "give the directory of a base")
    shape = AutoConfig.from_pretrained(base)
    shape.attention_probs_dropout_prob = config.fit.attention_dropout
    shape.hidden_dropout_prob = config.fit.hidden_dropout
    return shape


def base_net(config: TrainConfig, labels: Labels, base: Path) -> RiskNet:
    """The base of this directory with fresh heads, in float32, auxiliary heads included.

    Raises OperatorError where the base is missing or its weights do not fit its configuration.
    """
    if not (base / WEIGHTS).is_file():
        raise OperatorError("model.base", str(base), f"there is no {WEIGHTS} in it", "give the directory of a base")
    sizes = head_sizes(labels) | {head.name: len(head.labels) for head in config.auxiliary}
    net = RiskNet(base_shape(config, base), sizes, cast("Pooling", config.model.pooling), end_id(base))
    state = {name: tensor.float() for name, tensor in load_file(base / WEIGHTS).items()}
    net.dropout.p = config.fit.head_dropout
    missing, unexpected = net.encoder.load_state_dict(state, strict=False)
    lacking = [name for name in missing if not name.endswith("position_ids")]
    beyond = [name for name in unexpected if not name.startswith("pooler.")]
    if lacking or beyond:
        raise OperatorError(
            "model.base", str(base), f"weights do not fit: {lacking[:3]} {beyond[:3]}", f"check {SHAPE}"
        )
    net.encoder.set_attn_implementation(config.fit.attention)
    return net


def layers_of(encoder: nn.Module) -> list[nn.Module]:
    """The encoder's stack of layers, lowest first: its longest ModuleList."""
    stacks = [module for module in encoder.modules() if isinstance(module, nn.ModuleList)]
    return list(max(stacks, key=lambda stack: sum(1 for _ in stack), default=[]))


def freeze(net: RiskNet, config: TrainConfig) -> None:
    """Leave the word embeddings, and with frozen layers all that lies below them, as the base has them."""
    if config.model.freeze_embeddings:
        net.encoder.get_input_embeddings().requires_grad_(False)
    if config.model.freeze_layers:
        for name, module in net.encoder.named_children():
            if "embed" in name:
                module.requires_grad_(False)
        for layer in layers_of(net.encoder)[: config.model.freeze_layers]:
            layer.requires_grad_(False)


def adapt(net: RiskNet, config: LoraConfig) -> None:
    """Put low-rank adapters beside the encoder's linear layers; of the encoder, they alone are trained."""
    names = [
        name
        for name, module in net.encoder.named_modules()
        if isinstance(module, nn.Linear) and name.endswith(config.targets)
    ]
    if not names:
        raise OperatorError("lora.targets", list(config.targets), "no linear layer ends so", "name layers of this base")
    adapters = PeftConfig(r=config.rank, lora_alpha=config.alpha, lora_dropout=config.dropout, target_modules=names)
    net.encoder = get_peft_model(net.encoder, adapters)


def merged(net: RiskNet) -> dict[str, Tensor]:
    """The plain weights of a version: adapters added to what they adapt, auxiliary heads left out."""
    if hasattr(net.encoder, "merge_and_unload"):
        net.encoder = net.encoder.merge_and_unload()
    wanted = {f"heads.{head}" for head in HEADS}
    return {
        name: tensor.detach().cpu().contiguous()
        for name, tensor in net.state_dict().items()
        if not name.startswith("heads.") or name.rpartition(".")[0] in wanted
    }


def load_start(net: RiskNet, path: Path) -> None:
    """Begin from a checkpoint or a version's weights, by name; a head that it lacks stays fresh."""
    if not path.is_file():
        raise OperatorError(
            "fit.start", str(path), "there is no such file", "give a net.safetensors, or leave it empty"
        )
    missing, unexpected = net.load_state_dict(unpack(load_file(path)), strict=False)
    lacking = [name for name in missing if not name.startswith("heads.")]
    if lacking or unexpected:
        raise OperatorError(
            "fit.start", str(path), f"does not fit the base: {(lacking + unexpected)[:3]}", "correct it"
        )


def pad_id(base: Path) -> int:
    """The id that fills a batch's rectangle."""
    found = json.loads((base / SHAPE).read_text()).get("pad_token_id")
    return 0 if found is None else int(found)


def end_id(base: Path) -> int:
    """The token that ends a segment, as the base's own tokenizer frames it; -1 where it sets no frame."""
    framed = Tokenizer.from_file(str(base / "tokenizer.json")).encode("").ids
    return int(framed[-1]) if framed else -1
