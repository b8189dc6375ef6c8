"""What people read of what is measured while a style is in use: edits, and pairs that are predicted one by one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from bot.domain import effort as efforts_of
from bot.domain.draft_figures import FIGURES, IN_FORM, KEEPS_TERMS, MIN_DRAFTS, Difference, compare_drafts
from bot.domain.drift import Alarm
from bot.domain.effort import Effort
from bot.domain.ladder import CUT_SAID_FROM, FormFigures, Ladder
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


def drafts_said(ladder: Ladder) -> str:
    """How many drafts the table's figures of drafts are of, and how many of them were cut; empty without any."""
    written = [rank for rank in ladder.ranks if rank.drafts]
    if not written:
        return ""
    least = min(rank.drafts for rank in written)
    if least < MIN_DRAFTS:
        count = say_count(
            least,
            "What drafts look like is not shown yet: it was measured on {count} draft, and {needed} are needed.",
            "What drafts look like is not shown yet: it was measured on {count} drafts, and {needed} are needed.",
            needed=MIN_DRAFTS,
        )  # fmt: skip
    else:
        count = say_count(
            least,
            "chrF, exact, edit, length and form are of {count} draft.",
            "chrF, exact, edit, length and form are of {count} drafts.",
        )
    cut = [
        say("`{name}` {share:.0%}", name=ladder.shown(rank), share=rank.cut_share)
        for rank in written if rank.cut_share is not None and rank.cut_share >= CUT_SAID_FROM
    ]  # fmt: skip
    count = sentences(count, _against_champion(ladder, FIGURES, _draft_gain))
    if not cut:
        return count
    said = say("Drafts that were cut at the length allowed, so that these figures are of their beginnings: {shares}.",
               shares=apart(cut))  # fmt: skip
    return sentences(count, said)


def _against_champion(
    ladder: Ladder, figures: Sequence[str], say_gain: Callable[[str, Mapping[str, Difference]], str]
) -> str:
    """How each other candidate's drafts compare with the champion's by these figures; empty where too few of both have
    them."""
    champion = next((one for one in ladder.ranks if one.is_champion), None)
    if champion is None:
        return ""
    compared = [
        (ladder.shown(one), compare_drafts(champion.draft_scores, one.draft_scores, figures))
        for one in ladder.ranks if one is not champion
    ]  # fmt: skip
    gains = [say_gain(name, found) for name, found in compared if found]
    return say("More or less than the champion's, draft by draft (95 %): {gains}.", gains=apart(gains)) if gains else ""


def _draft_gain(name: str, found: Mapping[str, Difference]) -> str:
    chrf, edit, exact = (found[figure] for figure in FIGURES)
    return say(
        "`{name}` chrF {chrf:.1f} ({chrf_low:.1f} to {chrf_high:.1f}), edit {edit:.2f} ({edit_low:.2f} to "
        "{edit_high:.2f}), exact {exact:.0%} ({exact_low:.0%} to {exact_high:.0%})",
        name=name, chrf=chrf.mean, chrf_low=chrf.low, chrf_high=chrf.high, edit=edit.mean, edit_low=edit.low,
        edit_high=edit.high, exact=exact.mean, exact_low=exact.low, exact_high=exact.high,
    )  # fmt: skip


def _share_gain(name: str, found: Mapping[str, Difference]) -> str:
    (gain,) = found.values()
    return _share(f"`{name}`", gain)


def forms_said(ladder: Ladder) -> str:
    """Length, form and terms of each candidate's drafts beside the approved texts, and form and terms beside the
    champion's; empty where none wrote any."""
    known = [(ladder.shown(rank), rank.form) for rank in ladder.ranks if rank.form is not None]
    enough = [(name, form) for name, form in known if form.n >= MIN_DRAFTS]
    return sentences(_lengths_and_forms(enough, ladder) if enough else "", _terms_said(known, ladder))


def _lengths_and_forms(known: Sequence[tuple[str, FormFigures]], ladder: Ladder) -> str:
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
        _against_champion(ladder, [IN_FORM], _share_gain),
    )


def _terms_said(known: Sequence[tuple[str, FormFigures]], ladder: Ladder) -> str:
    shares = [_term_share(name, *form.terms) for name, form in known if form.terms is not None]
    if not shares:
        return ""
    return sentences(
        say(
            "Drafts that keep to the style's terms (no forbidden one, and each that the approved text uses): {shares}.",
            shares=apart(shares),
        ),
        _against_champion(ladder, [KEEPS_TERMS], _share_gain),
    )


def _term_share(name: str, kept: int, n: int) -> str:
    if n < MIN_DRAFTS:
        return say_count(
            n,
            "`{name}` not enough yet ({count} draft of {needed})",
            "`{name}` not enough yet ({count} drafts of {needed})",
            name=name, needed=MIN_DRAFTS,
        )  # fmt: skip
    return say_count(
        n, "`{name}` {share:.0%} ({count} draft)", "`{name}` {share:.0%} ({count} drafts)", name=name, share=kept / n
    )


def _length(name: str, form: FormFigures) -> str:
    mean, low, high = form.length
    return say("`{name}` {mean:.2f} ({low:.2f} to {high:.2f})", name=name, mean=mean, low=low, high=high)


def _effort(rung: str, adapter_name: str, effort: Effort) -> str:
    name = f"`{adapter_name or rung}`"
    if effort.n < efforts_of.MIN_DRAFTS:
        return say_count(
            effort.n,
            "{name} not enough yet ({count} draft of {needed})",
            "{name} not enough yet ({count} drafts of {needed})",
            name=name, needed=efforts_of.MIN_DRAFTS,
        )  # fmt: skip
    return _share(name, effort)


def _share(name: str, found: Effort | Difference) -> str:
    return say_count(
        found.n,
        "{name} {mean:.0%} ({low:.0%} to {high:.0%}, {count} draft)",
        "{name} {mean:.0%} ({low:.0%} to {high:.0%}, {count} drafts)",
        name=name, mean=found.mean, low=found.low, high=found.high,
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
