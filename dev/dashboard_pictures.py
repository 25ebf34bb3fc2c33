"""Pictures of the dashboards for docs/, from a real run: the demo, a real Prometheus, every query of every board.

    riskstream demo ◄── scrapes ── prometheus ◄── the boards' own queries ── matplotlib ──► docs/images/board-*.png

    python dev/dashboard_pictures.py

They show what the boards show, and are no screenshots of Grafana: the footer of each says so.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from dev.boards import BOARDS, Board, Panel
from dev.tools import ROOT, tool

IMAGES = ROOT / "docs" / "images"
DEMO_PORT, PROMETHEUS_PORT = 18321, 19090
SECONDS = 90
ENTITY = "PLCB"
FOOTER = (
    "Drawn by dev/dashboard_pictures.py from a Prometheus beside `riskstream demo`; not a screenshot of Grafana.\n"
    "Below: seconds since the demo was ready. Its clock stands still meanwhile, so times from arrival say nothing here."
)


def ask(url: str, **params: str) -> Any:
    """The JSON of an answer; None where nobody answers."""
    try:
        with urllib.request.urlopen(f"{url}?{urllib.parse.urlencode(params)}", timeout=10) as answer:  # noqa: S310 - loopback
            return json.load(answer)
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return None


def configuration() -> str:
    """Look at the demo every second."""
    job = {"job_name": "riskstream", "static_configs": [{"targets": [f"127.0.0.1:{DEMO_PORT}"]}]}
    return json.dumps({"global": {"scrape_interval": "1s"}, "scrape_configs": [job]})


def queried(panel: Panel, start: float, end: float) -> list[tuple[str, list[float], list[float]]]:
    """(legend, seconds since the start, values) of every series of a panel."""
    series = []
    for query, legend in panel.asked():
        asked = query.replace("$namespace", ".*").replace("$__rate_interval", "15s").replace("[5m]", "[15s]")
        answer = ask(
            f"http://127.0.0.1:{PROMETHEUS_PORT}/api/v1/query_range",
            query=asked,
            start=str(start),
            end=str(end),
            step="1",
        )
        for found in answer["data"]["result"] if answer else ():
            name = legend
            for label, value in found["metric"].items():
                name = name.replace("{{" + label + "}}", value)
            times, values = zip(*found["values"], strict=True)
            series.append((name, [t - start for t in times], [float(value) for value in values]))
    return sorted(series, key=lambda one: -max(one[2]))


def draw_panel(
    axes: Axes, panel: Panel, series: Sequence[tuple[str, list[float], list[float]]], seconds: float
) -> None:
    """One panel: a number, or lines with their legend, the eight greatest of them."""
    axes.set_title(panel.title, fontsize=9, loc="left", fontweight="bold")
    if panel.kind == "stat":
        last = next((values[-1] for _, _, values in series), None)
        axes.text(0.0, 0.3, "no data" if last is None else f"{last:.3g}", fontsize=22)
        axes.axis("off")
        return
    for name, times, values in series[:8]:
        axes.plot(times, values, linewidth=1.2, label=name or panel.title)
    if not series:
        axes.text(0.5, 0.5, "no data", ha="center", transform=axes.transAxes, color="grey")
    if any(name for name, _, _ in series):
        axes.legend(fontsize=6, loc="upper left", framealpha=0.6)
    axes.tick_params(labelsize=7)
    axes.set_xlim(0, seconds)
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.25)
    unit = {"s": "seconds", "ops": "a second", "bytes": "bytes", "percentunit": "share"}.get(panel.unit, "")
    axes.set_ylabel(unit, fontsize=7)


def draw_board(board: Board, start: float, end: float) -> None:
    """One board: stats in a row of six, other panels in rows of three."""
    lines: list[list[Panel]] = []
    for _, panels in board.rows:
        width = 6 if panels[0].kind == "stat" else 3
        lines += [list(panels[first : first + width]) for first in range(0, len(panels), width)]
    heights = [1.1 if panels[0].kind == "stat" else 2.6 for panels in lines]
    figure = plt.figure(figsize=(13, sum(heights) + 1), dpi=80, layout="constrained")
    grid = figure.add_gridspec(len(lines), 6, height_ratios=heights)
    for row, panels in enumerate(lines):
        span = 1 if panels[0].kind == "stat" else 2
        for column, panel in enumerate(panels):
            axes = figure.add_subplot(grid[row, column * span : (column + 1) * span])
            draw_panel(axes, panel, queried(panel, start, end), end - start)
    save(figure, board.title, board.name)


def draw_entity(answer: dict[str, Any]) -> None:
    """The board of one entity, as the API answers it."""
    figure, (top, bottom) = plt.subplots(2, 1, figsize=(13, 4), dpi=80, layout="constrained")
    columns = ["rule", "state", "severity", "value", "limit", "starts_at", "updated_at", "stories", "sources"]
    for axes, root, title in ((top, "open", "Open alerts of"), (bottom, "resolved", "Resolved alerts of")):
        axes.set_title(f"{title} {answer['entity']}", fontsize=9, loc="left", fontweight="bold")
        axes.axis("off")
        rows = [[str(alert[column])[:24] for column in columns] for alert in answer[root][:5]]
        if rows:
            table = axes.table(rows, colLabels=columns, loc="center", cellLoc="left")
            table.auto_set_font_size(False)
            table.set_fontsize(8)
            table.scale(1, 1.4)
        else:
            axes.text(0.5, 0.5, "none", ha="center", color="grey")
    save(figure, "riskstream / entity", "entity")


def save(figure: plt.Figure, title: str, name: str) -> None:
    """Write the picture, with what it is below it."""
    figure.suptitle(title, x=0.01, ha="left", fontsize=13)
    figure.supxlabel(FOOTER, x=0.01, ha="left", fontsize=8, color="grey")
    IMAGES.mkdir(parents=True, exist_ok=True)
    figure.savefig(IMAGES / f"board-{name}.png")
    plt.close(figure)


def watch_demo(demo: subprocess.Popen[bytes]) -> tuple[float, float, dict[str, Any]]:
    """Wait for the demo's end; when it was ready and last answered, and what it last said of the entity."""
    start, end, answer = 0.0, 0.0, {"entity": ENTITY, "open": [], "resolved": []}
    while demo.poll() is None:
        ready = ask(f"http://127.0.0.1:{DEMO_PORT}/readyz")
        said = ask(f"http://127.0.0.1:{DEMO_PORT}/v1/entities/{ENTITY}")
        if ready is not None and said is not None:
            start, end = start or time.time(), time.time()
            answer = said if said["open"] or said["resolved"] else answer
        time.sleep(1)
    return start, end, answer


def main() -> None:
    """Run, ask, draw."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "prometheus.yml").write_text(configuration())
        prometheus = subprocess.Popen(
            [
                tool("prometheus"),
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{PROMETHEUS_PORT}",
            ],
            stderr=subprocess.DEVNULL,
        )
        try:
            command = [sys.executable, "-m", "riskstream", "demo", "--text", "--port", str(DEMO_PORT)]
            demo = subprocess.Popen([*command, "--seconds", str(SECONDS)], stdout=subprocess.DEVNULL, cwd=ROOT)
            start, end, answer = watch_demo(demo)
            for board in BOARDS:
                draw_board(board, start, end)
            draw_entity(answer)
        finally:
            prometheus.terminate()
            prometheus.wait()


if __name__ == "__main__":
    main()
