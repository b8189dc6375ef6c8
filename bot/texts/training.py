"""What people read about training: the quote, the statement on data, progress, results, the ladder, the champion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from bot.domain.ladder import Ladder
from bot.domain.progress import Figures, draw_bar, say_duration
from bot.domain.quote import Quote, SpeedSource

# --- the statement on training data ---------------------------------------------------------------------------------

STATEMENT = (
    "*Before the first training run of this workspace:* Slack's API terms (29 May 2025) restrict training language "
    "models on data obtained through Slack's APIs. Huisstijl is a self-hosted, internal app: it reads no history, "
    "and learns only from what a person submitted on purpose and a reviewer approved. The adapter stays on your own "
    "machines. Everybody can withdraw what is theirs, and it is then left out of every later training. "
    "Whether your organisation may train on these examples is for your organisation to say: take legal advice on "
    "the terms. By accepting you say that it may; your name and the time go into the audit log."
)
TRAIN_BUTTON = "Train"
ACCEPT_BUTTON = "I accept this, train"
ACCEPT_ONLY_BUTTON = "I accept this"
CANCEL_BUTTON = "Cancel"
CANCEL_RUN_BUTTON = "Cancel this run"
CANCEL_RUN_TITLE = "Cancel this run?"
CANCEL_RUN_QUESTION = "The champion stays as it is. What was trained so far is thrown away."
CANCEL_RUN_YES = "Cancel the run"
CANCEL_RUN_NO = "Let it run"


def terms_notice(style_name: str) -> str:
    return (
        f"Enough examples are approved to train *{style_name}*, but an admin has to accept the statement on training "
        f"data first: here, or under the quote of `/huisstijl train {style_name}`."
    )


def terms_accepted(user_id: str) -> str:
    return f"<@{user_id}> accepted the statement on training data. Training starts by itself when it is due."


# --- the quote ------------------------------------------------------------------------------------------------------


def too_few_examples(style_name: str, have: int, needed: int) -> str:
    more = needed - have
    return (
        f"*{style_name}* has {_count(have, 'approved example')}; a run needs {needed}, so that some can be kept unseen "
        f"to judge by. {more} more {'is' if more == 1 else 'are'} needed. Meanwhile every approved example shapes the "
        f"next draft already."
    )


def quote_headline(style_name: str, quote: Quote) -> str:
    return (
        f"Training *{style_name}* takes about {_minutes(quote.minutes)} and costs {money(quote.cost, quote.currency)}."
    )


def quote_examples(quote: Quote) -> str:
    text = (
        f"*{quote.examples} approved examples*: about {quote.train_pairs} to learn from, {quote.validation_pairs} to "
        f"choose the best step by, and {quote.unseen_pairs} unseen to judge by."
    )
    if quote.unseen_pairs < quote.pairs_to_promote:
        text += (
            f" With fewer than {quote.pairs_to_promote} unseen ones the result is shown, but nothing is promoted: "
            f"luck could not be told from better."
        )
    return text


def quote_time(quote: Quote, *, price_per_hour: float) -> str:
    source = {
        SpeedSource.TRAINER: "as this trainer measured itself",
        SpeedSource.RECEIPT: "as this style's last run measured",
        SpeedSource.DEFAULT: "assumed, since nothing was measured here yet: two CPU cores with the small model",
    }[quote.speed_source]
    price = (
        f"at {money(price_per_hour, quote.currency)} an hour"
        if price_per_hour
        else "as no price per hour is configured"
    )
    return (
        f"*About {_minutes(quote.minutes)}*: {quote.tokens:,} tokens at {quote.tokens_per_second:,.0f} tokens a second "
        f"({source}), and measuring. *{money(quote.cost, quote.currency)}* {price}."
    )


QUOTE_MEASURED = (
    "*Measured on the unseen pairs:* every rung (`zero_shot`, `few_shot`, `retrieved`, `lora`, `lora_retrieved`) in "
    "bits per byte, chrF, exact match and edit similarity. The adapter becomes champion only if it is better beyond "
    "the noise; otherwise everything stays as it is, with the reason."
)
NO_TRAINER = "No trainer is running at the moment: the run waits until somebody starts one with `huisstijl trainer`."


def trainer_alive(device: str | None) -> str:
    return f"A trainer is running ({device})." if device else "A trainer is running."


def queued(style_name: str, channel_id: str) -> str:
    return f"Training of *{style_name}* is queued. <#{channel_id}> shows how far it is."


def not_queued(style_name: str) -> str:
    return f"Nothing was queued. *{style_name}* stays as it is." if style_name else "Nothing was queued."


QUOTE_GONE = "I no longer know this quote. Ask for a new one with `/huisstijl train`."


def reason_by_hand(user_id: str) -> str:
    return f"<@{user_id}> asked for it"


# --- progress -------------------------------------------------------------------------------------------------------

STAGES = {
    "queued": "waiting",
    "claimed": "starting",
    "freezing": "freezing the dataset",
    "training": "training",
    "evaluating": "measuring every rung on the unseen pairs",
    "publishing": "publishing the adapter",
}
WAITING_FOR_TRAINER = "waiting for a trainer: start one with `huisstijl trainer`"
WAITING_FOR_TURN = "waiting for its turn; a trainer is running"
TRAINER_SILENT = (
    "the trainer has gone silent; the run goes on from its last checkpoint as soon as one is there "
    "(`huisstijl trainer`)"
)
CANCELLING = "cancelling: it stops at its next step"


def progress_title(style_name: str) -> str:
    return f"Training *{style_name}*"


def progress_reason(reason: str, attempt: int) -> str:
    again = f" · attempt {attempt}" if attempt > 1 else ""
    return f"Why: {reason}{again}"


def progress_bar(figures: Figures, state: str) -> str:
    return f"`{draw_bar(figures.fraction)}` {figures.fraction:.0%} · {state}"


def progress_state(figures: Figures) -> str:
    stage = STAGES.get(figures.stage, figures.stage)
    return f"{stage} `{figures.rung}`" if figures.rung else stage


def progress_figures(figures: Figures) -> str:
    """Step, losses, speed and time left, as far as they are known; empty while nothing is."""
    parts = []
    if figures.step is not None and figures.total_steps:
        parts.append(f"step {figures.step} of {figures.total_steps}")
    if figures.loss is not None:
        parts.append(f"loss {figures.loss:.3f}")
    if figures.eval_loss is not None:
        parts.append(f"validation loss {figures.eval_loss:.3f}")
    if figures.tokens_per_second is not None:
        parts.append(f"{figures.tokens_per_second:,.0f} tokens/s")
    if figures.seconds_left is not None:
        parts.append(f"{say_duration(figures.seconds_left)} left of this stage")
    return " · ".join(parts)


def progress_text(style_name: str, figures: Figures, state: str) -> str:
    """The whole of it in one plain line, for notifications and screen readers."""
    known = progress_figures(figures)
    return f"Training {style_name}: {figures.fraction:.0%}, {state}{f' ({known})' if known else ''}".replace("`", "")


# --- results --------------------------------------------------------------------------------------------------------


def result_title(style_name: str, *, is_promoted: bool) -> str:
    return (
        f"*{style_name}* has a new champion, from the next draft on."
        if is_promoted
        else f"*{style_name}* was trained and measured. The champion stays."
    )


def failed_title(style_name: str) -> str:
    return f"Training of *{style_name}* failed. The champion stays as it was."


NO_REASON = "The trainer left no reason; its log has more."


def cancelled(style_name: str) -> str:
    return f"Training of *{style_name}* was cancelled. The champion stays as it was."


def curve_title(style_name: str) -> str:
    return f"Loss curve of {style_name}"


def receipt(values: Mapping[str, Any], quote: Mapping[str, Any] | None) -> str:
    """What a run took, beside what was foreseen; empty when nothing is known."""
    parts = []
    if values.get("total_seconds"):
        training = f", {say_duration(values['train_seconds'])} of it training" if values.get("train_seconds") else ""
        parts.append(f"took {say_duration(values['total_seconds'])}{training}")
    if values.get("tokens"):
        speed = f" at {values['tokens_per_second']:,.0f} a second" if values.get("tokens_per_second") else ""
        parts.append(f"{values['tokens']:,} tokens{speed}")
    if values.get("train_pairs") is not None and values.get("unseen_pairs") is not None:
        parts.append(f"{values['train_pairs']} pairs learnt, {values['unseen_pairs']} unseen")
    if values.get("cost") is not None:
        parts.append(f"cost {money(values['cost'], str(values.get('currency', '')))}")
    if quote and quote.get("minutes") is not None:
        parts.append(f"quoted {_minutes(quote['minutes'])}, {money(quote['cost'], str(quote.get('currency', '')))}")
    text = " · ".join(parts)
    return f"{text[:1].upper()}{text[1:]}"


# --- the ladder -----------------------------------------------------------------------------------------------------


def ladder_title(ladder: Ladder) -> str:
    return f"The ladder of {ladder.style_name}, measured on {_count(ladder.n, 'unseen pair')}"


def not_enough_pairs(ladder: Ladder) -> str:
    return (
        f"Not enough yet: {_count(ladder.n, 'unseen pair')}, and {ladder.pairs_needed} are needed to tell better "
        f"from luck. More approved examples give more unseen pairs."
    )


LADDER_LEGEND = (
    "★ champion · bits/byte: what the model needs to write the approved output, lower is better · "
    "exact: word for word · edit: 1 is equal"
)


# --- the champion ---------------------------------------------------------------------------------------------------


def candidate_name(rung: str, adapter_name: str) -> str:
    return f"`{rung}` ({adapter_name})" if adapter_name else f"`{rung}`"


def promoted(style_name: str, user_id: str, now: str, before: str) -> str:
    return f"<@{user_id}> made {now} the champion of *{style_name}*, instead of {before}. It makes the next draft."


def rolled_back(style_name: str, user_id: str, now: str, before: str) -> str:
    return f"<@{user_id}> rolled *{style_name}* back from {before} to {now}. It makes the next draft."


def promoted_reason(user_id: str) -> str:
    return f"promoted by hand by <@{user_id}>"


def rolled_back_reason(user_id: str, before: str) -> str:
    return f"rolled back from {before} by <@{user_id}>"


def unknown_candidate(name: str, style_name: str, known: Sequence[str], nearest: str | None) -> str:
    guess = f" Did you mean `{nearest}`?" if nearest else ""
    options = ", ".join(f"`{one}`" for one in known)
    return f"*{style_name}* has no measured candidate called “{name}”.{guess} There are: {options}."


def withdrawn_adapter(name: str, reason: str) -> str:
    why = f": {reason}" if reason else ""
    return f"`{name}` was withdrawn and must not serve any more{why}. `/huisstijl ladder` shows what else there is."


def already_champion(name: str, style_name: str) -> str:
    return f"{name} serves *{style_name}* already."


PROMOTE_USAGE = (
    "Say which style and which candidate, as in `/huisstijl promote brand-voice retrieved`. `/huisstijl ladder` "
    "lists the candidates."
)

# --- status ---------------------------------------------------------------------------------------------------------


def status_champion(name: str, at: datetime, actor: str, reason: str) -> str:
    stamp = f"<!date^{int(at.timestamp())}^{{date_short_pretty}} {{time}}|{at:%Y-%m-%d %H:%M} UTC>"
    by = "the gate" if actor == "gate" else f"<@{actor}>"
    return f"*Champion:* {name}, since {stamp}, by {by}: {reason}"


NO_CHAMPION = "*Champion:* none yet; drafts are made from the instructions alone."


def status_examples(counts: Mapping[str, int]) -> str:
    return "*Examples:* " + ", ".join(f"{number} {state}" for state, number in counts.items())


def status_running(state: str, figures: Figures) -> str:
    known = progress_figures(figures)
    return f"*Now:* {figures.fraction:.0%}, {state}{f' ({known})' if known else ''}"


def status_last_run(status: str, at: datetime | None, sentence: str) -> str:
    when = f" (<!date^{int(at.timestamp())}^{{date_short_pretty}} {{time}}|{at:%Y-%m-%d %H:%M} UTC>)" if at else ""
    return f"*Last run:* {status}{when}{f'. {sentence}' if sentence else ''}"


NO_RUN_YET = "*Last run:* none yet."


def status_next(reason: str) -> str:
    return f"*Next training:* {reason}."


def status_services(trainer: str, *, is_model_up: bool) -> str:
    model = "The model server answers." if is_model_up else "*The model server does not answer* (`huisstijl serve`)."
    return f"{trainer} {model}"


NO_TRAINER_SHORT = "*No trainer is running* (`huisstijl trainer`)."


# --- words ----------------------------------------------------------------------------------------------------------


def money(amount: float, currency: str) -> str:
    return f"{amount:.2f} {currency}".strip()


def _minutes(minutes: float) -> str:
    return say_duration(minutes * 60)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
