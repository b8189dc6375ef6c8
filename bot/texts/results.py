"""What a trainer wrote down about a run, said in the language spoken now: the verdict, the failure, the picture.

Rows of earlier versions have the English sentence alone; it is shown as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from babel.dates import format_date

from bot.domain.hindsight import Hindsight, Moved
from bot.language import clauses, money, say, say_note, sentence, sentences, spoken_language
from bot.texts.durations import duration
from config.sentences import Note, read_note

Values = Mapping[str, Any]


SIGNED_OFF = sentence("the operator signed it off")
TAKEN_BACK = sentence("the change of the base model was taken back")
#: A clause that verdicts of earlier versions have stored. What became of it is said as it is now instead.
_STORED_BEFORE = "{old} goes on serving until somebody signs off"


def goes_on_serving(base: str, *, is_waiting: bool) -> str:
    """`is_waiting`: a change of the base model is open, in which somebody may sign off what was found."""
    if is_waiting:
        return say("{base} goes on serving until somebody signs off", base=base)
    return say("{base} goes on serving", base=base)


def verdict_said(verdict: Values | None, receipt: Values | None, became: str = "") -> str:
    """The verdict in one sentence: stay, up or down the ladder, the reason with its interval, what follows from it,
    what `became` of that and what a run costs; empty when nothing was judged. See `bot.operations.verdicts`."""
    said = _said(verdict, "why") or str((verdict or {}).get("sentence") or "")
    if not said or "also" not in (verdict or {}):
        return said
    notes = [read_note(one) for one in (verdict or {})["also"]]
    price = _price_of_training(verdict or {}) or _price_of_a_run(receipt or {})
    kept = [one for one in notes if one and one.sentence != _STORED_BEFORE]
    return clauses(said, *(say_note(one) for one in kept), became, price)


def _price_of_training(verdict: Values) -> str:
    """Of a measurement: what training again would take, as it was foreseen then."""
    retrain = verdict.get("retrain") or {}
    if retrain.get("minutes") is None:
        return ""
    time = duration(float(retrain["minutes"]) * 60)
    if not retrain.get("cost"):
        return say("training again takes about {time}", time=time)
    return say(
        "training again takes about {time} and costs {cost}",
        time=time, cost=money(float(retrain["cost"]), str(retrain.get("currency", ""))),
    )  # fmt: skip


def _price_of_a_run(receipt: Values) -> str:
    if not receipt.get("total_seconds"):
        return ""
    time = duration(receipt["total_seconds"])
    if not receipt.get("cost"):
        return say("a run takes {time}", time=time)
    return say(
        "a run takes {time} and costs {cost}",
        time=time, cost=money(receipt["cost"], str(receipt.get("currency", ""))),
    )  # fmt: skip


def hindsight_said(known: Hindsight) -> str:
    """What to know of a measurement besides its verdict: when it was, and what has changed since."""
    measured = say("Measured on {day}.", day=_day(known.measured_on))
    documents = (
        say("Documents were added since: it was measured without them, and drafts are made with them.")
        if known.has_new_documents
        else ""
    )
    moved = _moved_said(known.moved) if known.moved else ""
    return sentences(measured, moved, _instructions_said(known), documents)


def _moved_said(moved: Moved) -> str:
    name, day = f"`{moved.name}`", _day(moved.day)
    if moved.kind == "rollback":
        return say("Since then it was moved back to {name}, {day}.", name=name, day=day)
    if moved.kind == "command":
        return say("Since then an admin promoted {name}, {day}.", name=name, day=day)
    if moved.kind == "trial":
        return say("Since then {name} won a blind trial and serves, {day}.", name=name, day=day)
    if moved.kind == "base":
        return say(
            "Since then the operator signed off another base model, on which {name} serves, {day}.", name=name, day=day
        )
    if moved.kind == "withdrawal":
        return say(
            "Since then something was withdrawn that the champion had learnt from, so {name} serves, {day}.",
            name=name, day=day,
        )  # fmt: skip
    return say("Since then {name} was promoted, {day}.", name=name, day=day)


def _instructions_said(known: Hindsight) -> str:
    if not known.has_other_instructions:
        return ""
    if known.is_owed:
        return say(
            "It was measured with other instructions than those of now; it is measured again as soon as hours and "
            "budget allow."
        )
    return say(
        "It was measured with other instructions than those of now; `/huisstijl measure {style}` measures it again.",
        style=known.style_name,
    )


def _day(day: date) -> str:
    return str(format_date(day, "d MMM y", locale=spoken_language()))


def failure_said(error: str | None, verdict: Values | None) -> str:
    """Why a run failed, and what to do."""
    failure = (verdict or {}).get("failure") or {}
    otherwise = str(failure.get("otherwise") or "")
    note = read_note(failure.get("note")) or Note(error or "", {}).escaped()
    return say_note(note, otherwise) if note.sentence else ""


def curve_said(alt_text: str | None, verdict: Values | None) -> str:
    """What the loss curve shows."""
    return _said(verdict, "curve") or alt_text or ""


def _said(verdict: Values | None, part: str) -> str:
    note = read_note((verdict or {}).get(part))
    return say_note(note) if note else ""
