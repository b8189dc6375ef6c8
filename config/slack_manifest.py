"""The Slack app as data: what Slack has to know before the bot can be installed.

By default no scope here reads a channel's history. `im:history` is how Slack names the right to hear what people write
to the bot itself in a direct message. Two things are for who asks for them: flagging a message with an emoji, whose
event carries no text, so that this one message is read (and, of a reply that is taught, the message that it answers);
and admins by user group.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from config.settings import Settings

#: Slack's page that creates an app; it takes a whole manifest in its address.
CREATE_APP_URL = "https://api.slack.com/apps?new_app=1&manifest_json="

#: Scope → what breaks without it.
BOT_SCOPES: dict[str, str] = {
    "app_mentions:read": "hear mentions",
    "assistant:write": "live in Slack's agent view",
    "channels:read": "know whether a channel is public or private",
    "chat:write": "post and stream drafts",
    "commands": "slash commands and the message shortcut",
    "files:read": "know when a picture has been shared, and read the documents that people add",
    "files:write": "post the loss curve",
    "groups:read": "know that a private channel is private",
    "im:history": "hear direct messages to the bot",
    "im:read": "know a direct message from a channel",
    "im:write": "tell somebody something in private",
    "users:read": "know who is an admin, a guest or deactivated",
}

#: For flagging any message with an emoji: to hear of it, and to read the one message that was flagged.
REACTION_SCOPES: dict[str, str] = {
    "reactions:read": "hear that somebody flagged a message",
    "channels:history": "read the one message that was flagged, or that a taught reply answers, in a public channel",
    "groups:history": "read the one message that was flagged, or that a taught reply answers, in a private channel",
}
REACTION_EVENTS: tuple[str, ...] = ("reaction_added",)

#: For admins by user group.
USERGROUP_SCOPES: dict[str, str] = {"usergroups:read": "know who is in the admins' user group"}

#: `app_context_changed` (which channel somebody looks at beside the direct message) is left out: Slack's reference
#: page shows it without the person and without the direct message, its SDK's types with both; and prompts for a
#: direct message may be of workspace-wide styles only. See docs.slack.dev/reference/events/app_context_changed.
BOT_EVENTS: tuple[str, ...] = (
    "agent_session_stopped",
    "app_home_opened",
    "app_mention",
    "app_uninstalled",
    "message.im",
    "tokens_revoked",
)


def needed_scopes(*, with_reactions: bool = False, with_usergroup: bool = False) -> dict[str, str]:
    """Scope → what breaks without it."""
    more = (REACTION_SCOPES if with_reactions else {}) | (USERGROUP_SCOPES if with_usergroup else {})
    return BOT_SCOPES | more


def manifest_for(settings: Settings) -> dict[str, Any]:
    """The manifest that an installation with these settings needs."""
    return build_manifest(with_reactions=bool(settings.flag_reaction), with_usergroup=bool(settings.admin_usergroup))


def create_app_link(manifest: dict[str, Any]) -> str:
    """The address that opens Slack's "create app" with this manifest filled in."""
    return CREATE_APP_URL + quote(json.dumps(manifest, separators=(",", ":")), safe="")


def build_manifest(
    request_url: str = "", *, with_reactions: bool = False, with_usergroup: bool = False
) -> dict[str, Any]:
    """The manifest for Socket Mode, or for HTTP mode when a public `https://…/slack/events` is given."""
    scopes = needed_scopes(with_reactions=with_reactions, with_usergroup=with_usergroup)
    events = (*BOT_EVENTS, *(REACTION_EVENTS if with_reactions else ()))
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
                },
                {
                    "name": "Add to knowledge",
                    "type": "message",
                    "callback_id": "add_knowledge",
                    "description": "Let drafts take facts from this file",
                },
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
        "oauth_config": {"scopes": {"bot": sorted(scopes)}},
        "settings": {
            "event_subscriptions": {"bot_events": sorted(events), **over_http},
            "interactivity": {"is_enabled": True, **over_http},
            "org_deploy_enabled": False,
            "socket_mode_enabled": not request_url,
            "token_rotation_enabled": False,
        },
    }
