"""What a judge model says of a style's drafts, and whether it agrees with the team: only then do its grades count."""

from __future__ import annotations

from collections import defaultdict

from sqlalchemy.orm import Session

from bot.domain.agreement import measure_agreement
from bot.domain.effort import edit_effort, summarise
from bot.texts.judge import judge_said
from config.settings import Settings
from db.drafts import DraftStatus
from db.judgements import GradedDraft, list_graded
from db.styles import Style

#: What a judge and a team thought of long ago says little of now, and all drafts are compared with all.
MOST_DRAFTS = 500


def say_judge(session: Session, settings: Settings, style: Style) -> str:
    """Its agreement with the team's votes on the same drafts, and its grades where they count; empty without one."""
    if not settings.judge_model:
        return ""
    graded = list_graded(session, style.style_id, style.scope, settings.judge_model, most=MOST_DRAFTS)
    agreement = measure_agreement([one.grade for one in graded], [_vote(one) for one in graded])
    by_candidate: dict[str, list[float]] = defaultdict(list)
    for one in graded:
        if one.rung is not None:
            by_candidate[one.adapter_name or one.rung.value].append(float(one.grade))
    grades = [(name, found) for name, values in sorted(by_candidate.items()) if (found := summarise(values))]
    return judge_said(settings.judge_model, len(graded), agreement, grades)


def _vote(draft: GradedDraft) -> float:
    """1 for a draft kept as it was, 0 for one turned down, and in between what was left of it."""
    if draft.status is DraftStatus.DISCARDED:
        return 0.0
    if draft.status is DraftStatus.KEPT:
        return 1.0
    return 1.0 - edit_effort(draft.completion, draft.edited_completion or "")
