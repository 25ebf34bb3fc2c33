"""Pods as processes: started, signalled, started again when they end, and looked at every second.

What is seen goes to members.jsonl: one line when a process starts or ends, and one a second with its counters.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

import aiohttp

from dev.kafka.serve import die_with_parent

ROOT = Path(__file__).parents[2]
SAMPLES = re.compile(
    rb'^(riskstream_transactions_total\{outcome="committed",stage="\w+"\}|riskstream_fenced_total\{stage="\w+"\}'
    rb"|riskstream_lanes\{[^}]*\}|process_resident_memory_bytes|process_open_fds) ([0-9.e+]+)$",
    re.MULTILINE,
)
RESTART_S = 2.0


class Diary:
    """A file of JSON lines."""

    def __init__(self, path: Path) -> None:
        self._file: TextIO = path.open("w", buffering=1)

    def write(self, **fields: Any) -> None:
        """One line, with the time."""
        print(json.dumps({"at_ms": now_ms(), **fields}), file=self._file)

    def close(self) -> None:
        """No more lines."""
        self._file.close()


class PodProcess:
    """One pod. While `wanted`, it is started again whenever it ends."""

    def __init__(self, name: str, config: Path, port: int, folder: Path, diary: Diary) -> None:
        self.name, self.port = name, port
        self.slow_file = folder / f"{name}.slow"
        self.expected_end = False
        self.deaths = 0
        """Ends that nobody but a text can have caused."""
        self.committed = self.fenced = 0.0
        """Sums over all of this pod's processes."""
        self._config, self._log, self._diary = config, folder / f"{name}.log", diary
        self._wanted = False
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._last: dict[str, float] = {}

    @property
    def pid(self) -> int:
        """Of the running process; 0 where there is none."""
        return self._process.pid if self._process is not None and self._process.returncode is None else 0

    def start(self) -> None:
        """Keep one running from now on."""
        self._wanted = True
        self._task = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """End it in order, for good."""
        self._wanted = False
        self.signal(signal.SIGTERM)
        if self._task is not None:
            try:
                await asyncio.wait_for(asyncio.shield(self._task), 60)
            except TimeoutError:
                self.signal(signal.SIGKILL)
                await self._task

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, where there is a process."""
        if pid := self.pid:
            self.expected_end = number in (signal.SIGKILL, signal.SIGTERM)
            os.kill(pid, number)

    async def ready(self, within_s: float = 120.0) -> bool:
        """Whether it says so in time."""
        deadline = time.monotonic() + within_s
        async with aiohttp.ClientSession() as session:
            while time.monotonic() < deadline:
                try:
                    async with session.get(f"http://127.0.0.1:{self.port}/readyz") as answer:
                        if answer.status == 200:
                            return True
                except (aiohttp.ClientError, OSError):
                    await asyncio.sleep(0.2)
                await asyncio.sleep(0.2)
        return False

    async def look(self, session: aiohttp.ClientSession) -> None:
        """One line about how it is."""
        pid = self.pid
        if not pid:
            return
        try:
            async with session.get(f"http://127.0.0.1:{self.port}/metrics", timeout=aiohttp.ClientTimeout(2)) as answer:
                text = await answer.read()
            threads, sockets = _count(pid)
        except (aiohttp.ClientError, OSError, TimeoutError):
            return
        found = {name.decode(): float(value) for name, value in SAMPLES.findall(text)}
        committed = sum(value for name, value in found.items() if name.startswith("riskstream_transactions"))
        fenced = sum(value for name, value in found.items() if name.startswith("riskstream_fenced"))
        self.committed += committed - self._last.get("committed", 0.0)
        self.fenced += fenced - self._last.get("fenced", 0.0)
        self._last = {"committed": committed, "fenced": fenced}
        files = int(found.get("process_open_fds", 0.0)) - sockets
        held = {
            "rss": found.get("process_resident_memory_bytes", 0.0),
            "threads": threads,
            "connections": sockets,
            "files": files,
        }
        lanes = {name: value for name, value in found.items() if name.startswith("riskstream_lanes") and value}
        self._diary.write(pod=self.name, pid=pid, committed=committed, fenced=fenced, **held, lanes=lanes)

    async def _keep(self) -> None:
        while self._wanted:
            self._last, self.expected_end = {}, False
            with self._log.open("ab") as log:
                self._process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "tests.chaos.pod", "--config", str(self._config)),
                    *("--slow-file", str(self.slow_file)),
                    cwd=ROOT,
                    preexec_fn=die_with_parent,
                    start_new_session=True,  # its own share of the processor, as on a machine of its own
                    stderr=log,
                    stdout=log,
                )
            self._diary.write(pod=self.name, pid=self._process.pid, event="started")
            code = await self._process.wait()
            self._diary.write(pod=self.name, pid=self._process.pid, event="ended", code=code, asked=self.expected_end)
            self.deaths += code == -signal.SIGKILL and not self.expected_end
            if self._wanted:
                await asyncio.sleep(RESTART_S)


def _count(pid: int) -> tuple[int, int]:
    """Threads and sockets of a process."""
    sockets = 0
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed since
            sockets += str(file.readlink()).startswith("socket:")
    return len(list(Path(f"/proc/{pid}/task").iterdir())), sockets


def now_ms() -> int:
    """This machine's clock."""
    return time.time_ns() // 1_000_000
