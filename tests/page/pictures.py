"""The pictures of the README and of docs/page.md: `python -m tests.page.pictures` takes them, with a scripted model."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import expect
from pydantic import SecretStr

from bot.app import build_app
from bot.rehearsal.options import InstalledApp
from bot.rehearsal.seed import ANA, BRAND, GENERAL, MIA, NOOR, RAVI
from bot.rehearsal.workspace import Workspace
from config.settings import Settings
from config.slack_manifest import build_manifest
from db.session import Database
from db.upgrade import upgrade_database
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
        context.close()


def main() -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, bot_at_work(Path(folder)) as (workspace, model):
        furnish(workspace)
        take(workspace, model)
    for picture in PICTURES.glob("*.png"):
        # Fewer colours: a quarter of the size, and no difference that one sees.
        Image.open(picture).convert("RGB").quantize(160).save(picture, optimize=True)


if __name__ == "__main__":
    main()
