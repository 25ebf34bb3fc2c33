"""What is taken for personal data, and what is not: a table for each kind, with what people do to slip through."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskstream.core.reading.masking import mask
from riskstream.core.reading.text import clean


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # e-mail
        ("write to jo.doe+x@mail.example.com now", "write to [EMAIL] now"),
        ("邮箱：li.wei@example.cn。", "邮箱:[EMAIL]。"),
        ("follow @acme for more", "follow @acme for more"),
        # cards: Luhn decides
        ("card 4111 1111 1111 1111 was charged", "card [CARD] was charged"),
        ("4111-1111-1111-1111", "[CARD]"),
        ("4111111111111111", "[CARD]"),
        ("4111 1111 1111 1112 is no card", "4111 1111 1111 1112 is no card"),
        ("４１１１　１１１１　１１１１　１１１１", "[CARD]"),
        ("4111\u200b1111\u200b1111\u200b1111", "[CARD]"),
        ("revenue of 4,111,111,111 yuan", "revenue of 4,111,111,111 yuan"),
        # accounts: IBAN by its check digits, others by the word before them
        ("pay GB82 WEST 1234 5698 7654 32 today", "pay [ACCOUNT] today"),
        ("pay GB82 WEST 1234 5698 7654 33 today", "pay GB82 WEST 1234 5698 7654 33 today"),
        ("my account number is 12345678", "my account number is [ACCOUNT]"),
        ("acct. no: 00-1234-5678", "acct. no: [ACCOUNT]"),
        ("账号：6222 0212 3456 7890", "账号:[ACCOUNT]"),
        ("accounts for 12 % of sales", "accounts for 12 % of sales"),
        # identities
        ("身份证11010519491231002X已上传", "身份证[ID]已上传"),
        ("身份证 110105 19491231 002x", "身份证 [ID]"),
        ("SSN 536-90-4399", "SSN [ID]"),
        ("passport no. E12345678", "passport no. [ID]"),
        ("order 110105194912310021 shipped", "order 110105194912310021 shipped"),
        # phones
        ("请致电 138 0013 8000", "请致电 [PHONE]"),
        ("+86-13800138000", "[PHONE]"),
        ("１３８００１３８０００", "[PHONE]"),
        ("call (212) 555-0123 or +44 20 7946 0958", "call [PHONE] or [PHONE]"),
        ("客服 400-820-8820", "客服 [PHONE]"),
        ("010-8888 8888", "[PHONE]"),
        # what a desk reads stays
        ("Acme fell 12.5% to $41.20 on 2026-03-09", "Acme fell 12.5% to $41.20 on 2026-03-09"),
        ("$ACME $BOLT up 300 bps, ISIN US0378331005", "$ACME $BOLT up 300 bps, ISIN US0378331005"),
        ("600519 涨停，成交 12.3 亿元", "600519 涨停,成交 12.3 亿元"),
        ("SEC filing 0001193125-26-012345", "SEC filing 0001193125-26-012345"),
        ("", ""),
    ],
)
def test_what_names_a_person_is_masked_and_what_a_desk_reads_stays(text: str, expected: str) -> None:
    assert mask(clean(text)) == expected


@pytest.mark.parametrize(
    ("text", "names", "expected"),
    [
        ("Jo Doe says that JO  DOE waits", ("Jo Doe",), "[NAME] says that [NAME] waits"),
        ("Dolores and Jo", ("Jo", "Do"), "Dolores and [NAME]"),
        ("李伟投诉，李伟的卡被冻结", ("李伟",), "[NAME]投诉，[NAME]的卡被冻结"),
        ("Anne-Marie O'Neil", ("Anne-Marie O'Neil",), "[NAME]"),
        ("Ann Lee and Ann", ("Ann", "Ann Lee"), "[NAME] and [NAME]"),
        ("a b c", ("", " ", "a"), "a b c"),
        (".* stays", (".*",), "[NAME] stays"),
    ],
)
def test_names_that_the_feed_gives_are_masked_wherever_they_stand(
    text: str, names: tuple[str, ...], expected: str
) -> None:
    assert mask(text, names) == expected


@given(st.text(max_size=300), st.lists(st.text(max_size=8), max_size=3))
def test_masking_twice_changes_nothing_and_nothing_breaks_it(text: str, names: list[str]) -> None:
    once = mask(text)
    assert mask(once) == once
    mask(text, names)


@pytest.mark.parametrize("text", ["1 " * 20_000, "a@" * 20_000, "+1" * 20_000, "account " * 10_000, "4-" * 20_000])
@pytest.mark.timeout(20)
def test_no_text_makes_it_slow(text: str) -> None:
    mask(text)
