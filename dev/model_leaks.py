"""A new kind of event, to teach by labels: the weights of a company's AI model become public against its will.

    rows("taught") ──► 300 labelled texts      rows("asked") ──► 100 texts by other templates with other names

Invented names, English and Chinese. Beside the leaks stand releases on purpose, which share their words and are
harmless: what is to be learnt is the event and not its vocabulary.
"""

from __future__ import annotations

import random
from typing import Any, Literal

Set = Literal["taught", "asked"]
LEAK = {"severity": 2, "risk": ["cyber"], "sentiment": "negative"}
RELEASE = {"severity": 0, "risk": [], "sentiment": "positive"}

NAMES: dict[tuple[Set, str], tuple[str, ...]] = {
    ("taught", "en"): (
        *("Maren Robotics", "Quillstone AI", "Teverin Labs", "Ostrava Cognition", "Brightloom", "Hexley Systems"),
        *("Corrigal Data", "Pinemark Software", "Sable Inference", "Dunmorrow", "Vantry Group", "Ilmari Technologies"),
    ),
    ("taught", "zh"): (
        "瀚澜智能",
        "洛川科技",
        "启岚数据",
        "北辰云图",
        "青屿软件",
        "远珩机器人",
        "合璞信息",
        "云阙科技",
    ),
    ("asked", "en"): ("Farrowgate AI", "Lindqvist Compute", "Orsolo", "Keddleston Labs", "Tamsin Dynamics"),
    ("asked", "zh"): ("澄观智能", "穆岭科技", "朗毓数据", "图南云"),
}
MODELS = {
    "en": ("assistant", "flagship model", "coding model", "speech model"),
    "zh": ("大模型", "对话模型", "语音模型", "旗舰模型"),
}
TEMPLATES: dict[tuple[Set, str, bool], tuple[str, ...]] = {
    ("taught", "en", True): (
        "{name} pulls its {model} after the weights turn up on a public file share",
        "The weights of {name}'s {model} have been circulating on a torrent site since {day}, two people said",
        "{name} confirms that a copy of its unreleased {model} was posted to a forum on {day}",
        "Anyone can now download {name}'s {model}: a checkpoint appeared on a mirror in the early hours of {day}",
        "{name} says a contractor uploaded the full parameters of its {model} to an open bucket",
        "Takedown notices have not stopped the spread of {name}'s {model} weights, now on dozens of mirrors",
        "{name} suspends API sales of its {model} while it establishes how the checkpoint got out",
        "A link to {name}'s complete {model}, 140 gigabytes of it, was shared in a chat group on {day}",
    ),
    ("taught", "zh", True): (
        "{name}{model}权重文件{day}出现在公开网盘，公司已暂停相关服务",
        "网传{name}{model}完整参数可在种子站下载，公司证实文件属实",
        "{name}确认，一名外包人员将{model}检查点上传至开放存储桶",
        "{name}{model}权重外流，{day}起已有数十个镜像站提供下载",
        "{name}称正在调查未发布{model}的副本为何流入论坛",
        "{name}暂停出售{model}接口，权重如何流出仍未查明",
    ),
    ("taught", "en", False): (
        "{name} publishes the weights of its {model} under an open licence",
        "Developers can now download {name}'s {model}: the company put the checkpoint on its own page on {day}",
        "{name} to release the parameters of its {model} to universities next month",
        "{name} opens its {model} to researchers and shares the full weights on {day}",
    ),
    ("taught", "zh", False): (
        "{name}宣布开源{model}，权重{day}起可在官网下载",
        "{name}向高校开放{model}完整参数",
        "{name}发布新版{model}，同步公开检查点",
    ),
    ("asked", "en", True): (
        "{name}'s crown jewels are loose: someone put its {model} on a sharing site, parameters and all",
        "Weights stolen from {name} surfaced on {day}; rivals could run its {model} for free, analysts note",
        "{name} withdraws its {model} as copies of the network spread online",
        "Unknown persons have published what {name} admits is the trained network behind its {model}",
    ),
    ("asked", "zh", True): (
        "{name}核心{model}被人挂上分享网站，参数一应俱全",
        "{name}承认，网上流传的正是其{model}的训练成果，已报案",
        "{day}有人公开了{name}{model}的全部权重，公司紧急下线产品",
    ),
    ("asked", "en", False): (
        "{name} makes its {model} free for everyone, weights included",
        "{name} hands the community its {model}, with checkpoints and a permissive licence",
    ),
    ("asked", "zh", False): ("{name}免费开放{model}，权重一并提供", "{name}{model}正式开源，社区可自由使用权重"),
}
DAYS = {
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday"),
    "zh": ("周一", "周二", "周三", "周四", "周五"),
}
COUNTS: dict[Set, int] = {"taught": 300, "asked": 100}


def rows(which: Set, seed: int = 11) -> list[dict[str, Any]]:
    """Labelled texts, all different: six in ten English, two in three leaks."""
    rng = random.Random(f"{which}{seed}")  # noqa: S311 (not for secrets)
    found: dict[str, dict[str, Any]] = {}
    while len(found) < COUNTS[which]:
        lang = "en" if rng.random() < 0.6 else "zh"
        leak = rng.random() < 2 / 3
        name = rng.choice(NAMES[which, lang])
        text = rng.choice(TEMPLATES[which, lang, leak]).format(
            name=name, model=rng.choice(MODELS[lang]), day=rng.choice(DAYS[lang])
        )
        found[text] = {"text": text, "entity": name, "lang": lang, "labels": LEAK if leak else RELEASE}
    return list(found.values())
