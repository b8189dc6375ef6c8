"""Reading the review queue: the proposals that a person may decide about, where they ask, with what to look at.

Styles of a private channel are listed only when the queue is opened in that channel; elsewhere they are a number.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from bot.blocks.review_queue import MAX_LOOKED_AT, ImportBatch, QueueFilter, QueueItem, ReviewQueue
from bot.domain.clashes import Clash, ClashKind, find_clashes
from bot.domain.redaction import redact_pair
from bot.domain.reviewing import is_reviewer
from bot.domain.similarity import NormalPair, normal_pair
from bot.domain.values import Actor
from bot.operations.examples import voters_of
from config.style_terms import find_terms
from db.base import now_in_database
from db.examples import (
    Example,
    ExampleSource,
    count_waiting,
    count_waiting_imports,
    list_live_pairs,
    list_waiting_page,
    list_waiting_proposers,
)
from db.people import list_people
from db.session import Database
from db.styles import Style, StyleKind, list_styles

PAGE_SIZE = 5


def read_review_queue(
    database: Database,
    actor: Actor,
    *,
    place: str = "",
    wanted: QueueFilter | None = None,
    page: int = 0,
    page_size: int = PAGE_SIZE,
) -> ReviewQueue:
    """One page of what this person may decide about, oldest first. `place` is the channel it is shown in, if any.

    Raises nothing: for somebody who reviews no style the queue is empty and says so.
    """
    wanted = wanted or QueueFilter()
    with database.read() as session:
        mine = [style for style in list_styles(session, actor.team_id) if is_reviewer(actor, style.reviewer_ids)]
        here = [style for style in mine if style.scope.covers(actor.team_id, place)]
        by_id = {style.style_id: style for style in here}
        everything = [(style.style_id, style.scope) for style in here]
        chosen = [place for place in everything if wanted.style_id in ("", place[0])]
        known, now = _Known(session), now_in_database(session)
        days = int(wanted.age.value)
        before = now - timedelta(days=days) if days else None
        waiting = count_waiting(session, everything)
        total = count_waiting(session, chosen, proposed_by=wanted.proposed_by, before=before)

        def take(offset: int, limit: int) -> list[Example]:
            return list_waiting_page(
                session, chosen, offset=offset, limit=limit, proposed_by=wanted.proposed_by, before=before
            )

        warned, looked_at = None, 0
        if wanted.only_warned:
            looked_at = min(total, MAX_LOOKED_AT)
            warned = [
                one for one in take(0, MAX_LOOKED_AT) if _look(known, by_id[one.style_id], one).has_warnings
            ]  # fmt: skip
            total = len(warned)
        pages = max(1, -(-total // page_size))
        page = min(max(page, 0), pages - 1)
        start = page * page_size
        shown = take(start, page_size) if warned is None else warned[start : start + page_size]
        return ReviewQueue(
            items=tuple(
                _item(session, actor, by_id[one.style_id], one, _look(known, by_id[one.style_id], one), now)
                for one in shown
            ),
            total=total, waiting=waiting, looked_at=looked_at, page=page, pages=pages, wanted=wanted,
            styles=tuple((style.style_id, style.name) for style in here),
            proposers=_names(session, actor.team_id, list_waiting_proposers(session, everything)),
            elsewhere=tuple(_elsewhere(session, actor, mine, place)),
            imports=tuple(
                ImportBatch(style_id=style_id, style_name=by_id[style_id].name, count=count)
                for style_id, (count, _) in count_waiting_imports(session, everything).items()
            ),
            is_reviewer=bool(mine),
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What there is to look at before this example is approved."""

    clashes: tuple[Clash, ...]
    sensitive: int
    never_said: int

    @property
    def has_warnings(self) -> bool:
        return bool(self.clashes or self.sensitive or self.never_said)

    def count(self, kind: ClashKind) -> int:
        return sum(clash.kind is kind for clash in self.clashes)


class _Known:
    """The live pairs of each style, normalised once. Of 10,000 with 270 characters each a page of five takes 0.15 s."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._pairs: dict[str, list[NormalPair]] = {}

    def of(self, style: Style) -> list[NormalPair]:
        if style.style_id not in self._pairs:
            rows = list_live_pairs(self._session, style.style_id, style.scope)
            self._pairs[style.style_id] = [normal_pair(*row) for row in rows]
        return self._pairs[style.style_id]


def look_at(session: Session, style: Style, example: Example) -> Look:
    """What a reviewer should see before this example is approved."""
    return _look(_Known(session), style, example)


def list_unwarned(session: Session, style: Style, examples: Iterable[Example]) -> list[Example]:
    """Those of them that need no second look."""
    known = _Known(session)
    return [example for example in examples if not _look(known, style, example).has_warnings]


def _look(known: _Known, style: Style, example: Example) -> Look:
    pair = normal_pair(example.example_id, example.prompt, example.completion)
    clashes = find_clashes(pair, known.of(style), labels=style.kind is StyleKind.CLASSIFY)
    return Look(
        clashes=tuple(clashes), sensitive=sum(redact_pair(example.prompt, example.completion).counts.values()),
        never_said=len(find_terms(example.completion, style.forbidden_terms)),
    )  # fmt: skip


def _item(session: Session, actor: Actor, style: Style, example: Example, look: Look, now: datetime) -> QueueItem:
    voters = voters_of(session, example)
    return QueueItem(
        example_id=example.example_id, version=example.version, style_name=style.name, prompt=example.prompt,
        completion=example.completion, proposed_by=example.proposed_by, age_days=(now - example.proposed_at).days,
        approvals=len(voters), approvals_required=style.approvals_required, has_voted=actor.user_id in voters,
        is_own=example.proposed_by == actor.user_id, contradictions=look.count(ClashKind.CONTRADICTION),
        lookalikes=look.count(ClashKind.LOOKALIKE), sensitive=look.sensitive, never_said=look.never_said,
    )  # fmt: skip


def _names(session: Session, team_id: str, user_ids: set[str]) -> tuple[tuple[str, str], ...]:
    known = list_people(session, team_id, user_ids)
    named = [(user_id, known[user_id].name if user_id in known else user_id) for user_id in user_ids]
    return tuple(sorted(named, key=lambda who: who[1].casefold()))


def _elsewhere(session: Session, actor: Actor, mine: Sequence[Style], place: str) -> Iterable[tuple[str, int]]:
    """How much waits in private channels for their own reviewers; an admin need not know that there is such a one."""
    for style in mine:
        channel_id = style.scope.channel_id
        if channel_id not in (None, place) and actor.user_id in style.reviewer_ids:
            count = count_waiting(session, [(style.style_id, style.scope)])
            if channel_id and count:
                yield channel_id, count


def is_untouched_import(example: Example) -> bool:
    """From a file, and nobody has edited it since."""
    return example.source is ExampleSource.IMPORT and example.version == 1
