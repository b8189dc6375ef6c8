"""What people read about probes: what an adapter's training cost besides, and why a candidate is not promoted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bot.language import apart, say, say_note, sentence, sentences
from config.sentences import read_note

Result = Mapping[str, Any]

LEGEND = sentence("✗ fails a probe")


def probes_said(candidate: str, results: Sequence[Result]) -> str:
    """One candidate's probes, each with its figures."""
    marks = {True: "✓", False: "✗"}
    said = [f"{marks.get(one['passed'], '–')} {_why(one)}" for one in results]
    return say("Probes of {candidate}: {results}.", candidate=candidate, results=apart(said))


def failed_before(candidate: str, style: str, wanted: str, results: Sequence[Result]) -> str:
    """Before a candidate that failed is promoted by hand."""
    return sentences(
        say("{candidate} fails a probe: {reasons}.", candidate=candidate, reasons=_reasons(results)),
        say(
            "To make it the champion all the same: `/huisstijl promote {style} {wanted} anyway`.",
            style=style, wanted=wanted,
        ),
    )  # fmt: skip


def no_trial(candidate: str, style: str, results: Sequence[Result]) -> str:
    """Before a blind trial of a candidate that failed."""
    return sentences(
        say("{candidate} fails a probe: {reasons}.", candidate=candidate, reasons=_reasons(results)),
        say(
            "A trial would put it before people and could make it the champion, so there is none. "
            "`/huisstijl ladder {style}` shows what else there is.",
            style=style,
        ),
    )


def _reasons(results: Sequence[Result]) -> str:
    return apart([_why(one) for one in results if one["passed"] is False])


def _why(result: Result) -> str:
    note = read_note(result["why"])
    return say_note(note) if note else ""
