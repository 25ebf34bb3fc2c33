"""The ids of topics: version 10 of Kafka's metadata request, which the client does not speak by itself (it stops at 5).

A topic that is deleted and made again has the same name and another id, and its offsets mean other records. Nothing
else in the protocol tells the two apart.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from io import BytesIO

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import IncompatibleBrokerVersion, for_code
from aiokafka.protocol.abstract import AbstractType
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Boolean, CompactArray, CompactString, Int16, Int32, Schema, TaggedFields

NO_ID = uuid.UUID(int=0)
MISSING = 3
"""Kafka's code of a topic that is not there."""


class _Uuid(AbstractType[uuid.UUID]):  # type: ignore[misc]
    @classmethod
    def encode(cls, value: uuid.UUID) -> bytes:
        return value.bytes

    @classmethod
    def decode(cls, data: BytesIO) -> uuid.UUID:
        return uuid.UUID(bytes=data.read(16))


_BROKER = Schema(
    ("node_id", Int32), ("host", CompactString()), ("port", Int32), ("rack", CompactString()), ("tags", TaggedFields)
)
_PARTITION = Schema(
    ("error_code", Int16),
    ("partition", Int32),
    ("leader", Int32),
    ("leader_epoch", Int32),
    ("replicas", CompactArray(Int32)),
    ("isr", CompactArray(Int32)),
    ("offline_replicas", CompactArray(Int32)),
    ("tags", TaggedFields),
)
_TOPIC = Schema(
    ("error_code", Int16),
    ("name", CompactString()),
    ("topic_id", _Uuid),
    ("is_internal", Boolean),
    ("partitions", CompactArray(_PARTITION)),
    ("authorized_operations", Int32),
    ("tags", TaggedFields),
)
_WANTED = Schema(("topic_id", _Uuid), ("name", CompactString()), ("tags", TaggedFields))


class _Answer(Response):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 10
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("brokers", CompactArray(_BROKER)),
        ("cluster_id", CompactString()),
        ("controller_id", Int32),
        ("topics", CompactArray(_TOPIC)),
        ("authorized_operations", Int32),
        ("tags", TaggedFields),
    )


class _Question(RequestStruct):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 10
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _Answer
    SCHEMA = Schema(
        ("topics", CompactArray(_WANTED)),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class _Ask(Request[_Question]):  # type: ignore[misc]
    API_KEY = 3

    def __init__(self, topics: Sequence[str]) -> None:
        self._topics = topics

    def build(self, request_struct_class: type[_Question]) -> _Question:
        return request_struct_class([(NO_ID, topic, {}) for topic in self._topics], False, False, False, {})


async def topic_ids(admin: AIOKafkaAdminClient, topics: Sequence[str], broker: int | None = None) -> Mapping[str, str]:
    """The id of each of these topics that is there; empty where the broker is too old to tell. `broker` is the one that
    is asked, None: any. Raises the client's errors, among them that of a topic that this user may not see."""
    try:
        answer = await admin._send_request(_Ask(topics), broker)
    except (IncompatibleBrokerVersion, NotImplementedError):
        return dict.fromkeys(topics, "")
    found: dict[str, str] = {}
    for code, name, topic_id, *_ in answer.topics:
        if code == MISSING:
            continue
        if code:
            raise for_code(code)(name)
        found[name] = str(topic_id)
    return found
