"""The pictures of the README and of docs/page.md: `python -m tests.page.pictures` takes them, with a scripted model."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from PIL import Image
from playwright.sync_api import expect
from pydantic import SecretStr

from bot.app import build_app
from bot.clock import Clock
from bot.rehearsal.options import InstalledApp
from bot.rehearsal.seed import ANA, BRAND, GENERAL, MIA, NOOR, PACKAGES, RAVI, TEAM_ID
from bot.rehearsal.workspace import Workspace
from config.rungs import Rung
from config.settings import Settings
from config.slack_manifest import build_manifest
from db.base import now_in_database
from db.drafts import DraftStatus
from db.examples import ExampleStatus
from db.session import Database
from db.styles import StyleReviewer
from db.upgrade import upgrade_database
from tests.support import factories
from tests.support.browser import Tab, run_browser
from tests.support.model_server import ScriptedModel
from tests.support.steps import create_style, teach, value_of, wait_for_card
from tests.support.wait import wait_until

PICTURES = Path(__file__).resolve().parents[2] / "docs" / "pictures"
DRAFT = """The office closes at **noon on Friday**, so that everybody can make it to the beach.

- Orders that come in before ten still leave the same day
- For anything urgent, call the desk: it is staffed until two

See you on Monday!"""


@contextmanager
def bot_at_work(folder: Path) -> Iterator[tuple[Workspace, ScriptedModel]]:
    url = f"sqlite:///{folder / 'huisstijl.db'}"
    database = Database(url)
    upgrade_database(database)
    database.dispose()
    app = InstalledApp.from_manifest(build_manifest())
    with Workspace(app=app) as workspace, ScriptedModel() as model:
        settings = Settings(
            _env_file=None, data_dir=folder, poll_seconds=0.05, database_url=url, model_url=model.url,
            slack_api_url=workspace.api_url, slack_bot_token=SecretStr(workspace.bot_token),
            slack_app_token=SecretStr(workspace.app_token),
        )  # fmt: skip
        bot = build_app(settings)
        bot.start()
        wait_until(lambda: workspace.connections > 0)
        yield workspace, model
        workspace.drop_connections()
        bot.stop()


def furnish(workspace: Workspace) -> None:
    """A style, a little talk, and two approved examples."""
    mia, noor, ravi, ana = (workspace.person(user) for user in (MIA, NOOR, RAVI, ANA))
    mia.open_home()
    wait_until(mia.home_view)  # the digest calls her by her name
    create_style(ana)
    ana.post(GENERAL, "Good morning! The new brand voice is open for examples.")
    pairs = {
        "Say that the warehouse is moving": "We are moving house! From Monday our parcels leave from a brighter place.",
        "Ask customers for a review": "Two minutes for us? Tell the others how your kettle is doing.",
    }
    for prompt, text in pairs.items():
        teach(noor, BRAND, text, prompt)
        card = wait_for_card(ravi, containing=text[:20])
        ravi.click(BRAND, card["ts"], "approve_example", value_of(card, "approve_example"))
    mia.post(BRAND, "Friday is the beach day. Who tells the customers?")
    ravi.post(BRAND, f"<@{MIA}>, would you? Let the bot have the first go.")


#: What people made of the drafts of a style that gets better: how many they kept as written, how many with changes.
WEEKS = ((8, 1), (7, 1), (8, 2), (6, 2), (6, 3), (5, 3), (4, 4), (3, 5))
AS_WRITTEN = "The parcel is on its way and comes on Tuesday. Thank you for your patience!"
AS_CHANGED = "Sorry for the wait! The parcel is on its way and comes on Tuesday. Thank you!"


def fill_weeks(folder: Path) -> None:
    """Two months of a style's life, and the digest that is due."""
    settings = Settings(_env_file=None, data_dir=folder, database_url=f"sqlite:///{folder / 'huisstijl.db'}")
    database = Database(settings.resolved_database_url)
    people = (MIA, NOOR, RAVI, MIA)
    with database.write() as session:
        now = now_in_database(session)
        style = factories.make_style(
            session, team_id=TEAM_ID, scope_key=TEAM_ID, channel_id=PACKAGES, name="parcel-news", created_by=ANA,
            created_at=now - timedelta(weeks=9), monthly_budget=20.0,
        )  # fmt: skip
        style.reviewers = [StyleReviewer(user_id=RAVI)]
        factories.make_promotion(session, style, rung=Rung.RETRIEVED, actor=ANA)
        for week, (kept, changed) in enumerate(WEEKS):
            at = now - timedelta(weeks=week, days=1)
            for number in range(kept + changed):
                asked = {"requested_at": at, "decided_by": people[number % 4], "completion": AS_WRITTEN}
                outcome = (
                    {"status": DraftStatus.KEPT}
                    if number < kept
                    else {"status": DraftStatus.EDITED, "edited_completion": AS_CHANGED}
                )
                factories.make_draft(session, style, **asked, **outcome)
                factories.make_example(
                    session, style, status=ExampleStatus.APPROVED, approved_at=at, proposed_by=people[number % 4]
                )  # fmt: skip
    Clock(database, settings, now=lambda: datetime.now(UTC)).tick()
    database.dispose()


def take_home_and_digest(tab: Tab) -> None:
    tab.open(MIA, PACKAGES)
    expect(tab.channel.locator(".block-chart")).to_have_count(2)
    tab.page.set_viewport_size({"width": 1280, "height": 1040})
    tab.channel.locator(".timeline").evaluate("feed => feed.scrollTo(0, feed.scrollHeight)")
    tab.picture(PICTURES / "digest.png")
    tab.page.set_viewport_size({"width": 1280, "height": 800})
    tab.open(ANA, GENERAL).go("Huisstijl")
    tab.page.get_by_role("tab", name="Home").click()
    expect(tab.channel.get_by_text("Next best step").first).to_be_visible()
    tab.channel.get_by_role("heading", name="parcel-news").evaluate("heading => heading.scrollIntoView()")
    tab.picture(PICTURES / "home.png")


def take(workspace: Workspace, model: ScriptedModel) -> None:
    with run_browser() as browser:
        size = {"width": 1280, "height": 800}
        context = browser.new_context(viewport=size, locale="en-GB", reduced_motion="reduce")  # type: ignore[arg-type]
        tab = Tab(context.new_page(), workspace.url).open(MIA, BRAND)
        expect(tab.message("first go")).to_be_visible()
        model.enqueue(DRAFT, delay=0.12)
        tab.write("/draft tell customers that we close at noon on Friday")
        expect(tab.thread.get_by_role("article").last).to_contain_text("same day")
        tab.picture(PICTURES / "draft-light.png")
        expect(tab.thread.locator("[data-action=keep_draft]")).to_be_visible()

        tab.page.emulate_media(color_scheme="dark")
        tab.picture(PICTURES / "draft-dark.png")
        tab.page.emulate_media(color_scheme="light")
        tab.shortcut(tab.message("beach day"), "Teach house style")
        expect(tab.modal).to_be_visible()
        tab.submit()
        expect(tab.modal.get_by_role("alert")).to_be_visible()
        tab.picture(PICTURES / "form-error.png")
        tab.page.keyboard.press("Escape")
        expect(tab.modal).to_have_count(0)

        tab.page.get_by_role("button", name="What happened underneath").click()
        expect(tab.panel.locator("details").first).to_be_visible()
        tab.panel.locator("details[data-kind=delivery] summary").last.click()
        tab.picture(PICTURES / "underneath.png")
        tab.page.get_by_role("button", name="What happened underneath").click()
        take_home_and_digest(tab)
        context.close()


def main() -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, bot_at_work(Path(folder)) as (workspace, model):
        furnish(workspace)
        fill_weeks(Path(folder))
        take(workspace, model)
    for picture in PICTURES.glob("*.png"):
        # Fewer colours: a quarter of the size, and no difference that one sees.
        Image.open(picture).convert("RGB").quantize(160).save(picture, optimize=True)


if __name__ == "__main__":
    main()
