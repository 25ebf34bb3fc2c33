"""Three brokers on loopback, each with a listener of its own for every pod behind a line that can be cut.

reader, publisher ──► PLAINTEXT of each broker
pod P             ──► Line(P, broker) ──► listener PODP of that broker, which advertises the line
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from aiokafka import AIOKafkaClient
from aiokafka.client import CoordinationType

from dev.kafka.serve import KafkaServer, free_port, new_cluster_id
from tests.chaos.proxy import Line

BROKERS = 3


class KafkaCluster:
    """Brokers 0, 1 and 2, and the lines to them by (pod, broker)."""

    def __init__(self, directory: Path, pods: Sequence[str], *, heap_mb: int = 400) -> None:
        cluster_id = new_cluster_id()
        self.brokers = [KafkaServer(directory / str(n), heap_mb=heap_mb, cluster_id=cluster_id) for n in range(BROKERS)]
        self.lines: dict[tuple[str, int], Line] = {}
        voters = ",".join(f"{n + 1}@{broker.controller}" for n, broker in enumerate(self.brokers))
        for n, broker in enumerate(self.brokers):
            inner = {pod: free_port() for pod in pods}
            for pod in pods:
                self.lines[pod, n] = Line(free_port(), inner[pod])
            plain = f"PLAINTEXT://{broker.bootstrap_servers}"
            listeners = [f"{pod}://127.0.0.1:{inner[pod]}" for pod in pods]
            advertised = [f"{pod}://127.0.0.1:{self.lines[pod, n].port}" for pod in pods]
            protocols = ["PLAINTEXT:PLAINTEXT", "CONTROLLER:PLAINTEXT", *(f"{pod}:PLAINTEXT" for pod in pods)]
            broker.properties |= {
                "node.id": str(n + 1),
                "controller.quorum.voters": voters,
                "listeners": ",".join([plain, *listeners, f"CONTROLLER://{broker.controller}"]),
                "advertised.listeners": ",".join([plain, *advertised]),
                "listener.security.protocol.map": ",".join(protocols),
                "offsets.topic.replication.factor": "3",
                "transaction.state.log.replication.factor": "3",
                "transaction.state.log.min.isr": "2",
                "share.coordinator.state.topic.replication.factor": "3",
                "share.coordinator.state.topic.min.isr": "2",
                "num.network.threads": "2",
                "num.io.threads": "4",
            }

    @property
    def bootstrap_servers(self) -> str:
        """The way in that is never cut."""
        return ",".join(broker.bootstrap_servers for broker in self.brokers)

    def bootstrap_of(self, pod: str) -> str:
        """The way in of a pod."""
        return ",".join(f"127.0.0.1:{line.port}" for (name, _), line in self.lines.items() if name == pod)

    def lines_of(self, pod: str) -> list[Line]:
        """A pod's lines to all brokers."""
        return [line for (name, _), line in self.lines.items() if name == pod]

    async def start(self) -> None:
        """Brokers and lines. Raises CannotServe."""
        for broker in self.brokers:
            broker.launch()
        for line in self.lines.values():
            await line.start()
        await asyncio.gather(*(asyncio.to_thread(broker.await_answer) for broker in self.brokers))

    async def restart(self, number: int) -> None:
        """A broker that was ended comes back."""
        self.brokers[number].launch()
        await asyncio.to_thread(self.brokers[number].await_answer)

    async def stop(self) -> None:
        """End everything at once."""
        for line in self.lines.values():
            await line.stop()
        for broker in self.brokers:
            broker.stop(kill=True)

    async def coordinator_of(self, transactional_id: str) -> int:
        """The broker that coordinates the transactions of this id."""
        client = AIOKafkaClient(bootstrap_servers=self.bootstrap_servers)
        await client.bootstrap()
        try:
            return int(await client.coordinator_lookup(CoordinationType.TRANSACTION, transactional_id)) - 1
        finally:
            await client.close()
