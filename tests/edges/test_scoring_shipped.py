"""The shipped weights, on invented sentences: who runs riskstream gets sense out of the box, and the same twice."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from riskstream.core.records import Encoded, Partition, Prediction, Ticket
from riskstream.scoring.golden import check_golden
from riskstream.scoring.openvino_backend import OpenVinoScorer
from riskstream.scoring.torch_backend import TorchScorer

ROOT = Path(__file__).parents[2] / "models" / "finrisk"
TICKET = Ticket(Partition("news", 0), 1, 0)
WEIGHTS_BYTES_MAX = 40 * 2**20

ALARMS = [
    ("Ostrava Retail", "Ostrava Retail files for Chapter 11 bankruptcy after missing bond payments"),
    ("Keldon Bank", "Depositors rush to withdraw cash from Keldon Bank as regulators freeze redemptions"),
    ("Brightwell", "Brightwell founder arrested on charges of accounting fraud"),
    ("恒岭地产", "恒岭地产未能按期兑付到期债券本息，构成实质性违约"),
    ("瑞澜科技", "瑞澜科技因涉嫌财务造假被证监会立案调查，股价跌停"),
]
QUIET = [
    ("Ostrava Retail", "Ostrava Retail beats quarterly estimates and raises its dividend"),
    ("Keldon Bank", "Keldon Bank to present at an investor conference next week"),
    ("Brightwell", "Brightwell wins record order, shares rise 6%"),
    ("恒岭地产", "恒岭地产前三季度净利润同比增长两成，上调全年目标"),
    ("瑞澜科技", "瑞澜科技将于下周召开年度股东大会"),
]
PAIRS = [
    ("Acrolite", "Borgens", "Acrolite shares surge after profit doubles while Borgens plunges on a heavy loss"),
    ("Norvane", "Tellumar", "Norvane wins $400 million verdict against Tellumar"),
]
"""(who it is good for, who it is bad for, text)"""


Shipped = TorchScorer | OpenVinoScorer


@pytest.fixture(scope="module", params=[TorchScorer, OpenVinoScorer])
def shipped(request: pytest.FixtureRequest) -> Shipped:
    """The champion, on every backend that ships."""
    return request.param.load(ROOT / (ROOT / "champion").read_text().strip())  # type: ignore[no-any-return]


def items(scorer: Shipped, pairs: list[tuple[str, str]]) -> list[Encoded]:
    return [Encoded(TICKET, index, tokens) for index, tokens in enumerate(scorer.encode(pairs))]


def score(scorer: Shipped, pairs: list[tuple[str, str]]) -> list[Prediction]:
    return scorer.score(items(scorer, pairs))


def test_the_weights_fit_their_limit(shipped: Shipped) -> None:
    assert shipped.name == f"finrisk@{shipped.manifest.version}"
    size = (ROOT / shipped.manifest.version / "model.safetensors").stat().st_size
    assert size <= WEIGHTS_BYTES_MAX
    wanted = {"card.md", "config.json", "golden.json", "model.safetensors", "tokenizer.json"}
    assert wanted == set(shipped.manifest.files)


def test_it_scores_as_it_did_when_it_was_published(shipped: Shipped) -> None:
    check_golden(shipped, ROOT / shipped.manifest.version)


def test_trouble_scores_above_the_threshold_and_calm_below(shipped: Shipped) -> None:
    limit = shipped.manifest.thresholds.risk_score
    found = score(shipped, ALARMS + QUIET)
    loud = [round(one.risk_score, 3) for one in found[: len(ALARMS)]]
    calm = [round(one.risk_score, 3) for one in found[len(ALARMS) :]]
    assert min(loud) >= limit > max(calm), (loud, calm)
    negative = shipped.labels.sentiment.index("negative")
    assert all(one.sentiment[negative] > 0.5 for one in found[: len(ALARMS)])
    assert all(one.sentiment[negative] < 0.5 for one in found[len(ALARMS) :])


@pytest.mark.parametrize(("good", "bad", "text"), PAIRS)
def test_the_entity_decides_whose_news_it_is(shipped: Shipped, good: str, bad: str, text: str) -> None:
    for_good, for_bad = score(shipped, [(good, text), (bad, text)])
    negative, positive = map(shipped.labels.sentiment.index, ("negative", "positive"))
    assert for_good.sentiment[positive] > for_good.sentiment[negative]
    assert for_bad.sentiment[negative] > for_bad.sentiment[positive]
    assert for_good.risk_score < shipped.manifest.thresholds.risk_score <= for_bad.risk_score


def test_a_kind_of_risk_is_named(shipped: Shipped) -> None:
    default, breach = score(shipped, [ALARMS[0], ("Palmetto Pay", "Hackers stole customer data from Palmetto Pay")])
    assert shipped.labels.risk[max(range(12), key=default.risk.__getitem__)] == "credit"
    assert shipped.labels.risk[max(range(12), key=breach.risk.__getitem__)] == "cyber"


def test_a_score_does_not_depend_on_its_company(shipped: Shipped) -> None:
    """The promise of the design: no probability moves by more than 0.005 with batch mates, padding or place."""
    long = [("Keldon Bank", "Keldon Bank said on Monday that " + "results were mixed and " * 12 + "guidance was cut")]
    batch = items(shipped, ALARMS + QUIET + long)
    first = dict(zip((item.index for item in batch), shipped.score(batch), strict=True))
    moves = []
    for seed in range(3):
        order = random.Random(seed).sample(batch, len(batch))
        for size in (3, 7):
            for start in range(0, len(order), size):
                group = order[start : start + size]
                for item, found in zip(group, shipped.score(group), strict=True):
                    moves.append(distance(found, first[item.index]))
    assert len(moves) == 6 * len(batch)
    assert max(moves) <= 0.005


def distance(one: Prediction, other: Prediction) -> float:
    """The largest move of any probability."""
    heads = ("sentiment", "severity", "risk", "topic")
    moves = [abs(a - b) for head in heads for a, b in zip(getattr(one, head), getattr(other, head), strict=True)]
    return max(*moves, abs(one.risk_score - other.risk_score))
