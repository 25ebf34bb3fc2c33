"""Labelled rows: read, checked, split, merged, altered, and counted."""
