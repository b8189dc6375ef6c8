"""What a local workspace is like: its times, and the app that is installed in it.

Every time Slack has is a field here in real seconds, so that a test scales exactly the one it is about.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

#: Granted to the app unless a manifest says otherwise: no history but that of its own direct messages.
DEFAULT_SCOPES = (
    "app_mentions:read",
    "assistant:write",
    "channels:read",
    "chat:write",
    "commands",
    "files:read",
    "files:write",
    "groups:read",
    "im:history",
    "im:read",
    "im:write",
    "usergroups:read",
    "users:read",
)

#: Events the app hears of unless a manifest says otherwise.
DEFAULT_EVENTS = (
    "agent_session_stopped",
    "app_context_changed",
    "app_home_opened",
    "app_mention",
    "app_uninstalled",
    "channel_shared",
    "channel_unshared",
    "member_joined_channel",
    "message.im",
    "tokens_revoked",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledApp:
    """What the app's manifest grants it. Empty `commands` or `shortcuts` mean: any."""

    scopes: tuple[str, ...] = DEFAULT_SCOPES
    events: tuple[str, ...] = DEFAULT_EVENTS
    commands: tuple[str, ...] = ()
    shortcuts: tuple[str, ...] = ()
    #: Signed HTTP events go here. None: Socket Mode.
    request_url: str | None = None
    #: The manifest's `features`: how commands and shortcuts are described to people.
    features: Json = field(default_factory=dict)

    @staticmethod
    def from_manifest(manifest: Json, *, request_url: str | None = None) -> InstalledApp:
        """Read the parts of a Slack app manifest that decide what the app may do and hear."""
        features = manifest.get("features", {})
        settings = manifest.get("settings", {})
        return InstalledApp(
            scopes=tuple(manifest.get("oauth_config", {}).get("scopes", {}).get("bot", ())),
            events=tuple(settings.get("event_subscriptions", {}).get("bot_events", ())),
            commands=tuple(c["command"] for c in features.get("slash_commands", ())),
            shortcuts=tuple(s["callback_id"] for s in features.get("shortcuts", ())),
            request_url=request_url,
            features=features,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkspaceOptions:
    """Slack's own times and limits, in seconds, each of which a test may shorten."""

    ack_seconds: float = 3.0
    #: Waits before the first, second and third redelivery of an event.
    retry_seconds: tuple[float, ...] = (0.0, 60.0, 300.0)
    trigger_seconds: float = 3.0
    stream_seconds: float = 300.0
    response_url_seconds: float = 1800.0
    response_url_uses: int = 5
    #: Slack answers files.completeUploadExternal before the file appears in the channel.
    share_seconds: float = 0.05
    #: A status such as "is thinking…" disappears by itself after this long.
    status_seconds: float = 120.0
    #: Web API calls and deliveries that the journal keeps; the oldest leave first.
    journal_entries: int = 100_000
    http_connections: int = 50
