"""What a process and its broker have spent, from /proc, and the process itself from start to end."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from dev.kafka.serve import die_with_parent

TICKS = os.sysconf("SC_CLK_TCK")
END_S_MAX = 20.0


def cpu_s(pid: int) -> float:
    """CPU seconds of a process, its own and its threads'."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_mb(pid: int) -> float:
    """The most memory that a process has held."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0.0


class Child:
    """A peer that runs, its talk in a file."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        self._log = log
        with log.open("wb") as out:
            self._process = subprocess.Popen(command, stdout=out, stderr=out, preexec_fn=die_with_parent)  # noqa: PLW1509
        self.pid = self._process.pid

    def check(self) -> None:
        """Raise where it has ended by itself."""
        if self._process.poll() is not None:
            raise RuntimeError(f"it ended with status {self._process.returncode}: {self.talk()}")

    def talk(self) -> str:
        """The end of what it said."""
        return self._log.read_text(errors="replace")[-1_500:]

    def hold(self) -> None:
        """Let it do nothing until `go`."""
        self._process.send_signal(signal.SIGSTOP)

    def go(self) -> None:
        """Let it work again."""
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """At once."""
        self._process.kill()
        self._process.wait()

    def end(self) -> None:
        """In order; by force where that takes too long."""
        if self._process.poll() is None:
            self.go()
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(END_S_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
