"""Who has looked at the app's Home tab lately, which page of it they are on, and what they were shown last.

The digest of what is shown is a compare-and-set: of two bots that notice a change at once, one publishes it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import String, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from db.base import SLACK_ID, Base, insert_new, now_in_database


class HomeViewer(Base):
    __tablename__ = "home_viewers"

    team_id: Mapped[str] = mapped_column(SLACK_ID, primary_key=True)
    user_id: Mapped[str] = mapped_column(SLACK_ID, primary_key=True)
    #: When this person last opened the tab or clicked in it.
    seen_at: Mapped[datetime]
    #: Which page of the tab, and the number of its part where it has several.
    page: Mapped[str] = mapped_column(String(32), default="styles")
    part: Mapped[int] = mapped_column(default=0)
    #: `sha256:…` of the view published last; None when it is not known to stand.
    shown_digest: Mapped[str | None] = mapped_column(String(80), default=None)


def save_viewer(
    session: Session, team_id: str, user_id: str, *, page: str | None = None, part: int | None = None
) -> HomeViewer:
    """This person looks at the tab now; page and part stay where they are unless named."""
    now = now_in_database(session)
    row = {"team_id": team_id, "user_id": user_id, "seen_at": now}
    insert_new(session, HomeViewer, [row], unique=["team_id", "user_id"])
    viewer = session.get_one(HomeViewer, (team_id, user_id))
    viewer.seen_at = now
    if page is not None:
        viewer.page = page
    if part is not None:
        viewer.part = part
    session.flush()
    return viewer


def list_recent_viewers(session: Session, within: timedelta, limit: int) -> list[HomeViewer]:
    """Who looked lately, the latest first."""
    query = select(HomeViewer).where(HomeViewer.seen_at >= now_in_database(session) - within)
    return list(session.scalars(query.order_by(HomeViewer.seen_at.desc(), HomeViewer.user_id).limit(limit)))


def take_showing(session: Session, viewer: HomeViewer, digest: str) -> bool:
    """True for the one caller who is to publish this view; `viewer` is the row as that caller saw it."""
    taken = session.execute(
        update(HomeViewer)
        .where(
            HomeViewer.team_id == viewer.team_id,
            HomeViewer.user_id == viewer.user_id,
            HomeViewer.shown_digest.is_not_distinct_from(viewer.shown_digest),
        )
        .values(shown_digest=digest)
        .execution_options(synchronize_session=False)
    )
    return bool(taken.rowcount == 1)  # type: ignore[attr-defined]


def save_showing(session: Session, team_id: str, user_id: str, digest: str | None) -> None:
    """This is what the person sees; None when that is not known."""
    session.execute(
        update(HomeViewer)
        .where(HomeViewer.team_id == team_id, HomeViewer.user_id == user_id)
        .values(shown_digest=digest)
        .execution_options(synchronize_session=False)
    )


def find_showing(session: Session, team_id: str, user_id: str) -> str | None:
    viewer = session.get(HomeViewer, (team_id, user_id))
    return viewer.shown_digest if viewer else None


def forget_showing(session: Session, team_id: str, user_id: str) -> None:
    """What this person sees is not known, or out of date: it is published anew."""
    save_showing(session, team_id, user_id, None)
