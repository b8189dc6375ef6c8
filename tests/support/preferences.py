"""What people preferred, in bulk: a draft that was edited, the example that a reviewer approved, and the preference."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from db.base import new_id, now_in_database
from db.drafts import DraftStatus
from db.examples import Example
from db.preferences import Preference
from db.styles import Style
from tests.support import factories


def prefer(
    session: Session, style: Style, example_ids: Sequence[str], *, given_by: str = "U_AUTHOR", rejected: str = ""
) -> list[str]:
    """One preference for each of these examples, as if its text were somebody's edit of a draft; their ids."""
    found = []
    for example_id in example_ids:
        example = session.get_one(Example, example_id)
        turned_down = rejected or f"Thank you for reaching out! {example.prompt}"
        draft = factories.make_draft(
            session, style, request=example.prompt, completion=turned_down, status=DraftStatus.EDITED,
            edited_completion=example.completion, decided_by=given_by,
        )  # fmt: skip
        example.draft_id = draft.draft_id
        preference = Preference(
            preference_id=new_id("pre"), style_id=style.style_id, scope_key=style.scope_key, draft_id=draft.draft_id,
            prompt=example.prompt, chosen=example.completion, rejected=turned_down, given_by=given_by,
            given_at=now_in_database(session),
        )  # fmt: skip
        session.add(preference)
        session.flush()
        found.append(preference.preference_id)
    return found
