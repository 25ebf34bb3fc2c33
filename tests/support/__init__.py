"""Helpers that several tests share. No mocks of our own classes: real parts, in small."""
