"""What is found in a replay beside its alerts: a page, a comparison with other rules or signals, a swept limit.

    seen(signals) ─► gathered for the page, judged by the other engines ─► told(alerts) ─► page(), lines(), points()

Rule 1. Signals and alerts pass through unchanged and are kept only where something was asked for.
Rule 2. Every engine sees the same signals in the same order, so that two rule sets differ in nothing else. Signals of
        then are the exception: they are judged by the same rules, and today's come when those came.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import starmap
from pathlib import Path

import msgspec

from riskstream.core.errors import OperatorError
from riskstream.core.records import Alert, Signal, Watched
from riskstream.core.rules.held import HeldReason
from riskstream.core.rules.rulefile import parse_rules
from riskstream.core.watching.desk import Desk
from riskstream.report.compare import Comparison, compare
from riskstream.report.episodes import Episode, episodes
from riskstream.report.gather import Gathered
from riskstream.report.page import Report, page
from riskstream.report.prices import DAY_MS, lead, read_prices
from riskstream.report.stories import Judged, Story, judge, read_stories
from riskstream.report.sweep import Point, point, read_sweep, with_value
from riskstream.service.commands.aswas import Then
from riskstream.service.stages import files

SIGNALS_SUFFIX = ".jsonl"
Signals = Iterator[tuple[Signal, int]]


class Sought(msgspec.Struct, frozen=True):
    """What to make of a replay beside its alerts; each None where it was not asked for. `compare`: other rules, or, in
    a `.jsonl`, signals that were published then."""

    report: Path | None = None
    stories: Path | None = None
    prices: Path | None = None
    compare: Path | None = None
    sweep: str | None = None


class _Other:
    """An engine beside the replay's own, and what it told."""

    def __init__(self, engine: Desk) -> None:
        self.engine, self.alerts = engine, list[Alert]()

    def see(self, signal: Signal, appended_ms: int) -> None:
        self.alerts += self.engine.on_signal(signal, appended_ms).alerts


class Findings:
    """Looks on while a replay runs. Raises OperatorError, before it runs, for a file or an option that is wrong."""

    def __init__(self, sought: Sought, rules: Path, watchlist: Mapping[str, Watched]) -> None:
        for option, given in (("--stories", sought.stories), ("--prices", sought.prices)):
            if given and not (sought.report or (sought.sweep and option == "--stories")):
                raise OperatorError(option, str(given), "has nowhere to go", "give --report out.html as well")
        self._sought, self._rules = sought, rules
        self._stories = _read_stories(sought.stories)
        self._prices = read_prices(_text("--prices", sought.prices), str(sought.prices)) if sought.prices else {}
        self._gathered = Gathered(documents=bool(self._stories))
        self._alerts: list[Alert] = []
        self._other: _Other | None = None
        self._then: Then | None = None
        self._before: tuple[Episode, ...] | None = None
        if sought.compare and sought.compare.suffix == SIGNALS_SUFFIX:
            self._then = Then(sought.compare, Desk(files.load_rules(rules), watchlist))
        elif sought.compare:
            self._other = _Other(Desk(files.load_rules(sought.compare, "--compare"), watchlist))
        self._swept: dict[float, _Other] = {}
        if sought.sweep:
            sweep, text = read_sweep(sought.sweep), files.read_text("watch.rules", rules)
            for value in sweep.values:
                tried = parse_rules(
                    with_value(text, sweep, value), f"{rules} with {sought.sweep.split('=')[0]}={value:g}"
                )
                self._swept[value] = _Other(Desk(tried, watchlist))

    @property
    def swept(self) -> bool:
        """A line for each value takes the place of the alerts."""
        return bool(self._swept)

    @property
    def _keeps(self) -> bool:
        return bool(self._sought.report or self._sought.compare or self._swept)

    def seen(self, signals: Signals) -> Signals:
        """The signals, looked at as they pass."""
        others = [*self._swept.values(), *([self._other] if self._other else [])]
        if self._then is not None:
            signals = starmap(self._then.as_then, signals)
        for signal, appended_ms in signals:
            if self._keeps:
                self._gathered.add(signal)
            for other in others:
                other.see(signal, appended_ms)
            yield signal, appended_ms

    def told(self, alerts: Iterable[Alert]) -> Iterator[Alert]:
        """The alerts, kept as they pass."""
        for alert in alerts:
            if self._keeps:
                self._alerts.append(alert)
            yield alert

    def points(self) -> list[Point]:
        """What each swept value gave."""
        days = (self._gathered.last_ms - (self._gathered.first_ms or 0)) / DAY_MS
        found = []
        for value, other in self._swept.items():
            mine = episodes(other.alerts)
            found.append(point(value, mine, days, self._judged(mine), len(self._stories)))
        return found

    def lines(self) -> list[str]:
        """What a person reads at the end."""
        told = []
        if compared := self._compared(episodes(self._alerts)):
            told.append(f"against {self._sought.compare}: {compared.line()}")
        if self._then is not None:
            told.append(self._then.line())
        if judged := self._judged(episodes(self._alerts)):
            strays = f"{len(judged.strays)} alerts belong to none"
            told.append(f"{judged.caught} of {len(self._stories)} stories told in time, {strays}")
        if self._sought.report:
            told.append(f"the report is in {self._sought.report}")
        return told

    def page(self, held: Mapping[tuple[str, HeldReason], int]) -> str:
        """The report."""
        mine, gathered = episodes(self._alerts), self._gathered
        return page(
            Report(
                title=f"Replay with {self._rules.name}",
                gathered=gathered,
                episodes=mine,
                held=held,
                stories=self._stories,
                judged=self._judged(mine),
                prices=self._prices,
                leads=lead(self._prices, mine, gathered.first_ms or 0, gathered.last_ms),
                compared=self._compared(mine),
            )
        )

    def _judged(self, mine: tuple[Episode, ...]) -> Judged | None:
        if not self._stories:
            return None
        return judge(self._stories, mine, self._gathered.items, self._gathered.document_of)

    def _compared(self, mine: tuple[Episode, ...]) -> Comparison | None:
        other = self._then or self._other
        if other is None:
            return None
        if self._before is None:
            self._before = episodes(other.alerts)
        return compare(self._before, mine)


def _read_stories(path: Path | None) -> tuple[Story, ...]:
    return read_stories("\n".join(_text("--stories", path)).encode(), str(path)) if path else ()


def _text(option: str, path: Path) -> list[str]:
    return files.read_text(option, path).splitlines()
