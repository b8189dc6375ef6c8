"""The Home tab as a view: at most 100 blocks, a section at most 3,000 characters, whatever there is to show.

Charts are text here: Slack draws its own charts in messages only. "Show as charts" sends them in a direct message.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from bot.blocks.charts import week_chart
from bot.blocks.styles import amount_input
from bot.blocks.text import context, plain, section
from bot.domain.overview import (
    CHANGES,
    REVIEWS,
    SETTINGS,
    STYLES,
    STYLES_PER_PART,
    Contributor,
    Home,
    StyleOverview,
    StyleSettings,
)  # fmt: skip
from bot.domain.safe_text import escape, shorten
from bot.language import lines, sentences
from bot.texts import budget
from bot.texts import home as texts
from bot.texts import overview as words
from bot.texts import styles as style_texts

Block = dict[str, Any]
MAX_BLOCKS = 100
MAX_CONTRIBUTORS = 8
_PAGE_NAMES = {STYLES: texts.STYLES, REVIEWS: texts.REVIEWS, SETTINGS: texts.SETTINGS, CHANGES: texts.CHANGES}
DIVIDER: Block = {"type": "divider"}


def sentence_view(sentence: str) -> dict[str, Any]:
    """A tab that only says something: to guests, and when the figures cannot be had."""
    return {"type": "home", "blocks": [header(texts.TITLE()), section(sentence)]}


def home_view(home: Home, reviews: Sequence[Block] = ()) -> dict[str, Any]:
    """One page of the tab. `reviews`: the blocks of the review queue, for its page."""
    blocks = [header(texts.TITLE()), *_navigation(home), DIVIDER]
    if home.page == SETTINGS:
        blocks += _settings_blocks(home)
    elif home.page == CHANGES:
        blocks += _changes_blocks(home)
    elif home.page == REVIEWS:
        blocks += list(reviews) or [section(texts.NOTHING_TO_REVIEW())]
    else:
        blocks += _overview_blocks(home)
    return {"type": "home", "blocks": blocks[:MAX_BLOCKS]}


def header(text: str) -> Block:
    return {"type": "header", "text": plain(text, 150)}


def button(action_id: str, label: str, value: str, *, is_primary: bool = False) -> Block:
    element: Block = {"type": "button", "action_id": action_id, "text": plain(label, 75), "value": value}
    return element | {"style": "primary"} if is_primary else element


def _navigation(home: Home) -> list[Block]:
    """Which page this is, in words too: a colour alone says nothing to many."""
    pages = [
        button(f"home_page:{page}", _PAGE_NAMES[page](), page, is_primary=page == home.page) for page in home.pages
    ]
    here = [texts.HERE[home.page]()]
    turns = []
    if home.parts > 1:
        first = home.part * STYLES_PER_PART
        here.append(texts.part_of(first + 1, min(first + STYLES_PER_PART, home.total), home.total))
        if home.part > 0:
            turns.append(button("home_part:previous", texts.PREVIOUS(), str(home.part - 1)))
        if home.part + 1 < home.parts:
            turns.append(button("home_part:next", texts.NEXT(), str(home.part + 1)))
    blocks: list[Block] = [{"type": "actions", "elements": [*pages, *turns]}] if len(pages) + len(turns) > 1 else []
    return [*blocks, context(sentences(*here))]


# ------------------------------------------------------------------------------------------------------ styles


def _overview_blocks(home: Home) -> list[Block]:
    if not home.overviews:
        return [section(texts.NO_STYLES())]
    return [block for overview in home.overviews for block in _style_blocks(overview, is_admin=home.is_admin)]


def _style_blocks(style: StyleOverview, *, is_admin: bool) -> list[Block]:
    """At most 9 blocks."""
    buttons = [button(f"home_charts:{style.style_id}", texts.CHARTS(), style.style_id)]
    if is_admin:
        buttons.append(button(f"home_edit_style:{style.style_id}", texts.EDIT(), style.style_id))
    return [
        header(texts.style_header(style.name, is_private=style.is_private)),
        section(next_step(style)),
        section(lines(*champion_lines(style))),
        section(words.examples(style.new_by_week, style.approved, style.proposed)),
        section(words.effort(style.effort_by_week, style.effort, style.trend)),
        section(lines(draft_line(style), contributor_line(style.contributors, MAX_CONTRIBUTORS))),
        section(lines(words.next_training(style.next_training, is_due=style.is_training_due), spend_line(style))),
        {"type": "actions", "elements": buttons},
        DIVIDER,
    ]


def next_step(style: StyleOverview) -> str:
    return words.next_action(style.next_action, style.name, style.spend.currency)


def champion_lines(style: StyleOverview) -> list[str]:
    if style.champion_since is None:
        return [words.NO_CHAMPION()]
    champion = words.champion(style.champion_rung, style.champion_adapter, style.champion_since)
    score = words.score(style.score, style.pairs_needed) if style.score else words.NOT_MEASURED()
    verdict = words.verdict(escape(style.verdict)) if style.verdict else ""
    return [line for line in (champion, score, verdict, style.trial) if line]


def draft_line(style: StyleOverview) -> str:
    counts = style.drafts
    return words.drafts(counts.made, counts.kept, counts.edited, counts.discarded, counts.posted)


def contributor_line(contributors: Iterable[Contributor], most: int) -> str:
    known = list(contributors)
    if not known:
        return words.NO_CONTRIBUTORS()
    named = [(contributor_name(one), one.count) for one in known[:most]]
    return words.contributors(named, len(known) - len(named))


def contributor_name(contributor: Contributor) -> str:
    """A name and no mention: nobody is called by a list of figures."""
    if contributor.user_id == "operator":
        return words.OPERATOR()
    return escape(shorten(contributor.name, 60)) or words.SOMEBODY()


def spend_line(style: StyleOverview) -> str:
    spend = style.spend
    own = budget.spent(spend.spent, spend.limit, spend.currency)
    if spend.team_limit is None:
        return words.spend(own)
    return words.spend_with_team(own, budget.spent(spend.team_spent, spend.team_limit, spend.currency))


def chart_blocks(style: StyleOverview) -> list[Block]:
    """Up to two charts, each followed by its figures in words; none when there is nothing to draw."""
    blocks: list[Block] = []
    if style.approved:
        blocks += [
            week_chart(
                "area", words.EXAMPLES_CHART(), words.EXAMPLES_SERIES(), style.total_by_week,
                x_label=words.WEEK_AXIS(), y_label=words.EXAMPLES_AXIS(),
            ),
            context(words.examples_chart_text(style.total_by_week)),
        ]  # fmt: skip
    if style.effort_by_week.known:
        blocks += [
            week_chart(
                "line", words.EFFORT_CHART(), words.EFFORT_SERIES(), style.effort_by_week,
                x_label=words.WEEK_AXIS(), y_label=words.EFFORT_AXIS(),
            ),
            context(words.effort_chart_text(style.effort_by_week)),
        ]  # fmt: skip
    return blocks


def charts_message(style: StyleOverview) -> tuple[str, list[Block]]:
    """The direct message behind "Show as charts": its text, and its blocks."""
    name = escape(style.name)
    charts = chart_blocks(style)
    text = texts.charts_intro(name) if charts else texts.no_charts(name)
    return text, [section(text), *charts]


# ---------------------------------------------------------------------------------------------------- settings


def _settings_blocks(home: Home) -> list[Block]:
    assert home.team is not None, "the settings page carries the workspace's"
    team = home.team
    workspace = texts.team_settings(
        team.zone.key, team.digest_weekday, team.digest_hour,
        budget.spent(home.team_spent, team.monthly_budget, home.currency),
    )  # fmt: skip
    blocks = [
        section(workspace) | {"accessory": button("home_edit_team", texts.EDIT_TEAM(), "team")},
        section(texts.roles([f"<@{user_id}>" for user_id in home.admin_ids])),
        DIVIDER,
    ]
    if not home.settings:
        blocks.append(section(texts.NO_STYLES()))
    return blocks + [_style_settings_block(style, home.currency) for style in home.settings]


def _style_settings_block(style: StyleSettings, currency: str) -> Block:
    text = texts.style_settings(
        escape(style.name),
        texts.training_policy(style.train_after_examples, style.train_on_gain_bits),
        texts.training_hours(style.train_from_hour, style.train_to_hour),
        texts.review_policy(
            style.approvals_required, [f"<@{user_id}>" for user_id in style.reviewer_ids],
            may_approve_own=style.may_approve_own,
        ),
        budget.spent(style.spent, style.monthly_budget, currency),
        texts.DIGEST_ON() if style.is_digest_on else texts.DIGEST_OFF(),
    )  # fmt: skip
    return section(text) | {"accessory": button(f"home_edit_style:{style.style_id}", texts.EDIT(), style.style_id)}


def _changes_blocks(home: Home) -> list[Block]:
    lines = [section(line) for line in home.changes]
    return [section(texts.CHANGES_INTRO()), *(lines or [section(texts.NO_CHANGES())])]


def team_form_view(zone: str, weekday: int, hour: int, monthly_budget: float | None) -> dict[str, Any]:
    """The modal in which an admin sets what holds for the whole workspace."""
    days = [{"text": plain(name(), 75), "value": str(number)} for number, name in enumerate(texts.WEEKDAYS)]
    fields: list[tuple[str, str, str, Block]] = [
        (
            "zone",
            texts.ZONE(),
            texts.ZONE_HINT(),
            {"type": "plain_text_input", "initial_value": zone, "max_length": 64},
        ),
        ("weekday", texts.WEEKDAY(), "", {"type": "static_select", "options": days, "initial_option": days[weekday]}),
        ("hour", texts.HOUR(), "", {"type": "number_input", "is_decimal_allowed": False, "initial_value": str(hour)}),
        ("budget", texts.BUDGET(), style_texts.BUDGET_HINT(), amount_input(monthly_budget)),
    ]
    return {
        "type": "modal",
        "callback_id": "team_form",
        "title": plain(texts.TEAM_TITLE(), 24),
        "submit": plain(texts.SAVE(), 24),
        "close": plain(texts.CANCEL(), 24),
        "blocks": [
            {
                "type": "input",
                "block_id": name,
                "label": plain(label, 2_000),
                "element": element | {"action_id": name},
                "optional": name == "budget",
            }
            | ({"hint": plain(hint, 2_000)} if hint else {})
            for name, label, hint, element in fields
        ],
    }
