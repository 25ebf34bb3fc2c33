"""Proof that the tests can fail: known mistakes, put into a copy of the tree one at a time, must each be found.

python -m tests.chaos.mutants [NAME …]       a line per mutant; exit code 1 where one lives
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec

ROOT = Path(__file__).parents[2]
SIMULATOR = ("-m", "tests.chaos.simulator", "--seeds", "150", "--until-failure")
COPIED = ("riskstream", "tests", "dev", "pyproject.toml")


class Mutant(msgspec.Struct, frozen=True):
    """One mistake: in `file`, `old` becomes `new`; `command` must then fail, and say one of `told`."""

    name: str
    file: str
    old: str
    new: str
    command: tuple[str, ...] = SIMULATOR
    told: tuple[str, ...] = ("lost: ", "duplicated: ", "wrong: ", "rightful owner fenced: ")
    needs_broker: bool = False


def _test(where: str) -> tuple[str, ...]:
    return ("-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", where)


REAL = "tests/edges/kafka/test_real.py"
MUTANTS = (
    Mutant(
        "futures-not-awaited",
        "riskstream/kafka/writing.py",
        "    for written, count in zip(await asyncio.gather(*futures), counts, strict=True):\n",
        "    for written, count in ():\n",
        _test(f"{REAL}::test_a_record_that_the_broker_refuses_commits_no_offset"),
        ("FAILED",),
        needs_broker=True,
    ),
    Mutant(
        "offset-before-the-fence",
        "riskstream/kafka/lane.py",
        """                    await producer.start()
                resume = await self._cluster.committed(self._group, self._partition)
""",
        """                    resume = await self._cluster.committed(self._group, self._partition)
                    await producer.start()
""",
        _test(f"{REAL}::test_the_old_owner_is_fenced_before_its_offset_is_read"),
        ("FAILED",),
        needs_broker=True,
    ),
    Mutant(
        "no-fence",
        "riskstream/service/stages/stage.py",
        'transactional_id = f"{self._app}.',
        'transactional_id = f"{id(self)}.{self._app}.',
    ),
    Mutant(
        "offset-off-by-one",
        "riskstream/service/stages/lanes.py",
        "next_offset = offsets[-1] + 1 if offsets",
        "next_offset = offsets[-1] if offsets",
    ),
    Mutant(
        "offset-one-too-far",
        "riskstream/service/stages/lanes.py",
        "next_offset = offsets[-1] + 1 if offsets",
        "next_offset = offsets[-1] + 2 if offsets",
    ),
    Mutant(
        "restored-state-dropped",
        "riskstream/service/stages/watching.py",
        "            engine.restore(loaded.kept)\n",
        "",
    ),
    Mutant(
        "no-ownership-check",
        "riskstream/service/stages/stage.py",
        "            if await source.confirm(run.partition):\n                return True\n",
        "            return True\n",
    ),
    Mutant(
        "commits-past-a-hole",
        "riskstream/core/lanes/progress.py",
        "while self._ready < len(self._slots) and self._slots[self._ready].filled:",
        "while self._ready < len(self._slots):",
    ),
    Mutant(
        "no-try-is-noted",
        "riskstream/core/lanes/suspicion.py",
        "self.tries if by == self.by else self.tries + 1",
        "0",
    ),
)


def find(mutant: Mutant, folder: Path) -> str:
    """Empty where the mutant is found; else what is wrong."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
        else:
            shutil.copy(source, folder / name)
    cache = folder / ".cache"
    if not cache.exists() and (ROOT / ".cache").exists():
        cache.symlink_to(ROOT / ".cache")
    path = folder / mutant.file
    text = path.read_text()
    if text.count(mutant.old) != 1:
        return f"{mutant.file} has {text.count(mutant.old)} places like it, and must have one: mend the mutant"
    path.write_text(text.replace(mutant.old, mutant.new))
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    ran = subprocess.run(
        [sys.executable, *mutant.command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    said = ran.stdout + ran.stderr
    if ran.returncode == 0:
        return "it lives"
    return "" if any(word in said for word in mutant.told) else f"found for another reason:\n{said[-2000:]}"


def main() -> int:
    """The command line."""
    about = argparse.ArgumentParser(description="Put known mistakes into copies of the tree; each must be found.")
    about.add_argument("names", nargs="*", help="only these")
    given = about.parse_args()
    chosen = [mutant for mutant in MUTANTS if not given.names or mutant.name in given.names]
    lives = 0
    for mutant in chosen:
        with tempfile.TemporaryDirectory() as folder:
            wrong = find(mutant, Path(folder))
        lives += bool(wrong)
        print(f"{mutant.name}: {wrong or 'found'}", flush=True)
    return 1 if lives or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
