"""What `/huisstijl status` says of a style: its champion, its examples, its runs, and who is there to work on them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from bot.domain.progress import Figures
from bot.language import figures as beside
from bot.language import moment, say, say_count, sentence, sentences
from bot.texts.training import progress_figures
from config.run_kinds import RunKind


def status_champion(name: str, at: datetime, actor: str, reason: str) -> str:
    if not actor:
        return say("*Champion:* {name}, since {moment}: {reason}", name=name, moment=moment(at), reason=reason)
    if actor == "gate":
        return say(
            "*Champion:* {name}, since {moment}, by the gate: {reason}", name=name, moment=moment(at), reason=reason
        )
    return say(
        "*Champion:* {name}, since {moment}, by {who}: {reason}",
        name=name, moment=moment(at), who=f"<@{actor}>", reason=reason,
    )  # fmt: skip


def status_left_out(count: int) -> str:
    return say_count(
        count,
        "*Shown in no prompt:* {count} approved example, because a term that this style never uses is in its text. A "
        "run learns from it all the same.",
        "*Shown in no prompt:* {count} approved examples, because a term that this style never uses is in their texts. "
        "A run learns from them all the same.",
    )


NO_CHAMPION = sentence("*Champion:* none yet; drafts are made from the instructions alone.")


def status_examples(counts: Mapping[str, int]) -> str:
    return say(
        "*Examples:* {proposed} proposed, {approved} approved, {rejected} rejected, {withdrawn} withdrawn, "
        "{retired} retired",
        proposed=counts["proposed"], approved=counts["approved"], rejected=counts["rejected"],
        withdrawn=counts["withdrawn"], retired=counts["retired"],
    )  # fmt: skip


def status_running(state: str, figures: Figures) -> str:
    known = progress_figures(figures)
    if known:
        return say("*Now:* {done:.0%}, {state} ({figures})", done=figures.fraction, state=state, figures=known)
    return say("*Now:* {done:.0%}, {state}", done=figures.fraction, state=state)


LAST_MEASUREMENTS = {
    "succeeded": sentence("*Last run:* measured without training ({moment})"),
    "failed": sentence("*Last run:* a measurement, failed ({moment})"),
    "cancelled": sentence("*Last run:* a measurement, cancelled ({moment})"),
}
LAST_RUNS = {
    "succeeded": sentence("*Last run:* succeeded ({moment})"),
    "failed": sentence("*Last run:* failed ({moment})"),
    "cancelled": sentence("*Last run:* cancelled ({moment})"),
}


def status_last_run(kind: RunKind, status: str, at: datetime | None, because: str, said: str) -> str:
    last = (LAST_MEASUREMENTS if kind is RunKind.MEASURE else LAST_RUNS)[status](moment=moment(at) if at else "–")
    return beside([last, because, said])


NO_RUN_YET = sentence("*Last run:* none yet.")


def status_next(reason: str) -> str:
    return say("*Next training:* {reason}.", reason=reason)


def status_due(reason: str) -> str:
    return say("*Next training:* due now, {reason}.", reason=reason)


MODEL_ANSWERS = sentence("The model server answers.")
MODEL_SILENT = sentence("*The model server does not answer* (`huisstijl serve`).")


def status_services(trainer: str, *, is_model_up: bool) -> str:
    return sentences(trainer, MODEL_ANSWERS() if is_model_up else MODEL_SILENT())


NO_TRAINER_SHORT = sentence("*No trainer is running* (`huisstijl trainer`).")
