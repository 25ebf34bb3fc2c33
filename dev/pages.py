"""How the repository becomes a site: a hook of mkdocs, named in mkdocs.yml.

    every page keeps its path in the repository ──► links between pages work there and on a git host alike
    a link to a file that is no page            ──► a page that shows the file
    a link to a directory                       ──► a page that lists its files, each with a page of its own

Rule 1. The pages are written for a git host; nothing in them is for the site. Rule 2. Nothing is loaded from elsewhere:
        a built page that asks for a script, style or image of another host ends the build.
"""

from __future__ import annotations

import posixpath
import re
import subprocess
from collections.abc import Set
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page
from pymdownx.slugs import slugify

ROOT = Path(__file__).resolve().parent.parent
SHOWN_BYTES_MAX = 60_000
"""A longer file of a directory is named and not shown."""
LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)#\s]+)(#[^)\s]*)?(?=\))")
FOREIGN = re.compile(
    r"<(?:script|img|iframe|source)\b[^>]*\bsrc=\"(?:https?:)?//[^>]*>|<link\b[^>]*\bstylesheet[^>]*//[^>]*>"
)
LANGUAGES = {".json": "json", ".py": "python", ".toml": "toml", ".yaml": "yaml", ".yml": "yaml"}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Anchors as a git host makes them; a `*` in the nav is every page that it matches."""
    config.mdx_configs["toc"]["slugify"] = slugify(case="lower")
    config.nav = _expanded(config.nav)
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """The pages of the nav and of docs/, each at its path in the repository, and what they link to."""
    own = [file for file in files if file.src_dir == config.docs_dir]
    pages = {f"docs/{file.src_uri}": ROOT / "docs" / file.src_uri for file in own}
    pages |= {name: ROOT / name for name in _named(config.nav)}
    made = [_page(config, name, path) for name, path in sorted(pages.items())]
    texts = {name: path.read_text(encoding="utf-8") for name, path in pages.items() if path.suffix == ".md"}
    linked = {target for name, text in texts.items() for target in _targets(name, text)}
    linked |= {file for name in linked if (ROOT / name).is_dir() for file in _inside(name) if _may_be_shown(file)}
    made += [_shown(config, name, pages.keys() | linked) for name in sorted(linked - pages.keys())]
    return Files([*(file for file in files if file not in own), *made])


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links to files and directories lead to the pages that show them."""
    return LINK.sub(lambda link: _led(page.file.src_uri, *link.groups(default="")), markdown)


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Nothing is loaded from elsewhere."""
    if found := FOREIGN.search(output):
        raise PluginError(f"{page.file.src_uri}: {found[0]} is loaded from another host")
    return output


def _expanded(nav: Any) -> Any:
    match nav:
        case list():
            return [part for entry in nav for part in _spread(entry)]
        case dict():
            return {title: _expanded(inner) for title, inner in nav.items()}
        case str() if "*" in nav:
            return _spread(nav)
    return nav


def _spread(entry: Any) -> list[Any]:
    """The entries that one entry of a list stands for."""
    if isinstance(entry, str) and "*" in entry:
        return sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob(entry))
    return [_expanded(entry)]


def _named(nav: Any) -> list[str]:
    """Every path in the nav."""
    match nav:
        case str():
            return [nav]
        case list():
            return [name for entry in nav for name in _named(entry)]
        case dict():
            return [name for entry in nav.values() for name in _named(entry)]
    return []


def _targets(name: str, text: str) -> set[str]:
    """The files and directories of the repository that a page links to."""
    found = {_resolved(name, link[1]) for link in LINK.finditer(text)}
    return {target for target in found if target and (ROOT / target).exists()}


def _resolved(name: str, link: str) -> str:
    """The path in the repository that a link of a page means; empty where it leads out."""
    target = posixpath.normpath(posixpath.join(posixpath.dirname(name), link))
    return "" if target.startswith("..") else target


def _led(name: str, link: str, anchor: str) -> str:
    target = _resolved(name, link)
    path = ROOT / target
    if not target or not path.exists() or path.suffix in (".md", ".png"):
        return link + anchor
    return link.rstrip("/") + ("/index.md" if path.is_dir() else ".md") + anchor


def _page(config: MkDocsConfig, name: str, path: Path) -> File:
    return File.generated(config, name, abs_src_path=str(path))


def _shown(config: MkDocsConfig, name: str, known: Set[str]) -> File:
    """A page that shows a file or lists a directory; a picture as it is."""
    path = ROOT / name
    if path.suffix == ".png":
        return _page(config, name, path)
    target, text = (f"{name}/index.md", _listed(name, known)) if path.is_dir() else (f"{name}.md", _quoted(path))
    return File.generated(config, target, content=f"# {name}\n\n{text}", inclusion=InclusionLevel.NOT_IN_NAV)


def _quoted(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    return f"````{LANGUAGES.get(path.suffix, 'text')}\n{text.rstrip()}\n````\n"


def _listed(name: str, known: Set[str]) -> str:
    """The files of a directory, those that have a page as links."""
    inside = {file: posixpath.relpath(file, name) for file in _inside(name)}
    return "".join(f"- [`{short}`]({short})\n" if file in known else f"- `{short}`\n" for file, short in inside.items())


def _inside(name: str) -> list[str]:
    """The tracked files of a directory."""
    listing = subprocess.run(["git", "ls-files", name], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return listing.splitlines()


def _may_be_shown(file: str) -> bool:
    path = ROOT / file
    return path.suffix in LANGUAGES and path.stat().st_size <= SHOWN_BYTES_MAX
