"""All settings together, where they come from, and how a wrong one is told.

    built-in default  ◄  config/riskstream.toml  ◄  RISKSTREAM_<SECTION>__<KEY> in the environment

Secrets come from files (`sasl_password_file`, `token_file`), so that none stands in a file that is shown around.
Unknown keys are refused. The sections are in `sections.py`; a part of the daemon gets its own, never the whole.
"""

from __future__ import annotations

import itertools
import os
import re
import tomllib
from operator import attrgetter
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from riskstream.core.errors import OperatorError
from riskstream.sections import (
    Batching,
    DeadLetters,
    Feed,
    Http,
    Log,
    Models,
    Scoring,
    Stages,
    State,
    Watch,
)
from riskstream.sections.kafka import Kafka, Topics
from riskstream.sections.learning import Reviews, Trainer
from riskstream.sections.sink import Sink
from riskstream.sections.tracing import Tracing
from riskstream.sections.trouble import Overload, Watchdogs

ENV_PREFIX = "RISKSTREAM_"
_SECRET = re.compile("pass|secret|credential|token|key|auth", re.IGNORECASE)
DEFAULT_FILE = Path("config/riskstream.toml")
RISING: tuple[tuple[str, ...], ...] = (
    ("kafka.transaction_calls_ms", "kafka.transaction_timeout_ms", "kafka.session_timeout_ms"),
    ("kafka.session_timeout_ms", "watchdogs.loop_blocked_s"),
    ("batching.latency_ms", "stages.drain_ms", "kafka.rebalance_timeout_ms", "stages.grace_ms"),
    ("dead_letters.bytes_max", "kafka.message_bytes_max"),
    ("reviews.text_bytes_max", "kafka.message_bytes_max"),
)
"""What must rise from left to right; checked at load, and shown in docs/configuration.md."""


def _no_dots(name: str) -> str:
    if not name or "." in name:
        raise ValueError("must be a name without dots, as it begins every transactional id")
    return name


class Settings(BaseSettings):
    """All sections."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        env_prefix=ENV_PREFIX,
        env_nested_delimiter="__",
        use_attribute_docstrings=True,
    )

    app: Annotated[str, AfterValidator(_no_dots)] = "riskstream"
    """The name of this deployment: prefix of consumer groups and transactional ids."""
    kafka: Kafka = Kafka()
    topics: Topics = Topics()
    feed: tuple[Feed, ...] = ()
    models: Models = Models()
    batching: Batching = Batching()
    scoring: Scoring = Scoring()
    stages: Stages = Stages()
    overload: Overload = Overload()
    watchdogs: Watchdogs = Watchdogs()
    watch: Watch = Watch()
    state: State = State()
    dead_letters: DeadLetters = DeadLetters()
    reviews: Reviews = Reviews()
    trainer: Trainer = Trainer()
    http: Http = Http()
    sink: tuple[Sink, ...] = ()
    log: Log = Log()
    tracing: Tracing = Tracing()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment stands above the file, whose content comes as the initial values."""
        return env_settings, init_settings

    @model_validator(mode="after")
    def _chains(self) -> Settings:
        for low, high in itertools.chain.from_iterable(map(itertools.pairwise, RISING)):
            low_value, high_value = attrgetter(low)(self), attrgetter(high)(self)
            if low_value * _millis(low) >= high_value * _millis(high):
                raise ValueError(f"{low} = {low_value} must be lower than {high} = {high_value}")
        topics = [feed.topic for feed in self.feed]
        topics += [self.topics.signals, self.topics.alerts, self.topics.state, self.topics.dead_letters]
        topics += [self.topics.rollups, self.topics.rollups_state]
        topics += [self.topics.reviews, self.topics.labels]
        if twice := sorted({topic for topic in topics if topics.count(topic) > 1}):
            raise ValueError(f"the topic {twice[0]!r} is named twice; feeds and each topic of ours are apart")
        names = [feed.name for feed in self.feed]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two [[feed]] tables have the name {twice[0]!r}; give each its own")
        sinks = [sink.name for sink in self.sink]
        if twice := sorted({name for name in sinks if sinks.count(name) > 1}):
            raise ValueError(f"two [[sink]] tables have the name {twice[0]!r}; give each its own")
        return self


def _millis(name: str) -> int:
    """What a value of this name is multiplied by, so that seconds and milliseconds can be compared."""
    return 1000 if name.endswith("_s") else 1


def load(file: Path | None, overrides: dict[str, Any] | None = None) -> Settings:
    """The settings of a file (None: `config/riskstream.toml` where it is there, else the defaults) and the environment.

    `overrides` are whole sections that stand above the file. Raises OperatorError that names the first wrong key.
    """
    if file is None and DEFAULT_FILE.exists():
        file = DEFAULT_FILE
    values = _read(file) if file is not None else {}
    for section, table in (overrides or {}).items():
        values[section] = {**values.get(section, {}), **table} if isinstance(table, dict) else table
    _check_environment()
    try:
        return Settings(**values)
    except SettingsError as error:
        fix = "set its keys one by one: RISKSTREAM_<SECTION>__<KEY>; feeds stand in the file"
        raise OperatorError("environment", ENV_PREFIX + "…", str(error), fix) from None
    except ValidationError as error:
        raise _told(error, str(file) if file else "the built-in settings") from None


def _check_environment() -> None:
    """Refuse a variable of ours whose section there is not. One without `__` may be another program's: a cluster puts
    the addresses of a service named riskstream there."""
    for variable in os.environ:
        section, separator, _ = variable.removeprefix(ENV_PREFIX).partition("__")
        if variable.startswith(ENV_PREFIX) and separator and section.lower() not in Settings.model_fields:
            sections = ", ".join(name.upper() for name in Settings.model_fields)
            problem = "unknown section of the settings in the environment"
            raise OperatorError(variable, "…", problem, f"remove it or use one of: {sections}")


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        fix = "give the path of a settings file"
        raise OperatorError("--config", str(file), f"cannot be read: {error.strerror}", fix) from None
    except (ValueError, RecursionError) as error:
        raise OperatorError("--config", str(file), f"it is not TOML: {error}", "mend the file") from None


def _told(error: ValidationError, origin: str) -> OperatorError:
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"]) or "settings"
    variable = ENV_PREFIX + "__".join(str(part) for part in first["loc"]).upper()
    if variable in os.environ:
        origin = f"the environment variable {variable}"
    problem, name = first["msg"].removeprefix("Value error, "), key.rpartition(".")[2]
    if first["type"] == "extra_forbidden":
        problem = f"unknown setting in {origin}"
        if _SECRET.search(name):
            fix = "remove it; a secret is read from a file, which a setting that ends in _file names"
            return OperatorError(key, "…", problem, fix)
        return OperatorError(key, _shown(name, first["input"]), problem, "remove it or correct its name")
    if not first["loc"]:
        return OperatorError(key, origin, problem, "change one of the two")
    return OperatorError(key, _shown(name, first["input"]), problem, f"change it in {origin}")


def _shown(name: str, value: object) -> object:
    """What a setting holds; … for a whole table, and for what may hold a secret where none belongs."""
    address = name in ("url", "endpoint") or (name == "bootstrap_servers" and "@" in str(value))
    return "…" if isinstance(value, dict | list | tuple) or address or name.endswith("_file") else value
