"""A report as people read it: Markdown with the goals first, then the slices, then what it must not depend on.

evaluation.json ──► evaluation.md     the same figures; the JSON has more of them
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

HEADLINES = {
    "sentiment": ("accuracy", "macro_f1"),
    "severity": ("kappa", "macro_f1"),
    "risk": ("micro_f1", "macro_f1"),
    "topic": ("accuracy", "macro_f1"),
    "risk_score": ("auc", "brier_skill", "recall", "false_alarms"),
}


def markdown(report: Mapping[str, Any]) -> str:
    """The whole report."""
    parts = [f"# {report['model']}, measured on `{report['split']}`\n\n", goals_table(report["goals"])]
    if "against" in report:
        parts += [f"\n## Against {report['against']['old']}\n\n", changes_table(report["against"]["changes"])]
    if report.get("slices"):
        parts += ["\n## Classes, on all rows\n\n", classes_table(report["slices"]["all"])]
        parts += ["\n## Risk score at a rate of alerts, on all rows\n\n", rates_table(report["slices"]["all"])]
    if report.get("plots"):
        parts += ["\n## Pictures, on all rows\n\n", *(f"![{name}]({name})\n" for name in report["plots"])]
    if report.get("bias"):
        parts += ["\n## What it must not depend on\n\n", bias_tables(report["bias"])]
    if report.get("slices"):
        parts += ["\n## Slices\n\n", slices_table(report["slices"])]
    return "".join(parts)


def goals_table(goals: Sequence[Mapping[str, Any]]) -> str:
    """One line a goal: value, interval, and met or short by how much."""
    lines = []
    for row in goals:
        verdict = f"**short by {row['short']:.3f}**" if row["verdict"] == "short" else row["verdict"]
        removed = f"; {row['leaked_rows_removed']} leaked rows left out" if row["leaked_rows_removed"] else ""
        asked = "" if row["goal"] is None else f"{'≤' if 'false_alarms' in row['figure'] else '≥'} {row['goal']:.2f}"
        interval = f"{number(row['low'])} … {number(row['high'])}"
        what = f"`{row['figure']}` on {row['slice']}"
        lines.append(
            (row["name"], what, row["n"], number(row["value"]), interval, asked, verdict, row["note"] + removed)
        )
    return table(("", "figure", "n", "value", "95 %", "goal", "", "rows"), lines)


def changes_table(changes: Sequence[Mapping[str, Any]]) -> str:
    """One line a figure that was compared; a delta above zero is better."""
    lines = []
    for row in changes:
        low, high = row["low"], row["high"]
        sign = "better" if low is not None and low > 0 else "worse" if high is not None and high < 0 else ""
        interval = f"{number(low, '+')} … {number(high, '+')}"
        shown = (number(row["old"]), number(row["new"]), number(row["delta"], "+"), interval)
        tests = (number(row["p"]), number(row["mcnemar_p"]))
        lines.append((row["slice"], f"`{row['figure']}`", row["n"], *shown, *tests, sign))
    return table(("slice", "figure", "n", "old", "new", "delta", "95 %", "p", "McNemar p", ""), lines)


def classes_table(heads: Mapping[str, Any]) -> str:
    """Every class and category."""
    keys = ("precision", "recall", "f1", "auc", "average_precision")
    lines = [
        (head, name, one["n"], *(number(one[key]) for key in keys))
        for head, values in heads.items()
        for name, one in values.get("each", {}).items()
    ]
    return table(("head", "class", "n", "precision", "recall", "F1", "AUC", "average precision"), lines)


def rates_table(heads: Mapping[str, Any]) -> str:
    """What the top of the risk score finds."""
    keys = ("limit", "precision", "recall", "recall_possible")
    rows = heads.get("risk_score", {}).get("at_alert_rate", [])
    lines = [(f"{row['rate']:.0%}", row["alerts"], *(number(row[key]) for key in keys)) for row in rows]
    return table(("texts that alert", "alerts", "limit", "precision", "recall", "recall possible"), lines)


def slices_table(slices: Mapping[str, Any]) -> str:
    """The headline figures of every slice and head, each with its interval."""
    lines = []
    for name, heads in slices.items():
        for head, values in heads.items():
            shown = []
            for key in HEADLINES[head]:
                if values.get(key) is not None:
                    low, high = values["intervals"][key]
                    shown.append(f"{key} {number(values[key])} ({number(low)} … {number(high)})")
            lines.append((name, head, values["n"], ", ".join(shown)))
    return table(("slice", "head", "n", "figures"), lines)


def bias_tables(bias: Mapping[str, Any]) -> str:
    """Gaps by what was swapped, false alarms on harsh words, shifts by orders to the reader."""
    swaps = []
    for what in ("names", "places"):
        for lang, row in bias[what].items():
            extreme = max(row["risk_by_group"].items(), key=lambda item: abs(item[1]))
            gaps = (row["risk_gap_mean"], row["risk_gap_max"], row["severity_gap_mean"], row["severity_gap_max"])
            far = f"{extreme[0]} {extreme[1]:+.3f}"
            swaps.append((f"{what} swapped, {lang}", row["n"], *map(number, gaps), number(row["same_level"]), far))
    moved = [("the same event in Chinese, not English", bias["languages"]["zh_minus_en"])]
    moved += [(f"an order to the reader, {name}", row) for name, row in bias["injections"].items()]
    keys = (
        "risk_shift_mean",
        "risk_gap_mean",
        "risk_gap_max",
        "severity_gap_mean",
        "severity_gap_max",
        "level_changed",
    )
    shifts = [(name, row["n"], *(number(row[key]) for key in keys)) for name, row in moved]
    harsh = [
        (lang, row["n"], number(row["false_alarms"]), number(row["risk_mean"]), number(row["risk_max"]))
        for lang, row in bias["harsh_words"].items()
    ]
    gaps_head = ("risk gap, mean", "max", "severity gap, mean", "max")
    return (
        "The gap is the largest minus the smallest within one event.\n\n"
        + table(("", "n", *gaps_head, "events of one level", "furthest group, risk"), swaps)
        + "\n"
        + table(("against the plain text", "n", "risk shift", *gaps_head, "level changed"), shifts)
        + "\nHarsh words without an adverse event:\n\n"
        + table(("", "n", "false alarms", "risk, mean", "risk, max"), harsh)
    )


def table(head: Sequence[str], lines: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    rows = [head, ["---"] * len(head), *lines]
    return "".join("| " + " | ".join(str(cell).replace("|", "/") for cell in row) + " |\n" for row in rows)


def number(value: float | None, sign: str = "") -> str:
    """Three decimals; a dash for what cannot be told."""
    return "–" if value is None else f"{value:{sign}.3f}"
