"""The house rules of docs and DESIGN, held: who imports whom, a pure core, sizes, words, and what the tree weighs.

Each check is a function from a source to what is wrong with it; each is shown to fail on a bad sample first.
"""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = "riskstream"
EDGES = frozenset({"kafka", "scoring", "registry", "telemetry"})
MAY_IMPORT: dict[str, frozenset[str]] = {
    "core": frozenset(),
    **dict.fromkeys(EDGES, frozenset({"core"})),
    "report": frozenset({"core"}),
    "trainer": frozenset({"core", "scoring", "registry"}),
    "service": frozenset({"core", *EDGES, "report", "concealed", "settings", "sections"}),
    "sections": frozenset({"core"}),
    "concealed": frozenset({"core"}),
    "settings": frozenset({"core", "sections"}),
    "cli": frozenset(
        {
            "cli_data",
            "cli_feeds",
            "cli_models",
            "cli_support",
            "concealed",
            "core",
            *EDGES,
            "trainer",
            "service",
            "settings",
            "sections",
        }
    ),
    "__init__": frozenset(),
    "cli_data": frozenset({"core", "trainer"}),
    "cli_feeds": frozenset({"cli_support", "service"}),
    "cli_models": frozenset({"cli_support", "concealed", "core", *EDGES, "trainer", "settings"}),
    "cli_support": frozenset({"concealed", "core", "telemetry", "settings"}),
    "__main__": frozenset({"cli"}),
}
"""Room → the other rooms that it may import; `riskstream` itself (the version) is open to all but core."""
INNER: dict[str, tuple[str, ...]] = {
    "core": ("reading", "lanes", "asking", "rules", "watching"),
    "trainer": ("data", "measuring", "fitting", "versions"),
    "service": ("stages", "sinks", "http", "daemon", "commands"),
}
"""Room → the rooms within it, in order: each imports only those before it; what stands in none of them imports none."""
ONLY_IN: dict[str, frozenset[str]] = {
    "aiokafka": frozenset({"kafka"}),
    "cryptography": frozenset({"registry"}),
    "torch": frozenset({"scoring", "trainer"}),
    "openvino": frozenset({"scoring"}),
    "opentelemetry": frozenset({"telemetry"}),
    "transformers": frozenset({"scoring", "trainer"}),
    "aiohttp": frozenset({"service"}),
    "prometheus_client": frozenset({"telemetry"}),
    "structlog": frozenset({"telemetry"}),
}
IMPURE_MODULES = frozenset(
    {"asyncio", "concurrent", "ctypes", "glob", "http", "logging", "multiprocessing", "os", "pathlib", "queue"}
    | {"random", "sched", "secrets", "select", "selectors", "shutil", "signal", "socket", "sqlite3", "ssl"}
    | {"subprocess", "sys", "tempfile", "threading", "time", "urllib", "uuid"}
)
"""`io` is not among them: a StringIO is a value."""
IMPURE_CALLS = frozenset({"open", "print", "input", "exec", "eval", "__import__"})
IMPURE_METHODS = frozenset({"now", "utcnow", "today", "read_text", "write_text", "read_bytes", "write_bytes"})

LINES_MAX, FUNCTION_LINES_MAX = 300, 60
TREE_BYTES_MAX, WEIGHTS_BYTES_MAX = 56 * 2**20, 40 * 2**20


def room_of(path: Path) -> str:
    """`core` for riskstream/core/records.py, `cli` for riskstream/cli.py."""
    parts = path.relative_to(ROOT / PACKAGE).parts
    return parts[0] if len(parts) > 1 else path.stem


def imported(path: Path, source: str) -> Iterator[str]:
    """Every module that a file imports, wherever in it, as a full dotted name."""
    here = [PACKAGE, *path.relative_to(ROOT / PACKAGE).parts[:-1]]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def wrong_imports(path: Path, source: str) -> list[str]:
    """Imports that the room of this file may not have."""
    room, wrong = room_of(path), []
    for name in imported(path, source):
        top, *rest = name.split(".")
        if top == PACKAGE:
            other = rest[0] if rest else "__version__"
            allowed = MAY_IMPORT[room] | {room}
            if room == "service" and path.name == "companion.py":
                allowed |= {"trainer"}
            if room != "core":
                allowed |= {"__version__"}
            if other not in allowed:
                wrong.append(name)
        elif room not in ONLY_IN.get(top, {room}):
            wrong.append(name)
    return wrong


def inner_room(room: str, parts: Sequence[str]) -> int:
    """The place of a module's inner room, from the parts of its name below the room; 0 for one that is in none."""
    inner = INNER.get(room, ())
    return inner.index(parts[0]) + 1 if parts and parts[0] in inner else 0


def upward_imports(path: Path, source: str) -> list[str]:
    """Imports of an inner room that stands behind this file's own."""
    room = room_of(path)
    here = inner_room(room, path.relative_to(ROOT / PACKAGE).parts[1:])
    below = f"{PACKAGE}.{room}."
    names = [name.removeprefix(below) for name in imported(path, source) if name.startswith(below)]
    return [name for name in names if inner_room(room, name.split(".")) > here]


def impurities(path: Path, source: str) -> list[str]:
    """What a file of the core imports or calls that is not a pure decision."""
    if room_of(path) != "core":
        return []
    wrong = [name for name in imported(path, source) if name.split(".")[0] in IMPURE_MODULES]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.AsyncFunctionDef) and path.name != "ports.py":
            wrong.append(f"async def {node.name}")
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Name) and node.func.id in IMPURE_CALLS:
            wrong.append(f"{node.func.id}()")
        if isinstance(node.func, ast.Attribute) and (
            node.func.attr in IMPURE_METHODS
            or ".random." in f".{ast.unparse(node.func)}."
            or ast.unparse(node.func) == "io.open"
        ):
            wrong.append(f"{ast.unparse(node.func)}()")
    return wrong


def sizes(path: Path, source: str) -> list[str]:
    """Modules and functions that are longer than a person reads at once."""
    lines = source.count("\n")
    wrong = [f"{lines} lines, {LINES_MAX} allowed"] if lines > LINES_MAX else []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES_MAX:
                wrong.append(f"{node.name}: {length} lines, {FUNCTION_LINES_MAX} allowed")
    return wrong


def missing_docstrings(path: Path, source: str) -> list[str]:
    """A module, and each public class and function at its top, says what it is for."""
    tree = ast.parse(source)
    wrong = [] if ast.get_docstring(tree) else ["the module"]
    nouns = [node for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)]
    wrong += [node.name for node in nouns if not node.name.startswith("_") and not ast.get_docstring(node)]
    return wrong


def swallowed(path: Path, source: str) -> list[str]:
    """Exceptions that are caught and forgotten."""
    return [
        f"line {node.lineno}"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ExceptHandler) and all(isinstance(line, ast.Pass) for line in node.body)
    ]


def unfinished(path: Path, source: str) -> list[str]:
    """Notes to oneself, which belong into an issue."""
    return re.findall(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b", source)


Check = Callable[[Path, str], list[str]]
CHECKS: tuple[Check, ...] = (
    wrong_imports,
    upward_imports,
    impurities,
    sizes,
    missing_docstrings,
    swallowed,
    unfinished,
)


def package_files() -> list[Path]:
    """Every module of the package."""
    return sorted((ROOT / PACKAGE).rglob("*.py"))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_every_module_keeps_the_rule(check: Check) -> None:
    files = package_files()
    assert len(files) >= 30
    assert {room_of(path) for path in files} >= {"core", *EDGES, "trainer", "service"}
    found = {path.relative_to(ROOT).as_posix(): check(path, path.read_text()) for path in files}
    assert {path: wrong for path, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize(
    ("check", "path", "source"),
    [
        (wrong_imports, "core/x.py", "from riskstream.kafka import lane"),
        (wrong_imports, "core/x.py", "from riskstream import __version__"),
        (wrong_imports, "core/x.py", "from ..kafka import lane"),
        (wrong_imports, "core/x.py", "def f():\n    import riskstream.service.daemon.app"),
        (wrong_imports, "kafka/x.py", "from riskstream.telemetry import Metrics"),
        (wrong_imports, "kafka/x.py", "from riskstream.settings import Settings"),
        (wrong_imports, "scoring/x.py", "from riskstream.registry.store import resolve"),
        (wrong_imports, "trainer/x.py", "import riskstream.kafka"),
        (wrong_imports, "service/x.py", "from riskstream.trainer import fit"),
        (wrong_imports, "service/x.py", "import aiokafka"),
        (wrong_imports, "service/x.py", "from torch import nn"),
        (wrong_imports, "settings.py", "from riskstream.service import app"),
        (upward_imports, "core/x.py", "from riskstream.core.rules import fields"),
        (upward_imports, "core/rules/x.py", "from riskstream.core.watching.cell import Cell"),
        (upward_imports, "service/stages/x.py", "from ..daemon import app"),
        (impurities, "core/x.py", "import time"),
        (impurities, "core/x.py", "from os.path import join"),
        (impurities, "core/x.py", "import asyncio.events"),
        (impurities, "core/x.py", "async def f(): ..."),
        (impurities, "core/x.py", "f = open('x')"),
        (impurities, "core/x.py", "now = datetime.now(UTC)"),
        (impurities, "core/x.py", "x = np.random.default_rng()"),
        (impurities, "core/x.py", "x = path.read_text()"),
        (impurities, "core/x.py", "x = io.open('x')"),
        (sizes, "core/x.py", "x = 1\n" * 301),
        (sizes, "core/x.py", "def f():\n" + "    x = 1\n" * 60),
        (missing_docstrings, "core/x.py", "x = 1"),
        (missing_docstrings, "core/x.py", '"""A module."""\nclass Public: ...'),
        (swallowed, "core/x.py", "try:\n    x = 1\nexcept ValueError:\n    pass"),
        (unfinished, "core/x.py", "# TODO: later"),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)[:40]),
)
def test_each_check_can_fail(check: Check, path: str, source: str) -> None:
    assert check(ROOT / PACKAGE / path, source)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("kafka/x.py", "import aiokafka\nfrom riskstream import __version__\nfrom . import lane"),
        ("service/commands/companion.py", "from riskstream.trainer import fit"),
        ("cli.py", "from riskstream.trainer.fitting.fit import fit\nfrom riskstream.service.daemon.app import Daemon"),
        ("trainer/x.py", "import torch\nfrom riskstream.scoring import heads"),
    ],
)
def test_what_is_allowed_passes(path: str, source: str) -> None:
    assert wrong_imports(ROOT / PACKAGE / path, source) == []


def tracked() -> list[Path]:
    """What git would take: tracked files, and new ones that it does not ignore."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
    return sorted({ROOT / name for name in names if name and (ROOT / name).is_file()})


def too_heavy(weights: dict[str, int]) -> list[str]:
    """Limits of the tree that these files, as path → bytes, go beyond."""
    shipped = sum(size for path, size in weights.items() if path.endswith((".safetensors", ".onnx")))
    wrong = [f"the tree has {sum(weights.values())} bytes"] if sum(weights.values()) > TREE_BYTES_MAX else []
    return wrong + ([f"the weights have {shipped} bytes"] if shipped > WEIGHTS_BYTES_MAX else [])


def test_the_tree_stays_light_enough_to_clone() -> None:
    files = tracked()
    assert len(files) >= 60
    assert too_heavy({path.relative_to(ROOT).as_posix(): path.stat().st_size for path in files}) == []
    assert too_heavy({"models/a.safetensors": 41 * 2**20}) == ["the weights have 42991616 bytes"]
    assert too_heavy({"models/a.onnx": 30 * 2**20, "docs/b": 27 * 2**20}) == ["the tree has 59768832 bytes"]


HOSTS = tuple(
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("files", "pythonhosted", "org"),
        ("registry", "npmjs", "org"),
        ("repo", "maven", "apache", "org"),
        ("repo1", "maven", "org"),
        ("crates", "io"),
        ("proxy", "golang", "org"),
        ("deb", "debian", "org"),
    )
)
"""Package registries: which one is used is the machine's own configuration, and no file of ours says it."""


def registries(data: bytes) -> list[str]:
    """The registry hosts that a file names."""
    return [host for host in HOSTS if re.search(rb"(?<![\w.-])" + re.escape(host.encode()) + rb"(?![\w-])", data)]


def test_no_file_names_a_package_registry() -> None:
    files = [path for path in tracked() if path.stat().st_size < 5_000_000 and "models" not in path.parts]
    assert len(files) >= 60
    found = {path.relative_to(ROOT).as_posix(): registries(path.read_bytes()) for path in files}
    assert {path: wrong for path, wrong in found.items() if wrong} == {}
    assert registries(f"url = https://{HOSTS[0]}/simple".encode()) == [HOSTS[0]]
    assert registries(b"https://mvnrepository.example/") == []


def without_a_place(nav: str, pages: list[str]) -> list[str]:
    """Pages that the nav of the site, as the text of mkdocs.yml, does not name; a `*` names all that it matches."""
    named = re.findall(r"^ +- (?:[^:\n]+: )?(\S+\.md)$", nav, re.MULTILINE)
    return [page for page in pages if not any(fnmatch(page, name) for name in named)]


def test_every_page_has_a_place_in_the_site() -> None:
    nav = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:")[2]
    pages = [path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md")]
    assert len(pages) >= 30
    assert without_a_place(nav, ["README.md", "CHANGELOG.md", *pages]) == []
    assert without_a_place("\n  - x: docs/a.md\n  - docs/b/*.md\n", ["docs/a.md", "docs/b/1.md", "docs/c.md"]) == [
        "docs/c.md"
    ]


def misnumbered(titles: dict[str, str]) -> list[str]:
    """Decisions, as file name → title, whose number is another's, skips one, or is not that of its title."""
    expected = {name: f"# {at}. " for at, name in enumerate(sorted(titles), start=1)}
    return [
        n for n, title in titles.items() if not title.startswith(expected[n]) or int(n[:4]) != int(expected[n][2:-2])
    ]


def test_each_decision_has_a_number_of_its_own() -> None:
    files = list((ROOT / "docs" / "decisions").glob("*.md"))
    assert len(files) >= 12
    assert misnumbered({file.name: file.read_text(encoding="utf-8").partition("\n")[0] for file in files}) == []
    assert misnumbered({"0001-a.md": "# 1. A", "0001-b.md": "# 1. B", "0003-c.md": "# 3. C"}) == ["0001-b.md"]
