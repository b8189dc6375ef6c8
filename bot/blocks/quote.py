"""The quote for a training run, with its two buttons."""

from __future__ import annotations

from typing import Any

from bot.domain.economy import Economy
from bot.domain.quote import Quote
from bot.texts import training as texts
from bot.texts.economy import economy_says

Blocks = list[dict[str, Any]]


def quote_message(
    quote_id: str,
    style_name: str,
    quote: Quote,
    *,
    price_per_hour: float,
    trainer: str,
    is_statement_needed: bool,
    economy: Economy | None = None,
) -> tuple[str, Blocks]:
    """Text and blocks. With what the last measurement says about when the run is paid for, and the statement on
    training data when it has not been accepted yet."""
    headline = texts.quote_headline(style_name, quote)
    blocks = [
        _section(headline),
        _section(texts.quote_examples(quote)),
        *([_section(recipe)] if (recipe := texts.quote_recipe(quote)) else []),
        _section(texts.quote_time(quote, price_per_hour=price_per_hour)),
        *(_section(one) for one in economy_says(economy)),
        _section(texts.QUOTE_MEASURED()),
        *([_section(texts.QUOTE_FULL())] if quote.is_full_tuned else []),
        {"type": "context", "elements": [{"type": "mrkdwn", "text": trainer}]},
    ]
    if is_statement_needed:
        blocks += [{"type": "divider"}, _section(texts.STATEMENT())]
    confirm = texts.ACCEPT_BUTTON() if is_statement_needed else texts.TRAIN_BUTTON()
    blocks.append(
        {
            "type": "actions",
            "elements": [
                _button("confirm_train", confirm, quote_id) | {"style": "primary"},
                _button("cancel_train", texts.CANCEL_BUTTON(), quote_id),
            ],
        }
    )
    return headline, blocks


def terms_message(style_id: str, style_name: str) -> tuple[str, Blocks]:
    """Text and blocks of the notice that only the statement on training data is missing."""
    text = texts.terms_notice(style_name)
    accept = _button("accept_terms", texts.ACCEPT_ONLY_BUTTON(), style_id) | {"style": "primary"}
    return text, [_section(text), _section(texts.STATEMENT()), {"type": "actions", "elements": [accept]}]


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def _button(action_id: str, text: str, value: str) -> dict[str, Any]:
    return {
        "type": "button",
        "action_id": action_id,
        "value": value,
        "text": {"type": "plain_text", "text": text},
    }
