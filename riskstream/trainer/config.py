"""What a training run is told: one TOML file, read once. Every key is explained in `config/train/finrisk.toml`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from riskstream.core.errors import OperatorError

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


class DataFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One labelled file, relative to `data.root`, and how often its training rows come in an epoch (0.5: half).

    `source` and `licence` are for the data card: who made it, and what may be done with it. `root` is another root than
    `data.root`, for rows that a project keeps itself; all of split `train`, as nothing is measured on them.
    """

    path: str
    root: str = ""
    repeat: float = 1.0
    source: str = ""
    licence: str = ""


class SplitShares(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What of the texts without a `split` is measured on; the rest is trained on."""

    valid: Share = 0.1
    test: Share = 0.1


class DataConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the rows are, and which of them are kept from training.

    `near_duplicates`: a training row is dropped whose text shares at least this much (Jaccard, of pieces of a word's
    length) with one of another split; lower drops more; 0 looks for none, and refuses a text that stands on both sides.
    `second_reader`: the same rows labelled again, for the agreement in the data card.
    """

    root: str
    files: tuple[DataFile, ...]
    near_duplicates: Share = 0.0
    split: SplitShares = SplitShares()
    second_reader: str = ""


class LabelConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The label names per head, in the order of the outputs."""

    sentiment: tuple[str, ...]
    severity: tuple[str, ...]
    risk: tuple[str, ...]
    topic: tuple[str, ...] = ()


class ModelConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The base, what is left of it, and how the version is named.

    `keep_layers` are the layers that stay, by number, in order (empty: all). `vocabulary_min` drops word pieces that
    occur less often in the training texts (0: none).
    """

    base: str
    name: str
    version: str
    pooling: str = "mean"
    tokens_max: int = 256
    freeze_embeddings: bool = True
    freeze_layers: int = 0
    keep_layers: tuple[int, ...] = ()
    vocabulary_min: int = 0


class FitConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How it is trained. Shares are 0 to 1; every key is explained in `config/train/finrisk.toml`."""

    seed: int
    epochs: float
    minutes_max: float
    tokens_max: int
    batch_tokens: int
    learning_rate: float
    head_learning_rate: float
    weight_decay: float
    warmup_share: float
    clip_norm: float
    order_weight: float
    positive_weight_max: float
    label_smoothing: float
    head_weights: dict[str, float]
    schedule: Literal["linear", "cosine"] = "linear"
    layer_decay: float = 1.0
    accumulation: int = 1
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    gradient_checkpointing: bool = False
    attention: Literal["eager", "sdpa"] = "eager"
    hidden_dropout: float = 0.1
    head_dropout: float = 0.1
    attention_dropout: float = 0.0
    focal_gamma: float = 0.0
    contrast_weight: float = 0.0
    threads: int = 2
    average_decay: float = 0.0
    adversarial_norm: float = 0.0
    seeds: tuple[int, ...] = ()
    evaluations: int = 0
    patience: int = 3
    metric: str = "severity.kappa"
    checkpoint_minutes: float = 10.0
    report_to: tuple[str, ...] = ()
    start: str = ""


class Leg(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One run of several, each from the weights that the one before left; what it names is set in `fit`."""

    epochs: float
    minutes_max: float
    learning_rate: float
    head_learning_rate: float
    seed: int


class CalibrationConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What thresholds are chosen for, on `valid`.

    `recall`: of material and severe rows that the risk score's default threshold finds. `recall_part`: the file whose
    rows say so (empty: all). `risk_precision`: that each category's threshold must have; of those that do, it has the
    best F1.
    """

    recall: Share = 0.9
    recall_part: str = ""
    risk_precision: Share = 0.0


class LoraConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Low-rank adapters in place of full fine-tuning; rank 0 is off. `targets` end the names of linear layers."""

    rank: int = 0
    alpha: int = 16
    dropout: float = 0.05
    targets: tuple[str, ...] = ("query", "key", "value", "dense")


class DistilConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Learning from a finished version too. `weight` is its share of the loss; `heads` are those that it teaches."""

    teacher: str = ""
    heads: tuple[str, ...] = ("sentiment", "severity", "risk", "topic")
    weight: float = 0.5
    temperature: float = 2.0


class AuxiliaryHead(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A head that helps to train the encoder and is left out of the version: a single label a row."""

    name: str
    labels: tuple[str, ...]
    weight: float = 0.3


class SearchConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `train --search N` tries: a key of `fit`, and the lowest and highest value, searched on a log scale."""

    ranges: dict[str, tuple[float, float]] = {}
    minutes_max: float = 5.0


class AugmentConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Shares of training rows that are altered each time they are drawn (0 to 1); `contrast` is a factor."""

    blank: float
    swap: float
    case: float
    cashtag: float
    join: float = 0.0
    contrast: float = 1.0
    orders: float = 0.0


class RewriteConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Shares of training texts that are written otherwise each time they are drawn (0 to 1; 0: never).

    `synonyms`: words are replaced by others of the lexicon. `typos`: letters are swapped, dropped or doubled.
    `dressing`: another case, other marks, another width. `rename`: the entity becomes one of `watchlists`. `translate`:
    the text becomes what `translate_command` gave for it (lines in, as many lines out). More makes a model less bound
    to wording, and slower to learn it.
    """

    synonyms: Share = 0.0
    typos: Share = 0.0
    dressing: Share = 0.0
    rename: Share = 0.0
    watchlists: tuple[str, ...] = ()
    translate: Share = 0.0
    translate_command: tuple[str, ...] = ()
    translate_timeout_s: float = 3600.0


class TrainConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole run. `cache` holds checkpoints, outside git; `models` is where versions are published."""

    data: DataConfig
    labels: LabelConfig
    model: ModelConfig
    fit: FitConfig
    augment: AugmentConfig
    rewrite: RewriteConfig = RewriteConfig()
    lora: LoraConfig = LoraConfig()
    distil: DistilConfig = DistilConfig()
    search: SearchConfig = SearchConfig()
    calibration: CalibrationConfig = CalibrationConfig()
    legs: tuple[Leg, ...] = ()
    auxiliary: tuple[AuxiliaryHead, ...] = ()
    cache: str = ".cache/train"
    models: str = "models"


def load_config(path: Path) -> TrainConfig:
    """Read and check a training file. Raises OperatorError naming the file and what is wrong in it."""
    try:
        return msgspec.toml.decode(path.read_bytes(), type=TrainConfig)
    except FileNotFoundError as error:
        raise OperatorError(
            "train --config", str(path), "there is no such file", "give a file of config/train"
        ) from error
    except (ValueError, RecursionError) as error:
        raise OperatorError(
            "train --config", str(path), str(error), "correct that key; finrisk.toml explains all"
        ) from error
