"""A style's forecast: what its latest run foresaw, as long as it still speaks of what serves."""

from __future__ import annotations

from sqlalchemy.orm import Session

from bot.domain.forecast import ExpectedGain, read_outlook
from bot.language import say_note, sentences
from bot.texts import forecast as texts
from config.prompts import prompt_hash
from config.run_kinds import RunKind
from config.sentences import read_note
from db.forecasts import ForecastRow, find_forecast, read_record
from db.runs import Run, RunStatus, find_latest_run
from db.styles import Style

#: With so many times the examples it was made from, a forecast is too old to decide by.
TOO_OLD = 2


def say_forecast(session: Session, style: Style, run: Run) -> str:
    """What this run foresaw, and how the style's earlier forecasts came out. Where it foresaw nothing: why, if there is
    something to be said of it; otherwise empty. What no longer speaks of what serves is not repeated."""
    record = _say_record(session, style)
    row = find_forecast(session, run.run_id, style.scope)
    if row is None:
        return _say_none(style, run, record)
    if not _still_speaks(row, style):
        return sentences(texts.SPEAKS_OF_OTHERS(), record)
    outlook = read_outlook(
        row.forecast, gain_now=row.at(row.train_pairs).gain, gain_doubled=row.at(2 * row.train_pairs).gain
    )
    return sentences(texts.outlook_said(outlook), record)


def _say_none(style: Style, run: Run, record: str) -> str:
    why = read_note((run.receipt or {}).get("no_forecast"))
    if why is None:
        return ""
    by_count = texts.TRAINS_BY_COUNT() if style.train_on_gain_bits is not None else ""
    return sentences(say_note(why), by_count, record)


def _say_record(session: Session, style: Style) -> str:
    record = read_record(session, style.style_id, style.scope)
    return sentences(
        texts.record_said(record.settled, record.held, record.mean_error),
        texts.went_on_said(record.went_on, record.mean_error_went_on),
    )


def find_expected_gain(session: Session, style: Style, approved: int) -> ExpectedGain | None:
    """What a run on so many approved examples would gain; None where no forecast speaks of it.

    A forecast is about one champion and one wording of the instructions, and it does not last for ever.
    """
    run = find_latest_run(session, style.style_id, RunStatus.SUCCEEDED, kind=RunKind.TRAIN)
    row = find_forecast(session, run.run_id, style.scope) if run else None
    if row is None or not _still_speaks(row, style):
        return None
    examples = int(row.forecast["examples"])
    if approved >= TOO_OLD * examples:
        return None
    expected = row.at(approved * row.train_pairs / examples)
    return ExpectedGain(bits=expected.gain[0], chance=expected.chance)


def _still_speaks(row: ForecastRow, style: Style) -> bool:
    is_same_champion = row.champion_promotion_id == style.champion_promotion_id
    return is_same_champion and row.prompt_hash == prompt_hash(style.full_instructions)
