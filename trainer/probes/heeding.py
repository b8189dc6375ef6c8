"""What failed a probe is not promoted, whatever it measures. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from config.rungs import Rung
from config.sentences import Note, note
from trainer.metrics import Scorecard
from trainer.probes.judging import ProbeResult
from trainer.promotion import Comparison, Keep, MoveDown, Policy, Promote, Verdict, candidate_name, decide


def find_failures(probes: Mapping[str, Sequence[ProbeResult]]) -> dict[str, tuple[Note, ...]]:
    """Why each candidate that failed did, by its key; the others are not in it."""
    failed = {key: tuple(one.why for one in results if one.has_failed) for key, results in probes.items()}
    return {key: reasons for key, reasons in failed.items() if reasons}


def heed_probes(
    verdict: Verdict, champion: Scorecard, challengers: Sequence[Scorecard], policy: Policy,
    rungs: Mapping[str, Rung], failures: Mapping[str, Sequence[Note]],
) -> Verdict:  # fmt: skip
    """The same verdict, unless it speaks for a candidate that failed (`failures`, by its key): then for the best of the
    others, or for the champion, saying what failed."""
    if not isinstance(verdict, Promote | MoveDown) or verdict.rung not in failures:
        return verdict
    failed = next(one for one in verdict.comparisons if one.rung == verdict.rung)
    others = decide(champion, [card for card in challengers if card.rung not in failures], policy, rungs)
    if isinstance(others, Promote | MoveDown):
        also = (*others.also, *passed_over(verdict, rungs, failures))
        return replace(others, comparisons=verdict.comparisons, also=also)
    why = _why_kept(champion.rung, failed, rungs, is_better=isinstance(verdict, Promote))
    return Keep(rung=champion.rung, why=why, comparisons=verdict.comparisons, also=tuple(failures[failed.rung]))


def _why_kept(champion: str, failed: Comparison, rungs: Mapping[str, Rung], *, is_better: bool) -> Note:
    gain = failed.gain
    if is_better:
        return note(
            "Stay on {champion}: {best} is {mean:.2f} bits per byte better ({low} to {high}, n={n}), but it is not "
            "promoted, because it fails a probe.",
            champion=candidate_name(champion, rungs), best=candidate_name(failed.rung, rungs), mean=gain.mean,
            low=gain.low, high=gain.high, n=gain.n,
        )  # fmt: skip
    return note(
        "Stay on {champion}: {best} is a lower rung and as good ({low} to {high} bits per byte, n={n}), but it is not "
        "advised, because it fails a probe.",
        champion=candidate_name(champion, rungs), best=candidate_name(failed.rung, rungs), low=gain.low, high=gain.high,
        n=gain.n,
    )  # fmt: skip


def passed_over(
    verdict: Verdict, rungs: Mapping[str, Rung], failures: Mapping[str, Sequence[Note]]
) -> tuple[Note, ...]:
    """What is said of the candidate that a verdict speaks for, when it failed and another one is chosen."""
    if not isinstance(verdict, Promote | MoveDown) or verdict.rung not in failures:
        return ()
    best = candidate_name(verdict.rung, rungs)
    return (note("{best} is passed over, because it fails a probe", best=best), *failures[verdict.rung])
