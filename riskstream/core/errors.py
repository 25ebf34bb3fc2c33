"""The exceptions, by who must act.

    RiskstreamError
    ├── OperatorError       who runs riskstream can mend it: names the thing, its value and the fix; exit code 2
    │   ├── UnknownTopic    a topic that the configuration names is not on the broker
    │   ├── BrokerUnreachable  no broker answers; asking again later may help
    │   ├── MissingVersion  a reference means no model version
    │   ├── DamagedVersion  a file of a model version is missing or is not the one that was published
    │   ├── UnsignedVersion  a model version that none of the signers who are trusted has signed
    │   ├── GoldenFailed    a model version does not score its golden pairs as it did when it was published
    │   └── RegistryUnreachable  the store of models does not answer; asking again later may help
    ├── LaneLost            we no longer own an input partition, or cannot tell; uncommitted work is dropped
    └── InternalError       a bug or a broken part of ours; exit code 1
        ├── MemoryShort     the device has no memory for a batch; a smaller one may do
        └── DeviceLost      the device or the model's thread is gone for good: only a new process helps

An expected failure of an input is not an exception: it is a `Rejected` with a `Reason` (records.py).
"""

from __future__ import annotations

from riskstream.core.addresses import without_credentials

LINE_CHARS_MAX, LINES_MAX = 1_000, 100
"""Of a value, a problem, a fix, which may tell one mistake a line: what stands in a file may be of any length."""


class RiskstreamError(Exception):
    """The root of what riskstream raises itself."""


class OperatorError(RiskstreamError):
    """Something that the operator can mend.

    `thing` is the setting, file or option; `value` what it holds (secrets are never passed here, and what stands before
    the @ of an address is not shown); `fix` what to do.
    """

    def __init__(self, thing: str, value: object, problem: str, fix: str) -> None:
        self.thing, self.fix = thing, fix
        self.value = without_credentials(value) if isinstance(value, str) else value
        self.problem = without_credentials(problem)
        told = without_credentials(f"{_cut(thing)} = {_cut(repr(value))}: {_cut(problem)}.")
        super().__init__(f"{told} Fix: {_cut(fix)}{'' if fix.endswith('?') else '.'}")


class UnknownTopic(OperatorError):
    """A configured topic that the broker does not have."""


class BrokerUnreachable(OperatorError):
    """No broker gives an answer: the address, the network, or all of them are down."""


class MissingVersion(OperatorError):
    """A reference that means no version in the store of models."""


class DamagedVersion(OperatorError):
    """A model version whose files are not those that its manifest means."""


class UnsignedVersion(OperatorError):
    """A model version without a good signature of somebody who is trusted."""


class GoldenFailed(OperatorError):
    """A model version whose scores here are not those of its publication."""


class RegistryUnreachable(OperatorError):
    """The store of models gave no answer: the network, its credentials or its volume."""


class LaneLost(RiskstreamError):
    """The lane's producer was fenced, timed out or failed in a way that leaves the outcome unknown.

    Whoever holds the lane drops its uncommitted work and closes it; the records come again to the next owner.
    """


class InternalError(RiskstreamError):
    """A bug, or a part of riskstream that broke."""


class MemoryShort(InternalError):
    """A batch does not fit into the memory of the device."""


class DeviceLost(InternalError):
    """Nothing more can be scored in this process, and a thread of it may never end."""


def first_error(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """What the operator should be told of several failures: his own first."""
    flat: list[BaseException] = []

    def walk(error: BaseException) -> None:
        if isinstance(error, BaseExceptionGroup):
            for inner in error.exceptions:
                walk(inner)
        else:
            flat.append(error)

    walk(group)
    return next((error for error in flat if isinstance(error, OperatorError)), flat[0])


def _cut(text: str) -> str:
    lines = text.split("\n", LINES_MAX)
    kept = [line if len(line) <= LINE_CHARS_MAX else line[:LINE_CHARS_MAX] + "…" for line in lines[:LINES_MAX]]
    return "\n".join([*kept, "…"] if len(lines) > LINES_MAX else kept)
