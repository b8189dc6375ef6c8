"""This host's side: the database and what waits in it, model server, trainer, disk, artifact store, keys."""

from __future__ import annotations

import shutil
import stat
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

import fsspec
import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from sqlalchemy.exc import SQLAlchemyError

from bot.doctor.findings import Finding, State, fail, ok, warn
from bot.offered_models import list_offered_models, open_model_server
from bot.texts import setup as texts
from config.base_names import base_model_id
from config.rungs import Rung
from config.settings import Settings
from config.slack_manifest import BOT_EVENTS
from db.base import now_in_database
from db.base_changes import list_serving_base_models
from db.inbox import count_events_waiting_since, find_last_event, list_heard_kinds
from db.outbox import count_messages_refused_since, count_messages_waiting_since
from db.promotions import list_champions_adapters
from db.session import Database, DatabaseUnavailable
from db.trainers import find_live_trainer
from db.upgrade import current_revision, head_revision

GIB = 2**30
WARN_FREE_GIB, FAIL_FREE_GIB = 5.0, 1.0
WAITS_TOO_LONG = timedelta(minutes=5)
#: Beats that a trainer may miss.
TRAINER_BEATS = 3
#: Events without which nothing ever happens.
_VITAL = frozenset({"app_mention", "message"})


def check_database(settings: Settings) -> list[Finding]:
    """Revision, what waits, what Slack has delivered, the trainer, and the model server with its champions."""
    if not settings.database_url and not settings.data_dir.exists():  # opening it would make the folder
        seen = f"{settings.data_dir.resolve()} {texts.NO_FOLDER}"
        return [fail("database", seen, texts.NO_FOLDER_MEND), *check_model_server(settings, [])]
    try:
        database = Database(settings.resolved_database_url)
        try:
            found = current_revision(database)
            if found != head_revision():
                seen = texts.wrong_revision(found or "", head_revision())
                return [fail("database", seen, texts.REVISION_MEND), *check_model_server(settings, [])]
            name = database.url.render_as_string(hide_password=True)
            return [
                ok("database", texts.at_revision(found, name)),
                _check_events(database),
                _check_waiting(database),
                _check_trainer(database, settings),
                *check_model_server(settings, *_champions(database)),
            ]
        finally:
            database.dispose()
    except (DatabaseUnavailable, SQLAlchemyError, OSError, ImportError) as error:
        seen = texts.unreachable(type(error).__name__)
        return [fail("database", seen, texts.DATABASE_MEND), *check_model_server(settings, [])]


def _champions(database: Database) -> tuple[list[str], list[str]]:
    """The names that champions are asked for by; and of these the whole models."""
    with database.read() as session:
        bases = [base_model_id(name) for name in list_serving_base_models(session)]
        adapters = list_champions_adapters(session)
    whole = [adapter.name for adapter in adapters if adapter.rung is Rung.FULL]
    return [*bases, *(adapter.name for adapter in adapters)], whole


def _check_events(database: Database) -> Finding:
    """A bot token cannot ask which events the app subscribes to; what has come says it as well."""
    with database.read() as session:
        last, now = find_last_event(session), now_in_database(session)
        heard = list_heard_kinds(session)
    if last is None:
        return warn("events", texts.NO_EVENT, texts.events_mend(BOT_EVENTS))
    unheard = sorted(_VITAL - heard)
    if len(unheard) == len(_VITAL):
        return warn("events", texts.kinds_unheard(unheard), texts.events_mend(BOT_EVENTS))
    return ok("events", texts.last_event(last.kind, _ago(now, last.received_at)))


def _check_waiting(database: Database) -> Finding:
    with database.read() as session:
        now = now_in_database(session)
        since = now - WAITS_TOO_LONG
        inbox, outbox = count_events_waiting_since(session, since), count_messages_waiting_since(session, since)
        refused = count_messages_refused_since(session, now - timedelta(days=1))
    if inbox or outbox:
        return fail("work", texts.waiting(inbox, outbox), texts.WAITING_MEND)
    if refused:
        return warn("work", texts.refused(refused), texts.REFUSED_MEND)
    return ok("work", texts.NOTHING_WAITS)


def _check_trainer(database: Database, settings: Settings) -> Finding:
    with database.read() as session:
        trainer = find_live_trainer(session, TRAINER_BEATS * settings.heartbeat_seconds)
        now = now_in_database(session)
    if trainer is None:
        return warn("trainer", texts.NO_TRAINER, texts.TRAINER_MEND)
    device = trainer.device or texts.UNKNOWN_DEVICE
    return ok("trainer", texts.trainer_seen(trainer.trainer_id, device, _ago(now, trainer.seen_at)))


def check_model_server(settings: Settings, champions: list[str], whole: Sequence[str] = ()) -> list[Finding]:
    """Does it answer, with our key; does it serve the base model, what champions stand on, and embeddings? Has it room
    for the champions that are `whole` models?"""
    url = settings.resolved_model_url.rstrip("/")
    with open_model_server(settings) as client:
        try:
            offered = list_offered_models(client)
        except httpx.HTTPStatusError as error:
            status = error.response.status_code
            mend = texts.MODEL_KEY_MEND if status in (401, 403) else texts.MODEL_MEND
            return [fail("model server", f"{url}: HTTP {status}", mend)]
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            return [fail("model server", texts.slack_unreachable(url, type(error).__name__), texts.MODEL_MEND)]
        models = _check_models(settings, offered, champions)
        if models.state is State.OK:
            models = _check_room(client, url, whole) or models
        return [models, _check_embeddings(settings, client)]


def _check_models(settings: Settings, offered: list[str], champions: list[str]) -> Finding:
    base = base_model_id(settings.base_model)
    if base not in offered:
        return fail("model server", texts.model_lacks(base, offered[:5]), texts.MODEL_LACKS_MEND)
    missing = sorted(set(champions) - set(offered))
    if missing:
        return fail("model server", texts.champion_missing(missing), texts.CHAMPION_MISSING_MEND)
    return ok("model server", texts.model_serves(base, len(offered) - 1))


def _check_room(client: httpx.Client, url: str, whole: Sequence[str]) -> Finding | None:
    """What is wrong with serving them, if something is."""
    for name in whole:
        try:
            answer = client.get(f"/models/{name}")
            if answer.status_code == httpx.codes.FAILED_DEPENDENCY:
                return warn("model server", str(answer.json()["error"]["message"]), texts.NO_ROOM_MEND)
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            return warn("model server", texts.slack_unreachable(url, type(error).__name__), texts.MODEL_MEND)
    return None


def _check_embeddings(settings: Settings, client: httpx.Client) -> Finding:
    model = base_model_id(settings.embedding_model)
    try:
        client.post("/embeddings", json={"model": model, "input": ["hello"]}).raise_for_status()
    except httpx.HTTPError:
        return warn("embeddings", texts.EMBEDDINGS_FAIL, texts.EMBEDDINGS_MEND)
    return ok("embeddings", model)


def check_disk(settings: Settings) -> Finding:
    folder = settings.data_dir.resolve()
    if not folder.exists():
        return warn("disk", f"{folder} {texts.NO_FOLDER}", texts.NO_FOLDER_MEND)
    gib = shutil.disk_usage(folder).free / GIB
    seen = texts.free(gib, str(folder))
    if gib < FAIL_FREE_GIB:
        return fail("disk", seen, texts.DISK_MEND)
    return warn("disk", seen, texts.DISK_MEND) if gib < WARN_FREE_GIB else ok("disk", seen)


def check_store(settings: Settings) -> Finding:
    """Write a probe, read it, take it away."""
    url = settings.resolved_artifact_url.rstrip("/")
    if not settings.artifact_url and not settings.data_dir.exists():
        return warn("artifact store", f"{url} {texts.NO_FOLDER}", texts.NO_FOLDER_MEND)
    try:
        files, root = fsspec.core.url_to_fs(url)
        probe = f"{root}/.doctor-{uuid.uuid4().hex}"
        is_new = not files.exists(root)
        files.makedirs(root, exist_ok=True)
        files.pipe_file(probe, b"probe")
        was_read = files.cat_file(probe) == b"probe"
        files.rm_file(probe)
        if is_new and files.exists(root):
            files.rmdir(root)
    except Exception as error:  # each store has errors of its own
        return fail("artifact store", texts.not_writable(url, type(error).__name__), texts.STORE_MEND)
    if not was_read:
        return fail("artifact store", texts.not_writable(url, "another content came back"), texts.STORE_MEND)
    return ok("artifact store", texts.writable(url))


def check_keys(settings: Settings) -> Finding:
    private_path, public_path = settings.keys_dir / "signing.pem", settings.keys_dir / "verify.pem"
    if not private_path.exists() and not public_path.exists():
        return warn("signing keys", texts.NO_KEYS, texts.NO_KEYS_MEND)
    try:
        public = load_pem_public_key(public_path.read_bytes())
        if not private_path.exists():
            return ok("signing keys", texts.VERIFY_KEY_ONLY)
        private = load_pem_private_key(private_path.read_bytes(), password=None)
    except (OSError, ValueError) as error:
        return fail("signing keys", f"{texts.KEYS_UNREADABLE}: {type(error).__name__}", texts.KEYS_BROKEN_MEND)
    if not isinstance(private, Ed25519PrivateKey) or private.public_key() != public:
        return fail("signing keys", texts.KEYS_BROKEN, texts.KEYS_BROKEN_MEND)
    mode = stat.S_IMODE(private_path.stat().st_mode)
    if mode & 0o077:
        return fail("signing keys", texts.keys_open(f"{mode:o}"), texts.KEYS_OPEN_MEND)
    return ok("signing keys", texts.KEYS_MATCH)


def _ago(now: datetime, then: datetime) -> str:
    seconds = max(0.0, (now - then).total_seconds())
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
