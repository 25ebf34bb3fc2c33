"""The trainer: labelled rows in, a model version out. It knows no Kafka. Doors: `run.train`, `evaluate.evaluate`."""
