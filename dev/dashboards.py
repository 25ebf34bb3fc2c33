"""The Grafana dashboards, as code: what `dev/boards.py` says becomes the JSON that Grafana loads.

    boards.py ──► python dev/dashboards.py ──► deploy/helm/riskstream/files/dashboards/*.json ◄── deploy/grafana

A test holds the files and the code together, and asks a real Prometheus every query. The entity board asks the daemon's
own API, as entities are never labels.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from grafana_foundation_sdk.builders import common, dashboard, stat, table, timeseries
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.cog import variants
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import LegendDisplayMode, LegendPlacement
from grafana_foundation_sdk.models.dashboard import DataSourceRef, VariableRefresh

from dev.boards import BOARDS, Board, Panel

FOLDER = Path(__file__).resolve().parent.parent / "deploy" / "helm" / "riskstream" / "files" / "dashboards"
PROMETHEUS = DataSourceRef(type_val="prometheus", uid="${datasource}")
API = DataSourceRef(type_val="yesoreyeram-infinity-datasource", uid="${api}")


class ApiQuery(variants.Dataquery):
    """What the Infinity data source asks of `/v1/entities/{id}`: the rows under `root`, as these columns."""

    def __init__(self, root: str, columns: dict[str, str]) -> None:
        self.root, self.columns = root, columns

    def build(self) -> ApiQuery:
        """Itself: there is nothing to put together."""
        return self

    def to_json(self) -> dict[str, Any]:
        """As Grafana keeps it."""
        return {
            "refId": "A",
            "datasource": {"type": API.type_val, "uid": API.uid},
            "type": "json",
            "source": "url",
            "format": "table",
            "parser": "backend",
            "url": "/v1/entities/${entity}",
            "url_options": {"method": "GET"},
            "root_selector": self.root,
            "columns": [{"selector": key, "text": title, "type": "string"} for key, title in self.columns.items()],
        }


def _lines() -> timeseries.Panel:
    legend = common.VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)
    return timeseries.Panel().fill_opacity(8).legend(legend.show_legend(True)).span(8).height(8)


def _stat() -> stat.Panel:
    last = common.ReduceDataOptions().calcs(["lastNotNull"])
    return stat.Panel().reduce_options(last).span(4).height(4)


def _panel(panel: Panel) -> timeseries.Panel | stat.Panel:
    built = _stat() if panel.kind == "stat" else _lines()
    built.title(panel.title).description(panel.about).unit(panel.unit).datasource(PROMETHEUS)
    for ref, (query, legend) in zip("ABCDEF", panel.asked(), strict=False):
        asked = Dataquery().expr(query).ref_id(ref).datasource(PROMETHEUS)
        built.with_target(asked.instant() if panel.kind == "stat" else asked.range().legend_format(legend))
    return built


def _empty(name: str, title: str) -> dashboard.Dashboard:
    board = dashboard.Dashboard(title).uid(f"riskstream-{name}").tags(["riskstream"]).readonly().timezone("browser")
    return board.time("now-6h", "now").refresh("30s")


def build(board: Board) -> dashboard.Dashboard:
    """A board on Prometheus, for all namespaces or one."""
    made = _empty(board.name, board.title)
    made.with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
    namespace = dashboard.QueryVariable("namespace").label("Namespace").datasource(PROMETHEUS)
    namespace.query("label_values(riskstream_lanes, namespace)").refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
    made.with_variable(namespace.include_all(True).all_value(".*"))
    for title, panels in board.rows:
        made.with_row(dashboard.Row(title))
        for panel in panels:
            made.with_panel(_panel(panel))
    return made


def build_entity() -> dashboard.Dashboard:
    """One entity's alerts, from the serve stage."""
    made = _empty("entity", "riskstream / entity")
    made.with_variable(dashboard.DatasourceVariable("api").label("API").type(API.type_val or ""))
    made.with_variable(dashboard.TextBoxVariable("entity").label("Entity id").default_value("ACME"))
    columns = {"rule": "Rule", "state": "State", "severity": "Severity", "value": "Value", "limit": "Limit"}
    columns |= {"starts_at": "Since", "updated_at": "Changed", "stories": "Stories", "sources": "Sources"}
    columns |= {"summary": "What"}
    for root, title in (("open", "Open alerts of ${entity}"), ("resolved", "Resolved alerts of ${entity}")):
        made.with_panel(
            table.Panel()
            .title(title)
            .datasource(API)
            .show_header(True)
            .span(24)
            .height(10)
            .with_target(ApiQuery(root, columns))
        )
    return made


def files() -> dict[str, str]:
    """File name → content of every dashboard."""
    encoder = JSONEncoder(sort_keys=True, indent=2, ensure_ascii=False)
    built = {board.name: build(board).build() for board in BOARDS} | {"entity": build_entity().build()}
    for board in built.values():
        for number, panel in enumerate(board.panels or (), start=1):
            panel.id_val = number
    return {f"{name}.json": encoder.encode(board) + "\n" for name, board in built.items()}


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for file, content in files().items():
        (FOLDER / file).write_text(content, encoding="utf-8")
        print(FOLDER / file, file=sys.stderr)
