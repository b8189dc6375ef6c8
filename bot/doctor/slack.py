"""Slack's side: tokens, the scopes behind them, and this host's clock against Slack's."""

from __future__ import annotations

import re
import time
from email.utils import parsedate_to_datetime
from typing import Any

from slack_sdk.errors import SlackApiError, SlackClientError

from bot.doctor.findings import Finding, fail, ok, warn
from bot.slack import make_web_client
from bot.texts import setup as texts
from config.settings import Settings
from config.slack_manifest import needed_scopes

TIMEOUT_SECONDS = 10.0
#: Scopes that every token has, whatever the manifest says.
_ALWAYS = frozenset({"identify"})
#: Clock skew that is worth a look, and that makes signatures fail soon.
WARN_SKEW_SECONDS, FAIL_SKEW_SECONDS = 30.0, 240.0


def check_slack(settings: Settings) -> list[Finding]:
    """Everything that can be asked of Slack with the tokens there are."""
    token = settings.slack_bot_token
    if token is None:
        found = fail("bot token", texts.NO_BOT_TOKEN, texts.NO_BOT_TOKEN_MEND)
        return [found, *_not_asked("scopes", "clock"), _check_door(settings)]
    if not token.get_secret_value().startswith("xoxb-"):
        found = fail("bot token", texts.NOT_A_BOT_TOKEN, texts.NOT_A_BOT_TOKEN_MEND)
        return [found, *_not_asked("scopes", "clock"), _check_door(settings)]
    client = make_web_client(token.get_secret_value(), settings.slack_api_url, TIMEOUT_SECONDS)
    try:
        me = client.auth_test()
    except SlackApiError as error:
        found = fail("bot token", texts.slack_says(_code(error)), texts.TOKEN_MEND)
        return [found, *_not_asked("scopes", "clock"), _check_door(settings)]
    except (SlackClientError, OSError) as error:
        seen = texts.slack_unreachable(settings.slack_api_url, type(error).__name__)
        found = fail("bot token", seen, texts.UNREACHABLE_MEND)
        return [found, *_not_asked("scopes", "clock"), _check_door(settings)]
    headers = {str(name).lower(): _first(value) for name, value in me.headers.items()}
    return [
        ok("bot token", texts.bot_token_works(str(me["user"]), str(me["team"]))),
        _check_scopes(settings, headers.get("x-oauth-scopes")),
        _check_clock(headers.get("date")),
        _check_door(settings),
    ]


def _check_scopes(settings: Settings, said: str | None) -> Finding:
    if said is None:
        return warn("scopes", texts.SCOPES_UNSAID, texts.SCOPES_UNSAID_MEND)
    granted = {scope.strip() for scope in said.split(",") if scope.strip()} - _ALWAYS
    needed = needed_scopes(
        with_reactions=bool(settings.flag_reaction), with_usergroup=bool(settings.admin_usergroup)
    )  # fmt: skip
    missing, extra = sorted(set(needed) - granted), sorted(granted - set(needed))
    if missing:
        return fail("scopes", texts.scopes_missing(missing), texts.scopes_mend([needed[scope] for scope in missing]))
    if extra:
        return warn("scopes", texts.scopes_too_many(extra), texts.SCOPES_TOO_MANY_MEND)
    return ok("scopes", texts.scopes_granted(len(needed)))


def _check_clock(date: str | None) -> Finding:
    if date is None:
        return warn("clock", texts.CLOCK_UNSAID, texts.CLOCK_MEND)
    seconds = time.time() - parsedate_to_datetime(date).timestamp()
    seen = texts.clock_off(seconds, "Slack")
    if abs(seconds) >= FAIL_SKEW_SECONDS:
        return fail("clock", seen, texts.CLOCK_MEND)
    if abs(seconds) >= WARN_SKEW_SECONDS:
        return warn("clock", seen, texts.CLOCK_MEND)
    return ok("clock", seen)


def _check_door(settings: Settings) -> Finding:
    """How deliveries come in: the app-level token of Socket Mode, or the signing secret of HTTP mode."""
    if settings.slack_mode == "http":
        return _check_signing_secret(settings)
    token = settings.slack_app_token
    if token is None:
        return fail("app token", texts.NO_APP_TOKEN, texts.APP_TOKEN_MEND)
    client = make_web_client("", settings.slack_api_url, TIMEOUT_SECONDS)
    try:
        client.apps_connections_open(app_token=token.get_secret_value())
    except SlackApiError as error:
        return fail("app token", texts.slack_says(_code(error)), texts.APP_TOKEN_MEND)
    except (SlackClientError, OSError) as error:
        seen = texts.slack_unreachable(settings.slack_api_url, type(error).__name__)
        return fail("app token", seen, texts.UNREACHABLE_MEND)
    return ok("app token", texts.APP_TOKEN_WORKS)


def _check_signing_secret(settings: Settings) -> Finding:
    secret = settings.slack_signing_secret
    if secret is None:
        return fail("signing secret", texts.NO_SIGNING_SECRET, texts.SIGNING_SECRET_MEND)
    if not re.fullmatch(r"[0-9a-f]{32}", secret.get_secret_value()):
        return warn("signing secret", texts.SIGNING_SECRET_SHORT, texts.SIGNING_SECRET_MEND)
    return ok("signing secret", texts.SIGNING_SECRET_SET)


def _not_asked(*checks: str) -> list[Finding]:
    return [warn(check, texts.NOT_ASKED, texts.NOT_ASKED_MEND) for check in checks]


def _code(error: SlackApiError) -> str:
    response: Any = error.response
    return str(response.get("error", "")) if hasattr(response, "get") else str(response)


def _first(value: Any) -> str:
    return str(value[0]) if isinstance(value, list) else str(value)
