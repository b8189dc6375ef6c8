"""The style form and the list of styles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bot.blocks.text import plain, section
from bot.domain.safe_text import escape
from bot.language import Sentence
from bot.texts import styles as texts

#: A message has room for 50 blocks.
MAX_STYLES = 45
#: Each reviewer is looked up before the form is answered, within Slack's three seconds.
MAX_REVIEWERS = 10
#: Stands for "no recipe of its own": an option's value cannot be empty.
NO_RECIPE = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class FormValues:
    """What the form shows when it opens."""

    name: str = ""
    instructions: str = ""
    required_terms: tuple[str, ...] = ()
    forbidden_terms: tuple[str, ...] = ()
    kind: str = "draft"
    channel_id: str = ""
    reviewer_ids: tuple[str, ...] = ()
    approvals_required: int = 1
    may_approve_own: bool = False
    train_after_examples: int = 50
    train_on_gain_bits: float | None = None
    train_from_hour: int = 0
    train_to_hour: int = 0
    recipe: str = ""
    monthly_budget: float | None = None
    is_digest_on: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class FormChoices:
    """What can be chosen besides."""

    recipes: tuple[str, ...] = ()
    #: Offer a style for the private channel that the command was typed in.
    offers_private: bool = False
    is_new: bool = True
    values: FormValues = field(default_factory=FormValues)


def style_form_view(metadata: str, form: FormChoices) -> dict[str, Any]:
    values = form.values
    blocks = [
        _input("name", texts.NAME(), _text(values.name, 80), hint=texts.NAME_HINT()),
        _input(
            "instructions", texts.INSTRUCTIONS(), _text(values.instructions, 3_000, multiline=True),
            hint=texts.INSTRUCTIONS_HINT(),
        ),
        _input(
            "required_terms", texts.REQUIRED_TERMS(), _lines(values.required_terms), hint=texts.REQUIRED_TERMS_HINT(),
            optional=True,
        ),
        _input(
            "forbidden_terms", texts.FORBIDDEN_TERMS(), _lines(values.forbidden_terms),
            hint=texts.FORBIDDEN_TERMS_HINT(), optional=True,
        ),
        _input("kind", texts.KIND(), _select(_said(texts.KINDS), values.kind)),
    ]  # fmt: skip
    if form.offers_private:
        blocks.append(_input("scope", texts.SCOPE(), _select(_said(texts.SCOPES), "workspace")))
    recipes = {NO_RECIPE: texts.RECIPE_NONE()} | {name: name for name in (*form.recipes, values.recipe) if name}
    blocks += [
        _input("channel", texts.CHANNEL(), _channel(values.channel_id)),
        _input("reviewers", texts.REVIEWERS(), _people(values.reviewer_ids), hint=texts.REVIEWERS_HINT()),
        _input("approvals", texts.APPROVALS(), _number(values.approvals_required)),
        _input("own", texts.OWN(), _checkbox(texts.OWN_OPTION(), values.may_approve_own), optional=True),
        _input("train_after", texts.TRAIN_AFTER(), _number(values.train_after_examples), hint=texts.TRAIN_AFTER_HINT()),
        _input(
            "train_gain", texts.TRAIN_GAIN(), _decimal(values.train_on_gain_bits), hint=texts.TRAIN_GAIN_HINT(),
            optional=True,
        ),
        _input("train_from", texts.TRAIN_FROM(), _number(values.train_from_hour)),
        _input("train_to", texts.TRAIN_TO(), _number(values.train_to_hour), hint=texts.TRAIN_TO_HINT()),
        _input("recipe", texts.RECIPE(), _select(recipes, values.recipe or NO_RECIPE)),
        _input("budget", texts.BUDGET(), amount_input(values.monthly_budget), hint=texts.BUDGET_HINT(), optional=True),
        _input("digest", texts.DIGEST(), _checkbox(texts.DIGEST_OPTION(), values.is_digest_on), optional=True),
    ]  # fmt: skip
    return {
        "type": "modal",
        "callback_id": "style_form",
        "private_metadata": metadata,
        "title": plain(texts.NEW_TITLE() if form.is_new else texts.EDIT_TITLE(), 24),
        "submit": plain(texts.CREATE() if form.is_new else texts.SAVE(), 24),
        "close": plain(texts.CANCEL(), 24),
        "blocks": blocks,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class StyleSummary:
    """One line of `/huisstijl styles`."""

    name: str
    kind: str
    is_private: bool
    champion: str
    approved: int
    proposed: int
    reviewer_ids: tuple[str, ...]
    approvals_required: int


def styles_blocks(summaries: Sequence[StyleSummary]) -> list[dict[str, Any]]:
    if not summaries:
        return [section(texts.NO_STYLES())]
    return [
        section(
            texts.summary(
                escape(s.name), s.kind, s.is_private, s.champion, s.approved, s.proposed,
                [f"<@{user_id}>" for user_id in s.reviewer_ids], s.approvals_required,
            )
        )
        for s in summaries[:MAX_STYLES]
    ]  # fmt: skip


def _input(
    block_id: str, label: str, element: dict[str, Any], *, hint: str = "", optional: bool = False
) -> dict[str, Any]:
    block = {
        "type": "input",
        "block_id": block_id,
        "label": plain(label, 2_000),
        "element": element | {"action_id": block_id},
        "optional": optional,
    }
    return block | {"hint": plain(hint, 2_000)} if hint else block


def _text(initial: str, most: int, *, multiline: bool = False) -> dict[str, Any]:
    element: dict[str, Any] = {
        "type": "plain_text_input", "multiline": multiline, "max_length": most,
    }  # fmt: skip
    return element | {"initial_value": initial[:most]} if initial else element


def _lines(initial: tuple[str, ...]) -> dict[str, Any]:
    return _text("\n".join(initial), 3_000, multiline=True)


def _number(initial: int) -> dict[str, Any]:
    # The range is checked by us: what is wrong is then said in a sentence beside the input.
    return {"type": "number_input", "is_decimal_allowed": False, "initial_value": str(initial)}


def _decimal(initial: float | None) -> dict[str, Any]:
    element: dict[str, Any] = {"type": "number_input", "is_decimal_allowed": True}
    return element if initial is None else element | {"initial_value": f"{initial:g}"}


def amount_input(initial: float | None) -> dict[str, Any]:
    element: dict[str, Any] = {"type": "number_input", "is_decimal_allowed": True}
    return element if initial is None else element | {"initial_value": f"{initial:.2f}"}


def _select(options: dict[str, str], initial: str) -> dict[str, Any]:
    shown = {value: {"text": plain(label, 75), "value": value[:150]} for value, label in options.items()}
    return {
        "type": "static_select",
        "options": list(shown.values())[:100],
        "initial_option": shown[initial],
    }


def _said(labels: Mapping[str, Sentence]) -> dict[str, str]:
    return {value: label() for value, label in labels.items()}


def _channel(initial: str) -> dict[str, Any]:
    element: dict[str, Any] = {
        "type": "conversations_select",
        "filter": {"include": ["public", "private"], "exclude_external_shared_channels": True},
    }
    return element | {"initial_conversation": initial} if initial else element


def _people(initial: tuple[str, ...]) -> dict[str, Any]:
    element: dict[str, Any] = {
        "type": "multi_users_select", "max_selected_items": MAX_REVIEWERS,
    }  # fmt: skip
    return element | {"initial_users": list(initial)} if initial else element


def _checkbox(label: str, checked: bool) -> dict[str, Any]:
    option = {"text": plain(label, 75), "value": "yes"}
    element: dict[str, Any] = {"type": "checkboxes", "options": [option]}
    return element | {"initial_options": [option]} if checked else element
