"""A real Chromium, and what a person does in it: by the names that a screen reader would say.

The browser is the system's own (`make browser` installs Debian's). Without one the tests fail and say so.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
#: Nothing leaves this machine, and the sandbox needs rights that containers do not give.
FLAGS = ("--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking", "--no-proxy-server")
#: What a page of ours may take to show something on a busy machine.
PATIENCE_MS = 20_000


def find_chromium() -> str:
    """The path of a Chromium. Raises RuntimeError with what to do when there is none."""
    named = os.environ.get("CHROMIUM")
    found = named or next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        raise RuntimeError(
            "The tests of the page need Chromium, and there is none: `make browser` installs it (as root, with apt); "
            "otherwise install your system's package `chromium`, or name an executable in CHROMIUM."
        )
    return found


@contextmanager
def run_browser() -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=list(FLAGS))
        yield browser
        browser.close()


class Tab:
    """One person's tab on the page."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        page.set_default_timeout(PATIENCE_MS)

    def open(self, person: str, channel: str = "C0GENERAL", **query: str) -> Tab:
        more = "".join(f"&{name}={value}" for name, value in query.items())
        self.page.goto(f"{self.url}/?as={person}&channel={channel}{more}")
        expect(self.page.get_by_role("navigation", name="Workspace")).to_be_visible()
        return self

    # --- places ------------------------------------------------------------------------------------

    @property
    def channel(self) -> Locator:
        return self.page.get_by_role("main")

    @property
    def thread(self) -> Locator:
        return self.page.locator("aside.thread")

    @property
    def panel(self) -> Locator:
        return self.page.get_by_role("complementary", name="What happened underneath")

    @property
    def modal(self) -> Locator:
        return self.page.get_by_role("dialog")

    def message(self, containing: str, *, within: Locator | None = None) -> Locator:
        """The newest message that holds this text."""
        return (within or self.channel).get_by_role("article").filter(has_text=containing).last

    # --- doing -------------------------------------------------------------------------------------

    def go(self, channel: str) -> None:
        self.page.get_by_role("navigation").get_by_role("button", name=re.compile(f"^{re.escape(channel)},")).click()

    def act_as(self, name: str, *, says: str = "Act as") -> None:
        """`says`: what the switch is called in the language of that person."""
        self.page.get_by_role("button", name=re.compile("^Act as")).click()
        self.page.get_by_role("menuitemradio", name=re.compile(re.escape(name))).click()
        expect(self.page.get_by_role("button", name=f"{says}: {name}")).to_be_visible()

    def write(self, text: str) -> None:
        box = self.channel.get_by_role("textbox", name=re.compile("^Message "))
        box.fill(text)
        box.press("Enter")

    def reply(self, text: str) -> None:
        box = self.thread.get_by_role("textbox", name="Reply")
        box.fill(text)
        box.press("Enter")

    def shortcut(self, message: Locator, name: str) -> None:
        message.hover()
        message.get_by_role("button", name="More actions").click()
        self.page.get_by_role("menuitem", name=re.compile(re.escape(name))).click()

    def submit(self) -> None:
        """Press the modal's own button, whatever the app calls it."""
        self.modal.locator("button[type=submit]:visible").click()

    def picture(self, path: Path) -> None:
        self.page.screenshot(path=str(path))
