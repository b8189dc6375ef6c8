"""A measurement on somebody's wish: a run that trains nothing and says what serves the style best now."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy.orm import Session

from bot.domain.values import Actor
from bot.errors import HuisstijlError, explain
from bot.operations.languages import speaking_in_channel
from bot.operations.people import require_admin
from bot.operations.runs import QueuedRun, check_budget, check_may_run, foresee, home_channel, queue
from bot.operations.styles import find_named_style
from bot.operations.transfer import find_style, find_team, opened
from bot.texts import terminal
from bot.texts import training as texts
from config.run_kinds import RunCause, RunKind
from config.settings import Settings
from db.runs import find_latest_run, find_run_in_slot
from db.session import Database
from db.styles import Style, lock_style


def measure_by_hand(
    database: Database, settings: Settings, actor: Actor, channel_id: str, style_name: str, *, request_key: str
) -> QueuedRun:
    """Queue a measurement, once for each request. It trains nothing, so it needs no quote to be confirmed.

    Raises AdminsOnly, UnknownStyle, TooFewExamples, RunAlreadyActive, OverBudget.
    """
    require_admin(database, actor, "command.refused", "measure")
    with database.write() as session:
        style = lock_style(session, find_named_style(session, actor.team_id, channel_id, style_name).style_id)
        with speaking_in_channel(session, style):
            reason = texts.measured_by_hand(actor.user_id)
        return _queue_once(
            session, settings, style, slot=f"measure:{request_key}"[:255], reason=reason, by=actor.user_id
        )


def measure_as_operator(database: Database, settings: Settings, style_id: str) -> QueuedRun:
    """The same from the command line. Raises TooFewExamples, RunAlreadyActive, OverBudget."""
    with database.write() as session:
        style = lock_style(session, style_id)
        with speaking_in_channel(session, style):
            reason = texts.MEASURED_BY_OPERATOR()
        last = find_latest_run(session, style_id)
        slot = f"measure:after:{last.run_id if last else 'nothing'}"
        return _queue_once(session, settings, style, slot=slot, reason=reason, by=None)


def measure_from_terminal(settings: Settings, *, style: str, team: str, say: Callable[[str], None]) -> int:
    """`huisstijl measure`; returns the exit status."""
    with opened(settings) as database:
        try:
            team_id = find_team(database, team)
            with database.read() as session:
                style_id = find_style(session, team_id, style).style_id
            run = measure_as_operator(database, settings, style_id)
        except HuisstijlError as refused:
            say(explain(refused).sentence)
            return 1
    say(terminal.measurement_queued(run.style_name, run.run_id))
    return 0


def _queue_once(
    session: Session, settings: Settings, style: Style, *, slot: str, reason: str, by: str | None
) -> QueuedRun:
    run = find_run_in_slot(session, style.style_id, slot)
    if run is None:
        check_may_run(session, settings, style)
        quote = foresee(session, settings, style, kind=RunKind.MEASURE)
        check_budget(session, settings, style, quote.cost, kind=RunKind.MEASURE)
        run = queue(
            session, settings, style, slot=slot, reason=reason, kind=RunKind.MEASURE, cause=RunCause.BY_HAND,
            requested_by=by, quote=quote.as_json(),
        )  # fmt: skip
        assert run is not None, "the style is locked and the slot was free"
    return QueuedRun(run_id=run.run_id, style_name=style.name, channel_id=home_channel(style))
