"""The licences of what the images are made of, judged by a short list; `docs/licences.md` is written from here.

    requirements/{run,cuda}.txt ──► metadata of the installed packages ──► ALLOWED │ JUDGED ──► the page

Rule 1. A licence that is neither allowed nor judged is a mistake, and so is a judgement that nobody needs any more.
Rule 2. The page names no versions, so that an update changes it only where a licence changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatch
from importlib.metadata import metadata
from pathlib import Path

import msgspec
from packaging.requirements import Requirement

REQUIREMENTS = Path(__file__).resolve().parent.parent / "requirements"
ALLOWED = frozenset(
    {"0BSD", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause", "BSD", "BSL-1.0"}
    | {"CC0-1.0", "CNRI-Python", "ISC", "MIT", "MIT-0", "MIT-CMU", "PSF-2.0", "Public-Domain", "Zlib"}
)
"""Permissive: they ask for their notice, which each wheel brings along."""


class Judged(msgspec.Struct, frozen=True):
    """A licence that is not simply allowed: of which packages, which it is, and why we use them nevertheless."""

    packages: str
    licence: str
    reason: str


JUDGED = (
    Judged(
        "python-stdnum",
        "LGPL-2.1-or-later",
        "check digits of identity numbers; used unchanged and imported at run time, so whoever has the image can put "
        "another version in its place, as the licence asks",
    ),
    Judged(
        "certifi",
        "MPL-2.0",
        "certificate authorities, for the exporter of traces; unchanged, and the licence ends at the file",
    ),
    Judged("tqdm", "MPL-2.0", "comes with huggingface-hub; its files are unchanged, and the licence ends at the file"),
    Judged(
        "nvidia-*",
        "LicenseRef-NVIDIA-Proprietary",
        "in the CUDA image alone: NVIDIA's libraries, under terms that let an application bring the runtime along; "
        "read them before you publish such an image",
    ),
    Judged("cuda-toolkit", "none stated", "a package without files of its own, which only asks for NVIDIA's others"),
)

SPOKEN = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache": "Apache-2.0",
    "Apache 2": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "Apache 2.0 License": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD",
    "GNU Lesser General Public License v2 or later (LGPLv2+)": "LGPL-2.1-or-later",
    "ISC License (ISCL)": "ISC",
    "ISC License": "ISC",
    "MIT License": "MIT",
    "NVIDIA Proprietary Software": "LicenseRef-NVIDIA-Proprietary",
    "Python Software Foundation License": "PSF-2.0",
}
"""What older packages write instead of an SPDX identifier."""
VAGUE = frozenset({"BSD", "GPL", "LGPL"})
"""Names of families, which the classifier tells apart."""

HEAD = """\
# Licences

What the two images are made of beside Debian and Python, from the metadata of the packages themselves. Written by
`make docs` from `requirements/` and `dev/licences.py`; a test holds the two together, and refuses a licence that is
neither permissive nor judged below. riskstream is Apache-2.0; the data that the model was trained on have licences of
their own, which its card names. `make sbom` writes the same with versions ([supply chain](supply-chain.md)).
"""


def packages(file: str) -> list[str]:
    """The packages that a file of requirements/ installs on this machine."""
    lines = (REQUIREMENTS / f"{file}.txt").read_text(encoding="utf-8").splitlines()
    wanted = [Requirement(line.rstrip(" \\")) for line in lines if re.match(r"[a-z]", line)]
    return [each.name for each in wanted if each.marker is None or each.marker.evaluate()]


def licence(package: str) -> str:
    """The licence of an installed package as an SPDX expression, as far as its metadata tells."""
    facts = metadata(package)
    classifiers = facts.get_all("Classifier") or []
    classified = [name.rpartition(" :: ")[2] for name in classifiers if name.startswith("License :: ")]
    written = (facts.get("License") or "").strip()
    if stated := facts.get("License-Expression"):
        return stated
    if written in SPOKEN:
        return SPOKEN[written]
    if written not in VAGUE and re.fullmatch(r"[\w.-]+(?: (?:AND|OR|and) [\w.-]+)*", written):
        return written.replace(" and ", " AND ")
    return " OR ".join(SPOKEN.get(name, name) for name in classified) or "none stated"


def parts(expression: str) -> list[str]:
    """The licences that an expression names. All must hold, even where one may be chosen."""
    return re.split(r" (?:AND|OR) ", expression.replace("(", "").replace(")", ""))


def judgement(package: str, name: str) -> Judged | None:
    """Why a licence that is not allowed is used, if anybody said so."""
    return next((j for j in JUDGED if fnmatch(package, j.packages) and j.licence == name), None)


def mistakes(found: dict[str, str]) -> Iterator[str]:
    """What is wrong with the licences of these packages, as package → expression."""
    needed = set()
    for package, expression in found.items():
        for name in parts(expression):
            if name not in ALLOWED:
                judged = judgement(package, name)
                needed.add(judged)
                if judged is None:
                    yield f"{package}: {name} is not in ALLOWED; find another package, or judge it in JUDGED"
    for judged in JUDGED:
        if judged not in needed:
            yield f"{judged.packages}: the judgement of {judged.licence} is not needed any more"


def text() -> str:
    """The whole page."""
    cpu = packages("run")
    cuda = [name for name in packages("cuda") if name not in cpu]
    tables = [_table("The CPU image", cpu), _table("The CUDA image, beside these", cuda)]
    rows = [f"| `{each.packages}` | {each.licence} | {each.reason} |" for each in JUDGED]
    judged = "\n".join(
        ["\n## Judged one by one\n", "| packages | licence | why they are used |", "|---|---|---|", *rows]
    )
    return HEAD + judged + "\n" + "".join(tables)


def _table(title: str, names: list[str]) -> str:
    rows = [f"| `{name}` | {licence(name)} |" for name in names]
    return "\n".join([f"\n## {title}\n", "| package | licence |", "|---|---|", *rows]) + "\n"
