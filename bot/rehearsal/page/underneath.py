"""What happens underneath, for the page's side panel: deliveries, Web API calls, changed rows, prompts.

It is what the operator of this installation could see in its logs and files, whoever one acts as. Every entry comes
from where the thing happened: the workspace's journal, the bot's database, the file in which the model client wrote
what it sent. Secrets and addresses that stand for one are blotted out.
"""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any

from bot.rehearsal.page.rows import RowWatch

if TYPE_CHECKING:
    from pathlib import Path

    from bot.rehearsal.journal import Call, Delivery, Journal
    from bot.rehearsal.options import Json

KEPT_ENTRIES = 2_000
MAX_TEXT = 4_000
BLOT = "•••"
_SECRET_KEYS = frozenset({"token", "trigger_id", "response_url", "upload_url", "client_secret", "signing_secret"})
_SECRET_STARTS = ("xoxb-", "xapp-", "xoxp-", "client-")


class Underneath:
    """Gathers entries when somebody looks. Thread-safe."""

    def __init__(self, journal: Journal, *, database_url: str = "", prompts: Path | None = None) -> None:
        self._journal = journal
        self._rows = RowWatch(database_url) if database_url else None
        self._prompts = prompts
        self._lock = threading.Lock()
        self._version = 0
        self._entries: dict[str, tuple[int, Json]] = {}
        self._calls_seen = self._deliveries_seen = self._prompt_bytes = 0
        self._unsettled: dict[str, Delivery] = {}

    @property
    def sources(self) -> Json:
        return {"rows": self._rows is not None, "prompts": self._prompts is not None}

    def close(self) -> None:
        if self._rows is not None:
            self._rows.close()

    def entries(self, *, since: int = 0, limit: int = 200) -> tuple[int, list[Json]]:
        """(version, entries that are new or changed since that version, by time): at most the newest `limit`."""
        with self._lock:
            self._gather()
            found = [entry for version, entry in self._entries.values() if version > since]
            return self._version, sorted(found, key=lambda entry: float(entry["at"]))[-limit:]

    def _gather(self) -> None:
        self._calls_seen, calls = self._journal.calls_after(self._calls_seen)
        for number, call in calls:
            self._put(f"call:{number}", "call", call.at, _told_call(call))
        self._deliveries_seen, deliveries = self._journal.deliveries_after(self._deliveries_seen)
        self._unsettled |= {f"delivery:{number}": delivery for number, delivery in deliveries}
        for key, delivery in list(self._unsettled.items()):
            if delivery.settled.is_set():
                del self._unsettled[key]
            told = _told_delivery(delivery)
            if delivery.attempts and self._entries.get(key, (0, {}))[1].get("delivery") != told:
                self._put(key, "delivery", delivery.attempts[0].sent_at, told)
        for change in self._rows.changes() if self._rows is not None else ():
            self._put(f"row:{self._version + 1}", "row", time.time(), change)
        for prompt in self._new_prompts():
            self._put(f"prompt:{self._version + 1}", "prompt", prompt.pop("at"), prompt)
        for key in list(self._entries)[: max(0, len(self._entries) - KEPT_ENTRIES)]:
            del self._entries[key]

    def _put(self, key: str, kind: str, at: float, told: Json) -> None:
        self._version += 1
        self._entries[key] = (self._version, {"key": key, "kind": kind, "at": at, kind: told})

    def _new_prompts(self) -> list[Json]:
        """Prompts that were written down since the last look; a line that is still being written waits."""
        if self._prompts is None:
            return []
        try:
            with self._prompts.open("rb") as file:
                if file.seek(0, 2) < self._prompt_bytes:  # a new file has begun
                    self._prompt_bytes = 0
                file.seek(self._prompt_bytes)
                whole, newline, _ = file.read().rpartition(b"\n")
        except OSError:
            return []
        self._prompt_bytes += len(whole) + len(newline)
        return [json.loads(line) for line in whole.splitlines() if line.strip()]


def _told_call(call: Call) -> Json:
    return {
        "method": call.method, "args": redact(call.args), "status": call.status, "ok": call.ok, "error": call.error,
        "result": redact(call.result), "ms": round(call.seconds * 1000, 2),
    }  # fmt: skip


def _told_delivery(delivery: Delivery) -> Json:
    payload, seconds = delivery.payload, delivery.ack_seconds
    event = payload.get("event", payload)
    user, channel = event.get("user") or event.get("user_id"), event.get("channel") or event.get("channel_id")
    return {
        "kind": delivery.kind,
        "type": payload.get("command") or delivery.event_type,
        "state": delivery.state,
        "user": user.get("id") if isinstance(user, dict) else user,
        "channel": channel.get("id") if isinstance(channel, dict) else channel,
        "ack_ms": None if seconds is None else round(seconds * 1000, 2),
        "attempts": [
            {
                "number": a.retry_attempt, "reason": a.retry_reason, "sent_at": a.sent_at, "acked_at": a.acked_at,
                "ms": None if a.acked_at is None else round((a.acked_at - a.sent_at) * 1000, 2), "failure": a.failure,
            }
            for a in delivery.attempts
        ],
        "payload": redact(payload),
    }  # fmt: skip


def redact(value: Any) -> Any:
    """A copy without tokens, trigger ids and addresses that work like a password, and without endless texts."""
    if isinstance(value, dict):
        return {k: BLOT if k in _SECRET_KEYS and v else redact(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [redact(v) for v in value]
    if isinstance(value, str):
        if value.startswith(_SECRET_STARTS) or "/response/" in value or "?ticket=" in value:
            return BLOT
        return value if len(value) <= MAX_TEXT else value[: MAX_TEXT - 1] + "…"
    return value
