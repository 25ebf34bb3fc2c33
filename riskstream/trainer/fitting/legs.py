"""A run in legs: each goes on from the weights that the one before left, with a fresh optimiser and schedule.

    base ──leg 1──► <out>/leg-1 ──leg 2──► <out>/leg-2 ──last──► <out>

A rate that rises again shakes the weights out of where the last leg settled, and a leg is a place to stop at: one that
is done is not done again when the same command is given a second time.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path

import msgspec
import torch

from riskstream.core.records import Labels
from riskstream.trainer.config import Leg, TrainConfig
from riskstream.trainer.data.examples import Example
from riskstream.trainer.fitting.fit import NET, REPORT, FitReport, fit, is_main

log = logging.getLogger(__name__)
DONE = "leg.json"


class Done(msgspec.Struct, frozen=True):
    """That a leg is done: the hash of the config that it was done with, and its own report."""

    config: str
    report: FitReport


def fit_legs(
    config: TrainConfig, labels: Labels, train: Sequence[Example], valid: Sequence[Example], out: Path
) -> FitReport:
    """Run the legs of the config (none: one run), and leave in `out` the last one's weights and the sum of reports."""
    if not config.legs:
        return fit(config, labels, train, valid, out)
    reports: list[FitReport] = []
    start = config.fit.start
    for number, leg in enumerate(config.legs, start=1):
        told = with_leg(config, leg, start)
        folder = out if number == len(config.legs) else out / f"leg-{number}"
        log.info("leg %d of %d, in %s", number, len(config.legs), folder)
        reports.append(_once(told, labels, train, valid, folder))
        start = str(folder / NET)
    whole = summed(reports)
    if is_main():
        (out / REPORT).write_bytes(msgspec.json.encode(whole))
    return whole


def with_leg(config: TrainConfig, leg: Leg, start: str) -> TrainConfig:
    """The config of one leg as a run of its own."""
    return msgspec.structs.replace(
        config, legs=(), fit=msgspec.structs.replace(config.fit, start=start, **msgspec.structs.asdict(leg))
    )


def summed(reports: Sequence[FitReport]) -> FitReport:
    """The legs as one run: what they did together, and how the last one ended."""
    tokens = sum(report.tokens for report in reports)
    return msgspec.structs.replace(
        reports[-1],
        steps=sum(report.steps for report in reports),
        epochs=sum(report.epochs for report in reports),
        seconds=sum(report.seconds for report in reports),
        tokens=tokens,
        padding=sum(report.padding * report.tokens for report in reports) / max(1, tokens),
    )


def _once(
    config: TrainConfig, labels: Labels, train: Sequence[Example], valid: Sequence[Example], folder: Path
) -> FitReport:
    """The leg's report, from its folder where it was done by this very config before."""
    mark, file = hashlib.sha256(msgspec.json.encode(config)).hexdigest(), folder / DONE
    if file.is_file() and (folder / NET).is_file():
        done = msgspec.json.decode(file.read_bytes(), type=Done)
        if done.config == mark:
            log.info("done before")
            return done.report
    report = fit(config, labels, train, valid, folder)
    if is_main():
        file.write_bytes(msgspec.json.encode(Done(mark, report)))
    wait_for_all()
    return report


def wait_for_all() -> None:
    """Until every process of the run is here: the next leg reads what the first process wrote."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.barrier()
