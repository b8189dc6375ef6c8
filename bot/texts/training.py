"""What people read about training: the quote, the statement on data, progress, results, the ladder, the champion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from bot.domain.ladder import Ladder
from bot.domain.progress import Figures, draw_bar
from bot.domain.quote import Quote, SpeedSource
from bot.language import figures as beside
from bot.language import listed, moment, money, say, say_count, say_note, sentence, sentences
from bot.texts.durations import duration
from bot.texts.economy import economy_says
from bot.texts.measured import forms_said
from config.run_kinds import RunKind
from config.sentences import read_note

# --- the statement on training data ---------------------------------------------------------------------------------

STATEMENT = sentence(
    "*Before the first training run of this workspace:* Slack's API terms (29 May 2025) restrict training language "
    "models on data obtained through Slack's APIs. Huisstijl is a self-hosted, internal app: it reads no history, "
    "and learns only from what a person submitted on purpose and a reviewer approved. The adapter stays on your own "
    "machines. Everybody can withdraw what is theirs, and it is then left out of every later training. "
    "Whether your organisation may train on these examples is for your organisation to say: take legal advice on "
    "the terms. By accepting you say that it may; your name and the time go into the audit log."
)
TRAIN_BUTTON = sentence("Train")
ACCEPT_BUTTON = sentence("I accept this, train")
ACCEPT_ONLY_BUTTON = sentence("I accept this")
CANCEL_BUTTON = sentence("Cancel")
CANCEL_RUN_BUTTON = sentence("Cancel this run")
CANCEL_RUN_TITLE = sentence("Cancel this run?")
CANCEL_RUN_QUESTION = sentence("The champion stays as it is. What was trained so far is thrown away.")
CANCEL_RUN_YES = sentence("Cancel the run")
CANCEL_RUN_NO = sentence("Let it run")


def terms_notice(style_name: str) -> str:
    return say(
        "Enough examples are approved to train *{style}*, but an admin has to accept the statement on training data "
        "first: here, or under the quote of `/huisstijl train {style}`.",
        style=style_name,
    )


def terms_accepted(user_id: str) -> str:
    return say(
        "{who} accepted the statement on training data. Training starts by itself when it is due.",
        who=f"<@{user_id}>",
    )


# --- the quote ------------------------------------------------------------------------------------------------------


def too_few_examples(style_name: str, have: int, needed: int) -> str:
    return sentences(
        say_count(
            have,
            "*{style}* has {count} approved example; a run needs {needed}, so that some can be kept unseen to judge "
            "by.",
            "*{style}* has {count} approved examples; a run needs {needed}, so that some can be kept unseen to judge "
            "by.",
            style=style_name, needed=needed,
        ),
        say_count(
            needed - have,
            "{count} more is needed. Meanwhile every approved example shapes the next draft already.",
            "{count} more are needed. Meanwhile every approved example shapes the next draft already.",
        ),
    )  # fmt: skip


def quote_headline(style_name: str, quote: Quote) -> str:
    return say(
        "Training *{style}* takes about {time} and costs {cost}.",
        style=style_name, time=duration(quote.minutes * 60), cost=money(quote.cost, quote.currency),
    )  # fmt: skip


def quote_examples(quote: Quote) -> str:
    examples = say_count(
        quote.examples,
        "*{count} approved example*: about {train} to learn from, {validation} to choose the best step by, and "
        "{unseen} unseen to judge by.",
        "*{count} approved examples*: about {train} to learn from, {validation} to choose the best step by, and "
        "{unseen} unseen to judge by.",
        train=quote.train_pairs, validation=quote.validation_pairs, unseen=quote.unseen_pairs,
    )  # fmt: skip
    if quote.unseen_pairs >= quote.pairs_to_promote:
        return examples
    return sentences(
        examples,
        say(
            "With fewer than {needed} unseen ones the result is shown, but nothing is promoted: luck could not be told "
            "from better.",
            needed=quote.pairs_to_promote,
        ),
    )


def quote_recipe(quote: Quote) -> str:
    """How it is trained; empty where the recipe is on the trainer's host alone."""
    if quote.epochs is None or quote.rank is None or quote.learning_rate is None:
        return ""
    return say(
        "*Recipe `{recipe}`*, for so many examples: {passes}, rank {rank}, learning rate {rate}.",
        recipe=quote.recipe, passes=_passes(quote.epochs), rank=quote.rank, rate=f"{quote.learning_rate:g}",
    )  # fmt: skip


def _passes(epochs: float) -> str:
    if epochs != int(epochs):
        return say("{epochs:.1f} passes over the pairs", epochs=epochs)
    return say_count(int(epochs), "{count} pass over the pairs", "{count} passes over the pairs")


SPEEDS = {
    SpeedSource.TRAINER: sentence(
        "*About {time}*: {tokens} tokens at {speed:.0f} tokens a second (as this trainer measured itself), and "
        "measuring."
    ),
    SpeedSource.RECEIPT: sentence(
        "*About {time}*: {tokens} tokens at {speed:.0f} tokens a second (as this style's last run measured), and "
        "measuring."
    ),
    SpeedSource.DEFAULT: sentence(
        "*About {time}*: {tokens} tokens at {speed:.0f} tokens a second (assumed, since nothing was measured here yet: "
        "two CPU cores with the small model), and measuring."
    ),
}


def quote_time(quote: Quote, *, price_per_hour: float) -> str:
    time = SPEEDS[quote.speed_source](
        time=duration(quote.minutes * 60), tokens=quote.tokens, speed=quote.tokens_per_second
    )
    cost = money(quote.cost, quote.currency)
    if not price_per_hour:
        return sentences(time, say("*{cost}*, as no price per hour is configured.", cost=cost))
    return sentences(time, say("*{cost}* at {price} an hour.", cost=cost, price=money(price_per_hour, quote.currency)))


QUOTE_MEASURED = sentence(
    "*Measured on the unseen pairs:* every rung (`zero_shot`, `few_shot`, `retrieved`, `lora`, `lora_retrieved`, "
    "`knowledge` where there are documents, `lora_preferences` where there are preferences) in bits per byte, chrF, "
    "exact match and edit similarity. The adapter becomes champion only if it is better beyond the noise; otherwise "
    "everything stays as it is, with the reason."
)
QUOTE_FULL = sentence(
    "*All weights* (`full`) are trained besides, where memory and disk of the trainer suffice; otherwise the result "
    "says what was missing. That model takes as much disk, and as champion as much memory, as the base model does."
)
NO_TRAINER = sentence(
    "No trainer is running at the moment: the run waits until somebody starts one with `huisstijl trainer`."
)


def trainer_alive(device: str | None) -> str:
    return say("A trainer is running ({device}).", device=device) if device else say("A trainer is running.")


def queued(style_name: str, channel_id: str) -> str:
    return say(
        "Training of *{style}* is queued. {channel} shows how far it is.",
        style=style_name, channel=f"<#{channel_id}>",
    )  # fmt: skip


def not_queued(style_name: str) -> str:
    if not style_name:
        return say("Nothing was queued.")
    return say("Nothing was queued. *{style}* stays as it is.", style=style_name)


def reason_by_hand(user_id: str) -> str:
    return say("{who} asked for it", who=f"<@{user_id}>")


MEASURED_BY_OPERATOR = sentence("the operator asked for a measurement; nothing is trained")


def measured_by_hand(user_id: str) -> str:
    return say("{who} asked for a measurement; nothing is trained", who=f"<@{user_id}>")


def measurement_queued(style_name: str, channel_id: str) -> str:
    return say(
        "A measurement of *{style}* is queued; nothing is trained. {channel} shows how far it is.",
        style=style_name, channel=f"<#{channel_id}>",
    )  # fmt: skip


# --- progress -------------------------------------------------------------------------------------------------------

STAGES = {
    "queued": sentence("waiting"),
    "claimed": sentence("starting"),
    "freezing": sentence("freezing the dataset"),
    "training": sentence("training"),
    "evaluating": sentence("measuring every rung on the unseen pairs"),
    "forecasting": sentence("learning from a part of the examples, to foresee what more of them would bring"),
    "probing": sentence("probing what the training cost besides"),
    "publishing": sentence("publishing the adapter"),
}
STAGES_WITH_RUNG = {
    "training": sentence("training `{rung}`"),
    "evaluating": sentence("measuring `{rung}` on the unseen pairs"),
}
WAITING_FOR_TRAINER = sentence("waiting for a trainer: start one with `huisstijl trainer`")
WAITING_FOR_TURN = sentence("waiting for its turn; a trainer is running")
TRAINER_SILENT = sentence(
    "the trainer has gone silent; the run goes on from its last checkpoint as soon as one is there "
    "(`huisstijl trainer`)"
)
CANCELLING = sentence("cancelling: it stops at its next step")


def progress_title(style_name: str, kind: RunKind) -> str:
    if kind is RunKind.MEASURE:
        return say("Measuring *{style}* again", style=style_name)
    return say("Training *{style}*", style=style_name)


def progress_reason(reason: str, attempt: int) -> str:
    why = say("Why: {reason}", reason=reason)
    return beside([why, say("attempt {attempt}", attempt=attempt)]) if attempt > 1 else why


def progress_bar(figures: Figures, state: str) -> str:
    return say("`{bar}` {done:.0%} · {state}", bar=draw_bar(figures.fraction), done=figures.fraction, state=state)


def progress_state(figures: Figures) -> str:
    if figures.rung and figures.stage in STAGES_WITH_RUNG:
        return STAGES_WITH_RUNG[figures.stage](rung=figures.rung)
    return STAGES[figures.stage]() if figures.stage in STAGES else figures.stage


def progress_figures(figures: Figures) -> str:
    """Step, losses, speed and time left, as far as they are known; empty while nothing is."""
    parts = []
    if figures.step is not None and figures.total_steps:
        parts.append(say("step {step} of {total}", step=figures.step, total=figures.total_steps))
    if figures.loss is not None:
        parts.append(say("loss {loss:.3f}", loss=figures.loss))
    if figures.eval_loss is not None:
        parts.append(say("validation loss {loss:.3f}", loss=figures.eval_loss))
    if figures.tokens_per_second is not None:
        parts.append(say("{speed:.0f} tokens/s", speed=figures.tokens_per_second))
    if figures.seconds_left is not None:
        parts.append(say("{time} left of this stage", time=duration(figures.seconds_left)))
    return beside(parts)


def progress_text(style_name: str, kind: RunKind, figures: Figures, state: str) -> str:
    """The whole of it in one plain line, for notifications and screen readers."""
    known = progress_figures(figures)
    if kind is RunKind.MEASURE:
        text = say("Measuring {style} again: {done:.0%}, {state}", style=style_name, done=figures.fraction, state=state)
    elif known:
        text = say(
            "Training {style}: {done:.0%}, {state} ({figures})",
            style=style_name, done=figures.fraction, state=state, figures=known,
        )  # fmt: skip
    else:
        text = say("Training {style}: {done:.0%}, {state}", style=style_name, done=figures.fraction, state=state)
    return text.replace("`", "")


# --- results --------------------------------------------------------------------------------------------------------


def result_title(style_name: str, kind: RunKind, *, is_promoted: bool) -> str:
    if is_promoted:
        return say("*{style}* has a new champion, from the next draft on.", style=style_name)
    if kind is RunKind.MEASURE:
        return say("*{style}* was measured again. The champion stays.", style=style_name)
    return say("*{style}* was trained and measured. The champion stays.", style=style_name)


def failed_title(style_name: str, kind: RunKind) -> str:
    if kind is RunKind.MEASURE:
        return say("Measuring *{style}* failed. The champion stays as it was.", style=style_name)
    return say("Training of *{style}* failed. The champion stays as it was.", style=style_name)


def end_text(title: str, said: str) -> str:
    """What notifications and screen readers say."""
    return sentences(title, said)


NO_REASON = sentence("The trainer left no reason; its log has more.")


def cancelled(style_name: str, kind: RunKind) -> str:
    if kind is RunKind.MEASURE:
        return say("Measuring *{style}* was cancelled. The champion stays as it was.", style=style_name)
    return say("Training of *{style}* was cancelled. The champion stays as it was.", style=style_name)


def curve_title(style_name: str) -> str:
    return say("Loss curve of {style}", style=style_name)


def receipt(values: Mapping[str, Any], quote: Mapping[str, Any] | None) -> str:
    """What a run took, beside what was foreseen; empty when nothing is known."""
    parts = [_time_taken(values), _tokens(values)]
    if values.get("train_pairs") is not None and values.get("unseen_pairs") is not None:
        parts.append(
            say(
                "Pairs: {learnt} learnt, {unseen} unseen",
                learnt=int(values["train_pairs"]), unseen=int(values["unseen_pairs"]),
            )
        )  # fmt: skip
    recipe = values.get("recipe") or {}
    if recipe.get("rank"):
        parts.append(
            say(
                "Recipe: {recipe} ({passes}, rank {rank}, learning rate {rate})",
                recipe=str(recipe["name"]), passes=_passes(recipe["epochs"]), rank=int(recipe["rank"]),
                rate=f"{recipe['learning_rate']:g}",
            )
        )  # fmt: skip
    if values.get("cost") is not None:
        parts.append(say("Cost: {cost}", cost=money(values["cost"], str(values.get("currency", "")))))
    if (values.get("stored_bytes") or 0) >= 1e6:
        parts.append(say("Kept: {size}", size=disk_size(float(values["stored_bytes"]))))
    start = read_note((values.get("start") or {}).get("why"))
    if start:
        parts.append(say_note(start))
    if quote and quote.get("minutes") is not None:
        parts.append(
            say(
                "Quoted: {time}, {cost}",
                time=duration(quote["minutes"] * 60), cost=money(quote["cost"], str(quote.get("currency", ""))),
            )
        )  # fmt: skip
    return beside(parts)


def disk_size(size_bytes: float) -> str:
    if size_bytes >= 1e9:
        return say("{size:.1f} GB on disk", size=size_bytes / 1e9)
    return say("{size:.0f} MB on disk", size=size_bytes / 1e6)


def _time_taken(values: Mapping[str, Any]) -> str:
    if not values.get("total_seconds"):
        return ""
    total = duration(values["total_seconds"])
    if not values.get("train_seconds"):
        return say("Took {total}", total=total)
    return say("Took {total}, {training} of it training", total=total, training=duration(values["train_seconds"]))


def _tokens(values: Mapping[str, Any]) -> str:
    if not values.get("tokens"):
        return ""
    if not values.get("tokens_per_second"):
        return say("{tokens} tokens", tokens=int(values["tokens"]))
    return say(
        "{tokens} tokens at {speed:.0f} a second", tokens=int(values["tokens"]), speed=values["tokens_per_second"]
    )


# --- the ladder -----------------------------------------------------------------------------------------------------


def ladder_title(ladder: Ladder) -> str:
    return say_count(
        ladder.n,
        "The ladder of {style}, measured on {count} unseen pair",
        "The ladder of {style}, measured on {count} unseen pairs",
        style=ladder.style_name,
    )


def not_enough_pairs(ladder: Ladder) -> str:
    return say_count(
        ladder.n,
        "Not enough yet: {count} unseen pair, and {needed} are needed to tell better from luck. More approved examples "
        "give more unseen pairs.",
        "Not enough yet: {count} unseen pairs, and {needed} are needed to tell better from luck. More approved "
        "examples give more unseen pairs.",
        needed=ladder.pairs_needed,
    )


def ladder_says(ladder: Ladder) -> list[str]:
    """What follows from the measurement, a sentence each: the same in Slack and in the terminal."""
    says = [said for said in (ladder.because, ladder.verdict, ladder.forecast) if said]
    if not ladder.is_enough:
        says.append(sentences(not_enough_pairs(ladder), ladder.prequential))
    forms = forms_said([(one.name, one.form) for one in ladder.ranks])
    used = [said for said in (forms, ladder.efforts, ladder.judge) if said]
    return [*says, *used, *economy_says(ladder.economy), *ladder.probes]


def ladder_text(title: str, says: Sequence[str]) -> str:
    """What notifications and screen readers say."""
    return sentences(say("{title}.", title=title), *says)


LADDER_COLUMNS = (
    sentence("candidate"),
    sentence("bits/byte"),
    sentence("95 %"),
    sentence("chrF"),
    sentence("exact"),
    sentence("edit"),
    sentence("prompt tok"),
    sentence("s/draft"),
)
LADDER_LEGEND = sentence(
    "★ champion · bits/byte: what the model needs to write the approved output, lower is better · "
    "exact: word for word · edit: 1 is equal"
)


# --- the champion ---------------------------------------------------------------------------------------------------


def candidate_name(rung: str, adapter_name: str) -> str:
    return f"`{rung}` ({adapter_name})" if adapter_name else f"`{rung}`"


def promoted(style_name: str, user_id: str, now: str, before: str) -> str:
    return say(
        "{who} made {now} the champion of *{style}*, instead of {before}. It makes the next draft.",
        who=f"<@{user_id}>", now=now, style=style_name, before=before,
    )  # fmt: skip


def rolled_back(style_name: str, user_id: str, now: str, before: str) -> str:
    return say(
        "{who} rolled *{style}* back from {before} to {now}. It makes the next draft.",
        who=f"<@{user_id}>", now=now, style=style_name, before=before,
    )  # fmt: skip


def promoted_reason(user_id: str) -> str:
    return say("promoted by hand by {who}", who=f"<@{user_id}>")


def rolled_back_reason(user_id: str, before: str) -> str:
    return say("rolled back from {before} by {who}", before=before, who=f"<@{user_id}>")


def moved_to_base(style_name: str, now: str, before: str, new: str, old: str) -> str:
    return say(
        "The operator signed off another base model: *{style}* is served by {now} on {new}, instead of {before} on "
        "{old}, from the next draft on.",
        style=style_name, now=now, before=before, new=new, old=old,
    )  # fmt: skip


def back_on_base(style_name: str, now: str, before: str, new: str, old: str) -> str:
    return say(
        "The operator took the change of the base model back: *{style}* is served by {now} on {new} again, instead of "
        "{before} on {old}, from the next draft on.",
        style=style_name, now=now, before=before, new=new, old=old,
    )  # fmt: skip


def moved_to_base_reason(base: str) -> str:
    return say("the operator signed off the base model {base}", base=base)


def unknown_candidate(name: str, style_name: str, known: Sequence[str], nearest: str | None) -> str:
    candidates = listed([f"`{one}`" for one in known])
    if nearest:
        return say(
            "*{style}* has no measured candidate called “{name}”. Did you mean `{nearest}`? There are: {candidates}.",
            style=style_name, name=name, nearest=nearest, candidates=candidates,
        )  # fmt: skip
    return say(
        "*{style}* has no measured candidate called “{name}”. There are: {candidates}.",
        style=style_name, name=name, candidates=candidates,
    )  # fmt: skip


def withdrawn_adapter(name: str, reason: str) -> str:
    if reason:
        return say(
            "`{name}` was withdrawn and must not serve any more: {reason}. `/huisstijl ladder` shows what else there "
            "is.",
            name=name, reason=reason,
        )  # fmt: skip
    return say(
        "`{name}` was withdrawn and must not serve any more. `/huisstijl ladder` shows what else there is.", name=name
    )


def tainted_adapter(name: str) -> str:
    return say(
        "`{name}` learnt from something that was withdrawn since, so it must not become the champion any more. "
        "`/huisstijl ladder` shows what else there is.",
        name=name,
    )  # fmt: skip


OUT_OF_USE_REASON = sentence("what its predecessor had learnt from was withdrawn")
#: Why there is no clean retrain.
NO_RETRAIN = {
    "too_few_examples": sentence("too few examples are left to train without it"),
    "failed_too_often": sentence("every try to train without it has failed"),
    "person_forgotten": sentence("a clean retrain follows by itself"),
}


def out_of_use(style_name: str, adapters: Sequence[str], rung: str, why: str) -> str:
    """For the channel: adapters that must not serve any more, and what makes the drafts from now on."""
    names = listed([f"`{name}`" for name in adapters])
    if not rung:
        return say_count(
            len(adapters),
            "Something was withdrawn that an adapter of *{style}* had learnt from, and {why}. {adapters} is out of "
            "use.",
            "Something was withdrawn that adapters of *{style}* had learnt from, and {why}. {adapters} are out of "
            "use.",
            style=style_name, adapters=names, why=NO_RETRAIN[why](),
        )  # fmt: skip
    return say_count(
        len(adapters),
        "Something was withdrawn that an adapter of *{style}* had learnt from, and {why}. {adapters} is out of use; "
        "`{rung}` makes the next draft.",
        "Something was withdrawn that adapters of *{style}* had learnt from, and {why}. {adapters} are out of use; "
        "`{rung}` makes the next draft.",
        style=style_name, adapters=names, rung=rung, why=NO_RETRAIN[why](),
    )  # fmt: skip


def already_champion(name: str, style_name: str) -> str:
    return say("{name} serves *{style}* already.", name=name, style=style_name)


PROMOTE_USAGE = sentence(
    "Say which style and which candidate, as in `/huisstijl promote brand-voice retrieved`. `/huisstijl ladder` "
    "lists the candidates."
)

# --- status ---------------------------------------------------------------------------------------------------------


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


#: What made a run due, where that was neither new examples nor somebody's wish to train.
BECAUSE = {
    "changed_instructions": sentence("because the instructions were changed"),
    "changed_base": sentence("because another base model is asked about"),
    "drift": sentence("because what people accept has changed"),
    "withdrawal": sentence("because something was withdrawn"),
}


def because(cause: str) -> str:
    """Empty where there is nothing to say."""
    return BECAUSE[cause]() if cause in BECAUSE else ""


def measured_because(cause: str) -> str:
    """Above a ladder: that it was measured without training, and why; empty for an ordinary run."""
    if cause in BECAUSE:
        return say("Measured again, without training, {because}.", because=BECAUSE[cause]())
    return say("Measured again, without training.")


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
