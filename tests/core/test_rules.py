"""Rule files: what is refused and why, what the defaults are, and what a rule takes and says."""

from pathlib import Path

import pytest

from riskstream.core.errors import OperatorError
from riskstream.core.records import Labels, WindowView
from riskstream.core.rules.levels import Limit, judge, reached
from riskstream.core.rules.life import Hold
from riskstream.core.rules.match import Sieve
from riskstream.core.rules.novelty import Placed
from riskstream.core.rules.rule import Rule, Taker, condition_hash, may_take, version
from riskstream.core.rules.rulefile import check_files, check_labels, check_rules, parse_rules
from tests.core.signals import make_signal

PLACED = Placed("s", 0, "wire")
BAD = Path(__file__).parent.parent / "testdata" / "rules"
SHIPPED = Path(__file__).parent.parent.parent / "config" / "rules.toml"

EXPECTED: dict[str, tuple[str, ...]] = {
    "clear-above-limit": ("clear = 0.9", "above the lowest limit, 0.85", "lower number"),
    "clear-of-zero": ("clear = 0", "limit of 0", "more than 0"),
    "clear-without-limit": ("clear.limit", "is missing", "add limit"),
    "half-life-without-decay": ("half_life_s = 60", "means nothing for max", 'aggregate = "decayed_mean"'),
    "label-not-a-text": ("labels.page = True", "not a text", 'page = "…"'),
    "limit-and-limits": ("limit = 0.85", "beside limits", "keep one"),
    "limit-beyond-the-field": ("limit = 85", "out of range", "from 0 to 1"),
    "limit-of-zero": ("limit = 0", "limit of 0", "more than 0"),
    "limits-that-are-empty": ("limits = {}", "holds no limit", "watch, material, severe"),
    "sources-raise-the-lowest-severity": ("sources_raise.watch = 2", "not a key", "material, severe"),
    "sources-raise-that-fall": ("sources_raise = {", "fewer sources for a higher", "rise"),
    "unconfirmed-max-unknown": ("unconfirmed_max = 'high'", "is not known", "watch"),
    "limits-that-fall": ("limits = {", "do not rise", "higher limit"),
    "match-list-empty": ("match.sources = []", "not a list of texts", "leave sources out"),
    "match-not-a-list": ("match.langs = 'en'", "not a list of texts", 'langs = ["…"]'),
    "match-not-a-table": ("match = 'news'", "not a table", "match = {"),
    "match-probability-beyond-one": ("match.risk.credit = 50", "out of range", "from 0 to 1"),
    "missing-half-life": ("half_life_s = None", "is missing", "add half_life_s"),
    "missing-limit": ("limit = None", "is missing", "add limit"),
    "missing-name": ("rule number 1: name", "is missing", "add name"),
    "missing-window": ("window_s = None", "is missing", "add window_s"),
    "name-with-spaces": ("name = 'Credit Shock'", "not a plain name", "credit-shock"),
    "no-rules": ("rule = None", "holds no rules", "[[rule]]"),
    "not-toml": ("is not TOML", "line 8", "mend the line"),
    "number-of-five-thousand-digits": ("is not TOML", "4300 digits"),
    "nested-too-deeply": ("is not TOML", "recursion depth"),
    "rule-not-an-array": ("rule = {", "holds no rules", "[[rule]]"),
    "severity-beside-limits": ("severity = 'severe'", "beside limits", "remove it"),
    "sources-for-a-severity-without-limit": ("sources_min.watch = 2", "not a key", "severe"),
    "sources-not-whole": ("sources_min = 1.5", "not a whole number", "use 2"),
    "two-rules-of-one-name": ("name = 'credit-shock'", "stands 2 times", "its own name"),
    "unknown-aggregate": ("aggregate = 'median'", "not known", "did you mean 'mean'?"),
    "unknown-field": ("field = 'risk_scor'", "not a field", "'risk_score'"),
    "unknown-key": ("windows_s = 3600", "not a key", "did you mean 'window_s'?"),
    "unknown-key-in-match": ("match.kind = ['news']", "not a key", "did you mean 'kinds'?"),
    "unknown-section": ("defaults = {", "not a key", "rule"),
    "unknown-severity": ("severity = 'critical'", "not known", "watch, material, severe"),
    "unknown-severity-in-limits": ("limits.warning = 0.5", "not a key", "watch"),
    "unknown-shape": ("shape = 'treshold'", "not known", "did you mean 'threshold'?"),
    "unknown-subject": ("by = 'entitiy'", "not known", "did you mean 'entity'?"),
    "update-of-zero": ("update_s = 0", "out of range", "from 1 to"),
    "window-as-text": ("window_s = '1h'", "not a number", "without quotes"),
    "window-beyond-31-days": ("window_s = 3000000", "out of range", "2,678,400"),
    "window-not-a-number": ("window_s = nan", "not a number", "without quotes"),
    "window-shorter-than-for": ("for_s = 7200", "longer than window_s", "no longer than the window"),
}

PLAIN = """
[[rule]]
name = "credit-shock"
field = "risk_score"
aggregate = "max"
window_s = 3600
limit = 0.85
"""


def rule_of(text: str) -> Rule:
    (rule,) = parse_rules(text, "rules.toml").rules
    return rule


def test_every_bad_file_is_expected_and_there() -> None:
    found = {path.name.removeprefix("rules.bad.").removesuffix(".toml") for path in BAD.glob("rules.bad.*.toml")}
    assert len(found) == 45
    assert found == EXPECTED.keys()


@pytest.mark.parametrize("wrong", EXPECTED)
def test_a_bad_file_is_refused_with_the_key_the_value_and_the_fix(wrong: str) -> None:
    path = BAD / f"rules.bad.{wrong}.toml"
    _, mistakes = check_rules(path.read_text(), path.name)
    told = [str(mistake) for mistake in mistakes]
    assert any(all(part in line for part in (path.name, *EXPECTED[wrong])) for line in told), told
    with pytest.raises(OperatorError) as refused:
        parse_rules(path.read_text(), path.name)
    assert str(refused.value) == told[0]


PLANTED = [
    ("rule 'Credit Shock': name = 'Credit Shock'", "credit-shock"),
    ("rule 'Credit Shock': aggregate = 'maximum'", "did you mean 'max'?"),
    ("rule 'Credit Shock': window_s = '6h'", "without quotes"),
    ("rule 'typos': field = None: is missing", "add field"),
    ("rule 'typos': feild = 'risk_score'", "did you mean 'field'?"),
    ("rule 'typos': limits.criticl = 0.9", "use one of material, severe, watch"),
    ("rule 'orders': limits = {", "give each severity a higher limit"),
    ("rule 'orders': clear = 0.95", "use a lower number"),
    ("rule 'orders': for_s = 1200", "wait no longer than the window"),
    ("rule 'burst': limit = 0.5", "use more than 1 times the usual"),
    ("rule 'burst': baseline_s = 7200: is 2 times window_s", "4 to 1,000 times"),
    ("rule 'chain': steps[1].kinds = 'social'", 'write kinds = ["…"]'),
    ("rule 'chain': steps[2].kind = ['filing']", "did you mean 'kinds'?"),
    ("rule 'silent': forget_s = 1800", "use more"),
    ("rule 'silent': aggregate = 'max': is not a key", "use one of"),
    ("rule 'flood': of = 'authors'", "signals, documents, sources, stories"),
    ("rule 'flood': match.risk.credit = 50", "from 0 to 1"),
    ("rule 'flood': cooldown_s_max = 600", "add cooldown_backoff"),
    ("silence number 1: match.rules = ['flod']", "did you mean 'flood'?"),
    ("silence number 1: until = 'next week'", "2026-03-09T18:00:00Z"),
]


def test_twenty_planted_mistakes_are_twenty_clear_errors() -> None:
    path = BAD / "rules.planted.twenty.toml"
    _, mistakes = check_rules(path.read_text(), path.name)
    told = [str(mistake) for mistake in mistakes]
    assert len(told) == len(PLANTED) == 20
    for what, fix in PLANTED:
        assert [line for line in told if line.startswith(f"{path.name}: {what}") and fix in line], (what, told)


def test_files_are_one_set() -> None:
    silence = '[[silence]]\nmatch = { rules = ["credit-shock"] }\nuntil = 2026-03-09T18:00:00Z\ncomment = "x"\n'
    found, mistakes = check_files([("a.toml", silence), ("b.toml", PLAIN), ("c.toml", PLAIN)])
    assert [str(mistake) for mistake in mistakes] == [
        "c.toml: rule 'credit-shock': name = 'credit-shock': stands 2 times, in b.toml and c.toml. "
        "Fix: give each rule its own name."
    ]
    found, mistakes = check_files([("a.toml", silence), ("b.toml", PLAIN)])
    assert (mistakes, len(found.mutes.silences), found.origins) == ([], 1, {"credit-shock": "b.toml"})
    _, mistakes = check_files([("a.toml", "# nothing"), ("b.toml", "")])
    assert "a.toml, b.toml" in str(mistakes[0])


MUTES = [
    ('[[silence]]\nuntil = 2026-03-09T18:00:00Z\ncomment = "x"', "match = None: names no alerts"),
    ('[[silence]]\nmatch = { rules = ["credit-shock"] }\nuntil = 2026-03-09T18:00:00Z', "comment = None: is missing"),
    ('[[silence]]\nmatch = { rules = ["credit-shock"] }\ncomment = "x"', "until = None: is missing"),
    (
        '[[silence]]\nmatch = { shapes = ["spike"] }\nfrom = "2026-03-10T00:00:00Z"\nuntil = 2026-03-09T00:00:00Z\n'
        'comment = "x"',
        "is not after from",
    ),
    ('[[silence]]\nmatch = { severities = ["bad"] }\nuntil = 2026-03-09\ncomment = "x"', "with its offset"),
    ('[[quiet_hours]]\nfrom = "22:00"\nto = "7:00"\nzone = "UTC"', "to = '7:00': is not a time of day"),
    ('[[quiet_hours]]\nfrom = "22:00"\nto = "07:00"\nzone = "London"', "zone = 'London': is not a time zone"),
    ('[[quiet_hours]]\nfrom = "22:00"\nto = "07:00"\nzone = "UTC"\ndays = ["monday"]', "did you mean 'mon'?"),
    ('[[inhibit]]\nsource = { severities = ["watch"] }\ntarget = { severities = ["watch"] }', "muted by itself"),
    ('[[inhibit]]\nsource = { rules = ["credit-shock"] }\ntarget = {}', "muted by itself"),
    ("[silence]\nuntil = 1", "write each as [[silence]]"),
]


@pytest.mark.parametrize(("text", "says"), MUTES, ids=[case[1] for case in MUTES])
def test_mistakes_of_what_mutes(text: str, says: str) -> None:
    _, mistakes = check_rules(f"{PLAIN}{text}\n", "rules.toml")
    assert any(says in str(mistake) for mistake in mistakes), [str(mistake) for mistake in mistakes]


def test_silence_cannot_be_denied() -> None:
    silent = rule_of('[[rule]]\nname = "r"\nshape = "flatline"\nlimit = 60')
    assert silent.condition.denied_hold_ms == 0
    _, mistakes = check_rules('[[rule]]\nname = "r"\nshape = "flatline"\nlimit = 60\ndenied_hold_s = 9', "rules.toml")
    assert ["denied_hold_s = 9: means nothing for flatline" in str(mistake) for mistake in mistakes] == [True]
    assert rule_of(PLAIN).condition.denied_hold_ms > 0


def test_an_owner_is_a_label_too() -> None:
    assert rule_of(PLAIN + 'owner = "anna"').labels == {"owner": "anna"}
    assert rule_of(PLAIN + 'owner = "anna"\nlabels = { owner = "desk" }').labels == {"owner": "desk"}


def test_all_mistakes_of_a_file_are_found_and_good_rules_are_kept() -> None:
    bad = '[[rule]]\nname = "b"\nfield = "risk_score"\naggregate = "max"\nwindow = 5\nlimit = 2\n'
    rules, mistakes = check_rules(PLAIN + bad, "rules.toml")
    assert [rule.name for rule in rules.rules] == ["credit-shock"]
    assert [mistake.thing for mistake in mistakes] == [
        "rules.toml: rule 'b': window_s",
        "rules.toml: rule 'b': limit",
        "rules.toml: rule 'b': window",
    ]


def test_the_defaults() -> None:
    rule = rule_of(PLAIN)
    shape = rule.condition.shape
    assert (rule.condition.by, rule.shape_name, rule.update_ms, rule.labels) == ("entity", "threshold", 900_000, {})
    assert shape.limits == (Limit("material", 0.85, 1, 1),)
    assert (shape.measure.at_least, shape.clear.measure, shape.clear.limit) == (0.85, shape.measure, 0.85)
    assert (rule.condition.hold, rule.condition.lower_after_ms) == (Hold(), 0)


def test_gates_by_number_and_by_severity() -> None:
    text = PLAIN.replace("limit = 0.85", "limits = { watch = 0.5, severe = 0.9 }")
    text += "sources_min = { watch = 3 }\ndocuments_min = 2\n"
    assert rule_of(text).condition.shape.limits == (Limit("watch", 0.5, 2, 3), Limit("severe", 0.9, 2, 1))


def test_a_severity_that_is_raised_by_sources() -> None:
    text = PLAIN.replace("limit = 0.85", "limits = { watch = 0.5, material = 0.9 }")
    limits = rule_of(text + "sources_raise = { material = 3 }").condition.shape.limits
    assert [limit.sources_raise for limit in limits] == [0, 3]
    levels = [judge(limits, WindowView(0.6, 4, sources, 4, ()), clear_holds=False).severity for sources in (1, 2, 3)]
    assert levels == ["watch", "watch", "material"]
    assert judge(limits, WindowView(0.4, 4, 3, 4, ()), clear_holds=False).severity is None


def test_what_talk_and_denials_do_unless_given() -> None:
    plain = rule_of(PLAIN).condition
    assert (plain.unconfirmed_max, plain.denied_hold_ms) == ("severe", 259_200_000)
    given = rule_of(PLAIN + 'unconfirmed_max = "watch"\ndenied_hold_s = 0').condition
    assert (given.unconfirmed_max, given.denied_hold_ms) == ("watch", 0)


def test_lower_after_is_as_long_as_keep_firing_for_unless_given() -> None:
    assert rule_of(PLAIN + "keep_firing_for_s = 60").condition.lower_after_ms == 60_000
    assert rule_of(PLAIN + "keep_firing_for_s = 60\nlower_after_s = 5").condition.lower_after_ms == 5_000


def test_rules_are_in_the_order_of_their_names() -> None:
    rules = parse_rules(PLAIN + PLAIN.replace("credit-shock", "a-rule"), "rules.toml")
    assert [rule.name for rule in rules.rules] == ["a-rule", "credit-shock"]


def test_the_version_is_of_the_meaning_not_of_the_layout() -> None:
    other = "# A comment.\n" + PLAIN.replace("window_s = 3600\n", "") + 'window_s = 3600.0\nby = "entity"\n'
    assert version(rule_of(other)) == version(rule_of(PLAIN))
    assert version(rule_of(PLAIN)).startswith("sha256:")


def test_labels_change_the_version_and_not_the_condition() -> None:
    plain, labelled = rule_of(PLAIN), rule_of(PLAIN + 'labels = { desk = "credit" }')
    moved = rule_of(PLAIN.replace("0.85", "0.86"))
    assert version(labelled) != version(plain)
    assert condition_hash(labelled) == condition_hash(plain)
    assert condition_hash(moved) != condition_hash(plain)


LABELS = Labels(("negative", "neutral", "positive"), ("none", "watch", "material", "severe"), ("credit", "liquidity"))


def test_a_label_that_the_model_lacks_is_found() -> None:
    text = PLAIN.replace('"risk_score"', '"risk.credt"') + "match = { severity = { severe = 0.1 } }\n"
    (mistake,) = check_labels(parse_rules(text, "rules.toml"), LABELS)
    assert "rule 'credit-shock': risk.credt" in str(mistake)
    assert "did you mean 'credit'?" in str(mistake)


TAKES: list[tuple[str, dict[str, object], bool]] = [
    ("{}", {}, True),
    ('{ kinds = ["news", "filing"] }', {"kind": "filing"}, True),
    ('{ kinds = ["news", "filing"] }', {"kind": "social"}, False),
    ('{ sources = ["wire-a"] }', {"source": "wire-a"}, True),
    ('{ sources = ["wire-a"] }', {"source": "wire-b"}, False),
    ('{ langs = ["zh"] }', {"lang": "en"}, False),
    ("{ relevance_min = 0.5 }", {"relevance": 0.5}, True),
    ("{ relevance_min = 0.5 }", {"relevance": 0.4999}, False),
    ("{ risk_score_min = 0.5 }", {"risk_score": 0.4}, False),
    ("{ risk = { credit = 0.5 } }", {"risk": {"credit": 0.6}}, True),
    ("{ risk = { credit = 0.5, legal = 0.5 } }", {"risk": {"credit": 0.6}}, False),
    ("{ weight_min = 0.6 }", {"weight": 0.5}, False),
    ("{ weight_min = 0.6 }", {"weight": 1.0}, True),
    ("{ sentiment = { negative = 0.5 } }", {"sentiment": {"negative": 0.2}}, False),
]


@pytest.mark.parametrize(("match", "fields", "takes"), TAKES)
def test_which_signals_a_rule_takes(match: str, fields: dict[str, object], takes: bool) -> None:
    assert Taker(rule_of(PLAIN + f"match = {match}")).takes(make_signal(**fields)) is takes


@pytest.mark.parametrize(("most", "copies", "takes"), [(0, 0, True), (0, 1, False), (2, 2, True), (2, 3, False)])
def test_copies_of_a_story_may_be_left_out(most: int, copies: int, takes: bool) -> None:
    rule = rule_of(PLAIN + f"match = {{ copies_max = {most} }}")
    assert (copies <= Taker(rule).copies_max) is takes
    assert Sieve(rule.condition.match).takes(make_signal(), copies) is takes


def test_which_subjects_a_rule_may_take() -> None:
    banks = rule_of(PLAIN + 'match = { groups = ["banks"] }')
    one = rule_of(PLAIN + 'match = { entities = ["ACME"] }')
    assert may_take(banks, "entity", "X", ("banks", "listed")) and not may_take(banks, "entity", "X", ("listed",))
    assert may_take(one, "entity", "ACME", ()) and not may_take(one, "entity", "X", ())
    assert not may_take(rule_of(PLAIN), "group", "banks", ())


AMOUNTS: list[tuple[str, dict[str, object], int]] = [
    ("risk_score", {"risk_score": 0.8765}, 8765),
    ("relevance", {"relevance": 0.25}, 2500),
    ("severity", {"severity": {"none": 0.1, "watch": 0.2, "material": 0.3, "severe": 0.4}}, 20_000),
    ("severity.severe", {"severity": {"severe": 0.4}}, 4000),
    ("sentiment.negative", {"sentiment": {"negative": 0.91}}, 9100),
    ("risk.credit", {"risk": {}}, 0),
    ("topic.Legal | Regulation", {"topic": {"Legal | Regulation": 0.7}}, 7000),
]


@pytest.mark.parametrize(("field", "fields", "amount"), AMOUNTS)
def test_fields(field: str, fields: dict[str, object], amount: int) -> None:
    assert (
        Taker(rule_of(PLAIN.replace("risk_score", field))).event(0, 1, make_signal(**fields), PLACED).amount == amount
    )


LEVELS = (
    PLAIN.replace("limit = 0.85", "limits = { watch = 0.4, material = 0.6, severe = 0.9 }")
    + "sources_min = { watch = 2, severe = 2 }\nclear = 0.3\n"
)
JUDGED = [
    (0.95, 3, 0.95, "severe", True, 0.9, "the highest limit that is reached"),
    (0.95, 1, 0.95, "material", True, 0.6, "a gate that is not passed leaves the severity below"),
    (0.5, 1, 0.5, None, True, 0.4, "no gate passed: nothing fires, an open alert holds"),
    (0.4, 2, 0.4, "watch", True, 0.4, "a limit is reached at its own value"),
    (0.35, 2, 0.35, None, True, 0.4, "between clear and the lowest limit an open alert holds"),
    (0.3, 2, 0.3, None, True, 0.4, "at the clear limit it holds"),
    (0.29, 2, 0.29, None, False, 0.4, "below it clears"),
]


@pytest.mark.parametrize(
    ("value", "sources", "clear", "severity", "holds", "limit", "says"), JUDGED, ids=[j[6] for j in JUDGED]
)
def test_verdicts(
    value: float, sources: int, clear: float, severity: str, holds: bool, limit: float, says: str
) -> None:
    shape = rule_of(LEVELS).condition.shape
    view = WindowView(value, sources, sources, sources, ())
    verdict = judge(shape.limits, view, clear_holds=clear >= shape.clear.limit)
    assert (verdict.severity, verdict.holds, verdict.limit) == (severity, holds, limit), says


def test_the_level_that_a_value_reaches_ignores_the_gates() -> None:
    assert [reached(rule_of(LEVELS).condition.shape.limits, value) for value in (0.3, 0.4, 0.7, 1.0)] == [
        None,
        "watch",
        "material",
        "severe",
    ]


def test_the_shipped_rules_are_right() -> None:
    rules = parse_rules(SHIPPED.read_text(), SHIPPED.name)
    assert [rule.name for rule in rules.rules] == ["entity-risk", "fraud-allegation", "liquidity-run"]
