"""Data that comes with the package: the feed of the demo, written for this project, with fictional names."""
