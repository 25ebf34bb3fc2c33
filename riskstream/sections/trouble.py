"""The tables of the settings file for what may go wrong while a daemon runs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from riskstream.sections import Section


class Watchdogs(Section):
    """How long each part may stand still while there is work for it. `watchdog_total{dog}` counts what was found."""

    source_silent_s: Annotated[float, Field(gt=0)] = 60.0
    """A partition that gives nothing for so long, while the broker holds more, makes the stage join its group anew.
    Lower: a client that fell silent is found sooner, and a slow broker is taken for one."""
    lane_stuck_s: Annotated[float, Field(gt=0)] = 300.0
    """A lane that has records and commits none for so long makes the stage join anew; where that does not help, the
    process ends with code 1. Above the longest time that a record may wait for the model."""
    batch_s_max: Annotated[float, Field(gt=0)] = 120.0
    """A batch that is in the model for longer ends the process with code 1: a thread cannot be ended alone."""
    loop_blocked_s: Annotated[float, Field(gt=0)] = 60.0
    """An event loop that is blocked for longer ends the process with code 1 and shows where every thread stands. Above
    `kafka.session_timeout_ms`: by then others have its partitions."""


class Overload(Section):
    """What becomes of documents where more come than can be scored."""

    mode: Literal["wait", "shed"] = "wait"
    """`wait`: all are scored, late. `shed`: some are given up, so that the others are in time; each is counted as
    `documents_total{outcome="shed"}`."""
    shed_age_s: Annotated[float, Field(ge=0)] = 900.0
    """A document that arrived longer ago is given up, also after an outage. 0: none for its age."""
    shed_kinds: tuple[Literal["news", "social", "filing", "customer"], ...] = ()
    """Documents of these kinds are given up while half as many pairs wait for the model as may."""
    dead_letters: bool = False
    """Write what is given up to the dead-letter topic, to be published again when there is time."""
