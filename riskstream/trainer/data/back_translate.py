"""Texts there and back through another language, by a program of the operator's: lines in, as many lines out.

    texts ──► one line each ──► command (stdin → stdout) ──► one line each ──► cache/translated-<hash>.json

Rule 1. The program runs once for the same texts and command; the next run reads the cache.
Rule 2. A line that comes back empty, or without the entity, is not used: the text stays as it was.
"""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Sequence
from pathlib import Path

import msgspec

from riskstream.core.errors import OperatorError

SETTING = "rewrite.translate_command"
STDERR_CHARS_MAX = 300


def back_translated(texts: Sequence[str], command: Sequence[str], cache: Path, *, timeout_s: float) -> dict[str, str]:
    """Each text and its translation there and back. Raises OperatorError where the program fails or is too slow.

    Gaps within a text become single spaces, so that it is one line.
    """
    lines = [" ".join(text.split()) for text in texts]
    key = hashlib.sha256(msgspec.json.encode([list(command), lines])).hexdigest()[:16]
    path = cache / f"translated-{key}.json"
    if path.is_file():
        return dict(zip(texts, msgspec.json.decode(path.read_bytes(), type=list[str]), strict=True))
    answers = _run(lines, command, timeout_s)
    cache.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_bytes(msgspec.json.encode(answers))
    part.replace(path)
    return dict(zip(texts, answers, strict=True))


def usable(text: str, translation: str, entity: str) -> str:
    """The translation, or the text where the translation is empty or has lost the entity."""
    return translation if translation.strip() and entity.casefold() in translation.casefold() else text


def _run(lines: Sequence[str], command: Sequence[str], timeout_s: float) -> list[str]:
    shown = " ".join(command)
    if not lines:
        return []
    if not command:
        raise OperatorError(SETTING, shown, "is empty", "name a program that maps lines to lines")
    try:
        done = subprocess.run(
            list(command),
            input="\n".join(lines) + "\n",
            capture_output=True,
            encoding="utf-8",
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise OperatorError(
            SETTING, shown, f"took more than {timeout_s:g} s for {len(lines)} lines", "allow more, or give fewer rows"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise OperatorError(SETTING, shown, str(error), "name a program that maps lines to lines") from error
    if done.returncode:
        raise OperatorError(
            SETTING, shown, f"ended with {done.returncode}: {done.stderr.strip()[-STDERR_CHARS_MAX:]}", "mend it"
        )
    answers = done.stdout.removesuffix("\n").split("\n")
    if len(answers) != len(lines):
        raise OperatorError(
            SETTING, shown, f"gave {len(answers)} lines for {len(lines)}", "it must answer each line with one"
        )
    return answers
