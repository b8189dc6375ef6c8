"""The only reader of the environment.

Settings are read once at start, typed and frozen. A bad value stops the start and names itself.
Every field can be set as `HUISSTIJL_<NAME>` or in a `.env` file; Slack's own three are also read under
the names that Slack's documentation uses.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Literal
from zoneinfo import available_timezones

from pydantic import AliasChoices, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

EMBEDDED_BASE_MODEL = "embedded:smollm2-135m-instruct"
EMBEDDED_EMBEDDING_MODEL = "embedded:all-minilm-l6-v2"


class Settings(BaseSettings):
    """Values that differ between installations, with defaults for one laptop without Slack and without a GPU."""

    model_config = SettingsConfigDict(
        env_prefix="HUISSTIJL_", env_file=".env", extra="ignore", frozen=True, populate_by_name=True
    )

    #: Folder for everything this installation writes: database, artifacts, prepared models, keys.
    data_dir: Path = Path(".huisstijl")
    #: SQLAlchemy URL. Empty: SQLite in the data folder. PostgreSQL: `postgresql+psycopg://…`.
    database_url: str = ""
    #: Where prepared copies of embedded models lie. Empty: in the data folder.
    prepared_models_dir: Path | None = None
    #: fsspec URL of the artifact store. Empty: a folder in the data folder.
    artifact_url: str = ""

    slack_bot_token: SecretStr | None = Field(
        None, validation_alias=AliasChoices("SLACK_BOT_TOKEN", "HUISSTIJL_SLACK_BOT_TOKEN")
    )
    slack_app_token: SecretStr | None = Field(
        None, validation_alias=AliasChoices("SLACK_APP_TOKEN", "HUISSTIJL_SLACK_APP_TOKEN")
    )
    slack_signing_secret: SecretStr | None = Field(
        None, validation_alias=AliasChoices("SLACK_SIGNING_SECRET", "HUISSTIJL_SLACK_SIGNING_SECRET")
    )
    #: `socket`: the bot connects out to Slack. `http`: Slack posts signed events to `/slack/events`.
    slack_mode: Literal["socket", "http"] = "socket"
    #: A Socket Mode connection that is silent for this long (no message, no answer to a ping) makes way for a new one.
    socket_silence_seconds: float = Field(20.0, gt=0)
    #: So does one over which nothing was delivered for this long, however alive it seems.
    socket_renew_seconds: float = Field(600.0, gt=0)
    #: Where HTTP mode listens; put TLS in front of it.
    http_host: str = "127.0.0.1"
    http_port: int = Field(8732, ge=0, le=65535)
    #: The language of what many people read (cards, progress, results): `en` or `nl`. Empty: that of whoever made the
    #: style. What is said to one person is always in their own.
    language: Literal["", "en", "nl"] = ""
    #: Emoji that flags any message as a good example, as `star2`. Empty: off, and no history scope is asked for.
    flag_reaction: str = Field("", pattern=r"^:?[a-z0-9_+'-]*:?$")
    #: Id of a user group (`S…`) whose members are Huisstijl's admins, besides the workspace's own admins and owners.
    admin_usergroup: str = ""
    #: Where the Web API lives. The local workspace sets this to itself.
    slack_api_url: str = "https://slack.com/api/"
    #: Where the local workspace listens when no Slack tokens are set.
    workspace_host: str = "127.0.0.1"
    workspace_port: int = 8730
    #: Whether a local workspace that is new opens with people, styles and sample pairs to try things out with.
    seed_workspace: bool = True

    #: Where the model server listens (`huisstijl serve`), and the URL under which bot and evaluator reach one.
    serve_host: str = "127.0.0.1"
    serve_port: int = 8731
    #: OpenAI-compatible base URL. Empty: `http://<serve_host>:<serve_port>/v1`.
    model_url: str = ""
    model_api_key: SecretStr | None = None
    #: A hub id, a local folder, or `embedded:smollm2-135m-instruct`.
    base_model: str = EMBEDDED_BASE_MODEL
    #: A hub id, a local folder, or `embedded:all-minilm-l6-v2`.
    embedding_model: str = EMBEDDED_EMBEDDING_MODEL
    #: Adapters kept in memory by the model server; the least recently used one leaves first.
    max_loaded_adapters: int = Field(8, ge=1)
    #: A model of the rung `full` leaves the model server's memory when nobody asked for it this long; 0: it stays.
    full_idle_minutes: float = Field(30.0, ge=0)
    #: Requests that share one batch in the model server.
    max_batch_requests: int = Field(16, ge=1)

    #: A draft that has not finished after this long ends in a clear sentence instead. One that may be longer than
    #: `draft_max_tokens` has as much more time.
    draft_deadline_seconds: float = Field(60.0, gt=0)
    #: A suggestion for what was asked that is not there after this long is left out, and the modal says so.
    suggestion_deadline_seconds: float = Field(20.0, gt=0)
    #: Silence of the model server before the first token that counts as down.
    first_token_deadline_seconds: float = Field(20.0, gt=0)
    #: Slack ends a streamed message after five minutes; a draft that takes longer goes on in a second one after this.
    stream_seconds: float = Field(240.0, gt=0, le=290)
    max_request_chars: int = Field(6000, gt=0)
    #: Tokens of a thread's earlier requests and drafts that a follow-up carries.
    history_max_tokens: int = Field(1000, ge=0)
    #: Tokens at which a draft is cut. Where the style's approved texts are long, so that its last measurement allowed
    #: drafts more than its recipe's `max_new_tokens`, at what that allowed, if that is more.
    draft_max_tokens: int = Field(256, gt=0)

    #: A file for every prompt of a draft or a suggestion, as it was sent. Empty: none is kept. `huisstijl up` sets it
    #: for the side panel of the local workspace's page.
    prompt_log: Path | None = None

    #: A blind trial of two candidates makes at most so many comparisons, each of them two drafts of one request.
    trial_comparisons: int = Field(150, ge=10, le=500)
    #: The share of a style's requests that is drafted twice while a trial runs.
    trial_share: float = Field(1.0, gt=0, le=1)

    #: A model that grades drafts which people have decided about, so that its agreement with them is known: the base
    #: URL of any server of OpenAI's protocol, and the model's name there. It decides nothing. Empty: none. It is
    #: another machine: docs/in-use.md says what is sent there.
    judge_url: str = ""
    judge_model: str = ""
    judge_api_key: SecretStr | None = None

    #: The recipe that runs use unless a style names another: a file in config/recipes, or a path.
    recipe: str = "auto"
    #: What the training of all weights (rung `full`) may take of the memory, in GB; 0: what is free when it starts.
    full_memory_gb: float = Field(0.0, ge=0)
    #: Price of an hour on the training host; quotes and receipts use it.
    price_per_hour: float = Field(0.0, ge=0)
    #: What a hosted model server bills for a million tokens of prompts, and of drafts; what a draft costs follows from
    #: them. Left at 0, a draft costs its seconds on the training host.
    price_per_million_prompt_tokens: float = Field(0.0, ge=0)
    price_per_million_completion_tokens: float = Field(0.0, ge=0)
    currency: str = "EUR"

    #: The workspace's time zone (an IANA name such as `Europe/Amsterdam`), and when the weekly digest comes in it:
    #: weekday 0 is Monday. An admin can set other ones per workspace in the Home tab.
    time_zone: str = "UTC"
    digest_weekday: int = Field(0, ge=0, le=6)
    digest_hour: int = Field(9, ge=0, le=23)

    #: How often the clock looks for what is due, a trainer for a queued run, and a watcher for news.
    tick_seconds: float = Field(15.0, gt=0)
    heartbeat_seconds: float = Field(10.0, gt=0)
    lease_seconds: float = Field(30.0, gt=0)
    poll_seconds: float = Field(1.0, gt=0)
    max_run_attempts: int = Field(3, ge=1)

    log_level: str = "INFO"
    #: `console` for people, `json` for machines.
    log_format: str = "console"
    #: For tests of crash recovery: `name` or `name:nth` kills the process there. See config/failpoints.py.
    failpoint: str = ""

    @field_validator("time_zone")
    @classmethod
    def _is_known_zone(cls, name: str) -> str:
        if name not in available_timezones():
            raise ValueError(f"{name!r} is not a time zone; use an IANA name such as Europe/Amsterdam")
        return name

    @model_validator(mode="after")
    def _check_judge(self) -> Settings:
        if bool(self.judge_url) != bool(self.judge_model):
            raise ValueError("judge_url and judge_model go together: set both, or neither for no judge")
        return self

    @property
    def resolved_database_url(self) -> str:
        return self.database_url or f"sqlite:///{self.data_dir.resolve() / 'huisstijl.db'}"

    @property
    def resolved_artifact_url(self) -> str:
        return self.artifact_url or str(self.data_dir.resolve() / "artifacts")

    @property
    def resolved_model_url(self) -> str:
        return self.model_url or f"http://{self.serve_host}:{self.serve_port}/v1"

    @property
    def models_dir(self) -> Path:
        """Prepared copies of embedded models (safetensors), made once."""
        return self.prepared_models_dir or self.data_dir / "models"

    @property
    def keys_dir(self) -> Path:
        """The trainer's signing key and the public key that verifies adapters."""
        return self.data_dir / "keys"

    @property
    def uses_local_workspace(self) -> bool:
        return self.slack_bot_token is None and self.slack_app_token is None


def load_settings() -> Settings:
    """Read the environment and `.env` once."""
    return Settings()


def has_desktop() -> bool:
    """Whether somebody sits at a screen where a browser can open."""
    is_terminal = sys.stdout is not None and sys.stdout.isatty()
    return is_terminal and (
        sys.platform in ("darwin", "win32") or bool({"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys())
    )


def child_environment(settings: Settings, **overrides: str) -> dict[str, str]:
    """The environment for a process that we start: this one's, plus overrides, never reading a hub."""
    values = dict(os.environ)
    values.update({"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "DO_NOT_TRACK": "1"})
    values["HUISSTIJL_DATA_DIR"] = str(settings.data_dir.resolve())
    values.update(overrides)
    return values


#: What a process needs that reads what nobody vouches for.
_BARE = ("PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PYTHONHOME", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR")


def bare_environment() -> dict[str, str]:
    """The environment for a process that reads what nobody vouches for: no token, no key, no password. Our own modules
    are found wherever it is started."""
    paths = [str(Path(__file__).resolve().parents[1]), os.environ.get("PYTHONPATH", "")]
    kept = {name: os.environ[name] for name in _BARE if name in os.environ}
    return kept | {"PYTHONPATH": os.pathsep.join(path for path in paths if path)}
