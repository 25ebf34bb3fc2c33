"""Figures of a version on labelled rows, with their intervals, reports, and what `valid` decides."""
