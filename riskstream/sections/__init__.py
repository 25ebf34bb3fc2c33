"""The tables of the settings file: every knob with its unit in its name, its default, and what turning it does."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from riskstream.core.watching.state import READABLE, VERSION

Topic = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,249}$")]


class Section(BaseModel):
    """A table of the settings file; keys that it does not know are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Feed(Section):
    """One topic to read: a `[[feed]]` table."""

    name: Annotated[str, Field(min_length=1)]
    """The label of this feed in metrics and lines."""
    topic: Topic
    """The topic; it must exist, or be made by `topics create`."""
    kind: Literal["news", "social", "filing", "customer"] = "news"
    """What a document is that does not say so itself."""
    weight: Annotated[float, Field(gt=0, le=1)] = 1.0
    """How far this feed is trusted, from 0 to 1; a post or a customer's message at most 0.5. Lower: rules that ask for
    a `weight_min` leave its texts out, and its denials settle less."""
    source_weights: dict[str, Annotated[float, Field(ge=0, le=1)]] = {}
    """How far single sources of this feed are trusted, in place of the above: `{ "Northgate Wire" = 1.0 }`."""
    mask: bool = False
    """Mask personal data (e-mail, phones, cards, accounts, identities) before anything is made of a text. What cannot
    be read is then a dead letter of its hash alone."""
    mask_names: tuple[str, ...] = ()
    """Paths to names of people in a document, such as `$.customer.name`: masked in its texts, where `mask` is set."""
    start: str = "latest"
    """Where a partition begins that never committed: latest, earliest, or an ISO 8601 time."""
    fields: dict[str, str] = {}
    """Our field → the producer's, as a path: `text = "$.body.content"`."""
    lang: str = ""
    """The language where a document has none; empty: told from the text."""
    market: bool = False
    """Publish one signal for the market (`*`) where a document names nobody that is watched."""
    bytes_max: Annotated[int, Field(ge=1_000)] = 1_000_000
    """A larger document is a dead letter."""
    age_max_s: Annotated[int, Field(ge=60)] = 86_400
    """A document that arrives longer after its publication is `late`: scored, published, kept out of windows."""
    ahead_max_s: Annotated[int, Field(ge=0)] = 300
    """A document published further than this after its arrival is `clamped` to the arrival."""
    partitions: Annotated[int, Field(ge=1)] = 4
    """Partitions where `topics create` makes the topic."""


class Models(Section):
    """Which weights, where they come from, and on what they run."""

    root: str = "models"
    """Where the versions are: a directory, or a URL (`s3://bucket/models`, with its fsspec plugin installed)."""
    name: str = "finrisk@champion"
    """`name@alias`, which the daemon follows, or `name@version` or the path of a version's directory, which stay."""
    cache: Path = Path(".cache/models")
    """Where versions of a URL are kept once fetched, the last four used; a directory as root needs none."""
    poll_s: Annotated[float, Field(ge=0, le=86_400)] = 30.0
    """How often the alias is read; where it moved, the daemon takes the new version over without a restart.
    Lower: sooner, more requests to the store. 0: never, a new version needs a restart."""
    signers_file: Path | None = None
    """Public keys (ed25519, PEM) of who may vouch for a version; one that none of them has signed is not loaded. Not
    set: its hashes alone are checked. Needs `riskstream[signing]`, which the images have."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """`cuda` without a GPU stops the start; `auto` takes what is there and says so."""
    backend: Literal["auto", "openvino", "torch"] = "auto"
    """What runs the model. auto: torch on a GPU, else OpenVINO, else torch for a model that OpenVINO does not know.
    torch needs `riskstream[gpu]`."""
    dtype: Literal["auto", "int8", "float32", "bfloat16"] = "auto"
    """auto: int8 with OpenVINO, float32 with torch. float32 with OpenVINO: a third of the speed, and the published
    numbers to four decimals. bfloat16 is for a GPU; on a CPU a score would move with its batch mates."""
    threads: Annotated[int, Field(ge=0)] = 0
    """Threads of the model on a CPU; 0: the cores that the container grants (affinity and CPU quota)."""


class Batching(Section):
    """How pairs are put together for the model. Larger: more throughput, later answers."""

    tokens_max: Annotated[int, Field(ge=64)] = 4_096
    """Padded tokens of one batch."""
    items_max: Annotated[int, Field(ge=1)] = 256
    """Pairs of one batch."""
    latency_ms: Annotated[int, Field(ge=1)] = 200
    """What a batch running and one ready may take; batches follow the pace. Lower: earlier, fewer texts a second."""
    wait_ms_max: Annotated[int, Field(ge=0)] = 20
    """How long the first pair of a batch waits for company while the model is busy; an idle model takes it at once."""
    queue_max: Annotated[int, Field(ge=1)] = 2_048
    """Pairs that wait for the model; at this number, reading pauses."""
    cache_max: Annotated[int, Field(ge=0)] = 20_000
    """Answers kept, 2 kB each: a pair with the tokens of an earlier one is answered without the model. 0: none."""


class Scoring(Section):
    """How long texts are read, and which scores are explained."""

    window_tokens_max: Annotated[int, Field(ge=0, le=32_768)] = 96
    """Tokens of one window, entity included, of a text that is too long for the model. Lower: a risky sentence stands
    out more among calm ones. Higher: more of its context is seen. 0: as many as the model reads."""
    window_overlap_tokens: Annotated[int, Field(ge=0, le=4_096)] = 24
    """Tokens that neighbouring windows share at most, as whole sentences. Higher: less is seen out of its context."""
    windows_max: Annotated[int, Field(ge=1, le=16_384)] = 1_024
    """Windows of one document, over all its entities; 1,024: some 100 pages. `passage` counts those beyond it."""
    explain_risk_score_min: Annotated[float, Field(ge=0, le=1.01)] = 0.5
    """Signals from this score on say which words moved it (`spans`). Higher: less work; above 1: none."""
    explain_words_max: Annotated[int, Field(ge=2, le=256)] = 8
    """Into how many parts a text is taken to find the telling words: it is scored again without each. Higher: finer in
    long sentences, and slower."""
    explain_spans_max: Annotated[int, Field(ge=1, le=32)] = 6
    """Spans of one signal, the heaviest. About 20 bytes each."""
    explain_queue_max: Annotated[int, Field(ge=1, le=4_096)] = 64
    """Explanations that wait; beyond it, a signal goes out without. A signal waits for its explanation, and its lane
    for the signal."""
    explain_share_max: Annotated[float, Field(gt=0, le=1)] = 0.25
    """Share of the model's time that explaining may take while pairs wait to be scored."""


class Stages(Section):
    """The lanes: how much is in flight, when it is committed, how long letting go may take."""

    commit_ms: Annotated[int, Field(ge=1, le=5_000)] = 100
    """Results are committed this long after the first is ready. Lower: earlier alerts, more transactions."""
    commit_records_max: Annotated[int, Field(ge=1)] = 1_000
    """Input records of one transaction; a lane that has so many commits at once."""
    commit_bytes_max: Annotated[int, Field(ge=1_000)] = 4_000_000
    """Bytes that one transaction writes; a single record may be larger."""
    in_flight_max: Annotated[int, Field(ge=1)] = 1_000
    """Records of one lane that are read and not yet committed; at this number the lane pauses."""
    poll_records_max: Annotated[int, Field(ge=1)] = 500
    """Records taken from the client at a time."""
    lanes_opening_max: Annotated[int, Field(ge=1)] = 8
    """Lanes that open at the same time."""
    lanes_committing_max: Annotated[int, Field(ge=1)] = 8
    """Lanes that are in a transaction at the same time; the others gather meanwhile. Higher: more and smaller
    transactions where a process has many lanes."""
    drain_ms: Annotated[int, Field(ge=100)] = 10_000
    """How long a revoked lane may finish and commit what it has; shorter than `kafka.rebalance_timeout_ms`."""
    grace_ms: Annotated[int, Field(ge=1_000)] = 45_000
    """What the supervisor grants between SIGTERM and SIGKILL."""
    rejoin_max_s: Annotated[int, Field(ge=1)] = 30
    """The longest pause before a stage whose lane was lost joins its group again; the pause doubles from 1 s."""


class Watch(Section):
    """The picture per entity and the rules."""

    watchlist: Path = Path("config/watchlist.csv")
    """Who is watched: CSV `id,name,aliases,groups`."""
    rules: Path = Path("config/rules.toml")
    """When to alert: a rule file, or a directory of which every `*.toml` is one (`*.test.toml` are their tests)."""
    poll_s: Annotated[float, Field(ge=0, le=86_400)] = 10.0
    """How often both are read; what changed is checked and put in force without a restart, and a file that is wrong is
    refused while the one before it goes on. Lower: sooner, more reads. 0: never, a change needs a restart."""
    tick_lag_ms: Annotated[int, Field(ge=0)] = 2_000
    """An idle lane's clock runs this far behind the wall clock, so that a record on its way is not passed."""
    heartbeat_s: Annotated[int, Field(ge=1)] = 60
    """How often a source is told of at most, for rules that wait for its silence. Higher: fewer records, and a silence
    is known to this many seconds."""
    entities_per_document_max: Annotated[int, Field(ge=1, le=64)] = 8
    """Signals of one document; the least relevant entities beyond it are counted and left out."""


class State(Section):
    """What the watch stage remembers, in memory and in the topic `topics.state`."""

    subjects_max: Annotated[int, Field(ge=1)] = 100_000
    """Entities that one lane remembers. Beyond it, the one whose last signal is longest ago is forgotten, but never one
    with a pending or open alert; `state_evicted_total{reason="limit"}` counts. Higher: about 13 kB more for
    each that has two documents in the windows of five rules."""
    documents_max: Annotated[int, Field(ge=1, le=100_000)] = 4_096
    """Documents that are remembered of one entity. Beyond it the oldest is forgotten, and leaves the windows."""
    write_version: Annotated[int, Field(ge=READABLE[0], le=VERSION)] = VERSION
    """The version of the records that are written. While pods of the release before still run, keep that one's, so that
    they can take lanes over; raise it when the last of them is gone."""


class DeadLetters(Section):
    """What becomes of a document that cannot be scored."""

    bytes_max: Annotated[int, Field(ge=1_000, le=1_000_000)] = 900_000
    """A larger original is cut to this."""


class Http(Section):
    """The one port."""

    host: str = "127.0.0.1"
    """Where it listens; `0.0.0.0` in a container."""
    port: Annotated[int, Field(ge=0, le=65_535)] = 8321
    """0: any free one, named in the log."""
    token_file: Path | None = None
    """A file with the tokens that `/v1/…` asks for, one a line: `name:token`, or the token alone."""
    open: bool = False
    """Answer `/v1/…` to everybody who reaches the port."""
    entity_bytes_max: Annotated[int, Field(ge=0)] = 128 * 2**20
    """Memory of the serve stage for `/v1/entities/{id}`: what the watch stage remembers, about 1.3 kB a signal. Beyond
    it the entity that changed longest ago leaves, and its answer says so. 0: alerts alone, the state is not read."""
    requests_per_s_max: Annotated[float, Field(gt=0, le=10_000)] = 50.0
    """What one token may ask of `/v1/…` a second, and as many at once; the next is told to come again (429)."""


class Log(Section):
    """What is written to stderr."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """DEBUG adds a line per batch and per transaction."""
    format: Literal["auto", "json", "console"] = "auto"
    """auto: JSON in a pipe, readable lines on a terminal."""
