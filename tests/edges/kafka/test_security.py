"""TLS, passwords and rights against a real broker: what is right works, what is wrong is one error that names it."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aiokafka.protocol.admin import CreateAclsRequest

from riskstream.core.errors import OperatorError
from riskstream.core.ports import Start
from riskstream.core.records import Output, Partition
from riskstream.kafka.client import KafkaBroker
from riskstream.kafka.config import KafkaConfig
from tests.support.brokers import fresh, member, new_topic, publish, read_all

if TYPE_CHECKING:
    from dev.kafka.serve import KafkaServer

pytestmark = pytest.mark.broker
TOPIC, GROUP, TRANSACTIONAL_ID = 2, 3, 5
READ, WRITE, DESCRIBE = 3, 4, 8
LITERAL, PREFIXED, ALLOW = 3, 4, 3


# Rights: exactly those of the table in docs/kafka.md


@pytest.fixture
async def broker(kafka_server: KafkaServer) -> AsyncIterator[KafkaBroker]:
    real = KafkaBroker(KafkaConfig(bootstrap_servers=kafka_server.bootstrap_servers, heartbeat_interval_ms=200))
    yield real
    await real.close()


async def allow(broker: KafkaBroker, kind: int, name: str, *operations: int, pattern: int = LITERAL) -> None:
    admin = await broker._cluster._connected()
    for operation in operations:
        ask = CreateAclsRequest(kind, name, pattern, "User:worker", "*", operation, ALLOW)
        answer = await admin._send_to_controller(ask)
        assert [code for code, *_ in answer.creation_responses] == [0]


class Site:
    """A feed, an output and an app of this test's own, and a user who has no right yet."""

    def __init__(self, broker: KafkaBroker, server: KafkaServer, feed: str, output: str) -> None:
        self.all, self.feed, self.output, self.app = broker, feed, output, fresh("app")
        self.group = f"{self.app}.score"
        self.user = KafkaBroker(
            KafkaConfig(
                bootstrap_servers=server.sasl_bootstrap_servers,
                security_protocol="SASL_PLAINTEXT",
                sasl_username="worker",
                sasl_password="right",
                heartbeat_interval_ms=200,
            )
        )

    async def work(self) -> None:
        """What a stage does: join, open, read, commit."""
        partition = Partition(self.feed, 0)
        async with asyncio.timeout(30):
            await self.user.topic_ids([self.feed])
            async with member(self.user, self.group, self.feed, start_at=None) as one:
                lane = self.user.lane(partition, self.group, f"{self.group}.{self.feed}.0")
                try:
                    await lane.open()
                    one.source.seek(partition, await one.source.start_offset(partition, Start("earliest")))
                    one.source.resume(frozenset({partition}))
                    await one.take(1)
                    await lane.commit([Output(self.output, b"k", b"v", (), 0)], 1)
                finally:
                    await lane.close()


async def test_a_stage_works_with_exactly_the_rights_of_the_docs_and_names_the_one_that_is_missing(
    broker: KafkaBroker, kafka_server: KafkaServer
) -> None:
    path = Site(broker, kafka_server, await new_topic(broker), await new_topic(broker))
    await publish(broker, Output(path.feed, None, b"text", (), 0))
    grants = (
        (TOPIC, path.feed, (READ, DESCRIBE), LITERAL, f"the use of topic {path.feed}"),
        (GROUP, f"{path.app}.", (READ,), PREFIXED, f"the use of group {path.group}"),
        (TRANSACTIONAL_ID, f"{path.app}.", (WRITE, DESCRIBE), PREFIXED, f"the use of transactional id {path.group}"),
        (TOPIC, path.output, (WRITE, DESCRIBE), LITERAL, f"the use of topic {path.output}"),
    )
    try:
        for kind, name, operations, pattern, told in grants:
            with pytest.raises(OperatorError, match=told) as caught:
                await path.work()
            assert "Fix: " in str(caught.value)
            await allow(broker, kind, name, *operations, pattern=pattern)
        await path.work()
    finally:
        await path.user.close()
    assert len(await read_all(broker, path.output, at_least=1)) == 1


# TLS and passwords


class Certificates:
    """An authority of this test's own, a broker's certificate that it signed, and an authority that signed nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.authority, self.stranger = folder, folder / "ca.pem", folder / "stranger.pem"
        new, signed = "-newkey rsa:2048 -nodes", "-CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names"
        for name in ("ca", "stranger"):
            self._openssl(f"req -x509 {new} -days 2 -subj /CN={name} -keyout {name}.key -out {name}.pem")
        self._openssl(f"req {new} -subj /CN=127.0.0.1 -keyout broker.key -out broker.csr")
        (folder / "names").write_text("subjectAltName=IP:127.0.0.1")
        self._openssl(f"x509 -req -in broker.csr {signed} -out broker.crt")
        (folder / "broker.pem").write_text((folder / "broker.key").read_text() + (folder / "broker.crt").read_text())

    def _openssl(self, command: str) -> None:
        subprocess.run(["openssl", *command.split()], cwd=self.folder, check=True, capture_output=True)


class Secure:
    """A broker that speaks TLS, with and without passwords."""

    def __init__(self, folder: Path) -> None:
        from dev.kafka.serve import KafkaServer, free_port

        self.certificates = Certificates(folder)
        plain, tls, sasl = free_port(), free_port(), free_port()
        self.tls, self.sasl = f"127.0.0.1:{tls}", f"127.0.0.1:{sasl}"
        listeners = f"PLAINTEXT://127.0.0.1:{plain},SSL://{self.tls},SASL_SSL://{self.sasl}"
        module, login = "org.apache.kafka.common.security", "listener.name.sasl_ssl"
        self.server = KafkaServer(folder / "data", port=plain, heap_mb=400, scram_users={"tester": "right"})
        self.server.properties |= {
            "listeners": f"{listeners},CONTROLLER://{self.server.controller}",
            "advertised.listeners": listeners,
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(folder / "broker.pem"),
            f"{login}.sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
            f"{login}.plain.sasl.jaas.config": f'{module}.plain.PlainLoginModule required user_tester="right";',
            f"{login}.scram-sha-256.sasl.jaas.config": f"{module}.scram.ScramLoginModule required;",
            f"{login}.scram-sha-512.sasl.jaas.config": f"{module}.scram.ScramLoginModule required;",
        }

    def config(self, server: str, **settings: object) -> KafkaConfig:
        secure = {"ssl_cafile": str(self.certificates.authority), "sasl_username": "tester"}
        return KafkaConfig(bootstrap_servers=server, **{**secure, **settings})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def secure(kafka_server: KafkaServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    one = Secure(tmp_path_factory.mktemp("tls"))
    one.server.start()
    yield one
    one.server.stop(kill=True)


async def reach(config: KafkaConfig) -> None:
    broker = KafkaBroker(config)
    try:
        await broker.topics()
        await (await broker.publisher()).close()
    finally:
        await broker.close()


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
async def test_each_kind_of_password_over_tls(secure: Secure, mechanism: str) -> None:
    settings = {"security_protocol": "SASL_SSL", "sasl_mechanism": mechanism}
    await reach(secure.config(secure.sasl, sasl_password="right", **settings))
    with pytest.raises(OperatorError, match=r"kafka\.sasl_password_file = '\(not shown\)': the broker refuses it"):
        await reach(secure.config(secure.sasl, sasl_password="wrong", **settings))


async def test_tls_without_a_password(secure: Secure) -> None:
    await reach(secure.config(secure.tls, security_protocol="SSL"))


async def test_a_broker_whose_certificate_another_authority_signed(secure: Secure) -> None:
    stranger = str(secure.certificates.stranger)
    with pytest.raises(OperatorError, match=rf"kafka\.ssl_cafile = '{stranger}': TLS with the broker fails"):
        await reach(secure.config(secure.tls, security_protocol="SSL", ssl_cafile=stranger))


async def test_a_plain_connection_to_a_listener_of_tls(secure: Secure) -> None:
    with pytest.raises(OperatorError, match=r"kafka\.security_protocol = 'PLAINTEXT'"):
        await reach(secure.config(secure.tls, security_protocol="PLAINTEXT"))
