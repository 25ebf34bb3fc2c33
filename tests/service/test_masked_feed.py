"""A feed that asks for masking: what is planted in its documents is in no record that leaves, and in no line."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from riskstream.core.records import Output
from riskstream.core.watching import codec
from riskstream.sections import Feed
from riskstream.sections.learning import Reviews
from tests.service.daemons import Rig
from tests.support.brokers import publish

FEED = Feed(
    name="customers", topic="wire", start="earliest", kind="customer", mask=True, mask_names=("$.customer.name",)
)
PLANTED = ("jo.doe@mail.example", "4111 1111 1111 1111", "13800138000", "Jo Doe", "GB82 WEST 1234 5698 7654 32")


def document(number: int, **more: object) -> bytes:
    """A document with all that is planted, in every field that holds text."""
    said = " / ".join(PLANTED)
    fields = {
        "id": f"d{number}", "source": "app", "published_at": "2026-03-09T11:59:00Z", "title": f"Acme: {said}",
        "text": f"Acme lost my money. {said}", "url": f"https://example.com/?mail={PLANTED[0]}", "author": PLANTED[0],
        "customer": {"name": "Jo Doe"},
    }  # fmt: skip
    return msgspec.json.encode(fields | more)


async def test_nothing_that_is_planted_leaves(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    rig = Rig(tmp_path, feed=FEED)
    rig.settings = rig.daemon.settings = rig.settings.model_copy(update={"reviews": Reviews(random_share=1.0)})
    broken = document(2).replace(b'{"id"', b'{{"id"')
    wrong = document(3, published_at=PLANTED[0])
    async with rig.running():
        await rig.send(document(1))
        await publish(rig.broker, *(Output("wire", b"jo.doe@mail.example", value, (), 0) for value in (broken, wrong)))
        await rig.settle()
        signals = await rig.read("riskstream.signals")
        reviews = await rig.read("riskstream.reviews")
        alerts = await rig.read("riskstream.alerts")
        state = await rig.read("riskstream.state")
        letters = await rig.read("riskstream.dead-letters")
    signal = codec.decode_signal(signals[0].value or b"")
    assert signal.snippet.startswith("Acme lost my money. [EMAIL] / [CARD] / [PHONE] / [NAME] / [ACCOUNT]")
    assert len(reviews) == len(signals) == 1
    assert [letter.value for letter in letters] == [None, None]
    left = b"".join(
        (message.value or b"") + (message.key or b"") + b"".join(value for _, value in message.headers)
        for message in (*signals, *reviews, *alerts, *state, *letters)
    )
    told = capfd.readouterr()
    for planted in PLANTED:
        assert planted.encode() not in left
        assert planted not in told.err + told.out
