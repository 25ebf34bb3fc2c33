"""Writes riskstream/core/reading/words.py: everyday English words that are also tickers or company names.

    .venv/bin/python dev/words.py && .venv/bin/ruff format riskstream/core/reading/words.py

A word counts as everyday when the project's English texts write it in small letters at least four times, and in small
letters at least a third as often as in capitals (so that `nflx` in a careless tweet is none). Of words longer than
five letters only those are kept that are some listed company's whole name. Words only, no texts, are kept.
"""

from __future__ import annotations

import csv
import json
import re
import textwrap
from collections import Counter
from pathlib import Path

DATA = Path(__file__).parents[2] / "shared" / "data"
OUT = Path(__file__).parents[1] / "riskstream" / "core" / "reading" / "words.py"
TEXTS = (
    "sentiment/tfns",
    "sentiment/sentfin",
    "topic/tfnt",
    "risk/annotated",
    "risk/passages",
    "risk/authored.en",
    "more/complaints",
    "more/cuad",
)
LEGAL = frozenset(
    (
        *("inc", "corp", "co", "ltd", "plc", "company", "corporation", "group", "holdings", "holding", "limited"),
        *("sa", "nv", "ag", "se", "lp", "llc", "trust", "the"),
    )
)
BY_HAND = (
    "apple block carnival cat chase delta discover dow gap match oracle shell steel tide united visa wells "
    "ceo cfo coo cto esg etf fda gaap gdp ipo ira irs nyse sec usa usd yoy"
)
"""Names and abbreviations that the texts hardly write in small letters, and that are never a company by themselves."""
HEAD = '''"""Everyday English words that are also tickers or company names: ALL, KEY, Target. Written by dev/words.py.

A ticker among them counts only in a ticker's dress (`$ALL`, `(NYSE: ALL)`), a one-word name only with a capital.
"""

from __future__ import annotations

_WORDS = """
'''


def counts() -> tuple[Counter[str], Counter[str]]:
    """How often each word stands in small letters, and in capitals."""
    small: Counter[str] = Counter()
    capital: Counter[str] = Counter()
    for name in TEXTS:
        with (DATA / f"{name}.jsonl").open(encoding="utf-8") as lines:
            for line in lines:
                text = re.sub(r"https?://\S+", " ", json.loads(line)["text"])
                for word in re.findall(r"(?<![\w@#.&/'’-])(?:[a-z]{3,}|\$?[A-Z]{3,})(?![\w@/])", text):
                    (small if word.islower() else capital)[word.lower().lstrip("$")] += 1
    return small, capital


def one_word_names() -> set[str]:
    """Company names that are one word once the legal form is off."""
    found = set()
    for file, column in (("sec_tickers.csv", "title"), ("sp500.csv", "Security")):
        with (DATA / "entities" / file).open(encoding="utf-8", newline="") as rows:
            for row in csv.DictReader(rows):
                words = [word for word in re.findall(r"[a-z0-9&']+", row[column].lower()) if word not in LEGAL]
                if len(words) == 1:
                    found.add(words[0])
    return found


def main() -> None:
    small, capital = counts()
    names = one_word_names()
    everyday = {
        word
        for word, count in small.items()
        if count >= 4 and 3 * count >= capital[word] and (len(word) <= 5 or word in names)
    }
    words = sorted(everyday | set(BY_HAND.split()))
    body = textwrap.fill(" ".join(words), 116, initial_indent="", subsequent_indent="")
    OUT.write_text(f'{HEAD}{body}\n"""\n\nEVERYDAY = frozenset(_WORDS.split())\n', encoding="utf-8")
    print(f"{len(words)} words to {OUT}")


if __name__ == "__main__":
    main()
