"""What people read about training: the statement on data, the quote, and a run's progress and result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.domain.progress import Figures, draw_bar
from bot.domain.quote import Quote, SpeedSource
from bot.language import figures as beside
from bot.language import money, say, say_count, say_note, sentence, sentences
from bot.texts.durations import duration
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
        "Training *{style}* is due, but an admin has to accept the statement on training data first: here, or under "
        "the quote of `/huisstijl train {style}`.",
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
    SpeedSource.RECIPE: sentence(
        "*About {time}*: {tokens} tokens at {speed:.0f} tokens a second (as the last run with this recipe measured on "
        "`{device}`), and measuring."
    ),
    SpeedSource.TRAINER: sentence(
        "*About {time}*: {tokens} tokens at {speed:.0f} tokens a second (as this trainer measured itself), and "
        "measuring."
    ),
    SpeedSource.RECEIPT: sentence(
        "*About {time}*: {tokens} tokens at {speed:.0f} tokens a second (as this style's last run measured), and "
        "measuring."
    ),
    SpeedSource.OTHER_BASE: sentence(
        "*About {time}*: {tokens} tokens at {speed:.0f} tokens a second (measured on another base model; how fast this "
        "one is, is not known yet), and measuring."
    ),
    SpeedSource.DEFAULT: sentence(
        "*About {time}*: {tokens} tokens at {speed:.0f} tokens a second (assumed, since nothing was measured here yet: "
        "two CPU cores with the small model), and measuring."
    ),
}


def quote_time(quote: Quote, *, price_per_hour: float) -> str:
    time = SPEEDS[quote.speed_source](
        time=duration(quote.minutes * 60), tokens=quote.tokens, speed=quote.tokens_per_second, device=quote.device
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


# --- what made it due -----------------------------------------------------------------------------------------------

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
