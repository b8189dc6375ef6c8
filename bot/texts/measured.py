"""What people read of what is measured while a style is in use: edits, and pairs that are predicted one by one."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.drift import Alarm
from bot.domain.effort import MIN_DRAFTS, Effort
from bot.domain.ladder import MIN_TERM_DRAFTS, FormFigures
from bot.domain.prequential import MIN_EXAMPLES, Prequential
from bot.language import all_of, apart, say, say_count, sentence, sentences


def effort_by_candidate(efforts: Sequence[tuple[str, str, Effort]], *, weeks: int) -> str:
    """`efforts`: (rung, adapter or "", what people changed). Empty without any."""
    if not efforts:
        return ""
    return say(
        "What people changed of the drafts that they kept in the last {weeks} weeks: {efforts}.",
        weeks=weeks, efforts=apart([_effort(*one) for one in efforts]),
    )  # fmt: skip


#: What a feature of form is, after "it".
HOUSE_FORMS = {
    ("opening", "capital"): sentence("begins with a capital"),
    ("opening", "small"): sentence("begins with a small letter"),
    ("opening", "neither"): sentence("begins with no letter"),
    ("ending", "sentence"): sentence("ends as a sentence does"),
    ("ending", "open"): sentence("ends without a full stop"),
    ("layout", "line"): sentence("is one line"),
    ("layout", "lines"): sentence("has several lines"),
    ("layout", "list"): sentence("is a list"),
}


def forms_said(figures: Sequence[tuple[str, FormFigures | None]]) -> str:
    """Length, form and terms of each candidate's drafts beside the approved texts; empty where none wrote any."""
    known = [(name, form) for name, form in figures if form is not None]
    return sentences(_lengths_and_forms(known), _terms_said(known)) if known else ""


def _lengths_and_forms(known: Sequence[tuple[str, FormFigures]]) -> str:
    length = say("Words of a draft for each word of the approved text: {lengths}.", lengths=apart(
        [_length(name, form) for name, form in known]
    ))  # fmt: skip
    house = known[0][1].house
    shares = [(name, form.in_form) for name, form in known if form.in_form is not None]
    if not house or not shares:
        return length
    forms = all_of([HOUSE_FORMS[feature, value]() for feature, value in house.items()])
    kept = apart([say("`{name}` {share:.0%}", name=name, share=share) for name, share in shares])
    return sentences(
        length,
        say("An approved text {forms} (nine of ten, or more); drafts that do so: {kept}.", forms=forms, kept=kept),
    )


def _terms_said(known: Sequence[tuple[str, FormFigures]]) -> str:
    shares = [_term_share(name, *form.terms) for name, form in known if form.terms is not None]
    if not shares:
        return ""
    return say(
        "Drafts that keep to the style's terms (no forbidden one, and each that the approved text uses): {shares}.",
        shares=apart(shares),
    )


def _term_share(name: str, kept: int, n: int) -> str:
    if n < MIN_TERM_DRAFTS:
        return say_count(
            n,
            "`{name}` not enough yet ({count} draft of {needed})",
            "`{name}` not enough yet ({count} drafts of {needed})",
            name=name, needed=MIN_TERM_DRAFTS,
        )  # fmt: skip
    return say_count(
        n, "`{name}` {share:.0%} ({count} draft)", "`{name}` {share:.0%} ({count} drafts)", name=name, share=kept / n
    )


def _length(name: str, form: FormFigures) -> str:
    mean, low, high = form.length
    return say("`{name}` {mean:.2f} ({low:.2f} to {high:.2f})", name=name, mean=mean, low=low, high=high)


def _effort(rung: str, adapter_name: str, effort: Effort) -> str:
    name = f"`{adapter_name or rung}`"
    if effort.n < MIN_DRAFTS:
        return say_count(
            effort.n,
            "{name} not enough yet ({count} draft of {needed})",
            "{name} not enough yet ({count} drafts of {needed})",
            name=name, needed=MIN_DRAFTS,
        )  # fmt: skip
    return say_count(
        effort.n,
        "{name} {mean:.0%} ({low:.0%} to {high:.0%}, {count} draft)",
        "{name} {mean:.0%} ({low:.0%} to {high:.0%}, {count} drafts)",
        name=name, mean=effort.mean, low=effort.low, high=effort.high,
    )  # fmt: skip


def prequential_said(figure: Prequential | None) -> str:
    """What the champion foretold of newly approved examples; empty of none."""
    if figure is None:
        return ""
    if figure.n < MIN_EXAMPLES:
        return say_count(
            figure.n,
            "Prequential (each newly approved example is predicted before it counts): not enough yet, {count} example "
            "of {needed}.",
            "Prequential (each newly approved example is predicted before it counts): not enough yet, {count} examples "
            "of {needed}.",
            needed=MIN_EXAMPLES,
        )  # fmt: skip
    if figure.is_share_right:
        return say_count(
            figure.n,
            "Prequential (each newly approved example is predicted before it counts): {mean:.0%} of the labels right "
            "({low:.0%} to {high:.0%}), {count} example since the champion serves.",
            "Prequential (each newly approved example is predicted before it counts): {mean:.0%} of the labels right "
            "({low:.0%} to {high:.0%}), {count} examples since the champion serves.",
            mean=figure.mean, low=figure.low, high=figure.high,
        )  # fmt: skip
    return say_count(
        figure.n,
        "Prequential (each newly approved example is predicted before it counts): {mean:.3f} bits per byte ({low:.2f} "
        "to {high:.2f}), {count} example since the champion serves.",
        "Prequential (each newly approved example is predicted before it counts): {mean:.3f} bits per byte ({low:.2f} "
        "to {high:.2f}), {count} examples since the champion serves.",
        mean=figure.mean, low=figure.low, high=figure.high,
    )  # fmt: skip


def drift_of_losses(style_name: str, alarm: Alarm) -> str:
    return say_count(
        alarm.n,
        "*{style}* meets something new: the last {count} approved example costs the champion {now:.3f} bits per byte; "
        "what it was measured on, and what came after, cost {before:.3f}. A measurement of the ladder is due.",
        "*{style}* meets something new: the last {count} approved examples cost the champion {now:.3f} bits per byte "
        "each; what it was measured on, and what came after, cost {before:.3f}. A measurement of the ladder is due.",
        style=style_name, now=alarm.now, before=alarm.before,
    )  # fmt: skip


def drift_of_labels(style_name: str, alarm: Alarm) -> str:
    return say_count(
        alarm.n,
        "*{style}* meets something new: the right label of the last {count} approved example costs the champion "
        "{now:.2f} bits; of what it was measured on, and of what came after, {before:.2f}. A measurement of "
        "the ladder is due.",
        "*{style}* meets something new: the right labels of the last {count} approved examples cost the champion "
        "{now:.2f} bits each; of what it was measured on, and of what came after, {before:.2f}. A measurement of "
        "the ladder is due.",
        style=style_name, now=alarm.now, before=alarm.before,
    )  # fmt: skip


def drift_of_decisions(style_name: str, alarm: Alarm) -> str:
    return say_count(
        alarm.n,
        "People accept less of *{style}*: of the last {count} draft that somebody decided about they changed "
        "{now:.0%}, of those before {before:.0%} (one that was turned down counts as changed altogether). A "
        "measurement of the ladder is due.",
        "People accept less of *{style}*: of the last {count} drafts that somebody decided about they changed "
        "{now:.0%}, of those before {before:.0%} (one that was turned down counts as changed altogether). A "
        "measurement of the ladder is due.",
        style=style_name, now=alarm.now, before=alarm.before,
    )  # fmt: skip
