"""A new kind of event, to teach by labels: a plant's share of water, power or gas is set lower by a schedule.

    rows("taught") ──► 300 labelled texts      rows("asked") ──► 100 texts by other templates with other names

Invented names, English and Chinese. The notices are dry, so a model that was taught drama passes over them. Beside the
cuts stand shares that stay or rise, which use the same words and are harmless: what is to be learnt is the event and
not its vocabulary.
"""

from __future__ import annotations

import random
from typing import Any, Literal

Set = Literal["taught", "asked"]
CUT = {"severity": 2, "risk": ["operational"], "sentiment": "negative"}
KEPT = {"severity": 0, "risk": [], "sentiment": "neutral"}

NAMES: dict[tuple[Set, str], tuple[str, ...]] = {
    ("taught", "en"): (
        *("Tessin Foundry", "Halvern Compute", "Corrigal Glass", "Marlpit Chemicals", "Dunmorrow Steel"),
        *("Ostrand Wafers", "Pinemark Paper", "Quillstone Alloys", "Vantry Textiles", "Brackwater Foods"),
        *("Ilmari Batteries", "Sable Ceramics"),
    ),
    ("taught", "zh"): ("瀚澜晶圆", "洛川玻璃", "启岚化工", "北辰钢铁", "青屿纺织", "远珩电池", "合璞陶瓷", "云阙造纸"),
    ("asked", "en"): ("Farrowgate Cement", "Lindqvist Optics", "Orsolo Fibres", "Keddleston Dyes", "Tamsin Castings"),
    ("asked", "zh"): ("澄观光学", "穆岭水泥", "朗毓染料", "图南铸造"),
}  # fmt: skip
PLACES = {"en": ("Brask", "Nethercombe", "Olvik", "Saint-Orm", "Tarrow"), "zh": ("临溪", "河湾", "白塔", "南坞")}
LOW = {"en": ("a third", "40 percent", "half", "45 percent"), "zh": ("三成", "四成", "一半", "三分之一")}
TEMPLATES: dict[tuple[Set, str, bool], tuple[str, ...]] = {
    ("taught", "en", True): (
        "The river board has set {name}'s water allotment at {low} of normal for the dry season",
        "{name} may draw {low} of its usual water at {place} from Monday, under the new schedule",
        "{name} moves to band D of the power schedule at {place}: two shifts a week instead of six",
        "Grid schedule: {name}'s plant at {place} is in rotation group 4, supplied three days in seven",
        "{name}'s permit for make-up water at {place} is down to {low}, the board's new table shows",
        "{name} listed in the second tier of the winter gas order, which provides {low} of contract volumes",
        "Load allotment of {name} at {place} for the quarter: {low} of last quarter's",
        "Interruptible tariff called: {name} to run {place} on its own generators until further notice",
    ),
    ("taught", "zh", True): (
        "{name}本季用水配额核定为常年的{low}",
        "新一轮调度表：{name}{place}工厂列入轮供第四组，每周供电三天",
        "{name}{place}基地取水许可调整为原来的{low}，下周一起执行",
        "{name}被列入冬季供气第二档，按合同量的{low}供应",
        "{name}{place}厂区本月用电指标为上月的{low}",
        "有序用电名单公布，{name}{place}工厂每周开两班",
    ),
    ("taught", "en", False): (
        "The river board leaves {name}'s water allotment unchanged for the dry season",
        "{name} stays in band A of the power schedule at {place}: all shifts supplied",
        "{name} listed in the first tier of the winter gas order, which provides contract volumes in full",
        "Load allotment of {name} at {place} for the quarter: as last quarter, with a small reserve",
    ),
    ("taught", "zh", False): (
        "{name}本季用水配额与常年持平",
        "新一轮调度表：{name}{place}工厂不参与轮供，全周供电",
        "{name}列入冬季供气第一档，合同量足额供应",
    ),
    ("asked", "en", True): (
        "Under this month's rota the lights at {name}'s {place} works are on every other day",
        "{name} gets {low} of the gas that it ordered for the winter, the distributor's list says",
        "From the first of the month the canal company will pump {name} {low} of what the {place} mill is used to",
        "The regulator's rationing table puts {name} at {low} of baseline electricity",
    ),
    ("asked", "zh", True): (
        "按本月轮供安排，{name}{place}厂隔日通电",
        "供气公司名单显示，{name}今冬可得{low}的订气量",
        "{name}{place}车间自下月起只能取用{low}的工业水",
    ),
    ("asked", "en", False): (
        "This month's rota spares {name}'s {place} works, which keep power all week",
        "{name} gets all of the gas that it ordered for the winter, the distributor's list says",
    ),
    ("asked", "zh", False): ("{name}{place}厂本月不在轮供之列，全月通电", "供气公司名单显示，{name}今冬订气量全数保障"),
}  # fmt: skip
COUNTS: dict[Set, int] = {"taught": 300, "asked": 100}


def rows(which: Set, seed: int = 11) -> list[dict[str, Any]]:
    """Labelled texts, all different: six in ten English, six in ten cuts."""
    rng = random.Random(f"{which}{seed}")  # noqa: S311 (not for secrets)
    found: dict[str, dict[str, Any]] = {}
    while len(found) < COUNTS[which]:
        lang = "en" if rng.random() < 0.6 else "zh"
        cut = rng.random() < 0.6
        name = rng.choice(NAMES[which, lang])
        text = rng.choice(TEMPLATES[which, lang, cut]).format(
            name=name, place=rng.choice(PLACES[lang]), low=rng.choice(LOW[lang])
        )
        found[text] = {"text": text, "entity": name, "lang": lang, "labels": CUT if cut else KEPT}
    return list(found.values())
