"""Who may do what: every command and click, by everybody there is. What is allowed is what docs/commands.md says.

Refusals are said to the person alone and are on record; when a role cannot be looked up, the answer is no.
"""

from __future__ import annotations

import copy
import random
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import inspect, select, update

from bot.app import Bot, build_app
from bot.rehearsal.seed import ANA, BRAND, GUEST, LEFT, MIA, NOOR, RAVI, STRANGER, TEAM_ID
from bot.rehearsal.workspace import Workspace
from config.rungs import Rung
from config.settings import Settings
from db.audit import AuditEntry
from db.base import Base, now_in_database
from db.drafts import Draft
from db.examples import Example, ExampleStatus
from db.people import Person as PersonRow
from db.preferences import Preference
from db.promotions import Promotion
from db.ratings import Rating
from db.reviews import Review
from db.runs import Run
from db.styles import Style, StyleReviewer
from tests.acceptance.conftest import bot, bot_settings, model, workspace  # noqa: F401 - fixtures
from tests.architecture.generated_docs import ROOT
from tests.support.factories import make_example, make_promotion, make_style
from tests.support.wait import wait_until

pytestmark = pytest.mark.faults
Json = dict[str, Any]

OWNER, BOT, NOBODY = "U0OLGA", "U0ROBOT", "U0NOBODY"
#: Who there is, and the roles of docs/commands.md that they have.
PEOPLE: dict[str, set[str]] = {
    OWNER: {"members", "admins"},
    ANA: {"members", "admins"},
    RAVI: {"members", "reviewers"},
    MIA: {"members", "its author", "proposer"},
    NOOR: {"members"},
    GUEST: set(),
    STRANGER: set(),
    BOT: set(),
    LEFT: set(),
}
#: Everything that changes something, as it is typed and as docs/commands.md writes it.
COMMANDS: dict[str, str] = {
    "style new": "`/huisstijl style new`",
    "style edit brand-voice": "`/huisstijl style new`",
    "withdraw {example}": "`/huisstijl withdraw EXAMPLE`",
    "train brand-voice": "`/huisstijl train [STYLE]`",
    "promote brand-voice zero_shot": "`/huisstijl promote STYLE RUNG-OR-ADAPTER`",
    "rollback brand-voice": "`/huisstijl rollback [STYLE]`",
    "trial brand-voice": "`/huisstijl trial STYLE [CANDIDATE]`",
    "trial brand-voice stop": "`/huisstijl trial STYLE stop`",
    "forget": "`/huisstijl forget`",
    "forget <@U0NOBODY>": "`/huisstijl forget @PERSON`",
}
#: How a refusal of a role begins.
REFUSALS = ("Only ", "Guests, ", "Slack did not tell me your role", "An example can be taken back by")


def documented_roles(command: str) -> set[str]:
    for line in (ROOT / "docs/commands.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 3 and cells[0].startswith(command):
            return {role.strip() for role in cells[1].split(",")}
    raise AssertionError(f"docs/commands.md does not say who may {command}")


@pytest.fixture
def style(bot: Bot, workspace: Workspace) -> Style:  # noqa: F811
    for user_id, fields in ((OWNER, {"is_owner": True}), (BOT, {"is_bot": True})):
        known = copy.deepcopy(workspace.state.users[NOOR]) | {"id": user_id, "name": user_id.lower()} | fields
        workspace.state.users[user_id] = known
    with bot.services.database.write() as session:
        found = make_style(session, team_id=TEAM_ID, scope_key=TEAM_ID, channel_id=BRAND, name="brand-voice")
        session.add(StyleReviewer(style_id=found.style_id, user_id=RAVI))
        make_promotion(session, found, rung=Rung.RETRIEVED)
    return found


def new_example(bot: Bot, style: Style, status: ExampleStatus = ExampleStatus.APPROVED) -> str:  # noqa: F811
    with bot.services.database.write() as session:
        made = make_example(session, style, author_id=MIA, proposed_by=MIA, status=status, channel_id=BRAND)
        return made.example_id


def type_command(workspace: Workspace, user_id: str, text: str) -> str:  # noqa: F811
    """What this person reads back, or `a window`. Sent as Slack sends it, since some of them have no client."""
    state = workspace.state

    def heard() -> list[Json]:
        return [message for message in state.ephemerals if message["_for"] == user_id]

    said, windows = len(heard()), len(workspace.calls("views.open"))
    workspace.deliver_interaction(
        "slash_commands",
        {
            "token": "t", "team_id": TEAM_ID, "channel_id": BRAND, "channel_name": "brand", "user_id": user_id,
            "user_name": "x", "command": "/huisstijl", "text": text, "trigger_id": _trigger(workspace, user_id),
            "response_url": workspace.response_url(user_id, BRAND),
        },
    )  # fmt: skip

    def answer() -> str:
        if len(workspace.calls("views.open")) > windows:
            return "a window"
        return str(heard()[-1]["text"]) if len(heard()) > said else ""

    return wait_until(answer, seconds=8, what=f"{user_id} hears about {text}")


def _trigger(workspace: Workspace, user_id: str) -> str:  # noqa: F811
    from bot.rehearsal.interactions import new_trigger

    with workspace.state.transaction():
        return new_trigger(workspace.state, user_id)


def refusals_on_record(bot: Bot, user_id: str) -> int:  # noqa: F811
    with bot.services.database.read() as session:
        entries = session.scalars(select(AuditEntry).where(AuditEntry.actor == user_id)).all()
    return sum(entry.action.endswith("refused") or entry.action == "role.unknown" for entry in entries)


def test_exactly_the_documented_people_may_use_each_command(
    bot: Bot, workspace: Workspace, style: Style  # noqa: F811
) -> None:  # fmt: skip
    wrong = []
    for typed, documented in COMMANDS.items():
        for user_id, roles in PEOPLE.items():
            text = typed.format(example=new_example(bot, style)) if "{" in typed else typed
            before = refusals_on_record(bot, user_id)
            answer = type_command(workspace, user_id, text)
            is_refused = answer.startswith(REFUSALS)
            is_allowed = bool(documented_roles(documented) & roles)
            is_on_record = refusals_on_record(bot, user_id) == before + 1
            if is_refused is is_allowed or is_refused is not is_on_record:
                wrong.append((typed, user_id, answer[:80], is_on_record))
    assert wrong == []
    assert len(COMMANDS) * len(PEOPLE) == 90


def test_while_the_user_group_cannot_be_asked_nobody_is_an_admin(
    bot_settings: Settings, workspace: Workspace, model: Any  # noqa: F811
) -> None:  # fmt: skip
    from bot.rehearsal.options import InstalledApp
    from config.slack_manifest import build_manifest

    with Workspace(app=InstalledApp.from_manifest(build_manifest(with_usergroup=True))) as slack:
        running = build_app(
            bot_settings.model_copy(
                update={
                    "admin_usergroup": "S0REVIEWERS",
                    "slack_api_url": slack.api_url,
                    "slack_bot_token": SecretStr(slack.bot_token),
                    "slack_app_token": SecretStr(slack.app_token),
                }
            )
        )
        running.start()
        try:
            wait_until(lambda: slack.connections > 0, seconds=10)
            assert type_command(slack, RAVI, "style new") == "a window"  # in the group
            assert type_command(slack, MIA, "style new").startswith("Only ")
            forget_roles(running)
            slack.fail("usergroups.users.list", times=99, status=500)
            for user_id in (RAVI, ANA):
                before = refusals_on_record(running, user_id)
                assert type_command(slack, user_id, "style new").startswith("Slack did not tell me your role")
                assert refusals_on_record(running, user_id) == before + 1
        finally:
            slack.drop_connections()
            running.stop()


def forget_roles(bot: Bot) -> None:  # noqa: F811
    """As after a minute."""
    with bot.services.database.write() as session:
        session.execute(update(PersonRow).values(fetched_at=now_in_database(session) - timedelta(minutes=2)))


# Clicks that nobody made, or nobody may make

KEPT = (Example, Draft, Style, Run, Promotion, Review, Preference, Rating)
ACTIONS = (
    "approve_example", "reject_example", "edit_example", "withdraw_example", "keep_draft", "edit_draft",
    "discard_draft", "rate_draft", "confirm_forget", "cancel_forget", "confirm_train", "cancel_train",
    "cancel_run", "accept_terms",
)  # fmt: skip


def everything(bot: Bot) -> dict[str, list[tuple[Any, ...]]]:  # noqa: F811
    """Every row that a click could change."""
    with bot.services.database.read() as session:
        return {table.__tablename__: _rows(session, table) for table in KEPT}


def _rows(session: Any, table: type[Base]) -> list[tuple[Any, ...]]:
    columns = [column.key for column in inspect(table).columns if column.key not in ("lease_expires_at",)]
    return sorted(tuple(repr(getattr(row, name)) for name in columns) for row in session.scalars(select(table)))


def click(workspace: Workspace, user_id: str, action_id: str, value: str, **different: Any) -> Json:  # noqa: F811
    """A block_actions payload, whether or not such a button exists."""
    payload = {
        "type": "block_actions", "token": "t", "api_app_id": workspace.seed.app_id, "team": {"id": TEAM_ID},
        "user": {"id": user_id, "team_id": TEAM_ID, "username": "x", "name": "x"},
        "container": {"type": "message", "message_ts": "1700000000.000100", "channel_id": BRAND},
        "channel": {"id": BRAND, "name": "brand"}, "trigger_id": _trigger(workspace, user_id),
        "response_url": workspace.response_url(user_id, BRAND), "state": {"values": {}},
        "actions": [
            {
                "type": "button", "action_id": action_id, "block_id": "b", "value": value,
                "action_ts": workspace.state.next_ts(),
            }
        ],
    }  # fmt: skip
    return payload | different


def test_three_hundred_crafted_clicks_change_nothing(
    bot: Bot, workspace: Workspace, style: Style  # noqa: F811
) -> None:  # fmt: skip
    """By people without the right, with the right ids; and by the reviewer and an admin, with everybody else's ids."""
    proposed = new_example(bot, style, ExampleStatus.PROPOSED)
    with bot.services.database.write() as session:
        theirs = make_style(session, team_id="T0OTHER", scope_key="T0OTHER", name="theirs")
        foreign = make_example(session, theirs, team_id="T0OTHER", scope_key="T0OTHER").example_id
    right = [proposed, f"{proposed}/1", f"good:{proposed}"]
    wrong = [foreign, f"{foreign}/1", "", "ex_nothing", "' OR 1=1 --", "x" * 2_000, "\u0000", "../..", style.style_id]
    outsiders = [GUEST, STRANGER, BOT, LEFT, NOBODY, NOOR]
    chance = random.Random(33)
    before = everything(bot)
    deliveries = []
    for number in range(300):
        if number % 2:
            user_id, values = chance.choice(outsiders), right
        else:
            user_id, values = chance.choice([RAVI, ANA]), wrong
        different: Json = {}
        if chance.random() < 0.2:
            different = {"channel": {"id": "C0ELSEWHERE", "name": "x"}}
        elif chance.random() < 0.2:
            different = {"team": {"id": "T0OTHER"}}
        payload = click(workspace, user_id, chance.choice(ACTIONS), chance.choice(values), **different)
        deliveries.append(workspace.deliver_interaction("interactive", payload))
        if number % 25 == 24:
            wait_until(lambda: all(one.settled.is_set() for one in deliveries), seconds=30)
    wait_until_worked_off(bot)
    assert everything(bot) == before
    assert {delivery.state for delivery in deliveries} == {"acked"}


def wait_until_worked_off(bot: Bot) -> None:  # noqa: F811
    from db.inbox import count_unfinished_events

    def is_done() -> bool:
        with bot.services.database.read() as session:
            return count_unfinished_events(session) == 0

    wait_until(is_done, seconds=60)


def test_one_click_delivered_fifty_times_is_one_vote(
    bot: Bot, workspace: Workspace, style: Style  # noqa: F811
) -> None:  # fmt: skip
    with bot.services.database.write() as session:
        session.execute(update(Style).values(approvals_required=2))
    example_id = new_example(bot, style, ExampleStatus.PROPOSED)
    payload = click(workspace, RAVI, "approve_example", f"{example_id}/1")
    sent = [workspace.deliver_interaction("interactive", payload) for _ in range(50)]
    for _ in range(10):  # and ten clicks of the same person
        again = click(workspace, RAVI, "approve_example", f"{example_id}/1")
        sent.append(workspace.deliver_interaction("interactive", again))
    wait_until(lambda: all(one.settled.is_set() for one in sent), seconds=30)
    wait_until_worked_off(bot)
    with bot.services.database.read() as session:
        assert len(session.scalars(select(Review)).all()) == 1
        assert session.get_one(Example, example_id).status is ExampleStatus.PROPOSED


def test_who_was_removed_decides_nothing_any_more(
    bot: Bot, workspace: Workspace, style: Style  # noqa: F811
) -> None:  # fmt: skip
    example_id = new_example(bot, style, ExampleStatus.PROPOSED)
    workspace.change_user(RAVI, deleted=True)
    workspace.change_user(ANA, is_admin=False)
    forget_roles(bot)
    before = everything(bot)
    for user_id in (RAVI, ANA):
        payload = click(workspace, user_id, "approve_example", f"{example_id}/1")
        assert workspace.deliver_interaction("interactive", payload).settled.wait(10)
    wait_until_worked_off(bot)
    assert everything(bot) == before
    assert refusals_on_record(bot, RAVI) == refusals_on_record(bot, ANA) == 1
