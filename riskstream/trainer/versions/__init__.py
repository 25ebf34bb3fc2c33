"""From rows to a version: a run, a search of its settings, a refresh from new labels, and what is written of it."""
