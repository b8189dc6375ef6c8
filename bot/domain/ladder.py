"""The ladder as a table: what each candidate scored on the unseen pairs. Pure; Slack and the terminal share it.

Intervals are the percentile bootstrap (Efron & Tibshirani 1993, chapter 13) over unrelated pairs, seeded: the same
measurement always shows the same figures.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot.domain.draft_figures import MIN_DRAFTS, DraftScores, read_draft_scores
from bot.domain.economy import Economy
from bot.domain.label_ladder import NAME_CHARS, LabelFigures, label_lines, read_label_figures
from bot.domain.safe_text import shorten_apart
from bot.language import number
from config.base_names import base_model_id
from config.resampling import count_unrelated, number_groups, resampled_ratios

RESAMPLES = 1000
#: A share of cut drafts from which on it is said.
CUT_SAID_FROM = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class FormFigures:
    """Length and form of the drafts that a candidate wrote for the unseen pairs."""

    n: int
    #: Words, as a multiple of the approved texts': geometric mean, and its 95 % interval.
    length: tuple[float, float, float]
    #: The features that nearly all approved texts share, with what they are (`config.style_forms`).
    house: Mapping[str, str]
    #: The share of the drafts that have all of them; None where there are none.
    in_form: float | None
    #: How many drafts keep to the style's terms, and of how many (`trainer.style_features.keeps_terms`); None where it
    #: had no terms.
    terms: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rank:
    """One candidate's row."""

    rung: str
    base_model: str
    #: Empty for a rung without adapter.
    adapter_name: str
    n: int
    #: For so many unrelated pairs they count.
    unrelated: int
    #: Bits per UTF-8 byte of the references; lower is better. With its 95 % interval.
    bits_per_byte: float
    low: float
    high: float
    #: 0 to 100.
    chrf: float | None
    #: 0 to 1.
    exact_match: float | None
    edit_similarity: float | None
    #: Mean per draft.
    prompt_tokens: float | None
    completion_tokens: float | None
    seconds_per_draft: float | None
    is_champion: bool = False
    #: Training cost too much besides: it is not promoted.
    has_failed_probe: bool = False
    #: Where the answers are labels.
    label: LabelFigures | None = None
    #: Where they are texts.
    form: FormFigures | None = None
    draft_scores: DraftScores = field(default_factory=dict)
    #: Of the drafts, the share that was cut at the length allowed (0 to 1).
    cut_share: float | None = None

    @property
    def name(self) -> str:
        return self.adapter_name or self.rung

    @property
    def drafts(self) -> int:
        """How many unseen pairs got a draft."""
        return len(self.draft_scores)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """A measurement of every rung on the same unseen pairs."""

    style_name: str
    run_id: str
    ranks: tuple[Rank, ...]
    #: The gate's sentence.
    verdict: str
    #: Unrelated unseen pairs below which nothing is promoted.
    pairs_needed: int
    economy: Economy | None = None
    #: That it was measured without training, and why; empty for an ordinary run.
    because: str = ""
    #: The day of the measurement, and what has changed since.
    hindsight: str = ""
    #: What more examples would change, and how earlier forecasts came out; empty where nothing was foreseen.
    forecast: str = ""
    #: What people changed of the drafts of each candidate that has served; empty where none was kept.
    efforts: str = ""
    #: What the champion foretold of newly approved examples, where too few pairs are unseen to judge by.
    prequential: str = ""
    #: What a judge model says, and whether that counts; empty without one.
    judge: str = ""
    #: What training each adapter cost besides, a sentence for each.
    probes: tuple[str, ...] = ()

    def shown(self, rank: Rank, *, with_rung: bool = False) -> str:
        """What it is called beside the others: with its base model, where they stand on two."""
        name = f"{rank.rung} ({rank.adapter_name})" if with_rung and rank.adapter_name else rank.name
        has_two_bases = len({one.base_model for one in self.ranks}) > 1
        return f"{name} @{base_model_id(rank.base_model)}" if has_two_bases else name

    @property
    def n(self) -> int:
        return min((rank.n for rank in self.ranks), default=0)

    @property
    def unrelated(self) -> int:
        return min((rank.unrelated for rank in self.ranks), default=0)

    @property
    def is_enough(self) -> bool:
        return self.unrelated >= self.pairs_needed


def make_rank(
    *, rung: str, base_model: str, adapter_name: str, card: Mapping[str, Any], is_champion: bool,
    has_failed_probe: bool = False,
) -> Rank | None:  # fmt: skip
    """A row from a stored scorecard; None when nothing was scored in it."""
    pairs: Sequence[Mapping[str, Any]] = card.get("pairs") or ()
    if not pairs:
        return None
    kin_groups = [pair.get("kin_group") for pair in pairs]  # not kept by earlier versions
    mean, low, high = bits_per_byte([p["nll_nats"] for p in pairs], [p["reference_bytes"] for p in pairs], kin_groups)
    summary = card.get("summary") or {}
    return Rank(
        rung=rung,
        base_model=base_model,
        adapter_name=adapter_name,
        n=len(pairs),
        unrelated=count_unrelated(kin_groups),
        bits_per_byte=mean,
        low=low,
        high=high,
        chrf=summary.get("chrf"),
        exact_match=summary.get("exact_match"),
        edit_similarity=summary.get("edit_similarity"),
        prompt_tokens=summary.get("prompt_tokens"),
        completion_tokens=summary.get("completion_tokens"),
        seconds_per_draft=summary.get("seconds_per_draft"),
        is_champion=is_champion,
        has_failed_probe=has_failed_probe,
        label=read_label_figures(summary),
        form=_read_form_figures(summary.get("features") or {}),
        draft_scores=read_draft_scores(pairs),  # withdrawing takes the texts, not the figures
        cut_share=summary.get("cut_share"),
    )


def _read_form_figures(values: Mapping[str, Any]) -> FormFigures | None:
    if not values:
        return None
    mean, low, high = values["length"]
    terms = values.get("terms")  # not measured by earlier versions
    return FormFigures(
        n=values["n"], length=(mean, low, high), house=values["house"], in_form=values["in_form"],
        terms=(terms["kept"], terms["n"]) if terms else None,
    )  # fmt: skip


def bits_per_byte(
    nll_nats: Sequence[float], completion_bytes: Sequence[int], kin_groups: Sequence[int | None] = ()
) -> tuple[float, float, float]:
    """All bits over all bytes, with the 95 % interval. (pairs,) each; at least one. `kin_groups`: where it is known
    which of them tell about one another."""
    bits = np.array(nll_nats, dtype=float) / math.log(2)
    return _ratio(bits, np.array(completion_bytes, dtype=float), kin_groups or [None] * len(bits))


def _ratio(
    bits: NDArray[np.float64], size: NDArray[np.float64], kin_groups: Sequence[int | None]
) -> tuple[float, float, float]:
    ratios = resampled_ratios(bits, size, number_groups(kin_groups), RESAMPLES, seed=0)
    low, high = np.quantile(ratios, [0.025, 0.975])
    return float(bits.sum() / size.sum()), float(low), float(high)


def label_ladder_lines(ladder: Ladder, columns: Sequence[str]) -> list[str]:
    """The figures of a style that classifies, the most often right first; nothing for other styles."""
    ranks = ladder.ranks
    if ladder.is_enough:
        ranks = tuple(sorted(ranks, key=lambda rank: -(rank.label.accuracy if rank.label else 0.0)))
    rows = [(ladder.shown(rank), rank.is_champion, rank.label) for rank in ranks if rank.label is not None]
    return label_lines(rows, columns) if rows else []


def ladder_lines(ladder: Ladder, columns: Sequence[str]) -> list[str]:
    """The table in fixed-width lines under the columns' names; ★ marks the champion, ✗ what fails a probe. The best
    comes first, unless too few pairs could tell which that is: then the ladder's own order stands."""
    ranks = sorted(ladder.ranks, key=lambda rank: rank.bits_per_byte) if ladder.is_enough else ladder.ranks
    names = shorten_apart([ladder.shown(rank, with_rung=True) for rank in ranks], NAME_CHARS)
    rows = [("", *columns), *(_row(name, rank) for name, rank in zip(names, ranks, strict=True))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(columns) + 1)]
    return [
        "  ".join(
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _row(name: str, rank: Rank) -> tuple[str, ...]:
    of_drafts = ((rank.chrf, ".1f"), (rank.exact_match, ".0%"), (rank.edit_similarity, ".2f"))
    return (
        f"{'★' if rank.is_champion else ''}{'✗' if rank.has_failed_probe else ''}",
        name,
        number(rank.bits_per_byte, ".3f"),
        f"{number(rank.low, '.2f')}–{number(rank.high, '.2f')}",
        *(_figure(value if rank.drafts >= MIN_DRAFTS else None, shape) for value, shape in of_drafts),
        _figure(rank.prompt_tokens, ".0f"),
        _figure(rank.seconds_per_draft, ".2f"),
    )


def _figure(value: float | None, shape: str) -> str:
    return "–" if value is None else number(value, shape)


def gain_bits_per_byte(worse: Mapping[str, Any], better: Mapping[str, Any]) -> tuple[float, float, float]:
    """Bits per byte that `better` saves over `worse` (mean, and a 95 % interval): two stored scorecards on the same
    unseen pairs. The paired bootstrap resamples whole pairs, or groups of related ones, and divides their bits by their
    bytes.

    Raises ValueError when they were not scored on the same pairs.
    """
    before, after = worse["pairs"], better["pairs"]
    if [pair["example_id"] for pair in before] != [pair["example_id"] for pair in after] or not before:
        raise ValueError("Two candidates can only be compared on the same unseen pairs.")
    saved = np.array([a["nll_nats"] - b["nll_nats"] for a, b in zip(before, after, strict=True)]) / math.log(2)
    size = np.array([pair["reference_bytes"] for pair in before], dtype=float)
    return _ratio(saved, size, [pair.get("kin_group") for pair in before])
