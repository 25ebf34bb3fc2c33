"""`riskstream run` with the model of chaos runs: the same settings, signals and stop, a `Daemon` with its own scorer.

python -m tests.chaos.pod --config FILE --slow-file FILE
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from riskstream.cli import read_settings, run_async, stop_on_signals
from riskstream.core.errors import OperatorError
from riskstream.service.daemon.app import Daemon
from riskstream.telemetry import Metrics, Telemetry
from tests.chaos.model import ChaosScorer


def main() -> int:
    """The command line."""
    about = argparse.ArgumentParser()
    about.add_argument("--config", type=Path, required=True)
    about.add_argument("--slow-file", type=Path, required=True)
    given = about.parse_args()
    settings = read_settings(given.config)

    async def work() -> int:
        telemetry = Telemetry(Metrics(feeds=[feed.name for feed in settings.feed]))
        daemon = Daemon(settings, telemetry, scorer=ChaosScorer(given.slow_file))
        await daemon.run(stop_on_signals(settings.stages.grace_ms))
        return 0

    try:
        return run_async(work())
    except OperatorError as error:
        print(f"riskstream: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
