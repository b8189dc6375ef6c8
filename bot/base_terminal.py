"""`huisstijl base …`: changing the base model as the operator does it in a terminal. Each returns the exit status."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Collection
from typing import Any

import httpx

from bot.language import money
from bot.offered_models import list_offered_models, open_model_server
from bot.operations.base_change import (
    BaseChangeRefused,
    PlannedStyle,
    StyleState,
    abandon_change,
    ask_for_change,
    find_style_ids,
    plan_change,
    read_progress,
    sign_off,
)
from bot.operations.transfer import opened
from bot.texts import terminal as words
from config.base_names import base_model_id
from config.settings import Settings, child_environment
from db.base_changes import OtherChangeOpen
from db.promotions import ChampionMoved

Say = Callable[[str], None]
#: Importing torch to ask a GPU, and reading a large model once for its digest.
CHECK_SECONDS = 600.0


def change(settings: Settings, new: str, *, is_sure: bool, say: Say, ask: Callable[[str], bool]) -> int:
    """Check that the model can be had, say what will happen and what it takes, then open the change."""
    found = check_base_model(settings, new)
    if found.get("problem"):
        say(words.base_unusable(new, str(found["problem"])))
        return 1
    say(
        words.base_usable(
            base_model_id(new), found["gib"], found["context_tokens"], found["needed_gib"], found["free_gib"]
        )
    )
    with opened(settings) as database:
        try:
            planned = plan_change(database, settings, new)
            for one in planned:
                say(_planned(one, settings))
            quotes = [one.quote for one in planned if one.quote]
            cost = money(sum(quote.cost for quote in quotes), settings.currency)
            say(words.planned_in_all(quotes, cost))
            if not is_sure and not ask(words.ASK_TO_OPEN):
                say(words.NOT_OPENED)
                return 1
            ask_for_change(database, new)
        except (BaseChangeRefused, OtherChangeOpen) as refused:
            say(_sentence(refused))
            return 1
    say(words.change_opened(base_model_id(new)))
    return 0


def check_base_model(settings: Settings, new: str, *, seconds: float = CHECK_SECONDS) -> dict[str, Any]:
    """What the trainer finds out about a base model on this host: `{gib, needed_gib, free_gib, context_tokens}`, or
    `{problem}`. In a process of its own, since it asks torch."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "trainer.base_check", new], capture_output=True, text=True, check=False,
            timeout=seconds, env=child_environment(settings),
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return {"problem": words.check_took_too_long(seconds)}
    try:
        found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    except (ValueError, IndexError):
        return {"problem": words.check_failed(done.stderr.strip().splitlines()[-1:] or [""])}
    return found


def _planned(one: PlannedStyle, settings: Settings) -> str:
    what = one.left_out
    if one.quote is not None:
        cost = money(one.quote.cost, settings.currency)
        what = words.planned_run(one.kind.value, one.quote, cost)
    return words.planned_style(one.style_name, one.serves.shown, base_model_id(one.serves.base_model), what)


def status(settings: Settings, *, say: Say) -> int:
    """Where each style is."""
    with opened(settings) as database:
        try:
            base_model, styles = read_progress(database, settings)
        except BaseChangeRefused as refused:
            say(_sentence(refused))
            return 1
    say(words.change_title(base_model_id(base_model)))
    for one in styles:
        base = base_model_id(one.serves.base_model)
        say(words.progress_of_style(one.style_name, one.state.value, one.standing, one.serves.shown, base, one.said))
    return 0


def accept(settings: Settings, style: str, *, is_every: bool, is_anyway: bool, say: Say) -> int:
    """Sign off one style, or all that can be; 1 when one was not signed off."""
    if bool(style) == is_every:
        say(words.NAME_OR_ALL)
        return 2
    with opened(settings) as database:
        try:
            base_model, styles = read_progress(database, settings)
            wanted = find_style_ids(database, style)
            offered = _read_offered(settings)
        except BaseChangeRefused as refused:
            say(_sentence(refused))
            return 1
        skipped = {one.style_id for one in styles if one.state in (StyleState.ACCEPTED, StyleState.LEFT_OUT)}
        code, is_over = 0, False
        for style_id in wanted:
            if is_every and style_id in skipped:
                continue
            try:
                done = sign_off(database, settings, style_id, offered=offered, is_anyway=is_anyway)
            except (BaseChangeRefused, ChampionMoved) as refused:
                say(_sentence(refused))
                code = 1
                continue
            say(words.signed_off(done.style_name, done.now.shown, base_model_id(done.now.base_model)))
            is_over = is_over or done.is_last
    if is_over:
        say(words.change_done(base_model, settings.base_model))
    return code


def _read_offered(settings: Settings) -> Collection[str]:
    with open_model_server(settings) as client:
        try:
            return frozenset(list_offered_models(client))
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            raise BaseChangeRefused(words.server_silent(settings.resolved_model_url, type(error).__name__)) from error


def abandon(settings: Settings, *, say: Say) -> int:
    """Take everything back."""
    with opened(settings) as database:
        try:
            base_model, taken_back = abandon_change(database, settings)
        except (BaseChangeRefused, ChampionMoved) as refused:
            say(_sentence(refused))
            return 1
    for one in taken_back:
        say(words.taken_back(one.style_name, one.now.shown, base_model_id(one.now.base_model)))
    say(words.change_abandoned(base_model, settings.base_model))
    return 0


def _sentence(error: Exception) -> str:
    return str(error) or " ".join(str(type(error).__doc__).split())
