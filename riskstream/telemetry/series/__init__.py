"""Every series that a daemon shows, by the part that it tells of. `docs/metrics.md` is written from here.

    scoring · stream · alerts · model ──► SECTIONS ──► metrics.py makes and changes them
                                                  └──► dev/references.py writes the page

Rule 1. `riskstream_<noun>_<unit>_total`. Rule 2. Labels are closed sets, or names from the settings; never entities or
        document ids. Rule 3. A series without advice has no reader: say what to do, or leave it out.
"""

from __future__ import annotations

from riskstream.telemetry.series.alerts import ALERTS
from riskstream.telemetry.series.model import MODEL
from riskstream.telemetry.series.scoring import SCORING
from riskstream.telemetry.series.shape import Series
from riskstream.telemetry.series.stream import STREAM

SECTIONS: dict[str, tuple[Series, ...]] = {
    "Feeds and scoring": SCORING,
    "The stream": STREAM,
    "Alerts and state": ALERTS,
    "Model and configuration": MODEL,
}
SERIES: dict[str, Series] = {series.name: series for section in SECTIONS.values() for series in section}
