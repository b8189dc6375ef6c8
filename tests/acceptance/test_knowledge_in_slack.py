"""Documents from Slack: a shortcut on a message with a file, the window, the answer; who may, and from where."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import delete, select

from bot.app import Bot
from bot.blocks.knowledge import MAX_FILES, NAME_CHARS, AddForm
from bot.domain.passages import plain_name
from bot.errors import DocumentRefused
from bot.operations.forget import confirm_forgetting, quote_forgetting
from bot.operations.shared_files import ReadingOrder, add_shared_file
from bot.rehearsal.options import InstalledApp
from bot.rehearsal.people import Person
from bot.rehearsal.seed import ANA, BRAND, GENERAL, GUEST, LEADS, MIA, PARTNERS, RAVI, TEAM_ID
from bot.rehearsal.workspace import Workspace
from bot.slack import FileMissing
from config.rungs import Rung
from config.slack_manifest import build_manifest
from db.audit import AuditEntry
from db.knowledge import Document, DocumentSource, Passage
from db.styles import Style, StyleReviewer
from tests.support.documents import HANDBOOK, make_docx, make_pdf
from tests.support.factories import make_promotion, make_style
from tests.support.model_server import ScriptedModel
from tests.support.steps import people, wait_for_direct, wait_for_ephemeral
from tests.support.wait import wait_until

Json = dict[str, Any]


@pytest.fixture
def style(bot: Bot) -> Style:
    """Everybody's, reviewed by Ravi."""
    with bot.services.database.write() as session:
        found = make_style(session, team_id=TEAM_ID, scope_key=TEAM_ID, channel_id=BRAND, name="brand-voice")
        found.reviewers.append(StyleReviewer(user_id=RAVI))
        make_promotion(session, found, rung=Rung.RETRIEVED)
    return found


def share(person: Person, channel: str, name: str, data: bytes) -> Json:
    return person.upload(channel, name, data, "for everybody")


def add(person: Person, channel: str, message: Json) -> None:
    """The shortcut, the window as it opens, and its button."""
    person.shortcut("add_knowledge", channel, message["ts"])
    done = person.submit(person.wait_for_modal(), {})
    assert done.errors is None, done.errors


def documents(bot: Bot) -> list[Document]:
    with bot.services.database.read() as session:
        return list(session.scalars(select(Document).order_by(Document.document_id)))


def refusals(bot: Bot) -> list[tuple[str, str]]:
    with bot.services.database.read() as session:
        found = session.scalars(select(AuditEntry).where(AuditEntry.action == "document.refused"))
        return [(entry.actor, entry.detail["error"]) for entry in found]


def test_a_reviewer_adds_a_file_and_drafts_link_to_its_message(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    mia, ravi = people(workspace, MIA, RAVI)
    message = share(mia, GENERAL, "leave <!here>.pdf", make_pdf([["Parental leave lasts 26 weeks."]]))
    ravi.shortcut("add_knowledge", GENERAL, message["ts"])
    window = ravi.wait_for_modal()
    assert "leave ‹!here›.pdf" in str(window) and "<!here>" not in str(window["blocks"])
    assert ravi.submit(window, {}).errors is None  # there is one style, so it is chosen
    wait_for_direct(ravi, "*brand-voice* knows “leave ‹!here›.pdf” now: 1 passage")
    [document] = documents(bot)
    assert (document.source, document.added_by, document.author_id) == (DocumentSource.SLACK, RAVI, MIA)
    assert (document.channel_id, document.message_ts, document.pages) == (GENERAL, message["ts"], 1)

    def is_embedded() -> bool:
        with bot.services.database.read() as session:
            return all(one.embedding for one in session.scalars(select(Passage)))

    wait_until(is_embedded, seconds=10)
    asked = mia.mention_bot(BRAND, "tell the team how long parental leave lasts")
    permalink = str(document.permalink)
    assert permalink.startswith("http") and message["ts"].replace(".", "") in permalink
    cited = f"facts from <{permalink}|leave ‹!here›.pdf, page 1>"
    wait_until(lambda: cited in str(mia.messages(BRAND, asked["ts"])), seconds=10, what="a draft that cites its source")


def test_each_file_of_a_message_gets_its_own_answer(bot: Bot, workspace: Workspace, style: Style) -> None:
    ravi = workspace.person(RAVI)
    for name, data, answer in (
        ("travel.docx", make_docx([("Normal", "Second class.")]), "knows “travel.docx” now"),
        ("handbook.md", HANDBOOK, "knows “handbook.md” now: 2 passages"),
        ("copy.md", HANDBOOK, "knows this text already, as “handbook.md”"),
        ("scan.pdf", make_pdf([[]]), "“scan.pdf” was not added: its pages are pictures"),
        ("page.html", b"<h1>Hours</h1><p>Nine to five.</p>", "knows “page.html” now"),
        ("photo.png", b"\x89PNG\r\n\x1a\n" + bytes(99), "“photo.png” was not added: I read PDF"),
    ):
        add(ravi, GENERAL, share(ravi, GENERAL, name, data))
        wait_for_direct(ravi, answer)
    assert [one.title for one in documents(bot)] == ["travel.docx", "handbook.md", "page.html"]


def test_nobody_waits_behind_files_that_are_slow_to_fetch(bot: Bot, workspace: Workspace, style: Style) -> None:
    ravi, mia = people(workspace, RAVI, MIA)
    workspace.fail("files.info", status=200, hang_seconds=4.0, times=6)
    for number in range(6):
        add(ravi, GENERAL, share(ravi, GENERAL, f"rules-{number}.txt", f"Rule {number}: be kind.".encode()))
    mia.slash("/huisstijl", "help", GENERAL)
    wait_for_ephemeral(mia, GENERAL, "/huisstijl forget")
    assert documents(bot) == []  # she was answered while the first file was being fetched
    workspace.heal()
    wait_for_direct(ravi, "knows “rules-5.txt” now")


def test_a_message_without_a_file_says_so(bot: Bot, workspace: Workspace, style: Style) -> None:
    ravi = workspace.person(RAVI)
    message = ravi.post(GENERAL, "Parental leave lasts 26 weeks.")
    ravi.shortcut("add_knowledge", GENERAL, message["ts"])
    assert "There is no file with this message." in str(ravi.wait_for_modal())


@pytest.mark.parametrize(("user_id", "error"), [(MIA, "ReviewersOnly"), (GUEST, "MembersOnly")])
def test_who_is_no_reviewer_adds_nothing_and_it_is_on_record(
    bot: Bot, workspace: Workspace, style: Style, user_id: str, error: str
) -> None:
    person = workspace.person(user_id)
    message = share(workspace.person(MIA), BRAND, "handbook.md", HANDBOOK)
    person.shortcut("add_knowledge", BRAND, message["ts"])
    wait_until(lambda: refusals(bot), seconds=10)
    assert refusals(bot) == [(user_id, error)]
    assert documents(bot) == []


def test_a_right_that_was_taken_away_before_the_file_is_read_does_not_count(
    bot: Bot, workspace: Workspace, style: Style
) -> None:
    ravi = workspace.person(RAVI)
    message = share(ravi, GENERAL, "handbook.md", HANDBOOK)
    ravi.shortcut("add_knowledge", GENERAL, message["ts"])
    window = ravi.wait_for_modal()
    with bot.services.database.write() as session:
        session.execute(delete(StyleReviewer))
    ravi.submit(window, {})
    wait_until(lambda: refusals(bot), seconds=10)
    assert documents(bot) == []


def test_what_is_shared_in_a_private_channel_enters_that_channels_own_style_alone(
    bot: Bot, workspace: Workspace, style: Style
) -> None:
    ravi, ana = people(workspace, RAVI, ANA)
    ravi.invite_bot(LEADS)
    message = share(ravi, LEADS, "plans.md", HANDBOOK)
    ravi.shortcut("add_knowledge", LEADS, message["ts"])
    assert "No style may take facts from here" in str(ravi.wait_for_modal())
    with bot.services.database.write() as session:
        make_style(session, team_id=TEAM_ID, scope_key=f"{TEAM_ID}/{LEADS}", channel_id=LEADS, name="leads-voice")
    add(ana, LEADS, message)
    wait_for_direct(ana, "*leads-voice* knows “plans.md” now")
    [document] = documents(bot)
    assert document.scope_key == f"{TEAM_ID}/{LEADS}"
    ana.slash("/huisstijl", "knowledge", GENERAL)
    wait_for_ephemeral(ana, GENERAL, "*brand-voice* has no documents yet")
    assert "plans.md" not in str(ana.ephemerals(GENERAL))
    ana.slash("/huisstijl", f"knowledge remove {document.document_id}", GENERAL)
    wait_for_ephemeral(ana, GENERAL, "There is no such document here")
    ana.slash("/huisstijl", "knowledge", LEADS)
    wait_for_ephemeral(ana, LEADS, "plans.md: 2 passages")


def test_a_channel_that_is_shared_with_another_company_gives_nothing(
    bot: Bot, workspace: Workspace, style: Style
) -> None:
    ravi = workspace.person(RAVI)
    ravi.shortcut("add_knowledge", PARTNERS, share(ravi, PARTNERS, "handbook.md", HANDBOOK)["ts"])
    assert "No style may take facts from here" in str(ravi.wait_for_modal())


def test_a_document_is_listed_and_erased_by_who_added_it_and_by_nobody_else(
    bot: Bot, workspace: Workspace, style: Style
) -> None:
    ravi, mia, ana = people(workspace, RAVI, MIA, ANA)
    add(ana, GENERAL, share(ravi, GENERAL, "handbook.md", HANDBOOK))
    wait_for_direct(ana, "knows “handbook.md” now")
    [document] = documents(bot)
    mia.slash("/huisstijl", "knowledge brand-voice", BRAND)
    wait_for_ephemeral(mia, BRAND, f"`{document.document_id}` handbook.md: 2 passages")
    mia.slash("/huisstijl", f"knowledge remove {document.document_id}", BRAND)
    wait_for_ephemeral(mia, BRAND, "Only who added a document")
    assert refusals(bot) == [(MIA, "ReviewersOnly")]
    mia.slash("/huisstijl", "knowledge remove", BRAND)
    wait_for_ephemeral(mia, BRAND, "Say which document")
    with bot.services.database.write() as session:
        session.execute(delete(StyleReviewer))
    ravi.slash("/huisstijl", f"knowledge remove `{document.document_id}`", BRAND)  # he wrote it
    wait_for_ephemeral(ravi, BRAND, "no longer knows “handbook.md”")
    with bot.services.database.read() as session:
        assert session.scalars(select(Passage)).all() == []
    ravi.slash("/huisstijl", f"knowledge remove {document.document_id}", BRAND)
    wait_for_ephemeral(ravi, BRAND, "There is no such document here")


def test_without_the_scope_slack_sends_a_page_and_the_bot_does_not_take_it_for_the_file(
    bot: Bot, workspace: Workspace, style: Style
) -> None:
    ravi = workspace.person(RAVI)
    shared = [share(ravi, GENERAL, name, HANDBOOK)["files"][0] for name in ("handbook.md", "page.html")]
    files = [bot.services.slack.get_file(one["id"]) for one in shared]
    assert [bot.services.slack.download_file(file) for file in files] == [HANDBOOK] * 2
    manifest = build_manifest()
    manifest["oauth_config"]["scopes"]["bot"].remove("files:read")
    workspace.state.app = InstalledApp.from_manifest(manifest)
    for file in files:
        with pytest.raises(FileMissing):
            bot.services.slack.download_file(file)


def test_who_is_forgotten_while_their_file_is_read_leaves_no_document(
    bot: Bot, workspace: Workspace, style: Style
) -> None:
    mia, ravi = people(workspace, MIA, RAVI)
    add(ravi, GENERAL, share(mia, GENERAL, "first.md", HANDBOOK))
    wait_for_direct(ravi, "knows “first.md” now")
    message = share(mia, GENERAL, "second.md", b"Travel is second class.")
    services = bot.services
    file = services.slack.get_file(message["files"][0]["id"])
    order = ReadingOrder(
        order_id="in_1", style_id=style.style_id, channel_id=GENERAL, message_ts=message["ts"], file_id=file.file_id,
        name="second.md", permalink=None,
    )  # fmt: skip

    def download() -> bytes:
        actor = services.people.get_actor(TEAM_ID, MIA)
        quote_forgetting(services.database, actor, MIA)
        with services.database.read() as session:
            quote = session.scalars(select(AuditEntry).where(AuditEntry.action == "forget.quoted")).one()
        assert confirm_forgetting(services.database, services.settings, actor, quote.audit_id).documents == 1
        return services.slack.download_file(file)

    with pytest.raises(DocumentRefused, match="was forgotten meanwhile"):
        add_shared_file(
            services.database, services.people.get_actor(TEAM_ID, RAVI), services.slack.get_channel(GENERAL), order,
            file, download,
        )  # fmt: skip
    assert [one.title for one in documents(bot)] == [""]


@pytest.mark.parametrize(
    "url",
    [
        "http://files.slack.com/a",
        "https://files.slack.com:444/a",
        "https://files.slack.com@127.0.0.1/a",
        "https://[",
        "",
    ],
)
def test_the_token_goes_to_slacks_file_host_over_https_alone(
    bot: Bot, workspace: Workspace, style: Style, url: str
) -> None:
    [shared] = share(workspace.person(RAVI), GENERAL, "handbook.md", HANDBOOK)["files"]
    with pytest.raises(FileMissing):
        bot.services.slack.download_file(replace(bot.services.slack.get_file(shared["id"]), url=url))


@pytest.mark.parametrize("letter", ["д", "語", '"'])
def test_the_window_carries_ten_files_with_long_names_of_any_script(letter: str) -> None:
    files = tuple((f"F{number:010d}", plain_name(letter * 300, NAME_CHARS)) for number in range(MAX_FILES))
    form = AddForm(channel_id="C0123456789", ts="1700000000.123456", files=files)
    assert len(form.as_metadata()) <= 3_000
    assert AddForm.from_metadata(form.as_metadata()) == form
