"""Apache Kafka without Docker: one broker on loopback, from its own jars, for `make kafka`, the tests and the bench.

    pom.xml ──mvn──► .cache/kafka/<version>/jars-… ──java──► storage format ──► broker (KRaft, one node) ──► answers

    python dev/kafka/serve.py --port 9092 --dir .cache/kafka/data     in the foreground, until Ctrl-C
    python dev/kafka/serve.py --fetch-only                            only bring the jars

Rule 1. The standard library alone: this runs before anything is installed.
Rule 2. It ends the processes that it started, by their ids, and dies with its parent.
Rule 3. A broker that does not come up says why: the end of its log is in the error.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import ctypes
import fcntl
import hashlib
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
import uuid
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).resolve().parent
CACHE = HERE.parent.parent / ".cache" / "kafka"
PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
MARKERS = "kafka.coordinator.transaction.TransactionMarkerChannelManager"
"""It says at this level only that it called a transaction complete without its markers."""
START_S_MAX = 60.0
STOP_S_MAX = 15.0
API_VERSIONS = struct.pack(">ihhih", 10, 18, 0, 1, -1)
"""The request that any Kafka answers: length, API 18, version 0, correlation 1, no client id."""
_PR_SET_PDEATHSIG = 1


class CannotServe(Exception):
    """Kafka cannot be run here. The text says what is missing, or what the broker's log ends with."""


def kafka_version() -> str:
    """The version that pom.xml names."""
    version = ElementTree.parse(HERE / "pom.xml").getroot().findtext(".//{*}kafka.version")  # noqa: S314 - our own file
    if not version:
        raise CannotServe(f"{HERE / 'pom.xml'} names no kafka.version")
    return version


def fetch() -> Path:
    """The directory with Kafka's jars; Maven brings them once. Raises CannotServe."""
    pom = hashlib.sha256((HERE / "pom.xml").read_bytes()).hexdigest()[:8]
    jars = CACHE / kafka_version() / f"jars-{pom}"
    jars.parent.mkdir(parents=True, exist_ok=True)
    with (jars.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not jars.exists():
            _copy_dependencies(jars)
    return jars


def _copy_dependencies(jars: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise CannotServe("Maven (mvn) is not installed; it brings the jars of Apache Kafka")
    part = jars.with_name(f"{jars.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    command = [maven, "-B", "-q", "-f", str(HERE / "pom.xml"), PLUGIN]
    command += ["-DincludeScope=runtime", f"-DoutputDirectory={part}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotServe(f"Maven could not bring Apache Kafka's jars:\n{(done.stdout + done.stderr)[-2000:]}")
    part.rename(jars)


class KafkaServer:
    """One KRaft broker in a process of its own.

    `port` 0 takes a free one. With `users` (name → password) there is a second listener, SASL_PLAINTEXT with PLAIN,
    at `sasl_bootstrap_servers`; its users may do nothing until an ACL allows it, the plain listener may do all.
    `properties` stand above the broker's settings here; `scram_users` are for the listeners with SCRAM that they add.
    """

    def __init__(
        self,
        directory: Path,
        *,
        port: int = 0,
        users: Mapping[str, str] | None = None,
        scram_users: Mapping[str, str] | None = None,
        heap_mb: int = 640,
        properties: Mapping[str, str] | None = None,
        cluster_id: str = "",
    ) -> None:
        self._directory = directory
        self._users = dict(users or {})
        self._scram = [
            f"--add-scram=SCRAM-SHA-{bits}=[name={name},password={password}]"
            for name, password in (scram_users or {}).items()
            for bits in (256, 512)
        ]
        self._heap_mb = heap_mb
        self.properties = dict(properties or {})
        self._cluster_id = cluster_id or new_cluster_id()
        self._process: subprocess.Popen[bytes] | None = None
        self._port, self._sasl_port, self._controller_port = port or free_port(), free_port(), free_port()
        self.controller = f"127.0.0.1:{self._controller_port}"
        self.bootstrap_servers = f"127.0.0.1:{self._port}"
        self.sasl_bootstrap_servers = f"127.0.0.1:{self._sasl_port}" if self._users else ""

    @property
    def pid(self) -> int | None:
        """The broker's process, while there is one."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Bring what is missing, format an empty directory, start, and return when the broker answers.

        Raises CannotServe.
        """
        self.launch()
        self.await_answer()

    def launch(self) -> None:
        """The first half of `start`: the process runs, and may not answer yet. On the main thread: the broker ends with
        the thread that launched it. Raises CannotServe."""
        java = shutil.which("java")
        if java is None:
            raise CannotServe("Java (17 or newer) is not installed; the broker runs on it")
        if _answers(self._port):
            raise CannotServe(
                f"another broker answers at {self.bootstrap_servers} already; end it or take another port"
            )
        jars = fetch()
        self._directory.mkdir(parents=True, exist_ok=True)
        config = self._directory / "server.properties"
        config.write_text("".join(f"{name}={value}\n" for name, value in self._properties().items()))
        config.chmod(0o600)
        run = [java, f"-Xmx{self._heap_mb}m", f"-Xms{min(256, self._heap_mb)}m", "-XX:+UseSerialGC"]
        run += ["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dorg.slf4j.simpleLogger.showDateTime=true"]
        run += [f"-Dorg.slf4j.simpleLogger.log.{MARKERS}=info"]
        run += ["-cp", str(jars / "*")]
        if not (self._directory / "logs" / "meta.properties").exists():
            tool = ["kafka.tools.StorageTool", "format", f"--cluster-id={self._cluster_id}", "-c", str(config)]
            self._run([*run, *tool, *self._scram])
        with self._log_file().open("ab") as log:
            self._process = subprocess.Popen(
                [*run, "kafka.Kafka", str(config)],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - no threads of ours are running yet
                start_new_session=True,  # a Ctrl-C at the terminal is for us; we then stop the broker in order
            )

    def await_answer(self) -> None:
        """The second half of `start`, on any thread. Raises CannotServe."""
        try:
            self._wait()
        except BaseException:
            self.stop(kill=True)
            raise

    def stop(self, *, kill: bool = False) -> None:
        """End the broker: in order, or at once with `kill`. Does nothing where it is not running."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        try:
            process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def wait(self) -> int:
        """Return when the broker has ended, with its exit status."""
        return self._process.wait() if self._process else 0

    def log_tail(self) -> str:
        """The last lines of the broker's log."""
        with contextlib.suppress(FileNotFoundError):
            return self._log_file().read_text(errors="replace")[-3000:]
        return ""

    def _log_file(self) -> Path:
        return self._directory / "broker.log"

    def _run(self, command: list[str]) -> None:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise CannotServe(f"the broker's directory cannot be formatted:\n{(done.stdout + done.stderr)[-3000:]}")

    def _wait(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_S_MAX
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise CannotServe(f"the broker ended with status {self._process.returncode}:\n{self.log_tail()}")
            if _answers(self._port):
                return
            time.sleep(0.1)
        raise CannotServe(f"the broker did not answer within {START_S_MAX:.0f} s:\n{self.log_tail()}")

    def _properties(self) -> dict[str, str]:
        listeners = f"PLAINTEXT://127.0.0.1:{self._port}"
        if self._users:
            listeners += f",SASL_PLAINTEXT://127.0.0.1:{self._sasl_port}"
        controller = self.controller
        protocols = "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT"
        return {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@{controller}",
            "listeners": f"{listeners},CONTROLLER://{controller}",
            "advertised.listeners": listeners,
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "listener.security.protocol.map": protocols,
            "log.dirs": str(self._directory / "logs"),
            "auto.create.topics.enable": "false",
            "num.partitions": "1",
            # One node: every internal topic has one copy.
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "5",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "transaction.state.log.num.partitions": "5",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            # A group of one needs no company to begin.
            "group.initial.rebalance.delay.ms": "0",
            "log.cleaner.dedupe.buffer.size": str(16 * 1024 * 1024),
            **self._sasl(),
            **self.properties,
        }

    def _sasl(self) -> dict[str, str]:
        if not self._users:
            return {}
        users = " ".join(f'user_{name}="{password}"' for name, password in self._users.items())
        module = "org.apache.kafka.common.security.plain.PlainLoginModule"
        return {
            "listener.name.sasl_plaintext.sasl.enabled.mechanisms": "PLAIN",
            "listener.name.sasl_plaintext.plain.sasl.jaas.config": f"{module} required {users};",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
        }


def new_cluster_id() -> str:
    """What every broker of one cluster is formatted with."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[:22]


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1.0) as connection:
            connection.sendall(API_VERSIONS)
            return len(connection.recv(4)) == 4
    except OSError:
        return False


def die_with_parent() -> None:
    """In a new process: end when the thread that started it does."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def main() -> int:
    """The command line. Exit code 0 when stopped, 1 where the broker ended by itself, 2 where it cannot run here."""
    about = argparse.ArgumentParser(description="Run one Apache Kafka broker on loopback, until Ctrl-C.")
    about.add_argument("--port", type=int, default=9092, help="the broker's port (9092)")
    about.add_argument("--dir", type=Path, default=CACHE / "data", help="where it keeps its data (.cache/kafka/data)")
    about.add_argument("--heap-mb", type=int, default=768, help="the heap of its Java machine (768)")
    about.add_argument("--fetch-only", action="store_true", help="bring the jars and end")
    given = about.parse_args()
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, signal.default_int_handler)
    try:
        if given.fetch_only:
            print(f"Apache Kafka {kafka_version()}: {fetch()}")
            return 0
        server = KafkaServer(given.dir.resolve(), port=given.port, heap_mb=given.heap_mb)
        server.start()
    except CannotServe as error:
        print(f"serve.py: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 0
    try:
        print(f"Apache Kafka {kafka_version()} answers at {server.bootstrap_servers} (process {server.pid})")
        print(f"export RISKSTREAM_KAFKA__BOOTSTRAP_SERVERS={server.bootstrap_servers}   # Ctrl-C ends it", flush=True)
        status = server.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        server.stop()
    print(f"serve.py: the broker ended with status {status}:\n{server.log_tail()}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
