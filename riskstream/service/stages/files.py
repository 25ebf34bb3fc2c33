"""The files that the settings name: rules and watchlist, read, checked and hashed; and the feeds beside them.

Whatever is wrong with one is an OperatorError that names the setting or option that points to it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from riskstream.core.clock import parse_ms
from riskstream.core.errors import OperatorError
from riskstream.core.passages import WindowLimits
from riskstream.core.ports import Scorer, Start
from riskstream.core.reading.entities import Matcher
from riskstream.core.reading.feeds import Decoder, FeedSpec
from riskstream.core.reading.watchlist import parse_watchlist, watchlist_hash
from riskstream.core.records import Watched
from riskstream.core.rules.rule import RuleSet
from riskstream.core.rules.rulefile import check_files, check_labels, parse_files
from riskstream.sections import Feed, Watch
from riskstream.service.pipeline import Preparer
from riskstream.service.stages.watchlane import InForce
from riskstream.settings import Settings
from riskstream.telemetry.events import ConfigKind

RELOADED: tuple[ConfigKind, ...] = ("watchlist", "rules")
"""What may change while the daemon runs; a firm that joins is there before the rule that names it."""
CASES_SUFFIX = ".test.toml"
"""Files beside the rules that test them."""


def read_text(setting: str, path: Path) -> str:
    """A file's text. Raises OperatorError naming the setting that points to it."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        fix = f"correct {setting} or put the file there"
        raise OperatorError(setting, str(path), f"cannot be read: {error.strerror}", fix) from None
    except UnicodeDecodeError as error:
        raise OperatorError(setting, str(path), f"is not UTF-8: {error.reason}", "save it as UTF-8") from None


def file_hash(text: str) -> str:
    """Enough of a text's hash to compare two pods."""
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()[:16]


def rule_files(path: Path, named_by: str = "watch.rules") -> list[tuple[str, str]]:
    """The name and text of a rule file, or of every rule file of a directory; `named_by` points to it."""
    if not path.is_dir():
        return [(str(path), read_text(named_by, path))]
    files = sorted(file for file in path.glob("*.toml") if not file.name.endswith(CASES_SUFFIX))
    if not files:
        raise OperatorError(named_by, str(path), "is a directory without rule files", "put *.toml files into it")
    return [(str(file), read_text(named_by, file)) for file in files]


def load_rules(path: Path, named_by: str = "watch.rules") -> RuleSet:
    """The rules of a file or a directory; `named_by` is the setting or option that points to it."""
    return parse_files(rule_files(path, named_by))


def check_rules_fit(rules: RuleSet, scorer: Scorer) -> None:
    """Raise OperatorError where a rule names a label that the model does not have."""
    for mistake in check_labels(rules, scorer.labels):
        raise mistake


def load_watchlist(path: Path, named_by: str = "watch.watchlist") -> dict[str, Watched]:
    """The watched entities of a file, by id; `named_by` is the setting or option that points to it."""
    return {watched.id: watched for watched in parse_watchlist(read_text(named_by, path), str(path))}


def decoder_of(feed: Feed) -> Decoder:
    """The decoder of one feed."""
    return Decoder(
        FeedSpec(
            name=feed.name,
            topic=feed.topic,
            kind=feed.kind,
            fields=feed.fields,
            lang=feed.lang,
            market=feed.market,
            weight=feed.weight,
            source_weights=feed.source_weights,
            mask=feed.mask,
            mask_names=feed.mask_names,
            bytes_max=feed.bytes_max,
            age_max_s=feed.age_max_s,
            ahead_max_s=feed.ahead_max_s,
        )
    )


def start_of(feed: Feed) -> Start:
    """Where a feed begins. Raises OperatorError where it is neither a word nor a time."""
    if feed.start in ("latest", "earliest"):
        return Start(feed.start)
    try:
        return Start("time", parse_ms(feed.start))
    except ValueError:
        fix = "write latest, earliest or an ISO 8601 time"
        raise OperatorError(f"feed {feed.name!r} start", feed.start, "is no place to start", fix) from None


class Texts(msgspec.Struct, frozen=True):
    """What stands in the files of a kind, by their names; or why that cannot be told."""

    files: tuple[tuple[str, str], ...] = ()
    unreadable: str = ""

    @property
    def digest(self) -> str:
        """Enough of a hash to tell that nothing changed. What a file is called counts: errors name it."""
        return file_hash(repr((self.files, self.unreadable)))


class Inputs(msgspec.Struct, frozen=True):
    """What a daemon reads before it touches the broker or the model. `hashes` are those of rules and watchlist,
    `digests` those of the texts that they were read from."""

    starts: dict[str, Start]
    decoders: dict[str, Decoder]
    watchlist: dict[str, Watched]
    rules: RuleSet
    hashes: dict[ConfigKind, str]
    digests: dict[ConfigKind, str]

    @property
    def in_force(self) -> InForce:
        """What the lanes of the watch stage are judged by."""
        return InForce(self.rules, self.watchlist, f"{self.hashes['rules']} {self.hashes['watchlist']}")

    def matcher(self) -> Matcher:
        """The names of the watchlist, ready to be found. Takes seconds for a hundred thousand."""
        return Matcher(tuple(self.watchlist.values()))

    def preparer(self, scorer: Scorer, entities_max: int, limits: WindowLimits) -> Preparer:
        """The first step of scoring, for all feeds."""
        return Preparer(self.decoders, self.matcher(), scorer, entities_max, limits)

    def with_texts(self, kind: ConfigKind, texts: Texts) -> Inputs:
        """The same with other rules or another watchlist. Raises OperatorError, with all mistakes of the rules."""
        digests = {**self.digests, kind: texts.digest}
        if kind == "rules":
            rules, mistakes = check_files(texts.files)
            if mistakes:
                raise _of_several(mistakes)
            new = file_hash("\n".join(text for _, text in texts.files))
            return msgspec.structs.replace(self, rules=rules, hashes={**self.hashes, kind: new}, digests=digests)
        ((origin, text),) = texts.files
        watched = parse_watchlist(text, origin)
        hashes = {**self.hashes, kind: watchlist_hash(watched)}
        watchlist = {one.id: one for one in watched}
        return msgspec.structs.replace(self, watchlist=watchlist, hashes=hashes, digests=digests)


def read_texts(kind: ConfigKind, section: Watch) -> Texts:
    """The files of a kind as they stand now."""
    if kind == "rules":
        return Texts(tuple(rule_files(section.rules)))
    return Texts(((str(section.watchlist), read_text("watch.watchlist", section.watchlist)),))


def read_inputs(settings: Settings) -> Inputs:
    """Read and check every file that the settings name. Raises OperatorError for the first mistake."""
    inputs = Inputs(
        starts={feed.topic: start_of(feed) for feed in settings.feed},
        decoders={feed.topic: decoder_of(feed) for feed in settings.feed},
        watchlist={},
        rules=RuleSet(()),
        hashes={},
        digests={},
    )
    for kind in RELOADED:
        inputs = inputs.with_texts(kind, read_texts(kind, settings.watch))
    return inputs


def _of_several(mistakes: Sequence[OperatorError]) -> OperatorError:
    """The first, which says how many follow it."""
    first, more = mistakes[0], len(mistakes) - 1
    if not more:
        return first
    return OperatorError(
        first.thing, first.value, first.problem, f"{first.fix} ({more} more: `riskstream rules check`)"
    )
