"""One version of Apache Kafka, stated once for Maven and once for Docker."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_docker_and_maven_bring_the_same_kafka() -> None:
    from dev.kafka.serve import kafka_version

    assert f"image: apache/kafka:{kafka_version()}\n" in (ROOT / "compose.yaml").read_text(encoding="utf-8")


def test_the_decision_record_names_that_version() -> None:
    from dev.kafka.serve import kafka_version

    record = (ROOT / "docs/decisions/0002-kafka-version.md").read_text(encoding="utf-8")
    assert f"Apache Kafka {kafka_version()}" in record
