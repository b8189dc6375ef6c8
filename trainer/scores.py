"""A run's scores: every candidate's scorecard, which of them is the champion, and what is stored of them with a
verdict. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from config.rungs import Rung
from config.sentences import Note, note
from trainer.errors import RunBroken
from trainer.label_metrics import paired_figures
from trainer.metrics import Scorecard
from trainer.probes.heeding import find_failures, heed_probes, passed_over
from trainer.probes.judging import ProbeResult
from trainer.promotion import MoveDown, Policy, Promote, Verdict, decide
from trainer.registry import Champion, Standing
from trainer.trial_losses import TrialLoss, heed_trials


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Every candidate's scorecard, and which of them is the champion."""

    champion: Champion
    standings: list[Standing]
    cards: Mapping[str, Scorecard]
    #: What has to be said of the measurement besides its verdict.
    clauses: tuple[Note, ...] = ()
    #: What the adapters were probed for, by key.
    probes: Mapping[str, Sequence[ProbeResult]] = field(default_factory=dict)

    @property
    def champion_card(self) -> Scorecard:
        return self.cards[self.champion.standing.key]

    @property
    def challengers(self) -> list[Scorecard]:
        return [self.cards[one.key] for one in self.standings if one != self.champion.standing]

    @property
    def prompts(self) -> list[str]:
        """The candidates without an adapter, by key."""
        return [one.key for one in self.standings if not one.adapter_name]

    @property
    def failures(self) -> dict[str, tuple[Note, ...]]:
        """Why those failed a probe that did, by key."""
        return find_failures(self.probes)

    @property
    def rungs(self) -> dict[str, Rung]:
        """Every candidate's rung, by key."""
        return {one.key: one.rung for one in self.standings}

    def standing(self, key: str) -> Standing:
        return next(one for one in self.standings if one.key == key)

    @property
    def sound(self) -> list[Scorecard]:
        """The challengers that failed no probe."""
        return [card for card in self.challengers if card.rung not in self.failures]

    def decide(self, policy: Policy, losses: Mapping[str, TrialLoss]) -> Verdict:
        """The gate's verdict: of what was measured, then without what failed a probe, then without what people found
        worse in a blind trial (`losses`, by key)."""
        champion, rungs, failures = self.champion_card, self.rungs, self.failures
        measured = decide(champion, self.challengers, policy, rungs)
        probed = heed_probes(measured, champion, self.challengers, policy, rungs, failures)
        besides = passed_over(measured, rungs, failures)
        return heed_trials(probed, champion, self.sound, policy, rungs, losses, besides=besides)

    def verdict_values(self, verdict: Verdict | None, curve_words: Note | None) -> dict[str, Any]:
        """The verdict as JSON: the sentence (in English, and as notes), who won over whom, where moving down is
        advised to, the ladder's table with the best first, and what the picture shows. Without a verdict, because the
        champion was moved meanwhile, nothing is judged against the one that is gone."""
        comparisons = {one.rung: one.gain for one in verdict.comparisons} if verdict else {}
        ranked = sorted(comparisons, key=lambda key: -comparisons[key].mean)
        lower = self.standing(verdict.rung) if isinstance(verdict, MoveDown) else None
        challenger = verdict.rung if isinstance(verdict, Promote) else next(iter(ranked), None)
        table = []
        for one in sorted(self.standings, key=lambda one: self.cards[one.key].bits_per_byte):
            gain = comparisons.get(one.key)
            table.append(
                self.cards[one.key].summary()
                | named(one)
                | {"is_champion": one == self.champion.standing, "gain": asdict(gain) if gain else None}
                | {"probes": [result.as_json() for result in self.probes.get(one.key, ())]}
                | paired_figures(self.champion_card, self.cards[one.key])
            )
        why = verdict.why if verdict else _MOVED_ELSEWHERE if self.champion.standing.is_elsewhere else _MOVED_MEANWHILE
        values: dict[str, Any] = finite(
            {
                "promoted": isinstance(verdict, Promote),
                "champion": named(self.champion.standing) if verdict else None,
                "challenger": named(self.standing(challenger)) if challenger else None,
                "lower": named(lower) if lower else None,
                "sentence": verdict.reason if verdict else str(why),
                "why": why.as_json(),
                "also": [clause.as_json() for clause in (*(verdict.also if verdict else ()), *self.clauses)],
                "curve": curve_words.as_json() if curve_words else None,
                "table": table,
            }
        )
        return values


def without_not_finite(scores: Scores) -> Scores:
    """The same without candidates that gave no finite likelihood of some pair; a clause names each. They can be
    compared with nothing: one such pair makes every figure of theirs no number.

    Raises RunBroken where the champion is one of them, or nothing is left beside it.
    """
    lost = [one for one in scores.standings if scores.cards[one.key].not_finite]
    if not lost:
        return scores
    kept = [one for one in scores.standings if one not in lost]
    if scores.champion.standing in lost or kept == [scores.champion.standing]:
        names = ", ".join(f"`{one.rung.value}`" for one in lost)
        raise RunBroken(
            note(
                "Nothing can be compared, because these gave no finite likelihood of unseen texts: {names}; set dtype "
                "to float32 in the recipe or promote another rung, then try again.",
                names=names,
            )
        )
    clauses = tuple(_left_out(one.rung, scores.cards[one.key]) for one in lost)
    cards = {one.key: scores.cards[one.key] for one in kept}
    return replace(scores, standings=kept, cards=cards, clauses=(*scores.clauses, *clauses))


def _left_out(rung: Rung, card: Scorecard) -> Note:
    values: dict[str, Any] = {"rung": rung.value, "count": card.not_finite, "n": card.n}
    if rung.needs_adapter:
        return note(
            "left out: `{rung}` gave no finite likelihood of {count} of {n} unseen texts; lower learning_rate in the "
            "recipe, then train again",
            **values,
        )
    return note(
        "left out: `{rung}` gave no finite likelihood of {count} of {n} unseen texts; set dtype to float32 in the "
        "recipe, then try again",
        **values,
    )


_MOVED_MEANWHILE = note(
    "Kept the champion: somebody changed it while this run was being judged against the one before; compare all in the "
    "ladder, and promote by hand what is better."
)
_MOVED_ELSEWHERE = note(
    "Kept the champion: somebody changed it while this run was being judged against the one before, so it says nothing "
    "of the other base model."
)


def named(standing: Standing) -> dict[str, str]:
    """A candidate as JSON."""
    return {
        "rung": standing.rung.value,
        "base_model": standing.base_model,
        "adapter_name": standing.adapter_name,
    }


def finite(values: Any) -> Any:
    """JSON has no NaN, and PostgreSQL refuses one; a figure that is not there yet is null."""
    if isinstance(values, dict):
        return {key: finite(value) for key, value in values.items()}
    if isinstance(values, list):
        return [finite(value) for value in values]
    return None if isinstance(values, float) and not math.isfinite(values) else values
