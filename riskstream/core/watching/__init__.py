"""Rules at work: subjects, cells, the clock of a lane, alerts, and the state that is kept of all this."""
