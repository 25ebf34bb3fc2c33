"""The rule language: what a rule says, how a file says it, and what a rule sees of a subject."""
