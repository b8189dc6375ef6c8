"""Every kind of input, button and menu that Block Kit has for us, in a real browser against a real Bolt app."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from slack_bolt import App

from bot.rehearsal.options import InstalledApp
from bot.rehearsal.seed import BRAND, GENERAL, MIA, NOOR, RAVI
from bot.rehearsal.workspace import Workspace
from tests.page.test_reach import assert_accessible
from tests.support.bolt_apps import bolt_app, over_sockets
from tests.support.browser import Tab

Json = dict[str, Any]


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def options(*words: str) -> list[Json]:
    return [{"text": plain(word), "value": word.lower()} for word in words]


def block(name: str, kind: str, *, optional: bool = True, **element: Any) -> Json:
    return {
        "type": "input", "block_id": name, "label": plain(name.capitalize()), "optional": optional,
        "element": {"type": kind, "action_id": f"{name}_action", **element},
    }  # fmt: skip


FORM: Json = {
    "type": "modal",
    "callback_id": "form",
    "title": plain("Everything"),
    "submit": plain("Send"),
    "blocks": [
        block("line", "plain_text_input", optional=False, max_length=20),
        block("lines", "plain_text_input", multiline=True),
        block("number", "number_input", is_decimal_allowed=False),
        block("colour", "static_select", options=options("Red", "Green", "Blue")),
        block("toppings", "multi_static_select", options=options("Cheese", "Olives", "Onion")),
        block("who", "users_select"),
        block("team", "multi_users_select"),
        block("place", "conversations_select"),
        block("book", "external_select", min_query_length=1),
        block("size", "radio_buttons", options=options("Small", "Large")),
        block("extras", "checkboxes", options=options("Gift", "Fast")),
        block("day", "datepicker"),
        block("hour", "timepicker"),
        {"type": "actions", "block_id": "more", "elements": [
            {"type": "button", "action_id": "push", "text": plain("Open another")},
        ]},
    ],
}  # fmt: skip
PUSHED: Json = {"type": "modal", "title": plain("On top"), "blocks": [{"type": "section", "text": plain("Above it")}]}
MENU = {"type": "overflow", "action_id": "menu", "options": options("First", "Second")}
PICK = {
    "type": "static_select", "action_id": "pick", "placeholder": plain("Pick one"), "options": options("Up", "Down")
}  # fmt: skip
QUESTION = {
    "title": plain("Really?"), "text": plain("It cannot be undone."), "confirm": plain("Yes"), "deny": plain("No")
}  # fmt: skip
SURE = {"type": "button", "action_id": "sure", "text": plain("Delete it"), "style": "danger", "confirm": QUESTION}
RATE = {
    "type": "feedback_buttons", "action_id": "rate",
    "positive_button": {"text": plain("Good"), "value": "good"},
    "negative_button": {"text": plain("Bad"), "value": "bad"},
}  # fmt: skip
CHARTS: list[Json] = [
    {
        "type": "data_visualization", "title": f"A {kind} chart",
        "chart": {"type": kind, "series": [
            {"name": name, "data": [{"label": "Mon", "value": 1200.5}, {"label": "Tue", "value": value}]}
            for name, value in (("North", -3), ("South", 0))[: 1 if kind == "line" else 2]
        ], "axis_config": {"categories": ["Mon", "Tue"], "x_label": "day", "y_label": "boxes"}},
    }
    for kind in ("bar", "line")
]  # fmt: skip
MORE_CHARTS: list[Json] = [
    {**CHARTS[0], "title": "An area chart", "chart": {**CHARTS[0]["chart"], "type": "area"}},
    {
        "type": "data_visualization", "title": "A pie chart",
        "chart": {"type": "pie", "segments": [{"label": "Cake", "value": 3}, {"label": "Tea", "value": 1}]},
    },
]  # fmt: skip
MESSAGE: list[Json] = [
    {"type": "section", "text": plain("Choose"), "accessory": MENU},
    {"type": "actions", "elements": [PICK, SURE]},
    {"type": "context_actions", "elements": [RATE]},
]


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    with Workspace(app=InstalledApp(commands=("/form", "/message", "/charts"))) as running:
        yield running


@pytest.fixture
def heard(workspace: Workspace) -> Iterator[queue.Queue[Any]]:
    """What the app was told: actions, and the values of the form."""
    told: queue.Queue[Any] = queue.Queue()
    app = bolt_app(workspace)
    listen(app, told)
    with over_sockets(app, workspace):
        yield told


def listen(app: App, told: queue.Queue[Any]) -> None:
    @app.command("/form")
    def open_form(ack: Any, body: Json, client: Any) -> None:
        ack()
        client.views_open(trigger_id=body["trigger_id"], view=FORM)

    @app.command("/message")
    def post(ack: Any, body: Json, client: Any) -> None:
        ack()
        client.chat_postMessage(channel=body["channel_id"], text="choose", blocks=MESSAGE)

    @app.command("/charts")
    def draw(ack: Any, body: Json, client: Any) -> None:
        ack()
        for blocks in (CHARTS, MORE_CHARTS):
            client.chat_postMessage(channel=body["channel_id"], text="charts", blocks=blocks)

    @app.options("book_action")
    def books(ack: Any, body: Json) -> None:
        ack(options=options(f"{body['value']} and peace", f"{body['value']} of the worlds"))

    @app.action("push")
    def push(ack: Any, body: Json, client: Any) -> None:
        ack()
        client.views_push(trigger_id=body["trigger_id"], view=PUSHED)

    def hear(ack: Any, action: Json) -> None:
        ack()
        told.put(action)

    for action in ("menu", "pick", "sure", "rate"):
        app.action(action)(hear)

    @app.view("form")
    def submitted(ack: Any, view: Json) -> None:
        values = {name: next(iter(held.values())) for name, held in view["state"]["values"].items()}
        if values["line"]["value"] == "wrong":
            ack(response_action="errors", errors={"line": "Not that word.", "colour": "Nor this colour."})
            return
        ack()
        told.put(values)


@pytest.fixture
def form(page: Page, workspace: Workspace, heard: queue.Queue[Any]) -> Tab:
    tab = Tab(page, workspace.url).open(MIA, GENERAL)
    tab.write("/form")
    expect(tab.modal).to_be_visible()
    return tab


def pick(tab: Tab, name: str, typed: str, option: str) -> None:
    box = tab.modal.locator(f"[data-block={name}] input")
    box.click()
    box.press_sequentially(typed)
    tab.page.get_by_role("option", name=option).click()


def test_every_input_sends_what_was_put_in(form: Tab, heard: queue.Queue[Any]) -> None:
    inside = form.modal
    inside.get_by_label("Line", exact=True).fill("hello")
    inside.get_by_label("Lines").fill("one\ntwo")
    inside.get_by_label("Number").fill("42")
    pick(form, "colour", "gr", "Green")
    pick(form, "toppings", "", "Cheese")
    pick(form, "toppings", "on", "Onion")
    form.page.keyboard.press("Escape")
    pick(form, "who", "noor", "Noor Haddad")
    pick(form, "team", "ravi", "Ravi Menon")
    pick(form, "team", "noor", "Noor Haddad")
    form.page.keyboard.press("Escape")
    pick(form, "place", "bra", "brand")
    pick(form, "book", "War", "War and peace")
    inside.get_by_label("Large").check()
    inside.get_by_label("Gift").check()
    inside.get_by_label("Fast").check()
    inside.get_by_label("Gift").uncheck()
    inside.get_by_label("Day").fill("2026-11-30")
    inside.get_by_label("Hour").fill("09:30")
    form.submit()
    expect(form.modal).to_have_count(0)
    values = heard.get(timeout=20)
    assert values["line"]["value"] == "hello"
    assert values["lines"]["value"] == "one\ntwo"
    assert values["number"]["value"] == "42"
    assert values["colour"]["selected_option"]["value"] == "green"
    assert [o["value"] for o in values["toppings"]["selected_options"]] == ["cheese", "onion"]
    assert values["who"]["selected_user"] == NOOR
    assert values["team"]["selected_users"] == [RAVI, NOOR]
    assert values["place"]["selected_conversation"] == BRAND
    assert values["book"]["selected_option"]["value"] == "war and peace"
    assert values["size"]["selected_option"]["value"] == "large"
    assert [o["value"] for o in values["extras"]["selected_options"]] == ["fast"]
    assert values["day"]["selected_date"] == "2026-11-30"
    assert values["hour"]["selected_time"] == "09:30"


def test_errors_stand_beside_their_inputs_and_nothing_typed_is_lost(form: Tab, heard: queue.Queue[Any]) -> None:
    form.modal.get_by_label("Lines").fill("kept")
    form.submit()
    expect(form.modal.locator("[data-block=line]").get_by_role("alert")).to_contain_text("required")
    form.modal.get_by_label("Line", exact=True).fill("wrong")
    form.submit()
    expect(form.modal.locator("[data-block=line]").get_by_role("alert")).to_contain_text("Not that word.")
    expect(form.modal.locator("[data-block=colour]").get_by_role("alert")).to_contain_text("Nor this colour.")
    expect(form.modal.get_by_label("Line", exact=True)).to_be_focused()
    assert form.modal.get_by_label("Line", exact=True).get_attribute("aria-describedby")
    expect(form.modal.get_by_label("Lines")).to_have_value("kept")


def test_a_pushed_view_comes_and_goes_above_the_form(form: Tab) -> None:
    form.modal.get_by_label("Line", exact=True).fill("still here")
    form.modal.get_by_role("button", name="Open another").click()
    expect(form.modal.get_by_role("heading", name="On top")).to_be_visible()
    form.modal.get_by_role("button", name="Back").click()
    expect(form.modal.get_by_role("heading", name="Everything")).to_be_visible()
    expect(form.modal.get_by_label("Line", exact=True)).to_have_value("still here")


def test_focus_stays_inside_a_modal_and_escape_gives_it_back(form: Tab) -> None:
    for _ in range(30):
        form.page.keyboard.press("Tab")
        assert form.page.evaluate("!document.activeElement.closest('.page')")
    form.page.keyboard.press("Escape")
    expect(form.modal).to_have_count(0)
    expect(form.channel.get_by_role("textbox", name="Message #general")).to_be_focused()


def test_clicks_in_a_message_reach_the_app_after_their_question(
    page: Page, workspace: Workspace, heard: queue.Queue[Any]
) -> None:
    tab = Tab(page, workspace.url).open(MIA, GENERAL)
    tab.write("/message")
    said = tab.message("Choose")
    said.get_by_role("button", name="More choices").click()
    page.get_by_role("menuitem", name="Second").click()
    assert heard.get(timeout=20)["selected_option"]["value"] == "second"
    said.get_by_role("combobox", name="Pick one").click()
    page.get_by_role("option", name="Down").click()
    assert heard.get(timeout=20)["selected_option"]["value"] == "down"
    said.get_by_role("button", name="Bad", exact=True).click()
    assert heard.get(timeout=20)["value"] == "bad"
    said.get_by_role("button", name="Delete it").click()
    page.get_by_role("alertdialog").get_by_role("button", name="No").click()
    said.get_by_role("button", name="Delete it").click()
    expect(page.get_by_role("alertdialog")).to_contain_text("It cannot be undone.")
    page.get_by_role("alertdialog").get_by_role("button", name="Yes").click()
    assert heard.get(timeout=20)["action_id"] == "sure"
    assert heard.empty(), "a No was sent"


def test_charts_are_drawn_and_say_their_figures(page: Page, workspace: Workspace, heard: queue.Queue[Any]) -> None:
    tab = Tab(page, workspace.url).open(MIA, GENERAL)
    tab.write("/charts")
    drawn = tab.channel.locator(".block-chart svg")
    expect(drawn).to_have_count(4)
    names = [chart.get_attribute("aria-label") for chart in drawn.all()]
    assert names == [
        "Chart: A bar chart. North: Mon 1,200.5; Tue -3. South: Mon 1,200.5; Tue 0",
        "Chart: A line chart. Mon 1,200.5; Tue -3",
        "Chart: An area chart. North: Mon 1,200.5; Tue -3. South: Mon 1,200.5; Tue 0",
        "Chart: A pie chart. Cake 3; Tea 1",
    ]
    assert [len(chart.locator(mark).all()) for chart, mark in zip(drawn.all(), MARKS, strict=True)] == [4, 2, 4, 2]
    for chart in drawn.all():
        outside = chart.evaluate(
            """svg => [...svg.querySelectorAll("rect, circle, path, text")].filter(mark => {
              const [inner, outer] = [mark.getBBox(), svg.viewBox.baseVal];
              return !(inner.x >= -1 && inner.y >= -1 && inner.x + inner.width <= outer.width + 1
                && inner.y + inner.height <= outer.height + 1);
            }).length"""
        )
        assert outside == 0, "every mark stands inside its chart"
    assert_accessible(tab, "charts")


#: What a figure is drawn as, in each of the four.
MARKS = ("rect", "circle", "circle", ".chart-slice")
