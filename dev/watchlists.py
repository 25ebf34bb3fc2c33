"""Writes config/watchlists/ from the lists of companies in ../shared/data/entities.

    .venv/bin/python dev/watchlists.py

sp500.csv     id and ticker as the exchange has them; the name without its legal form is an alias where it is nobody
              else's and no everyday word; the sector is the group
a-shares.csv  id and ticker are the six-digit code, the group is the exchange; names of two characters are left out,
              because most are ordinary words
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from riskstream.core.reading.watchlist import parse_watchlist
from riskstream.core.reading.words import EVERYDAY

ROOT = Path(__file__).parents[1]
ENTITIES = ROOT.parent / "shared" / "data" / "entities"
OUT = ROOT / "config" / "watchlists"

CLASS = re.compile(r" \((?:Class [A-C]|The)\)$")
LEGAL = re.compile(
    r",? (?:Inc\.?|Incorporated|Corp\.?|Corporation|Company|Companies|Co\.|plc|Ltd\.?|Limited|Group|Holdings?"
    r"|N\.?V\.?)$"
)
KEEP = frozenset(("Apple", "Visa", "Oracle"))
"""Everyday words that, with a capital, nearly always mean the company."""
NEVER = frozenset(("Nasdaq",))
"""Short names that nearly always mean something else: here the index."""
ALSO = {
    "GE": ("General Electric", "=GE"),
    "C": ("Citi", "Citibank"),
    "BAC": ("BofA", "Bank of America Corp", "Merrill Lynch"),
    "XOM": ("Exxon", "Exxon Mobil"),
    "VZ": ("Verizon Wireless",),
    "JPM": ("JPMorgan", "JP Morgan", "J.P. Morgan"),
    "GOOGL": ("Google", "Alphabet"),
    "META": ("Facebook",),
    "DIS": ("Disney",),
    "KO": ("Coca-Cola", "Coca Cola"),
    "PG": ("P&G",),
    "JNJ": ("J&J",),
    "WMT": ("Wal-Mart",),
    "AXP": ("AmEx",),
    "UPS": ("=UPS",),
    "WFC": ("Wells Fargo & Co",),
    "T": ("AT&T Inc",),
    "GS": ("Goldman",),
}
"""Common names that no rule makes of the official one."""


def short(name: str) -> str:
    """The name without share class and legal form."""
    name = CLASS.sub("", name)
    while (bare := LEGAL.sub("", name)) != name:
        name = bare
    return name


def sp500() -> list[dict[str, str]]:
    with (ENTITIES / "sp500.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    shorts = Counter(short(row["Security"]) for row in rows)
    found = []
    for row in rows:
        name, bare, ticker = row["Security"], short(row["Security"]), row["Symbol"]
        aliases = [ticker]
        alone = shorts[bare] == 1 and bare != name and len(bare) > 2 and bare not in NEVER
        if alone and (bare in KEEP or not all(word in EVERYDAY for word in bare.lower().split())):
            aliases.append(bare)
        aliases += ALSO.get(ticker, ())
        group = re.sub(r"\W+", "-", row["GICS Sector"].lower())
        found.append({"id": ticker, "name": name, "aliases": "|".join(dict.fromkeys(aliases)), "groups": group})
    return found


def a_shares() -> list[dict[str, str]]:
    with (ENTITIES / "a_shares.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    found = {}
    for row in rows:
        code, name = row["code"].zfill(6), "".join(row["name"].split())
        if len(name) > 2:
            group = "sh" if code[0] == "6" else "sz"
            found[code] = {"id": code, "name": name, "aliases": code, "groups": group}
    return [found[code] for code in sorted(found)]


def write(name: str, rows: Iterable[dict[str, str]]) -> None:
    """Writes the file and reads it back as the daemon does."""
    path = OUT / name
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["id", "name", "aliases", "groups"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    watched = parse_watchlist(path.read_text(encoding="utf-8"), name)
    print(f"{path.relative_to(ROOT)}: {len(watched)} entities, {path.stat().st_size} bytes")


if __name__ == "__main__":
    write("sp500.csv", sp500())
    write("a-shares.csv", a_shares())
