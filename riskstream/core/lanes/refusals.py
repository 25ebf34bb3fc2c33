"""Why a model version is not taken: the closed set that metrics, lines and the runbook share."""

from __future__ import annotations

from typing import Literal, get_args

Refusal = Literal["hash", "signature", "labels", "golden", "load", "missing", "registry"]
"""`hash`      a file is missing or is not the one that was published
`signature` none of `models.signers_file` has signed it
`labels`    a rule names a label that it lacks, or its sentiment or severity labels are others
`golden`    it does not score its golden pairs as it did at its publication, or has none
`load`      it cannot be loaded here, or is not the version that its directory says
`missing`   the alias means nothing
`registry`  the store does not answer; it is asked again"""
REFUSALS: tuple[Refusal, ...] = get_args(Refusal)
