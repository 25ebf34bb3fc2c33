"""Rules and watchlist follow their files: what changed is read, checked and put in force between two records.

    every poll_s   bytes of a kind's files ─► known? nothing to do
                     │ others, and still the same a second later: nobody is writing
                     ▼  on a thread of its own
                   parse ─► does it fit the model and the topics? ─► take(kind, inputs)
                     └────────────────┴──► ConfigRefused: what was in force goes on

Rule 1. The content decides, not the times of files: a ConfigMap is swapped by a symlink, and its times say nothing.
Rule 2. Each kind stands by itself: a watchlist that is wrong does not hold back a rule that is right.
Rule 3. What was refused is told once, and looked at again when its files change.

Doubt: pods look at their own times, so for up to `poll_s` and what the platform takes to deliver a file they judge by
different ones. `config_hash` shows it, and is meant to be alerted on where it lasts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from riskstream.core.errors import BrokerUnreachable, OperatorError
from riskstream.sections import Watch
from riskstream.service.stages.files import RELOADED, Inputs, Texts, read_texts
from riskstream.telemetry.emit import Telemetry
from riskstream.telemetry.events import ConfigKind, ConfigLoaded, ConfigRefused

SETTLE_S = 1.0
"""How long files must stay as they are before they are taken: an editor or a copy writes them in more than one go."""


class Reloader:
    """Follows the files of one daemon. `take` puts other inputs in force, or raises OperatorError where they do not
    fit what runs."""

    def __init__(
        self,
        section: Watch,
        inputs: Inputs,
        take: Callable[[ConfigKind, Inputs], Awaitable[None]],
        *,
        telemetry: Telemetry,
    ) -> None:
        self._section, self._inputs, self._take, self._telemetry = section, inputs, take, telemetry
        self._known = dict(inputs.digests)
        self._refused: set[ConfigKind] = set()

    async def run(self) -> None:
        """Look at the files every `watch.poll_s` until cancelled."""
        while True:
            await asyncio.sleep(self._section.poll_s)
            await self.look()

    async def look(self) -> None:
        """Look at the files once, and put in force what changed."""
        found = await asyncio.to_thread(self._changed)
        if not found:
            return
        await asyncio.sleep(min(SETTLE_S, self._section.poll_s))
        again = await asyncio.to_thread(self._changed)
        for kind, texts in found.items():
            if again.get(kind) == texts:
                await self._try(kind, texts)

    def _changed(self) -> dict[ConfigKind, Texts]:
        """The kinds whose files are not those that were looked at last."""
        texts = {kind: self._read(kind) for kind in RELOADED}
        return {kind: one for kind, one in texts.items() if one.digest != self._known.get(kind)}

    def _read(self, kind: ConfigKind) -> Texts:
        try:
            return read_texts(kind, self._section)
        except OperatorError as error:
            return Texts(unreadable=str(error))

    async def _try(self, kind: ConfigKind, texts: Texts) -> None:
        if texts.unreadable:
            self._refuse(kind, texts, texts.unreadable)
            return
        try:
            now = await asyncio.to_thread(self._inputs.with_texts, kind, texts)
            if now.hashes[kind] != self._inputs.hashes[kind]:
                await self._take(kind, now)
            elif kind in self._refused:
                self._telemetry.emit(ConfigLoaded(kind, now.hashes[kind], self._path(kind)))
        except BrokerUnreachable:
            return
        except OperatorError as error:
            self._refuse(kind, texts, str(error))
        else:
            self._inputs, self._known[kind] = now, texts.digest
            self._refused.discard(kind)

    def _refuse(self, kind: ConfigKind, texts: Texts, why: str) -> None:
        self._known[kind] = texts.digest
        self._refused.add(kind)
        self._telemetry.emit(ConfigRefused(kind, self._path(kind), why))

    def _path(self, kind: ConfigKind) -> str:
        return str(self._section.rules if kind == "rules" else self._section.watchlist)
