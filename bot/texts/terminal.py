"""What the command line says while it imports and exports: for the operator, and in English only."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.quote import Quote, SpeedSource

BAD_JSON = "is not JSON: {reason}"
NOT_UTF8 = "is not UTF-8 text"
NOT_AN_OBJECT = "is not a JSON object with “prompt” and “completion”"
MISSING_KEYS = "has no {missing}"
WRONG_TYPES = "mixes formats: prompt and completion are both texts, or both lists of chat messages"
BAD_MESSAGE = 'has a chat message in “{field}” that is not {{"role": …, "content": text}}'
ONE_USER_MESSAGE = (
    "has a prompt of several turns ({roles}); an example is one request and one answer, so write one line per request"
)
WRONG_ROLES = (
    "has roles {roles} in “{field}”; the prompt is one “user” message and the completion one “assistant” message"
)
OTHER_SYSTEM = "has a system message that differs from the style's instructions"
LINE_TOO_LONG = "is longer than {most:,} bytes"


def line_problem(line: int, sentence: str) -> str:
    return f"line {line}: {sentence}"


def nothing_imported(count: int) -> str:
    return f"Nothing was imported: {count} bad {'line' if count == 1 else 'lines'}."


def too_many_to_review(count: int, most: int) -> str:
    return (
        f"{count:,} examples would be {count:,} review cards in the channel, and {most:,} is the most. Import fewer, "
        f"or import examples that were reviewed before with --approve."
    )


def imported(style: str, added: int, duplicates: int, seconds: float, *, approved: bool) -> str:
    what = "approved" if approved else "proposed for review"
    return f"{style}: {added:,} examples {what}, {duplicates:,} duplicates left out ({seconds:.1f} s)."


def left_out(double: str) -> str:
    return f"is the same as {double} and was left out"


def which_team(teams: Sequence[str]) -> str:
    if not teams:
        return "There is no style yet, so there is nothing to read examples into or out of. Make one in Slack first."
    return f"Several teams have styles: {', '.join(teams)}. Say which one with --team."


def no_such_style(name: str, names: Sequence[str]) -> str:
    there_are = f"There are: {', '.join(names)}." if names else "Make one in Slack with `/huisstijl style new`."
    return f"There is no style “{name}”. {there_are}"


def unknown_format(format: str, formats: Sequence[str]) -> str:
    return f"There is no format “{format}”. Use {' or '.join(formats)}."


def pairs_exported(style: str, count: int) -> str:
    if count == 1:
        return f"{style}: 1 preference pair written."
    return f"{style}: {count:,} preference pairs written."


def exported(style: str, count: int) -> str:
    return f"{style}: {count:,} approved examples written."


def measurement_queued(style: str, run_id: str) -> str:
    return (
        f"{style}: a measurement is queued ({run_id}); it trains nothing. `huisstijl ladder {style}` shows it when it "
        f"has ended, and the style's channel how far it is."
    )


# --- changing the base model ----------------------------------------------------------------------------------------

NO_CHANGE_OPEN = "No change of the base model is open. Open one with `huisstijl base change NEW`."
NO_STYLE_TO_CHANGE = "There is no style yet, so there is nothing to measure. Set HUISSTIJL_BASE_MODEL and restart."
STANDS_THERE_ALREADY = "stands on it already"
STANDS_ON_NONE = "no language model stands behind what serves it"
TOO_FEW_TO_MEASURE = "too few approved examples to measure with; `accept --anyway` moves its prompt"
WAITS_FOR_TRAINER = "its run waits for a trainer to be free"
ASK_AGAIN = "Its run was cancelled. `huisstijl base change` with the same name asks for it again."


def nothing_to_change(base_model: str) -> str:
    return (
        f"No style would be moved: each stands on {base_model} already, or on no language model. Set "
        f"HUISSTIJL_BASE_MODEL={base_model} for every process and restart them; new styles start there then."
    )


def other_change_open(base_model: str) -> str:
    return (
        f"A change to {base_model} is open. `huisstijl base status` shows how far it is; accept or abandon it, then "
        f"ask for another one."
    )


def same_base_id(wanted: str, other: str, name: str) -> str:
    return (
        f"{wanted} and {other} are both called {name} by the model server, so it could not tell them apart. Give the "
        f"new model's folder another name."
    )


def base_unusable(base_model: str, problem: str) -> str:
    return f"{base_model} cannot become the base model: {problem}"


def base_usable(name: str, gib: float, context_tokens: int, needed: float, free: float) -> str:
    return (
        f"{name}: {gib:.1f} GiB of safetensors, a context of {context_tokens:,} tokens. Served beside the present base "
        f"model it takes about {needed:.1f} GiB more; {free:.1f} GiB are free on this host."
    )


def planned_style(style: str, serves: str, base: str, what: str) -> str:
    return f"  {style}: served by {serves} on {base}; {what}"


#: Where nothing was measured on the new base model: which speed is taken instead.
_SPEED_INSTEAD = {
    SpeedSource.OTHER_BASE: "as on another base model",
    SpeedSource.DEFAULT: "assumed: nothing was measured yet",
}


def planned_run(kind: str, quote: Quote, cost: str) -> str:
    what = "an adapter is trained on the new base model" if kind == "train" else "measured on the new base model"
    takes = f"about {quote.minutes:.0f} min, {cost}"
    if quote.speed_source not in _SPEED_INSTEAD:
        return f"{what} ({takes})"
    return (
        f"{what}. Its speed there is not known yet; at {quote.tokens_per_second:.0f} tokens a second "
        f"({_SPEED_INSTEAD[quote.speed_source]}) it takes {takes}"
    )


def planned_in_all(quotes: Sequence[Quote], cost: str) -> str:
    is_known = not any(quote.speed_source in _SPEED_INSTEAD for quote in quotes)
    but = "" if is_known else "; a larger base model takes more, a smaller one less"
    return (
        f"In all about {sum(quote.minutes for quote in quotes):.0f} min on the training host, {cost}{but}. The clock "
        f"makes the runs within each style's hours and budget. What serves now goes on serving until you sign off with "
        f"`huisstijl base accept`."
    )


ASK_TO_OPEN = "Open this change?"
NOT_OPENED = "Nothing was changed."


def change_opened(name: str) -> str:
    return f"The change to {name} is open. `huisstijl base status` shows how far it is."


def change_title(name: str) -> str:
    return f"A change to {name} is open."


def progress_of_style(style: str, state: str, standing: str, serves: str, base: str, said: str) -> str:
    head = f"  {style}: {state}{f' ({standing})' if standing else ''}; served by {serves} on {base}"
    return f"{head}\n    {said}" if said else head


def signed_off_already(style: str) -> str:
    return f"{style} stands on the new base model already."


def nothing_to_sign_off(style: str) -> str:
    return f"{style}: {STANDS_ON_NONE}, so there is nothing to sign off."


def not_served(style: str, missing: Sequence[str]) -> str:
    return (
        f"{style} was not signed off: the model server does not offer {', '.join(missing)} yet. `huisstijl serve` "
        f"loads the new base model beside the old one within seconds where its memory allows; its log says when it "
        f"does not."
    )


def server_silent(url: str, error: str) -> str:
    return (
        f"The model server at {url} does not answer ({error}), so nobody can say whether it serves the new base model. "
        f"Start it with `huisstijl serve`, then try again."
    )


def not_measured(style: str, *, has_adapter: bool) -> str:
    if has_adapter:
        return (
            f"{style} was not signed off: there is no adapter on the new base model yet. `huisstijl base status` says "
            f"what it waits for."
        )
    return (
        f"{style} was not signed off: it has not been measured on the new base model. `huisstijl base status` says "
        f"what it waits for; with --anyway its prompt moves unmeasured."
    )


def overtaken(style: str) -> str:
    return (
        f"{style} was not signed off: something else serves it by now than was measured. The clock has it measured "
        f"again."
    )


def not_as_good(style: str, said: str) -> str:
    return f"{style} was not signed off: {said} With --anyway it is."


def adapter_gone(style: str, name: str) -> str:
    return (
        f"{style} was not signed off: the adapter {name} learnt from something that was withdrawn since, or is out of "
        f"use. The clock has one trained anew; `huisstijl base status` says how far that is."
    )


def signed_off(style: str, now: str, base: str) -> str:
    return f"{style}: signed off. {now} on {base} makes the next draft; `/huisstijl rollback {style}` goes back."


def change_done(base_model: str, setting: str) -> str:
    done = "Every style stands on the new base model; the change is over."
    if base_model == setting:
        return done
    return (
        f"{done} Set HUISSTIJL_BASE_MODEL={base_model} for every process and restart them: new styles start there "
        f"then, and the model server lets the old one go when nothing stands on it."
    )


def taken_back(style: str, now: str, base: str) -> str:
    return f"{style}: {now} on {base} serves again."


def change_abandoned(base_model: str, setting: str) -> str:
    done = f"The change to {base_model} is abandoned."
    if base_model != setting:
        return f"{done} Nothing else is to do."
    return f"{done} HUISSTIJL_BASE_MODEL still names it: set it back for every process and restart them."


NAME_OR_ALL = "Name a style, or say --all."


def check_took_too_long(seconds: float) -> str:
    return (
        f"it could not be looked at within {seconds:.0f} seconds. Look whether the disk that it lies on answers, then "
        f"try again."
    )


def check_failed(last: Sequence[str]) -> str:
    return (
        f"it could not be looked at on this host ({' '.join(last)}). Run this where the model server runs, with the "
        f"extra `trainer` installed."
    )
