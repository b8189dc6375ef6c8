"""What the operator reads while setting up: the manifest's link, and what the doctor finds. On the command line, and in
English only. Every finding says what was seen; every one that is not fine says how to mend it."""

from __future__ import annotations

from collections.abc import Sequence


def create_here(link: str) -> str:
    return f"Create the app in Slack with this link; the manifest above is filled in there:\n{link}"


TITLE = "Huisstijl's doctor"
COLUMNS = ("check", "state", "seen", "how to mend it")
NOT_ASKED = "not looked at, because Slack cannot be asked"
NOT_ASKED_MEND = "Mend the bot token first."


def summary(ok: int, warnings: int, failures: int) -> str:
    return f"{ok} fine, {warnings} to look at, {failures} broken."


def broke(kind: str) -> str:
    return f"the check itself broke: {kind}"


BROKE_MEND = "Set HUISSTIJL_LOG_LEVEL=DEBUG, run it again, and report what it says."

# Tokens and scopes, at Slack

NO_BOT_TOKEN = "SLACK_BOT_TOKEN is not set, and there is no local workspace yet"
NO_BOT_TOKEN_MEND = (
    "Create the app (`huisstijl manifest` prints a link), install it, and put its Bot User OAuth Token (xoxb-…) into "
    ".env; or try everything without Slack: `huisstijl up`."
)
NOT_A_BOT_TOKEN = "SLACK_BOT_TOKEN does not begin with xoxb-"
NOT_A_BOT_TOKEN_MEND = "Use the Bot User OAuth Token of the app's page OAuth & Permissions."
TOKEN_MEND = "Copy the Bot User OAuth Token again from the app's page OAuth & Permissions; or install the app again."


def bot_token_works(user: str, team: str) -> str:
    return f"{user} in {team}"


def slack_says(error: str) -> str:
    return f"Slack says {error}"


def slack_unreachable(url: str, kind: str) -> str:
    return f"{url} cannot be reached ({kind})"


UNREACHABLE_MEND = "Check the network and its proxy; for the local workspace, start `huisstijl up`."
NO_APP_TOKEN = "SLACK_APP_TOKEN is not set"
APP_TOKEN_MEND = (
    "On the app's page Basic Information, generate an app-level token with the scope connections:write (xapp-…) and "
    "put it into .env; or set HUISSTIJL_SLACK_MODE=http."
)
APP_TOKEN_WORKS = "Socket Mode may connect"
NO_SIGNING_SECRET = "SLACK_SIGNING_SECRET is not set"
SIGNING_SECRET_MEND = "Copy the Signing Secret from the app's page Basic Information into .env."
SIGNING_SECRET_SHORT = "SLACK_SIGNING_SECRET is not 32 hexadecimal digits"
SIGNING_SECRET_SET = "set; only a signed event can show that it is the right one"


def scopes_granted(count: int) -> str:
    return f"all {count} that are needed"


def scopes_missing(missing: Sequence[str]) -> str:
    return f"missing: {', '.join(missing)}"


def scopes_mend(breaks: Sequence[str]) -> str:
    return (
        f"Without them the bot cannot {'; '.join(breaks)}. Paste `huisstijl manifest` into the app's page App "
        "Manifest, then reinstall the app."
    )


def scopes_too_many(extra: Sequence[str]) -> str:
    return f"more than needed: {', '.join(extra)}"


SCOPES_TOO_MANY_MEND = "Paste `huisstijl manifest` into the app's page App Manifest; no code path uses these."
SCOPES_UNSAID = "Slack did not say which scopes the token has"
SCOPES_UNSAID_MEND = "Compare the app's page OAuth & Permissions with `huisstijl manifest`."

# Events


def last_event(kind: str, ago: str) -> str:
    return f"last delivery: {kind}, {ago} ago"


NO_EVENT = "nothing has been delivered yet"


def events_mend(events: Sequence[str]) -> str:
    return (
        "While the bot runs, mention it in a channel that it is in. If nothing happens, compare the app's page Event "
        f"Subscriptions with: {', '.join(events)}."
    )


def kinds_unheard(kinds: Sequence[str]) -> str:
    return f"deliveries come, but never one of these: {', '.join(kinds)}"


# Clock

CLOCK_MEND = "Set this host's clock (NTP): signatures of Slack that are five minutes off are refused."
CLOCK_UNSAID = "Slack's answer had no Date"


def clock_off(seconds: float, where: str) -> str:
    return f"{abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'} {where}"


# Database


def at_revision(revision: str, name: str) -> str:
    return f"{name}, revision {revision}"


def wrong_revision(found: str, expected: str) -> str:
    return f"revision {found or 'none'}; this program expects {expected}"


REVISION_MEND = "Run `huisstijl db upgrade`."
DATABASE_MEND = (
    "Check that the database runs and that HUISSTIJL_DATABASE_URL names it; for SQLite, that its folder can be written."
)


def unreachable(kind: str) -> str:
    return f"cannot be reached ({kind})"


# What waits


def waiting(inbox: int, outbox: int) -> str:
    return f"{inbox} deliveries and {outbox} messages wait for more than five minutes"


NOTHING_WAITS = "nothing waits"
WAITING_MEND = "Start `huisstijl bot`; if it runs, its log says what it waits for."


def refused(count: int) -> str:
    return f"Slack refused {count} messages for good within a day"


REFUSED_MEND = "The log names each with its reason under `message.refused`."

# Model server


def model_serves(base: str, adapters: int) -> str:
    return f"{base}, {adapters} adapters"


def model_lacks(wanted: str, offered: Sequence[str]) -> str:
    return f"does not serve {wanted}; it offers {', '.join(offered) or 'nothing'}"


MODEL_MEND = "Start `huisstijl serve`, or set HUISSTIJL_MODEL_URL to where one listens."
MODEL_KEY_MEND = "Set HUISSTIJL_MODEL_API_KEY to the same value on both sides."
MODEL_LACKS_MEND = "Set HUISSTIJL_BASE_MODEL to what it serves, or start it with that model."


def champion_missing(names: Sequence[str]) -> str:
    return f"does not offer the champions' adapters: {', '.join(names)}"


CHAMPION_MISSING_MEND = (
    "Give the model server the same HUISSTIJL_ARTIFACT_URL as the trainer; until then these styles use examples."
)
NO_ROOM_MEND = (
    "Free memory on the model server's host, or go back with /huisstijl rollback; until then the champion before it "
    "drafts."
)
EMBEDDINGS_FAIL = "answers, but gives no embeddings"
EMBEDDINGS_MEND = "Set HUISSTIJL_EMBEDDING_MODEL to one it serves; until then examples are compared by their words."

# Trainer

NO_TRAINER = "none has been heard from"
TRAINER_MEND = "Start `huisstijl trainer` on the training host, with the same database. Until then runs wait."


def trainer_seen(trainer: str, device: str, ago: str) -> str:
    return f"{trainer} on {device}, heard {ago} ago"


UNKNOWN_DEVICE = "a device not yet measured"

# Disk, store, keys


def free(gib: float, folder: str) -> str:
    return f"{gib:.1f} GiB free in {folder}"


DISK_MEND = "Make room, or move HUISSTIJL_DATA_DIR to a larger disk."
NO_FOLDER = "does not exist yet"
NO_FOLDER_MEND = "`huisstijl up` makes it at the first start."


def writable(url: str) -> str:
    return f"{url} can be written and read"


def not_writable(url: str, kind: str) -> str:
    return f"{url} cannot be written ({kind})"


STORE_MEND = "Check HUISSTIJL_ARTIFACT_URL, its credentials, and that its folder belongs to the user that runs this."
NO_KEYS = "no keys yet"
NO_KEYS_MEND = "The trainer makes them at its first start, in the folder `keys` of its data folder."
VERIFY_KEY_ONLY = "the public key is here; the private one is with the trainer"
KEYS_MATCH = "the private key is its owner's alone, and the public key fits"
KEYS_BROKEN = "the two keys do not belong together"
KEYS_BROKEN_MEND = (
    "Restore `signing.pem` from the backup, delete `verify.pem`, and restart the trainer, which writes it anew."
)
KEYS_UNREADABLE = "a key cannot be read"


def keys_open(mode: str) -> str:
    return f"signing.pem can be read by others (mode {mode})"


KEYS_OPEN_MEND = "chmod 600 signing.pem: who has it can sign adapters."
