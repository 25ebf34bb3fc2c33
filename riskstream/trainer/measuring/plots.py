"""The pictures of a report, as small SVG files whose bytes depend on the figures alone.

details of `all` (with curves) ──► reliability.svg  precision_recall.svg  confusion.svg  risk_score.svg
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK, MUTED, GRID = "#1d2733", "#5b6875", "#dde3e8"
BLUES = ("#9ecae1", "#4292c6", "#d98c3f", "#b3362b")
"""One colour a severity, from calm to alarming; told apart in grey, too."""
STYLE: dict[Any, Any] = {
    "svg.hashsalt": "riskstream",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
}
SCORE = "risk_score"


def draw(found: Mapping[str, Any], severities: tuple[str, ...], out: Path, suffix: str = "svg") -> list[str]:
    """Write the pictures that the details of a slice allow; returns the file names."""
    written = []
    with matplotlib.rc_context(STYLE):
        for name, picture in (
            ("reliability", reliability(found)),
            ("precision_recall", precision_recall(found)),
            ("confusion", confusion(found)),
            ("risk_score", histogram(found, severities)),
        ):
            if picture is not None:
                file = f"{name}.{suffix}"
                metadata = {"Date": None} if suffix == "svg" else {}
                picture.savefig(out / file, format=suffix, metadata=metadata, bbox_inches="tight", dpi=110)
                written.append(file)
    return written


def reliability(found: Mapping[str, Any]) -> Figure | None:
    """Stated against met confidence, a panel a head; the size of a dot is its share of the rows."""
    heads = [head for head, values in found.items() if values.get("reliability")]
    if not heads:
        return None
    figure, panels = _panels(len(heads))
    for axes, head in zip(panels, heads, strict=True):
        bins, n = found[head]["reliability"], found[head]["n"]
        axes.plot([0, 1], [0, 1], color=GRID, linewidth=1.2, zorder=1)
        stated, met = [one["stated"] for one in bins], [one["met"] for one in bins]
        axes.plot(stated, met, color=BLUES[1], linewidth=1.2, zorder=2)
        axes.scatter(stated, met, s=[12 + 240 * one["n"] / n for one in bins], color=BLUES[1], alpha=0.75, zorder=3)
        axes.set(xlim=(0, 1), ylim=(0, 1), title=f"{head}  ECE {found[head]['ece']:.3f}  n {n:,}", xlabel="stated")
        axes.set_aspect("equal")
    panels[0].set_ylabel("met")
    return figure


def precision_recall(found: Mapping[str, Any]) -> Figure | None:
    """The curve of the risk score, its threshold, and the base rate that guessing would give."""
    values = found.get(SCORE, {})
    curve = values.get("precision_recall")
    if not curve:
        return None
    figure, (axes,) = _panels(1, width=4.2)
    axes.plot([one["recall"] for one in curve], [one["precision"] for one in curve], color=BLUES[1], linewidth=1.6)
    base = curve[-1]["precision"] if curve[-1]["recall"] == 1.0 else None
    if values["precision"] is not None:
        axes.scatter([values["recall"]], [values["precision"]], color=BLUES[3], zorder=3)
        label = f"at {values['threshold']:.2f}"
        axes.annotate(label, (values["recall"], values["precision"]), (-6, -14), textcoords="offset points", ha="right")
    title = f"risk score  average precision {values['average_precision']:.3f}  n {values['n']:,}"
    axes.set(xlim=(0, 1.02), ylim=(0, 1.02), xlabel="recall of material and severe", ylabel="precision", title=title)
    if base is not None:
        axes.axhline(base, color=GRID, linewidth=1, zorder=0)
    return figure


def confusion(found: Mapping[str, Any]) -> Figure | None:
    """Truth down, answer across, for sentiment and severity; shade is the share of the row."""
    heads = [head for head in ("sentiment", "severity") if found.get(head, {}).get("confusion")]
    if not heads:
        return None
    figure, panels = _panels(len(heads), width=3.6, height=3.2)
    for axes, head in zip(panels, heads, strict=True):
        names, counts = found[head]["labels"], found[head]["confusion"]
        shares = [[cell / max(1, sum(row)) for cell in row] for row in counts]
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="equal")
        for y, row in enumerate(counts):
            for x, cell in enumerate(row):
                colour = "white" if shares[y][x] > 0.55 else INK
                text = f"{cell:,}\n{shares[y][x]:.0%}"
                axes.text(x, y, text, ha="center", va="center", color=colour, fontsize=8)
        axes.set_xticks(range(len(names)), names)
        axes.set_yticks(range(len(names)), names)
        axes.set(title=head, xlabel="answer")
        axes.tick_params(length=0)
    panels[0].set_ylabel("truth")
    return figure


def histogram(found: Mapping[str, Any], severities: tuple[str, ...]) -> Figure | None:
    """How the risk score spreads within each severity, as shares of that severity's rows."""
    values = found.get(SCORE, {})
    if not values.get("histogram"):
        return None
    figure, panels = _panels(len(severities), width=2.3, height=2.2)
    for k, (axes, name) in enumerate(zip(panels, severities, strict=True)):
        counts = values["histogram"][k]
        total = sum(counts)
        width = 1 / len(counts)
        edges = [place * width for place in range(len(counts))]
        heights = [count / max(1, total) for count in counts]
        axes.bar(edges, heights, width=width * 0.92, align="edge", color=BLUES[k % len(BLUES)])
        axes.axvline(values["threshold"], color=MUTED, linewidth=0.9, linestyle="--")
        axes.set(xlim=(0, 1), ylim=(0, 1), title=f"{name}  n {total:,}", xlabel="risk score")
        if k:
            axes.set_yticklabels([])
    panels[0].set_ylabel("share of the rows")
    return figure


def _panels(count: int, width: float = 3.0, height: float = 3.0) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(width * count + 0.4, height), layout="constrained")
    grid = figure.subplots(1, count, squeeze=False)
    return figure, list(grid[0])
