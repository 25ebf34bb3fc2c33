"""riskstream reads news and social feeds from Kafka and publishes risk alerts per watched entity."""

__version__ = "0.1.0"
