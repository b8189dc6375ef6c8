"""What a trainer wrote down about a run, said in the language spoken now: the verdict, the failure, the picture.

Rows of earlier versions have the English sentence alone; it is shown as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.language import clauses, money, say, say_note
from bot.texts.durations import duration
from config.sentences import Note, read_note

Values = Mapping[str, Any]


def verdict_said(verdict: Values | None, receipt: Values | None) -> str:
    """The verdict in one sentence: stay, up or down the ladder, the reason with its interval, what follows from it and
    what a run costs. The same wherever it is shown; empty when nothing was judged."""
    said = _said(verdict, "why") or str((verdict or {}).get("sentence") or "")
    if not said or "also" not in (verdict or {}):
        return said
    notes = [read_note(one) for one in (verdict or {})["also"]]
    price = _price_of_training(verdict or {}) or _price_of_a_run(receipt or {})
    return clauses(said, *(say_note(one) for one in notes if one), price)


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
