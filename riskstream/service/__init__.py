"""The wiring: stages, the HTTP port, replay and demo, made from the rooms beside it."""
