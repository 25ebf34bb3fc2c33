"""The edge to the operator: what happened becomes a metric and a line.

    stage ── emit(event) ──► Telemetry ──┬── metrics.py: one match turns an event into metric changes
                                         └── logs.py: one match says at which level it becomes a line

Rule 1. One thing that happened is one record of events.py, per batch and not per message.
Rule 2. `emit` is called on the event loop's thread only, and never waits.
Rule 3. No label is an entity or a document id, and no document text is logged at INFO or above.
"""

from __future__ import annotations

from riskstream.telemetry.emit import Telemetry
from riskstream.telemetry.logs import configure_logging
from riskstream.telemetry.metrics import Metrics

__all__ = ["Metrics", "Telemetry", "configure_logging"]
