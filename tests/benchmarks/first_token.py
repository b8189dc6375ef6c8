"""First streamed token in the channel against the raw model server's, side by side on the same server.

    python -m tests.benchmarks.first_token [--requests 20] [--delay 0.2] [--real-requests 12]

Each request is made twice: straight at the model server, and as a mention in the local workspace, timed until
Slack has the first text. The difference is what the bot adds: inbox, worker, retrieval, prompt, stream. Once with a
scripted model server, whose times are the same every time, and 240 examples to search; once with the real model
server and a bot process, where both ask with the same prompt but for a number in it.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from pydantic import SecretStr

from bot.app import build_app
from bot.drafting.model import ModelClient
from bot.rehearsal.seed import BRAND, MIA, NOOR, RAVI, TEAM_ID
from bot.rehearsal.workspace import Workspace
from config.base_names import base_model_id
from config.prompts import ChatMessages, build_prompt
from config.rungs import Rung
from config.settings import Settings
from db.examples import ExampleStatus
from db.session import Database
from db.upgrade import upgrade_database
from tests.benchmarks.installation import installation, say_figure, teach_style
from tests.support.factories import make_example, make_promotion, make_style
from tests.support.model_server import ScriptedModel
from tests.support.wait import wait_until

GOAL_MS = 150.0
ANSWER = "Dear all, we close at noon on Friday. Team Office"
EXAMPLES = 240
INSTRUCTIONS = "Write a short announcement in the voice of the brand team, with a greeting and a closing line."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=20)
    parser.add_argument("--delay", type=float, default=0.2, help="seconds until the model's first token")
    parser.add_argument("--real-requests", type=int, default=12)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Workspace() as workspace, ScriptedModel() as model:
        say("scripted server", measure(Path(folder), workspace, model, arguments.requests, arguments.delay))
    with tempfile.TemporaryDirectory() as folder, Workspace() as workspace:
        say("real model server", measure_real(Path(folder), workspace, arguments.real_requests))


def say(server: str, figures: dict[str, float]) -> None:
    added = figures["added_ms_median"]
    say_figure(
        f"first token in the channel later than raw, {server}",
        f"{added:.0f} ms median, {figures['added_ms_worst']:.0f} worst "
        f"(raw {figures['raw_seconds'] * 1000:.0f}, channel {figures['channel_seconds'] * 1000:.0f})",
        f"<= {GOAL_MS:.0f} ms", added <= GOAL_MS,
    )  # fmt: skip


def measure(folder: Path, workspace: Workspace, model: ScriptedModel, requests: int, delay: float) -> dict[str, float]:
    """Seconds to the first token, raw and in the channel, and the median difference in milliseconds."""
    settings = Settings(
        data_dir=folder,
        slack_bot_token=SecretStr(workspace.bot_token),
        slack_app_token=SecretStr(workspace.app_token),
        slack_api_url=workspace.api_url,
        model_url=model.url,
    )
    database = Database(settings.resolved_database_url)
    upgrade_database(database)
    with database.write() as session:
        style = make_style(session, team_id=TEAM_ID, scope_key=TEAM_ID, channel_id=BRAND, name="brand-voice")
        make_promotion(session, style, rung=Rung.RETRIEVED)
        for number in range(EXAMPLES):
            make_example(session, style, prompt=f"announce event {number}", status=ExampleStatus.APPROVED)
    bot = build_app(settings)
    bot.start()
    try:
        wait_until(lambda: workspace.connections > 0, seconds=10)
        raw, channel = [], []
        for number in range(requests):
            for _ in range(2):
                model.enqueue(ANSWER, first_delay=delay, delay=0.005)
            raw.append(time_raw(bot.services.model.stream, delay))
            channel.append(time_in_channel(workspace, number))
    finally:
        bot.stop()
        database.dispose()
    return compare(raw, channel)


def measure_real(folder: Path, workspace: Workspace, requests: int) -> dict[str, float]:
    """The same against `huisstijl serve` and a bot in a process of its own; the style drafts without examples."""
    with installation(folder, workspace) as running:
        teach_style(
            running.database, name="brand-voice", instructions=INSTRUCTIONS, examples=0, rung=Rung.ZERO_SHOT
        )  # fmt: skip
        running.start("serve", "bot")
        wait_until(lambda: workspace.connections > 0, seconds=30)
        model = ModelClient(running.settings)
        name = base_model_id(running.settings.base_model)
        raw, channel = [], []
        for number in range(requests + 2):
            prompt = build_prompt(INSTRUCTIONS, f"announce event {number}")
            raw.append(time_prompt(model, name, prompt))
            channel.append(time_in_channel(workspace, number))
        model.close()
    return compare(raw[2:], channel[2:])  # the first two warm the model up


def compare(raw: list[float], channel: list[float]) -> dict[str, float]:
    """Medians in seconds, and what the channel adds to the request beside it, in milliseconds."""
    added = [(one - other) * 1000 for one, other in zip(channel, raw, strict=True)]
    return {
        "raw_seconds": statistics.median(raw),
        "channel_seconds": statistics.median(channel),
        "added_ms_median": statistics.median(added),
        "added_ms_worst": max(added),
    }


def time_raw(stream: object, delay: float) -> float:
    """Seconds until the model server's first token reaches a client."""
    began = time.perf_counter()
    pieces = stream([{"role": "user", "content": "hello"}], model="m", max_tokens=64, deadline=time.monotonic() + 30)  # type: ignore[operator]
    for piece in pieces:
        if piece.text:
            break
    seconds = time.perf_counter() - began
    for _ in pieces:
        pass
    return seconds


def time_prompt(model: ModelClient, name: str, prompt: ChatMessages) -> float:
    """Seconds until the real model server's first text; the rest is read, so that nothing runs beside the next."""
    began, first = time.perf_counter(), 0.0
    for piece in model.stream(prompt, model=name, max_tokens=24, deadline=time.monotonic() + 60):
        if piece.text.strip() and not first:
            first = time.perf_counter() - began
    return first


def time_in_channel(workspace: Workspace, number: int) -> float:
    """Seconds from a person's mention until Slack has the first text of the answer."""
    seen = len(workspace.calls("chat.startStream"))
    person = workspace.person((MIA, NOOR, RAVI)[number % 3])
    began = time.perf_counter()
    person.mention_bot(BRAND, f"announce event {number}")
    wait_until(lambda: len(workspace.calls("chat.startStream")) > seen, seconds=20)
    seconds = time.perf_counter() - began
    wait_until(lambda: len(workspace.calls("chat.stopStream")) > seen, seconds=120)
    return seconds


if __name__ == "__main__":
    main()
