"""The card of a version: what it is for, what it was taught with, how good it is, and where it fails."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from riskstream.scoring.manifest import Manifest
from riskstream.trainer.config import TrainConfig

HEAD = """# {name}@{version}

Reads a text about money in English or Chinese, for one watched entity or for the text as a whole, and says how the
news stands for it: `sentiment`, `severity`, kinds of `risk`, `topic`, and `risk_score`, the calibrated probability of
`material` or `severe`, which is what a risk desk would want today.

Made from `{parent}` by `riskstream train --config config/train/finrisk.toml`, {steps} steps
({epochs:.2f} passes over the mix, {minutes:.0f} minutes on {device}). {code}.

## What it was taught with

{files}

Training saw the rows of split `train` alone; temperatures, the risk score and all thresholds were fitted on `valid`;
`test` was measured at those thresholds. None of the texts is in this repository but those of `config/train/rows`.

| what | from | licence |
|---|---|---|
| base encoder | multilingual-e5-small, cut to English and Chinese pieces | MIT |
| tweets: sentiment, topic | Twitter Financial News Sentiment and Topic (zeroshot) | MIT |
| headlines: sentiment per entity | SEntFiN 1.0 (Sinha, Kedas, Kumar, Malo) | MIT |
| severity and risk of real headlines and tweets | rows of the above, labelled for this project | MIT |
| sentences of annual reports, Chinese: an auxiliary head that is not shipped | MCRLS | CC BY 4.0 |
| written examples and passages, English and Chinese | written for this project; names are invented | Apache-2.0 |
| 1,209 more: rare kinds, talk, traps, one event by degrees, two answers | `config/train/rows`, invented | Apache-2.0 |

The weights are offered under Apache-2.0. The licences of tweet and headline sets cover labels and compilation; the
texts remain their publishers'.

## Whose judgement the labels are

Severity and risk are one careful opinion: a first reader labelled by one page of guidelines, a second reader from the
same page agreed on severity in 96 % of 500 rows (kappa 0.93; category kappas 0.75 to 1.0). Both share a background;
people would agree less. Sentiment and topic are the labels of the published sets.

"""
LIMITS = """
## Limits

- Chinese was learnt from about 1,000 written rows and what carries over from English; real Chinese news was not
  available to train or to measure on. The Chinese figures above are of written test rows, hard on purpose.
- Where one text is good for one entity and bad for another, it still often gives both the same sentiment: `pairs_right`
  is the share of such texts with both right.
- `cyber`, `liquidity` and `fraud` are rare in real headlines: their figures rest on written rows.
- Tweets and headlines of 2012 to 2022 shape the neutral class. Long articles are cut at {tokens_max} tokens.
- Every draw of the real rows but one was skewed on purpose, so the base rate of a feed of yours will differ:
  watch `risk_score` against labels of your own before you act on its level alone.
- An order to the reader inside a text moves a score a little (`docs/evaluation.md`): do not let strangers write what an
  alert rests on alone.
- It reads one text at a time, knows nothing of what happened since, and is no advice on any security.
"""


def card(config: TrainConfig, manifest: Manifest, fit: Mapping[str, Any]) -> str:
    """The Markdown of a version's card. `fit` are the figures of the run."""
    files = "\n".join(
        f"- `{file.path}`, {file.repeat:g} × an epoch" for file in config.data.files if "test." not in file.path
    )
    head = HEAD.format(
        name=manifest.name,
        version=manifest.version,
        parent=manifest.parent,
        steps=fit["steps"],
        epochs=fit["epochs"],
        minutes=fit["seconds"] / 60,
        device="two CPU cores that other work shared" if fit["device"] == "cpu" else fit["device"],
        code=manifest.code or "Written by riskstream",
        files=files,
    )
    tables = "".join(f"## Figures on `{split}`\n\n{table(manifest.metrics[split])}\n" for split in ("test", "valid"))
    packing = manifest.metrics.get("packing_loss", {})
    note = ", ".join(f"{name} {value:+.4f}" for name, value in packing.items())
    return (
        head
        + tables
        + (f"Packing to int8 moved, on `valid`: {note}.\n" if note else "")
        + LIMITS.format(tokens_max=manifest.tokens_max)
    )


def table(figures: Mapping[str, Any]) -> str:
    """One line a slice and head, with the figures that belong to the head."""
    lines = ["| slice | head | n | figures |", "|---|---|---|---|"]
    for name, heads in figures.items():
        for head, values in heads.items():
            shown = ", ".join(
                f"{key} {value:.3f}" if isinstance(value, float) else f"{key} {value}"
                for key, value in values.items()
                if key not in ("n", "each") and value is not None
            )
            lines.append(f"| {name} | {head} | {values['n']} | {shown} |")
    return "\n".join(lines) + "\n"
