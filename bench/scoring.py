"""Scoring on a CPU against what people would use instead: the same weights and texts, whole path, in one run.

    python -m bench.scoring [--texts 256] [--rounds 5] [--seconds 240] [--model DIR] [--only NAME …]

`times` is how many texts each peer scores where `transformers.pipeline` scores one, in the same round: the median over
the rounds and its range, by the clock and by the CPU's own seconds. F1 is of the rows that people labelled, and is told
for the same texts for all; `--quality N` tells what 8 bits cost over N texts, riskstream alone. No cache anywhere.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from bench import peers, rounds
from bench.texts import DATA, Text, texts
from riskstream.core.records import Labels
from riskstream.scoring.manifest import read_manifest
from riskstream.service.cores import usable_cores

MODELS = Path(__file__).parent.parent / "models" / "finrisk"
BASE = "transformers.pipeline, batch 32"


def made(directory: Path, threads: int, folder: Path, only: list[str]) -> dict[str, peers.Peer]:
    """The peers, loaded."""
    makers: dict[str, Any] = {
        BASE: lambda: peers.pipeline(directory, threads, by_length=False),
        "transformers.pipeline, sorted": lambda: peers.pipeline(directory, threads, by_length=True),
        "sentence-transformers + heads": lambda: peers.sentence_transformers(directory, threads, folder / "st"),
        "ONNX Runtime dynamic int8 (*)": lambda: peers.bare_onnx(directory, threads, folder),
        "OpenVINO int8, bare loop": lambda: peers.bare_openvino(directory, threads),
        "riskstream, float32": lambda: peers.riskstream(directory, threads, "float32"),
        "riskstream": lambda: peers.riskstream(directory, threads),
    }
    kept = [name for name in makers if not only or name == BASE or any(part in name for part in only)]
    return {name: makers[name]() for name in kept}


def f1(answers: peers.Answers, asked: list[Text], labels: Labels) -> dict[str, float]:
    """Macro-F1, in percent, of sentiment and severity over the rows that have the label."""
    found: dict[str, float] = {}
    for column, head in enumerate(("sentiment", "severity")):
        names: tuple[str, ...] = getattr(labels, head)
        rows = [(one.labels[head], answers[place, column]) for place, one in enumerate(asked) if head in one.labels]
        truth = np.array([names.index(told) if isinstance(told, str) else told for told, _ in rows])
        guess = np.array([guessed for _, guessed in rows])
        scores = []
        for label in range(len(names)):
            hit = int(((truth == label) & (guess == label)).sum())
            both = int((truth == label).sum() + (guess == label).sum())
            if both:
                scores.append(2 * hit / both)
        if scores:
            found[head] = round(100 * float(np.mean(scores)), 2)
    return found


def main() -> None:
    """Load, warm up, alternate, tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=256)
    parser.add_argument("--quality", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=240)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--model", type=Path, default=MODELS / (MODELS / "champion").read_text().strip())
    options = parser.parse_args()
    threads, manifest = usable_cores(), read_manifest(options.model)
    source, asked = texts(options.texts, options.data)
    pairs = [(one.entity, one.text) for one in asked]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "st").mkdir()
        loaded = made(options.model, threads, Path(folder), options.only)
        answers = {name: peer(pairs) for name, peer in loaded.items()}  # warms up, too
        bound = {name: (lambda peer=peer: peer(pairs)) for name, peer in loaded.items()}
        timings = rounds.run(bound, rounds=options.rounds, seconds_max=options.seconds)
    figures: dict[str, Any] = {}
    for name, timing in timings.items():
        base = timings[BASE]
        figures[name] = {
            "texts_s": round(len(pairs) / float(np.median(timing.wall)), 1),
            "times": rounds.ratio(base.wall, timing.wall),
            "times_cpu": rounds.ratio(base.cpu, timing.cpu),
            "f1": f1(answers[name], asked, manifest.labels),
        }
    told = [
        [
            name,
            one["texts_s"],
            f"{one['times']['median']:.2f}",
            f"{one['times']['least']:.2f}–{one['times']['greatest']:.2f}",
            f"{one['times_cpu']['median']:.2f}",
            *(one["f1"].get(head, "-") for head in ("sentiment", "severity")),
        ]
        for name, one in figures.items()
    ]
    print(
        f"{len(pairs)} texts of {source}, {manifest.name}@{manifest.version}, {len(timings[BASE].wall)} rounds, "
        f"{threads} threads, load {os.getloadavg()[0]:.0f}"
    )
    print(rounds.table(["peer", "texts/s", "times", "range", "times, CPU", "F1 sentiment", "F1 severity"], told))
    print("(*) its probabilities depend on the texts of the batch")
    result: dict[str, Any] = {"texts": len(pairs), "source": source, "threads": threads, "peers": figures}
    if options.quality:
        result["quality"] = quality(options.model, threads, options.data, options.quality, manifest.labels)
    print(json.dumps(result, ensure_ascii=False))


def quality(directory: Path, threads: int, data: Path, count: int, labels: Labels) -> dict[str, Any]:
    """What 8 bits cost in F1, over more texts than the peers have time for."""
    _, asked = texts(count, data)
    pairs = [(one.entity, one.text) for one in asked]
    exact, ours = (f1(peers.riskstream(directory, threads, d)(pairs), asked, labels) for d in ("float32", "int8"))
    lost = {head: round(exact[head] - ours[head], 2) for head in exact}
    print(f"F1 over {len(pairs)} texts: float32 {exact}, int8 {ours}, lost {lost} points")
    return {"texts": len(pairs), "float32": exact, "int8": ours, "lost": lost}


if __name__ == "__main__":
    main()
