"""The Slack app as data: what Slack has to know before the bot can be installed.

No scope here reads a channel's history. `im:history` is how Slack names the right to hear what people write to the
bot itself in a direct message; no code path calls a history method.
"""

from __future__ import annotations

from typing import Any

#: Scope → what breaks without it.
BOT_SCOPES: dict[str, str] = {
    "app_mentions:read": "hear mentions",
    "assistant:write": "live in Slack's agent view",
    "channels:read": "know whether a channel is public or private",
    "chat:write": "post and stream drafts",
    "commands": "slash commands and the message shortcut",
    "files:read": "know when a picture has been shared",
    "files:write": "post the loss curve",
    "groups:read": "know that a private channel is private",
    "im:history": "hear direct messages to the bot",
    "im:read": "know a direct message from a channel",
    "im:write": "tell somebody something in private",
    "users:read": "know who is an admin, a guest or deactivated",
}

BOT_EVENTS: tuple[str, ...] = (
    "agent_session_stopped",
    "app_home_opened",
    "app_mention",
    "app_uninstalled",
    "message.im",
    "tokens_revoked",
)


def build_manifest(request_url: str = "") -> dict[str, Any]:
    """The manifest for Socket Mode, or for HTTP mode when a public `https://…/slack/events` is given."""
    over_http = {"request_url": request_url} if request_url else {}
    with_url = {"url": request_url} if request_url else {}
    return {
        "_metadata": {"major_version": 2, "minor_version": 1},
        "display_information": {
            "name": "Huisstijl",
            "description": "Drafts in our house style",
            "background_color": "#1d3557",
        },
        "features": {
            "agent_view": {
                "agent_description": "Drafts in your team's house style, learnt from examples the team approved.",
                "suggested_prompts": [{"title": "Draft something", "message": "Draft an announcement about "}],
            },
            "app_home": {
                "home_tab_enabled": True,
                "messages_tab_enabled": True,
                "messages_tab_read_only_enabled": False,
            },
            "bot_user": {"display_name": "Huisstijl", "always_online": True},
            "shortcuts": [
                {
                    "name": "Teach house style",
                    "type": "message",
                    "callback_id": "teach_style",
                    "description": "Propose this message as a good example",
                }
            ],
            "slash_commands": [
                {
                    "command": "/draft",
                    "description": "Write a draft in house style",
                    "usage_hint": "[--private] [style:] what to write",
                    "should_escape": True,
                    **with_url,
                },
                {
                    "command": "/huisstijl",
                    "description": "Styles, training, the ladder",
                    "usage_hint": "help",
                    "should_escape": True,
                    **with_url,
                },
            ],
        },
        "oauth_config": {"scopes": {"bot": sorted(BOT_SCOPES)}},
        "settings": {
            "event_subscriptions": {"bot_events": list(BOT_EVENTS), **over_http},
            "interactivity": {"is_enabled": True, **over_http},
            "org_deploy_enabled": False,
            "socket_mode_enabled": not request_url,
            "token_rotation_enabled": False,
        },
    }
