"""The model that runs follows an alias: what it points to is fetched, checked and taken over between two batches.

    every poll_s   alias ─► the same version? nothing to do
                     │ another one
                     ▼  on a thread of its own
                   fetch ─► signature ─► hashes ─► load ─► labels ─► golden pairs (the warm-up too) ─► take(scorer)
                     │          │          │        │         │         │
                     └──────────┴──────────┴────────┴─────────┴─────────┴──► ModelRefused: the one that runs goes on

Rule 1. The event loop waits for none of it, and the model thread neither: scoring goes on while a version is loaded.
Rule 2. A version that was refused is not tried again until the alias or one of its files changes. A store that does
        not answer is asked again at the next poll.
Rule 3. The model before stays in memory until the next swap, so that a rollback needs neither disk nor network.
Rule 4. At the start a version without golden pairs is taken with a warning; it never replaces one that runs.

Doubt: a fetch that hangs for ever in a plugin keeps its thread; it is told after ten minutes and then at every poll,
and only a restart ends it.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import msgspec

from riskstream.core.errors import (
    DamagedVersion,
    GoldenFailed,
    MissingVersion,
    OperatorError,
    RegistryUnreachable,
    UnsignedVersion,
)
from riskstream.core.lanes.refusals import Refusal
from riskstream.core.ports import Scorer
from riskstream.core.records import Labels
from riskstream.core.rules.rule import RuleSet
from riskstream.core.rules.rulefile import check_labels
from riskstream.registry.port import Store
from riskstream.registry.signatures import fetch
from riskstream.registry.store import Pin, follows, opened, pinned
from riskstream.scoring.golden import check_golden, has_golden
from riskstream.sections import Models
from riskstream.service import parts
from riskstream.service.longest import check_longest_batch
from riskstream.settings import Settings
from riskstream.telemetry.emit import Telemetry
from riskstream.telemetry.events import ModelLoaded, ModelRefused

T = TypeVar("T")
LOOK_S_MAX = 600.0
"""Fetching and loading a large model over a slow line; what takes longer is told as a store that does not answer."""
AGAIN: frozenset[Refusal] = frozenset({"registry"})
"""Refusals that say nothing about the version: it is tried again at the next poll."""


class Loaded(msgspec.Struct, frozen=True):
    """A model that may serve. `pin` is what its alias meant, None where the settings name no alias or no polling."""

    scorer: Scorer
    pin: Pin | None = None
    unchecked: bool = False


class Refused(msgspec.Struct, frozen=True):
    """Why a version is not taken."""

    reason: Refusal
    detail: str


def load_first(section: Models) -> Loaded:
    """The model of the start, with its golden pairs checked where it has them. Takes seconds; runs on any thread.

    Raises OperatorError where it cannot be had: a daemon without a model does not start.
    """
    store = opened(section.root, section.cache)
    pin = pinned(store, section.name) if section.poll_s and follows(section.name) else None
    directory = fetch(store, pin.title if pin else section.name, section.signers_file)
    scorer = parts.load_version(directory, section)
    if not has_golden(directory):
        return Loaded(scorer, pin, unchecked=True)
    check_golden(scorer, directory)
    return Loaded(scorer, pin)


def load_checked(settings: Settings) -> Loaded:
    """The model of the start, fit for these settings: its longest batch ends in time. Raises as above."""
    loaded = load_first(settings.models)
    check_longest_batch(loaded.scorer, settings.batching, settings.stages)
    return loaded


class Follower:
    """Takes over what the alias of the settings comes to point to. Made and used on one event loop. `rules` may be set
    to others at any time: a version must have the labels that they name."""

    def __init__(
        self,
        section: Models,
        running: Loaded,
        rules: RuleSet,
        take: Callable[[Scorer], None],
        *,
        telemetry: Telemetry,
    ) -> None:
        self._section, self.rules, self._take, self._telemetry = section, rules, take, telemetry
        self._running, self._before = running, Loaded(running.scorer)
        self._store: Store | None = None
        self._refused: Pin | str = ""
        self._working = False

    async def run(self) -> None:
        """Look at the alias every `models.poll_s` until cancelled."""
        while True:
            await asyncio.sleep(self._section.poll_s)
            await self.look()

    async def look(self) -> None:
        """Look at the alias once, and take over what it points to where that is another version."""
        started = time.monotonic()
        try:
            async with asyncio.timeout(LOOK_S_MAX):
                pin = await self._apart(self._pinned)
                if isinstance(pin, Refused):
                    if pin.detail != self._refused:
                        self._refuse(self._section.name, pin, pin.detail)
                    return
                if self._is_running(pin):
                    self._refused = ""
                    return
                if pin == self._refused:
                    return
                found = self._before if self._before.pin == pin else await self._apart(lambda: self._load(pin))
        except TimeoutError:
            detail = f"{self._section.root}: a look at it takes more than {min(LOOK_S_MAX, self._section.poll_s):g} s"
            self._refuse(self._section.name, Refused("registry", detail), detail)
            return
        if isinstance(found, Refused):
            self._refuse(pin.title, found, pin)
        else:
            self._swap(found, time.monotonic() - started)

    def _swap(self, found: Loaded, seconds: float) -> None:
        self._before, self._running, self._refused = self._running, found, ""
        self._take(found.scorer)
        previous = self._before.scorer.name
        self._telemetry.emit(ModelLoaded(found.scorer.name, found.scorer.backend, seconds, previous))

    def _refuse(self, model: str, refused: Refused, key: Pin | str) -> None:
        self._refused = "" if refused.reason in AGAIN else key
        self._telemetry.emit(ModelRefused(model, refused.reason, refused.detail))

    def _is_running(self, pin: Pin) -> bool:
        mine = self._running.pin
        return mine is not None and (mine.name, mine.version) == (pin.name, pin.version)

    def _opened(self) -> Store:
        """The store, opened by the first look: a plugin's import takes its time and stays off the loop."""
        if self._store is None:
            self._store = opened(self._section.root, self._section.cache)
        return self._store

    def _pinned(self) -> Pin | Refused:
        try:
            return pinned(self._opened(), self._section.name)
        except MissingVersion as error:
            return Refused("missing", str(error))
        except OperatorError as error:
            return Refused("registry", str(error))

    def _load(self, pin: Pin) -> Loaded | Refused:
        """The version that an alias points to now, checked; whatever a damaged one raises is a refusal."""
        try:
            directory = fetch(self._opened(), pin.title, self._section.signers_file)
            scorer = parts.load_version(directory, self._section)
            if scorer.name != pin.title:
                return Refused("load", f"{directory} says that it is {scorer.name}")
            if unfit := self._unfit(scorer.labels):
                return Refused("labels", unfit)
            check_golden(scorer, directory)
        except RegistryUnreachable as error:
            return Refused("registry", str(error))
        except UnsignedVersion as error:
            return Refused("signature", str(error))
        except DamagedVersion as error:
            return Refused("hash", str(error))
        except MissingVersion as error:
            return Refused("missing", str(error))
        except GoldenFailed as error:
            return Refused("golden", str(error))
        except Exception as error:
            return Refused("load", str(error) or repr(error))
        return Loaded(scorer, pin)

    def _unfit(self, labels: Labels) -> str:
        """Why these labels cannot take the place of those that run; empty where they can."""
        mine = self._running.scorer.labels
        for head in ("sentiment", "severity"):
            was, now = getattr(mine, head), getattr(labels, head)
            if was != now:
                return f"its labels of {head} are {', '.join(now)}, not {', '.join(was)}"
        return "; ".join(str(mistake) for mistake in check_labels(self.rules, labels))

    async def _apart(self, work: Callable[[], T]) -> T:
        """Run on a thread that the end of the process does not wait for. TimeoutError while the last one still runs."""
        if self._working:
            raise TimeoutError
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()

        def settle(result: T | None, error: BaseException | None) -> None:
            self._working = False
            if not answer.done():
                answer.set_exception(error) if error else answer.set_result(result)  # type: ignore[arg-type]

        def run() -> None:
            result, error = None, None
            try:
                result = work()
            except BaseException as raised:
                error = raised
            with suppress(RuntimeError):  # the loop is closed: the daemon has stopped, and nobody waits any more
                loop.call_soon_threadsafe(settle, result, error)

        self._working = True
        threading.Thread(target=run, name="riskstream-swap", daemon=True).start()
        return await answer
