"""The edge to the broker: Apache Kafka, and an embedded broker with the same ports."""
