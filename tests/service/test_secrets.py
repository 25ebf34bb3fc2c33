"""Secrets are planted in every place that may hold one, and looked for in everything that comes out."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

import riskstream.cli
from riskstream.cli import main
from riskstream.concealed import conceal, read_secret
from riskstream.core.errors import OperatorError
from riskstream.registry.url import Url
from riskstream.sections import Feed, Http
from riskstream.sections.sink import Sink
from riskstream.sections.tracing import Tracing
from riskstream.service import parts
from riskstream.service.daemon import tracing
from riskstream.service.sinks.config import target
from riskstream.telemetry import configure_logging
from tests.service.conftest import Call
from tests.service.daemons import Rig
from tests.service.test_daemon import document
from tests.support.until import until

MARK = "pLanted"
"""In every secret here."""
FEED = Feed(name="wire", topic="wire", start="earliest", partitions=1)
FILES = {
    "password": f"kafka-{MARK}-1",
    "tokens": f"desk:token-{MARK}-2\ntoken-{MARK}-3\n",
    "hook-url": f"/services/{MARK}-4",
    "hook-token": f"bearer-{MARK}-5",
    "hook-secret": f"whsec_{MARK}6{'A' * 32}",
    "headers": f"x-api-key: key-{MARK}-7\n",
}


def found(text: str) -> list[str]:
    """Where a planted secret shows."""
    return [line for line in text.splitlines() if MARK in line]


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """A directory of secrets."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """All that the process writes into its log, at the level that says most."""
    root, stderr, hook = logging.getLogger(), sys.stderr, threading.excepthook
    handlers, level = list(root.handlers), root.level
    sys.stderr = out = io.StringIO()
    configure_logging("DEBUG", json=True, conceal=conceal)
    for library in ("aiohttp", "aiokafka", "opentelemetry", "urllib3"):
        logging.getLogger(library).setLevel(logging.DEBUG)
    yield out
    sys.stderr, root.handlers[:], threading.excepthook = stderr, handlers, hook
    root.setLevel(level)
    for library in ("opentelemetry", "urllib3"):
        logging.getLogger(library).setLevel(logging.NOTSET)


@pytest.fixture
async def parrot() -> AsyncIterator[str]:
    """A receiver that takes nothing, and answers with all that it was sent."""

    async def refuse(request: web.Request) -> web.Response:
        return web.Response(status=400, text=f"bad {request.path} {request.headers.get('Authorization')}")

    app = web.Application()
    app.router.add_route("*", "/{any:.*}", refuse)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


def sections(planted: Path, parrot: str) -> Mapping[str, object]:
    """Sections of the settings in which everything that may be secret is."""
    (planted / "hook-url").write_text(f"http://{parrot}{FILES['hook-url']}")
    return {
        "http": Http(port=0, token_file=planted / "tokens"),
        "sink": (
            Sink(
                name="hook",
                kind="webhook",
                url_file=planted / "hook-url",
                token_file=planted / "hook-token",
                secret_file=planted / "hook-secret",
            ),
            Sink(name="desk", kind="alertmanager", url=f"http://desk:{MARK}-8@{parrot}/", timeout_ms=500),
            Sink(name="away", kind="alertmanager", url=f"http://desk:{MARK}-9@127.0.0.1:9/", timeout_ms=500),
        ),
        "tracing": Tracing(
            endpoint=f"http://desk:{MARK}-10@{parrot}/v1/traces",
            headers_file=planted / "headers",
            sample_ratio=1.0,
            timeout_ms=500,
        ),
    }


async def asked(port: int) -> str:
    """Everything that the port answers, to the right token, to a wrong one and to none."""
    told = []
    token = FILES["tokens"].splitlines()[1]
    paths = ("/livez", "/readyz", "/metrics", "/v1/model", "/v1/alerts", "/v1/entities/ACME", "/v1/openapi.json", "/x")
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        for bearer in (token, "wrong", ""):
            headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
            for path in paths:
                async with session.get(path, headers=headers) as answer:
                    told.append(f"{answer.status} {dict(answer.headers)} {await answer.text()}")
            async with session.post("/v1/score", headers=headers, json={"text": "Acme fails"}) as answer:
                told.append(f"{answer.status} {await answer.text()}")
    assert [text[:3] for text in told[:5]] == ["200"] * 5
    return "\n".join(told)


async def test_a_daemon_shows_none_of_its_secrets(planted: Path, parrot: str, lines: io.StringIO) -> None:
    rig = Rig(planted, feed=FEED, **sections(planted, parrot))  # type: ignore[arg-type]
    async with rig.running():
        await rig.send(document(1), b"{")
        assert rig.daemon.http is not None
        answers = await asked(rig.daemon.http.port)
        failures = "riskstream_sink_failures_total"
        await until(lambda: all(rig.metric(failures, sink=name) for name in ("hook", "desk", "away")))
        metrics = rig.telemetry.metrics.render()[0].decode()
        records = [str(m) for topic in parts.topics_of(rig.settings) for m in await rig.read(topic.name)]
    log = lines.getvalue()
    assert "sink failed" in log
    assert "HTTP 400 bad /… Bearer …" in log
    for text in (answers, metrics, "\n".join(records), log):
        assert found(text) == []


CONFIG = """
[kafka]
bootstrap_servers = "127.0.0.1:9"
security_protocol = "SASL_PLAINTEXT"
sasl_username = "desk"
sasl_password_file = "{folder}/password"
[[feed]]
name = "wire"
topic = "wire"
[models]
root = "http://desk:pLanted-11@127.0.0.1:9/models"
name = "m@champion"
cache = "{folder}/cache"
[http]
token_file = "{folder}/tokens"
[[sink]]
name = "hook"
kind = "webhook"
url_file = "{folder}/hook-url"
secret_file = "{folder}/hook-secret"
[tracing]
endpoint = "http://desk:pLanted-10@127.0.0.1:9/v1/traces"
headers_file = "{folder}/headers"
"""


@pytest.mark.parametrize(
    "command", [["doctor"], ["run"], ["topics", "show"], ["topics", "create"], ["score"], ["models", "list"]]
)
def test_commands_that_fail_show_none(
    call: Call, planted: Path, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RISKSTREAM_MODELS__NAME")
    monkeypatch.setenv("DESK_PASSWORD", f"{MARK}-12")
    (planted / "hook-url").write_text(f"https://127.0.0.1:9{FILES['hook-url']}")
    config = planted / "riskstream.toml"
    config.write_text(CONFIG.replace("{folder}", str(planted)))
    done = call(*command, "--config", config, stdin=b'{"text": "Acme"}\n')
    assert done.code == 2, done.told
    assert found(done.out.decode() + done.told) == []


WRONG = {
    "a password in the settings": f"[kafka]\nsasl_password = '{MARK}-x'",
    "a token in the settings": f"[http]\ntoken = '{MARK}-x'",
    "tokens in the settings": f"[http]\ntokens = ['{MARK}-x']",
    "a key in the settings": f"[tracing]\napi_key = '{MARK}-x'",
    "headers in the settings": f"[tracing]\nheaders = {{ x-api-key = '{MARK}-x' }}",
    "a secret of a sink": f"[[sink]]\nname='a'\nkind='webhook'\nurl='https://h'\nsecret='{MARK}-x'",
    "a sink with both addresses": f"[[sink]]\nname='a'\nkind='webhook'\nurl='https://u:{MARK}@h'\nurl_file='f'",
    "a sink of no kind": f"[[sink]]\nname='a'\nkind='hook'\nurl='https://u:{MARK}@h'",
    "an address of no scheme": f"[[sink]]\nname='a'\nkind='webhook'\nurl='hook/{MARK}-x'",
    "a collector of no scheme": f"[tracing]\nendpoint='collector?key={MARK}-x'",
    "a collector with a user": f"[tracing]\nendpoint='http://u:{MARK}-x@127.0.0.1:bad'",
    "a broker with a user": f"[kafka]\nbootstrap_servers='desk:{MARK}-x@broker:9092'",
    "a password where its file belongs": (
        f"[kafka]\nsecurity_protocol='SASL_SSL'\nsasl_username='u'\nsasl_password_file='{MARK}-x'"
    ),
    "a token where its file belongs": f"[http]\ntoken_file='{MARK}/x=='",
    "a store of no scheme that is known": f"[models]\nroot='nos3://u:{MARK}-x@bucket/models'",
    "a store that is away": f"[models]\nroot='http://u:{MARK}-x@127.0.0.1:9/models'",
    "a store of no address": f"[models]\nroot='http://u:{MARK}-x@:bad/models'",
    "a directory in vain": f"[models]\nroot='file://u:{MARK}-x@/none'",
    "a file of settings that is no table": f"sink = 'https://u:{MARK}-x@h'",
}


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_setting_is_told_without_what_may_be_secret(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    config = tmp_path / "riskstream.toml"
    if "[models]" in text:
        text += "\nname = 'm@champion'"
        monkeypatch.delenv("RISKSTREAM_MODELS__NAME")
    config.write_text(text)
    done = call("doctor", "--config", config)
    assert done.code == 2
    assert "Fix:" in done.out.decode() + done.told
    assert found(done.out.decode() + done.told) == []


@pytest.mark.parametrize(
    "variable",
    [
        "RISKSTREAM_KAFKA__SASL_PASSWORD",
        "RISKSTREAM_HTTP__TOKEN",
        "RISKSTREAM_SINK__0__SECRET",
        "RISKSTREAM_SECRETS__KAFKA",
        "RISKSTREAM_SINK",
    ],
)
@pytest.mark.parametrize(
    "value", [f"{MARK}-x", f'[{{"name":"a","kind":"webhook","url":"h","secret":"{MARK}"}}]', "[" + MARK]
)
def test_a_wrong_variable_is_told_without_its_value(
    call: Call, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    done = call("doctor")
    assert done.code == 2
    assert found(done.out.decode() + done.told) == []


def test_a_fault_of_ours_shows_its_lines_and_no_secret(
    planted: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fault(**_: object) -> None:
        token = read_secret("http.token_file", planted / "hook-token")
        raise RuntimeError(f"the library says: {token!r} at https://u:{MARK}@h/ is wrong")

    monkeypatch.setattr(riskstream.cli.cli, "main", fault)
    with pytest.raises(SystemExit) as end:
        main()
    told = capsys.readouterr().err
    assert (end.value.code, found(told)) == (1, [])
    assert "RuntimeError: the library says: '…' at https://…@h/ is wrong" in told


def test_a_thread_that_dies_is_told_in_a_line_without_a_secret(lines: io.StringIO, planted: Path) -> None:
    token = read_secret("http.token_file", planted / "hook-token")

    def work() -> None:
        raise RuntimeError(f"{token} at https://u:{MARK}@h/ is wrong")

    thread = threading.Thread(target=work, name="library")
    thread.start()
    thread.join()
    (line,) = lines.getvalue().splitlines()
    assert found(line) == []
    assert json.loads(line)["event"] == "the thread library has ended"
    assert "RuntimeError: … at https://…@h/ is wrong" in line


def test_no_part_shows_its_secrets_where_it_is_printed(planted: Path, parrot: str) -> None:
    made = sections(planted, parrot)
    sinks: tuple[Sink, ...] = made["sink"]  # type: ignore[assignment]
    collector = tracing.collector(made["tracing"])  # type: ignore[arg-type]
    for part in (*(target(sink) for sink in sinks), collector):
        assert found(f"{part!r} {part}") == []
    with pytest.raises(OperatorError) as error:
        Url(f"nos3://u:{MARK}@bucket", planted)
    assert found(f"{error.value!r} {error.value.value} {error.value.problem}") == []


def test_a_secret_is_found_as_json_and_python_write_it(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text('qu"o\\te-é-' + MARK)
    secret = read_secret("x", tmp_path / "secret")
    assert conceal(f"{secret} {json.dumps(secret)} {secret!r}") == "… \"…\" '…'"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("https://u:p@h/x", "https://…@h/x"),
        ("a https://u@h, s3://k:s@b/c", "a https://…@h, s3://…@b/c"),
        ("https://u:p@ss@h/x", "https://…@h/x"),
        ("https://h/x?mail=a@b", "https://h/x?mail=a@b"),
        ("https://h?mail=a@b", "https://h?mail=a@b"),
        ("mail a@b", "mail a@b"),
    ],
)
def test_what_stands_before_the_at_of_an_address(text: str, told: str) -> None:
    assert conceal(text) == told
