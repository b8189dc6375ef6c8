"""Taking adapters out of use that learnt from what was withdrawn, where no clean retrain comes, or none is waited for.

Otherwise they serve until the clean retrain that is owed has succeeded: its gate replaces them (trainer/run.py).
"""

from __future__ import annotations

from enum import StrEnum

import structlog
from sqlalchemy.orm import Session

from bot.operations.languages import speaking_in_channel
from bot.texts import champion as texts
from db.base import new_id
from db.outbox import owe
from db.styles import Style
from db.taint import OutOfUse, settle_clean_retrain, take_out_of_use

log = structlog.get_logger()


class NoRetrain(StrEnum):
    """Why the adapters do not serve until a clean retrain."""

    TOO_FEW_EXAMPLES = "too_few_examples"  #: Too few are left to train with.
    FAILED_TOO_OFTEN = "failed_too_often"  #: It was tried again and again.
    BUDGET_TOO_SMALL = "budget_too_small"  #: No month's budget allows it.
    BUDGET_SPENT = "budget_spent"  #: Neither the month of the withdrawal nor the next one had the money left.
    PERSON_FORGOTTEN = "person_forgotten"  #: A person's right does not wait; the retrain follows.


def stop_serving_tainted(session: Session, style: Style, *, actor: str, why: NoRetrain) -> OutOfUse:
    """Out of use at once, and the channel reads it in one message. Unless a retrain follows, none is owed any more."""
    with speaking_in_channel(session, style):
        gone = take_out_of_use(session, style, actor=actor, reason=texts.OUT_OF_USE_REASON())
        rung = gone.fell_back_to.value if gone.fell_back_to else ""
        told = texts.out_of_use(style.name, gone.adapter_names, rung, why.value)
    if why is not NoRetrain.PERSON_FORGOTTEN:
        settle_clean_retrain(session, style.style_id)
    if gone.adapter_names:
        owe(
            session, team_id=style.team_id, dedupe_key=f"out_of_use:{new_id('out')}", verb="post_message",
            arguments={"channel_id": style.home_channel_id, "text": told, "blocks": None},
        )  # fmt: skip
        log.info("adapters.taken_out_of_use", style_id=style.style_id, adapters=gone.adapter_names, why=why.value)
    return gone
