"""What people read of a judge model."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.agreement import FLOOR, LEAST_DRAFTS, Agreement
from bot.domain.effort import Effort
from bot.language import apart, say, say_count, sentences


def judge_said(judge: str, graded: int, agreement: Agreement | None, grades: Sequence[tuple[str, Effort]]) -> str:
    """`grades`: of each candidate's drafts, 1 to 5. Empty where nothing was graded."""
    if not graded:
        return ""
    if graded < LEAST_DRAFTS:
        return say_count(
            graded,
            "Judge `{judge}`: {count} draft graded; from {needed} on it shows whether it agrees with the team.",
            "Judge `{judge}`: {count} drafts graded; from {needed} on it shows whether it agrees with the team.",
            judge=judge, needed=LEAST_DRAFTS,
        )  # fmt: skip
    if agreement is None:
        return say(
            "Judge `{judge}`: its grades or the team's votes are all the same, so nothing says whether they agree.",
            judge=judge,
        )
    agrees = say_count(
        graded,
        "Judge `{judge}` and the team's own votes: Spearman {rho:.2f} ({rho_low:.2f} to {rho_high:.2f}), Kendall "
        "{tau:.2f} ({tau_low:.2f} to {tau_high:.2f}), {count} draft.",
        "Judge `{judge}` and the team's own votes: Spearman {rho:.2f} ({rho_low:.2f} to {rho_high:.2f}), Kendall "
        "{tau:.2f} ({tau_low:.2f} to {tau_high:.2f}), {count} drafts.",
        judge=judge,
        rho=agreement.spearman.mean, rho_low=agreement.spearman.low, rho_high=agreement.spearman.high,
        tau=agreement.kendall.mean, tau_low=agreement.kendall.low, tau_high=agreement.kendall.high,
    )  # fmt: skip
    if not agreement.may_count:
        return sentences(
            agrees,
            say("Its grades do not count: both would have to be above {floor:.1f} beyond the noise.", floor=FLOOR),
        )
    return sentences(agrees, say("Its grades, 1 to 5: {grades}.", grades=apart([_grade(*one) for one in grades])))


def _grade(name: str, grade: Effort) -> str:
    return say_count(
        grade.n,
        "`{name}` {mean:.1f} ({low:.1f} to {high:.1f}, {count} draft)",
        "`{name}` {mean:.1f} ({low:.1f} to {high:.1f}, {count} drafts)",
        name=name, mean=grade.mean, low=grade.low, high=grade.high,
    )  # fmt: skip
