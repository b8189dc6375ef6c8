"""What a reviewer should see beside a proposal: examples that say the same already, and such that say something else.

A *contradiction* answers nearly the same request with a clearly different output; a *lookalike* is nearly the same
example once more. What is too alike to be proposed at all is `bot/domain/similarity.py`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from rapidfuzz import fuzz, process

from bot.domain.similarity import NormalPair

#: Percent, with the words in any order: from here on two requests ask for the same.
SAME_REQUEST = 85.0
#: Below this, two outputs for the same request are clearly different.
SAME_OUTPUT = 70.0
#: The same output under another request.
REPEATED_OUTPUT = 92.0
#: Outputs shorter than this repeat each other without meaning it ("Thanks!").
REPEATED_CHARS = 20
MAX_SHOWN = 3


class ClashKind(StrEnum):
    CONTRADICTION = "contradiction"
    LOOKALIKE = "lookalike"


@dataclass(frozen=True, slots=True, kw_only=True)
class Clash:
    """`key` is the other pair's; the percentages say how alike the requests and the outputs are."""

    key: str
    kind: ClashKind
    request_percent: int
    output_percent: int


def find_clashes(
    pair: NormalPair, known: Sequence[NormalPair], *, labels: bool = False, most: int = MAX_SHOWN
) -> list[Clash]:
    """Contradictions first, then what is most alike. `labels`: any other label for the same request contradicts."""
    others = [other.prompt if other.key != pair.key else None for other in known]
    near: dict[int, float] = {
        index: score
        for _, score, index in process.extract(
            pair.prompt, others, scorer=fuzz.token_sort_ratio, score_cutoff=SAME_REQUEST, limit=None
        )
    }
    if not labels and len(pair.completion) >= REPEATED_CHARS:
        outputs = [other.completion if other.key != pair.key else None for other in known]
        for _, _, index in process.extract(
            pair.completion, outputs, scorer=fuzz.ratio, score_cutoff=REPEATED_OUTPUT, limit=None
        ):
            near.setdefault(index, fuzz.token_sort_ratio(pair.prompt, known[index].prompt))
    clashes = [_judge(pair, known[index], score, labels=labels) for index, score in near.items()]
    clashes.sort(key=lambda clash: (clash.kind, -clash.request_percent - clash.output_percent, clash.key))
    return clashes[:most]


def _judge(pair: NormalPair, other: NormalPair, request: float, *, labels: bool) -> Clash:
    output = fuzz.ratio(pair.completion, other.completion)
    differs = pair.completion != other.completion if labels else output < SAME_OUTPUT
    is_contradiction = differs and request >= SAME_REQUEST
    return Clash(
        key=other.key, kind=ClashKind.CONTRADICTION if is_contradiction else ClashKind.LOOKALIKE,
        request_percent=round(request), output_percent=round(output),
    )  # fmt: skip
