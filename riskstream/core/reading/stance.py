"""How a text stands to what it tells: it reports, it repeats talk, it denies, or it shows that the talk was false.

    text ─► phrases of three lists, English and Chinese, in one pass ─► report | unconfirmed | denial | settled

    settled       it was taken back or is known to be false: a retraction, an acquittal, a hoax; or a denial in which an
                  authority has a part: "auditor finds no breach"
    denial        somebody says that it is not so, or that nothing was found
    unconfirmed   talk, claims of an interested party, what could not be verified
    report        none of these

Rule 1. The first of this order that has a phrase wins. Words alone decide here, and nothing is resolved by words alone:
        `denial.py` asks the model too whether the text is bad news.
Rule 2. A phrase stands at a word's beginning; with a `*` any ending may follow, without one the word ends there.
        Chinese has no such ends.
Rule 3. Only the first 2,000 characters are read: how a text stands to its news stands at its head.

One honest doubt: a list of phrases is a list. What it misses is taken for a report, so an alert then ends by its rule's
clear limit, later, and not by a denial.
"""

from __future__ import annotations

import ahocorasick

from riskstream.core.contracts import Stance

CHARS_MAX = 2_000

_SETTLED = """
no case to answer | a hoax | was fake | were fake | is fake | fabricat* | doctored | debunk* | false rumo*
false report* | false alarm | false claim* | false post* | was false | were false | is false | proved false
proved untrue | turned out to be false | never happened | did not happen | unfounded rumo*
no longer under investigation | proof of reserves | proof-of-reserves | exonerat* | cleared of | acquitt*
not guilty | without charge* | charges dropped | drops charges | dropped the case | closed its inquiry
closes inquiry | closed its investigation | closes probe | closed its probe | ends probe | retract*
withdrew its report | withdraws report | withdrew the report | takes back | took back | apologi* | i was wrong
we were wrong | issued a correction | corrects report | corrected its report | deleted the post*
deleted his post* | deleted her post* | deleted their post* | independently verified | independently confirmed
谣言 | 造谣 | 子虚乌有 | 纯属虚构 | 虚构事实 | 捏造 | 编造 | 摆乌龙 | 乌龙 | 储备证明 | 无罪 | 不起诉 | 撤销指控
撤销立案 | 结案 | 排除嫌疑 | 撤稿 | 致歉 | 道歉 | 更正声明 | 删帖 | 撤回报告 | 撤回报道 | 属误传 | 系误传
为误报
"""
_DENIAL = """
denies | denied | denying | deny | rejects claim* | rejects allegation* | rejects accusation* | rejects report*
rejects short-seller | rejected claim* | rejected the claim* | dismisses | dismissed claim* | refut* | rebut*
disput* | not true | untrue | no truth | baseless | unfounded | without merit | without foundation
categorical* | "false and | called the report | misleading claim* | calls report* false | calls rumo*
says rumo* | clarif* | misinformation | found no | finds no | finding no | find no evidence | no evidence
no sign of | no signs of | no breach | no wrongdoing | nothing wrong | nothing amiss | no irregularit*
no assets are missing | nothing was missing | ruled out
否认 | 澄清 | 不属实 | 不实 | 失实 | 无稽之谈 | 辟谣 | 虚假信息 | 虚假且 | 不存在 | 没有的事 | 误导性
未发现异常 | 未发现问题 | 未发现违规 | 未见异常 | 没有发现 | 查无 | 确认无 | 确认没有 | 确认未 | 无失窃
并无异常
"""
_UNCONFIRMED = """
rumo* | unverified | unconfirmed | not verify | not be verified | not confirm* | not been confirmed
not independently | speculation | speculat* | hearsay | gossip | allegation* | accus* | allegedly
short seller* | short-seller* | short report* | claims on social media | posts on social media
post on social media | social media posts | accounts on social media | posts claim* | reports of
unclear whether | if true | is it true | supposedly | hearing that | hearing there | i hear | i heard
heard that | people are saying
传言 | 传闻 | 网传 | 据传 | 听说 | 疑似 | 据称 | 未经证实 | 尚未证实 | 无法核实 | 未能核实 | 社交媒体流传 | 爆料
小道消息 | 做空机构 | 沽空 | 指控 | 被曝 | 真的假的
"""
_AUTHORITY = """
auditor* | audit | audited | regulator* | police | court* | judge* | prosecutor* | examiner* | inspector*
watchdog | central bank | ministry | authorities | independent* | fact-check* | coroner | ombudsman
stock exchange | laborator* | authority | inspection* | investigators | health service | test results
审计 | 监管 | 警方 | 公安 | 法院 | 检察 | 证监 | 交易所称 | 央行 | 网信 | 官方 | 第三方 | 核查 | 鉴证
市场监管总局 | 通报
"""


def _phrases() -> ahocorasick.Automaton:
    found = ahocorasick.Automaton()
    for what, text in (
        ("unconfirmed", _UNCONFIRMED),
        ("denial", _DENIAL),
        ("settled", _SETTLED),
        ("authority", _AUTHORITY),
    ):
        for phrase in (piece.strip() for line in text.strip().splitlines() for piece in line.split("|")):
            bare = phrase.removesuffix("*")
            found.add_word(bare, (what, len(bare), bare[0].isascii(), not phrase.endswith("*") and bare[-1].isascii()))
    found.make_automaton()
    return found


_AUTOMATON = _phrases()


def stance(text: str) -> Stance:
    """The stance of a text, `clean`ed before."""
    head = text[:CHARS_MAX].casefold()
    seen = set()
    for last, (what, length, opens, closes) in _AUTOMATON.iter(head):
        start = last - length + 1
        if opens and start and head[start - 1].isalnum() and head[start - 1].isascii():
            continue
        if closes and last + 1 < len(head) and head[last + 1].isalnum() and head[last + 1].isascii():
            continue
        seen.add(what)
    if "settled" in seen or {"denial", "authority"} <= seen:
        return "settled"
    if "denial" in seen:
        return "denial"
    return "unconfirmed" if "unconfirmed" in seen else "report"
