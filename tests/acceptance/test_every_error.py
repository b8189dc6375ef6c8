"""Quiet failures end: every error that we have a name for is a sentence, a log level, and seen by a person.

The classes are found by walking the trees, so that a new one is asked the same questions without being listed here.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import logging
import pkgutil
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import bot as bot_package
from bot import errors
from bot.app import Bot, build_app
from bot.domain.values import Click, Command, Message, Submission
from bot.errors import TRANSIENT, HuisstijlError, ImportRefused, UnusablePair, explain
from bot.listeners import ROUTES
from bot.rehearsal.people import Person
from bot.rehearsal.seed import ANA, BRAND, MIA, TEAM_ID
from bot.rehearsal.workspace import Workspace
from bot.routing import Route, action, command, event, read_message, view
from bot.services import Services
from bot.texts import drafting
from config.settings import Settings
from db.base import now_in_database
from db.runs import RunStatus
from db.session import Database, DatabaseUnavailable
from tests.support import factories
from tests.support.model_server import ScriptedModel
from tests.support.steps import create_style, wait_for_direct
from tests.support.wait import wait_until
from trainer import errors as trainer_errors
from trainer.errors import TrainerError

pytestmark = pytest.mark.timeout(240)
ROOT = Path(bot_package.__file__).resolve().parents[1]

for module in pkgutil.walk_packages(bot_package.__path__, "bot."):  # a subclass is known once its module is loaded
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)


def tree_of(root: type[Exception], room: str) -> list[type[Exception]]:
    def walk(kind: type[Exception]) -> Iterator[type[Exception]]:
        yield kind
        for child in kind.__subclasses__():
            yield from walk(child)

    found = {kind for kind in walk(root) if kind.__module__.split(".")[0] == room}
    return sorted(found, key=lambda kind: kind.__name__)


OURS = tree_of(HuisstijlError, "bot")
FROM_DB = sorted([*errors._FROM_DB, DatabaseUnavailable], key=lambda kind: kind.__name__)
TRAINERS = tree_of(TrainerError, "trainer")
ALL = [*OURS, *FROM_DB, *TRAINERS]
BY_NAME: dict[str, type[Exception]] = {kind.__name__: kind for kind in [*OURS, *FROM_DB]}
#: What a person can do: every sentence has to name something.
WHAT_TO_DO = re.compile(
    r"\b(again|ask|try|use|choose|check|correct|change|shorten|approve|wait|start|list|look|lower|raise|free|name|copy|"
    r"find|see|report|publish|train|invite|reload|read|create|add|remove|by itself|meanwhile|can|give|lists?|shows?|"
    r"tell|teach|measures|serves|names|install|only|drive|set|run)\b",
    re.IGNORECASE,
)


def make(kind: type[Exception]) -> Exception:
    if issubclass(kind, UnusablePair):
        return kind({"completion": "The output is empty. Type what is good."})
    return kind()


def sentence_of(kind: type[Exception]) -> str:
    return " ".join(inspect.cleandoc(kind.__dict__.get("__doc__") or "").split())


# ------------------------------------------------------------------------------------------- each for itself


@pytest.mark.parametrize("kind", ALL)
def test_an_error_has_a_sentence_of_its_own_that_says_what_to_do(kind: type[Exception]) -> None:
    sentence = sentence_of(kind)
    assert re.match(r"[A-Z].*[.!?]$", sentence), f"{kind.__name__} has no sentence: {sentence!r}"
    assert WHAT_TO_DO.search(sentence), f"{kind.__name__} does not say what to do: {sentence}"
    assert kind.__name__ not in sentence and "Error" not in sentence and "Exception" not in sentence


@pytest.mark.parametrize("kind", ALL)
def test_an_error_has_a_log_level(kind: type[Exception]) -> None:
    levels = (logging.INFO, logging.WARNING, logging.ERROR)
    level = kind.log_level if issubclass(kind, TrainerError) else explain(make(kind)).log_level
    assert level in levels


def test_two_errors_never_say_the_same() -> None:
    said = [sentence_of(kind) for kind in ALL]
    assert [one for one in said if said.count(one) > 1] == []


def test_every_error_is_raised_somewhere_or_is_the_parent_of_one_that_is() -> None:
    """An error that no code path raises is a sentence that nobody can ever read."""
    used: set[str] = set()
    for room in ("bot", "db", "trainer"):
        for path in sorted((ROOT / room).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Name | ast.Attribute):
                    used.add(node.exc.id if isinstance(node.exc, ast.Name) else node.exc.attr)
                if isinstance(node, ast.Call):
                    called = node.func
                    used.add(called.id if isinstance(called, ast.Name) else getattr(called, "attr", ""))
    dead = [kind.__name__ for kind in ALL if kind.__name__ not in used and not kind.__subclasses__()]
    assert dead == []


# --------------------------------------------------------------------------------- shown, at every front door


def raise_named(name: str) -> None:
    raise make(BY_NAME[name])


def probe_command(services: Services, delivery: Command) -> None:
    """`/huisstijl NAME` raises it; `/huisstijl modal NAME` opens a modal that raises it when it is submitted."""
    word, _, name = delivery.text.partition(" ")
    if word != "modal":
        raise_named(word)
    plain = {"type": "plain_text", "text": "Probe"}
    services.slack.open_view(
        delivery.trigger_id,
        {
            "type": "modal", "callback_id": "probe", "private_metadata": name, "title": plain, "submit": plain,
            "blocks": [{"type": "section", "text": plain}],
        },
    )  # fmt: skip


def probe_click(services: Services, click: Click) -> None:
    raise_named(click.value)


def probe_submission(services: Services, submission: Submission) -> None:
    raise_named(submission.metadata)


def probe_mention(services: Services, message: Message) -> None:
    raise_named(message.text)


PROBED = ("command /huisstijl", "event app_mention")
PROBES: tuple[Route, ...] = (
    command("/huisstijl", probe_command),
    action("probe", probe_click),
    view("probe", probe_submission),
    event("app_mention", probe_mention, read_message),
    *(route for route in ROUTES if f"{route.surface} {route.trigger}" not in PROBED),
)


@pytest.fixture
def probed(bot_settings: Settings, workspace: Workspace) -> Iterator[Bot]:
    """A bot whose listeners raise what they are told to; everything around them is real."""
    running = build_app(bot_settings, PROBES)
    running.start()
    wait_until(lambda: workspace.connections > 0, seconds=10)
    yield running
    workspace.drop_connections()
    running.stop()


#: What passes by itself is worked on again; see below for when it does not pass.
LASTING = [name for name, kind in sorted(BY_NAME.items()) if not issubclass(kind, TRANSIENT)]


def shown(name: str) -> str:
    return explain(make(BY_NAME[name])).sentence


def test_whoever_types_a_command_reads_every_error(probed: Bot, workspace: Workspace) -> None:
    mia = workspace.person(MIA)
    for name in LASTING:
        assert mia.slash("/huisstijl", name, BRAND).ok
    for name in LASTING:
        wait_until(partial(is_read_by, mia, name), what=f"{name} is shown")


def is_read_by(person: Person, name: str, thread_ts: str = "") -> bool:
    """Does this person see the error's sentence: in the thread, or else for their eyes alone?"""
    seen = person.messages(BRAND, thread_ts) if thread_ts else person.ephemerals(BRAND)
    return any(shown(name) == message["text"] for message in seen)


def test_whoever_clicks_reads_every_error(probed: Bot, workspace: Workspace) -> None:
    mia = workspace.person(MIA)
    for number, name in enumerate(LASTING):
        workspace.deliver_interaction("interactive", clicked(workspace, name, number))
    for name in LASTING:
        wait_until(partial(is_read_by, mia, name), what=f"{name} is shown")


def clicked(workspace: Workspace, name: str, number: int) -> dict[str, Any]:
    return {
        "type": "block_actions", "team": {"id": TEAM_ID}, "user": {"id": MIA, "team_id": TEAM_ID},
        "trigger_id": f"{number}.probe", "channel": {"id": BRAND}, "response_url": workspace.response_url(MIA, BRAND),
        "container": {"type": "message", "message_ts": f"1700000000.{number:06d}", "channel_id": BRAND},
        "actions": [
            {"type": "button", "action_id": "probe", "block_id": "b", "value": name, "action_ts": f"{number}.0"}
        ],
    }  # fmt: skip


def test_whoever_submits_a_modal_reads_every_error_in_it(probed: Bot, workspace: Workspace) -> None:
    mia = workspace.person(MIA)
    for name in LASTING:
        mia.slash("/huisstijl", f"modal {name}", BRAND)
        done = mia.submit(mia.wait_for_modal(), {})
        assert done.view is not None and shown(name)[:2900] in str(done.view["blocks"][0]["text"]["text"]), name
        mia.close_view(done.view, everything=True)


def test_whoever_mentions_the_bot_reads_every_error_in_the_thread(probed: Bot, workspace: Workspace) -> None:
    mia = workspace.person(MIA)
    asked = {name: mia.mention_bot(BRAND, name)["ts"] for name in LASTING}
    for name, ts in asked.items():
        wait_until(partial(is_read_by, mia, name, ts), what=f"{name} is shown in its thread")


@pytest.mark.parametrize("kind", TRANSIENT)
def test_what_should_pass_and_does_not_is_told_when_we_give_up(
    probed: Bot, workspace: Workspace, kind: type[Exception]
) -> None:
    mia = workspace.person(MIA)
    mia.slash("/huisstijl", kind.__name__, BRAND)
    told = wait_for_direct(mia, "I tried several times and could not finish")
    assert re.search(r"this reference: \S+\.", told["text"])


# ------------------------------------------------------------------------------- the trainer's, where people are


@pytest.mark.parametrize("kind", TRAINERS)
def test_an_error_that_ends_a_run_is_read_in_the_styles_channel(
    bot: Bot, workspace: Workspace, sqlite_database: Database, kind: type[TrainerError]
) -> None:
    """The trainer writes its sentence into the run; the channel reads it, under the run's own message too."""
    with sqlite_database.write() as session:
        style = factories.make_style(
            session, team_id=TEAM_ID, scope_key=TEAM_ID, channel_id=BRAND, name="support", created_by=ANA
        )
        factories.make_run(
            session, style, team_id=TEAM_ID, status=RunStatus.FAILED, error=str(kind()), requested_by=ANA,
            ended_at=now_in_database(session),
        )  # fmt: skip
    ana = workspace.person(ANA)
    sentence = sentence_of(kind)

    def is_read() -> bool:
        roots = ana.messages(BRAND)
        threads = [ana.messages(BRAND, one["ts"]) for one in roots]
        return sentence in str(roots) and any(sentence in str(thread[1:]) for thread in threads)

    wait_until(is_read, what=f"{kind.__name__} is read in the channel and in the thread")


def test_every_error_of_the_model_server_becomes_a_sentence_in_the_thread(
    bot: Bot, workspace: Workspace, model: ScriptedModel
) -> None:
    """What the model server answers for each of its errors, answered by a scripted one, and read by the person."""
    from trainer.serving.refusals import refusal_for

    answers = {(refusal.status, refusal.code) for refusal in (refusal_for(kind()) for kind in TRAINERS)}
    assert len(answers) >= 6
    create_style(workspace.person(ANA))
    sentences = [explain(make(kind)).sentence for kind in OURS if issubclass(kind, errors.ModelError)]
    sentences += [drafting.BASE_MODEL_UNKNOWN(), drafting.BASE_MODEL_TOO_LARGE(), drafting.KEY_REFUSED()]
    mia = workspace.person(MIA)
    for status, code in sorted(answers):
        model.fail(status, code=code, times=20)
        asked = mia.mention_bot(BRAND, f"Say hello after {code}")

        def said(ts: str = asked["ts"]) -> bool:
            thread = str(mia.messages(BRAND, ts)[1:])
            return any(sentence[:60] in thread for sentence in sentences)

        wait_until(said, seconds=15, what=f"a sentence after {status} {code}: {mia.messages(BRAND, asked['ts'])}")
        model.heal()


def test_an_import_that_is_refused_names_every_line_and_says_it_in_one_sentence() -> None:
    refused = ImportRefused(("Line 3: no JSON.",))
    assert explain(refused).sentence == sentence_of(ImportRefused)
    assert refused.problems == ("Line 3: no JSON.",)


def test_the_trees_that_are_walked_are_the_ones_that_are_drawn() -> None:
    assert {kind.__name__ for kind in OURS} >= {"TransferRefused", "ImportRefused", "StyleUnknown", "OverBudget"}
    drawn = set(re.findall(r"[─ ] ([A-Z]\w+)", trainer_errors.__doc__ or ""))
    assert {kind.__name__ for kind in TRAINERS} - {"TrainerError"} == drawn - {"TrainerError"}
