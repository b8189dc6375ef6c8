"""The rehearsal: the whole loop, turned once by scripted people over Slack's protocol, with real pairs, the real
model and real processes. Nothing is pretended: a step that did not happen makes the exit code non-zero.

Ana is the admin, Ravi the reviewer, Mia and Noor are members. What the steps assert they read from the database and
from the channels, as the people see them.
"""

from __future__ import annotations

import json
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from bot.domain.ladder import gain_bits_per_byte
from bot.rehearsal.chat import message_lines
from bot.rehearsal.errors import PersonError
from bot.rehearsal.people import Person
from bot.rehearsal.seed import ANA, BOT_USER_ID, BRAND, GENERAL, MIA, NOOR, RAVI, TEAM_ID
from bot.rehearsal.workspace import load_tokens, workspace_folder
from bot.up import Child, plan, start_all, stop_all, workspace_url
from config.rungs import Rung
from config.settings import Settings
from db.drafts import DraftStatus, find_draft_by_message, list_drafts_of_thread
from db.examples import ExampleStatus, count_examples
from db.promotions import find_promotion
from db.runs import ENDED, Run, RunStatus, find_latest_run
from db.scorecards import list_scorecards
from db.session import Database
from db.styles import Style, find_style_by_name
from db.upgrade import upgrade_database

SAMPLES = Path(__file__).parent / "samples" / "debian-synopses.jsonl"
STYLE = "package-synopsis"
INSTRUCTIONS = "Write the one-line synopsis of the software package that is described."
RUN_MINUTES = 14.0

#: What the shipped recipe measures for a style of texts that has neither documents nor preferences.
MEASURED = (Rung.ZERO_SHOT, Rung.FEW_SHOT, Rung.RETRIEVED, Rung.LORA, Rung.LORA_RETRIEVED)

Json = dict[str, Any]


class StepFailed(Exception):
    """A step of the rehearsal did not happen."""


@dataclass(slots=True)
class Step:
    """One line of the table at the end."""

    name: str
    seconds: float = 0.0
    result: str = "did not happen"
    is_done: bool = False


@dataclass(slots=True)
class Rehearsal:
    """What the steps share."""

    settings: Settings
    console: Console
    pairs: list[Json]
    database: Database
    children: list[Child] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    people: dict[str, Person] = field(default_factory=dict)

    # ------------------------------------------------------------------------------------------ helpers

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        step = Step(name)
        self.steps.append(step)
        began = time.monotonic()
        try:
            yield step
            step.is_done = True
        except (StepFailed, PersonError) as failed:
            step.result = str(failed)
            raise
        finally:
            step.seconds = time.monotonic() - began
            mark = "[green]✓[/]" if step.is_done else "[red]✗[/]"
            self.console.print(f"{mark} {name} [dim]({step.seconds:.0f} s)[/] {escape(step.result)}", highlight=False)

    def wait(self, look: Callable[[], Any], seconds: float, what: str) -> Any:
        """Poll until `look` returns something. Raises StepFailed when it does not in time, or a process has died."""
        deadline, pause = time.monotonic() + seconds, threading.Event()
        while not (found := look()):
            dead = [child.name for child in self.children if child.process and child.process.poll() is not None]
            if dead:
                raise StepFailed(
                    f"{what}: the process {', '.join(dead)} has died; its log is in the rehearsal's folder"
                )
            if time.monotonic() > deadline:
                raise StepFailed(f"{what}: not within {seconds:.0f} s")
            pause.wait(0.2)
        return found

    def style(self) -> Style:
        with self.database.read() as session:
            style = find_style_by_name(session, TEAM_ID, STYLE)
        if style is None:
            raise StepFailed("the style is not in the database")
        return style

    def approved(self) -> int:
        style = self.style()
        with self.database.read() as session:
            return count_examples(session, style.style_id, style.scope)[ExampleStatus.APPROVED]

    def champion(self) -> Rung:
        style = self.style()
        with self.database.read() as session:
            promotion = find_promotion(session, style.champion_promotion_id)
        if promotion is None:
            raise StepFailed("the style has no champion")
        return promotion.rung

    def run(self) -> Run | None:
        style = self.style()
        with self.database.read() as session:
            return find_latest_run(session, style.style_id)

    def draft(self, person: Person, request: str) -> tuple[str, Rung]:
        """Ask for a draft in the channel as a person does; returns its text and the rung that made it."""
        asked = person.mention_bot(GENERAL, f"{STYLE}: {request}")

        def shown() -> Any:
            with self.database.read() as session:
                drafts = list_drafts_of_thread(session, TEAM_ID, GENERAL, asked["ts"])
            return next((draft for draft in drafts if draft.status not in _UNDER_WAY), None)

        draft = self.wait(shown, 120, "the draft")
        if draft.status is not DraftStatus.SHOWN:
            raise StepFailed(f"the draft ended as {draft.status.value}: {draft.error}")
        with self.database.read() as session:
            if find_draft_by_message(session, TEAM_ID, GENERAL, draft.message_ts) is None:
                raise StepFailed("the draft's message is not in the channel")
        in_channel = [m for m in person.messages(GENERAL, asked["ts"]) if m["ts"] == draft.message_ts]
        if not in_channel:
            raise StepFailed("the draft's message is not in the thread")
        return draft.completion, draft.rung


_UNDER_WAY = (DraftStatus.REQUESTED, DraftStatus.STREAMING)


# ------------------------------------------------------------------------------------------------ the steps


def start_everything(rehearsal: Rehearsal) -> None:
    with rehearsal.step("start workspace, bot, clock, trainer and model server") as step:
        upgrade_database(rehearsal.database)
        start_all(rehearsal.children, rehearsal.settings, threading.Event())
        health = f"http://{rehearsal.settings.serve_host}:{rehearsal.settings.serve_port}/health"
        rehearsal.wait(lambda: _answers(health), 180, "the model server")
        token = load_tokens(workspace_folder(rehearsal.settings))["client_token"]
        url = workspace_url(rehearsal.settings)
        for user_id in (ANA, RAVI, MIA, NOOR):
            rehearsal.people[user_id] = Person(url, user_id, token, BOT_USER_ID)
        rehearsal.wait(lambda: _is_connected(rehearsal), 60, "the bot's connection")
        step.result = f"{len(rehearsal.children)} processes"


def create_style(rehearsal: Rehearsal) -> None:
    with rehearsal.step("an admin creates a style") as step:
        ana = rehearsal.people[ANA]
        ana.slash("/huisstijl", "style new", BRAND)
        view = ana.wait_for_modal(10)
        submitted = ana.submit(
            view,
            {
                "name": STYLE,
                "instructions": INSTRUCTIONS,
                "kind": "draft",
                "channel": BRAND,
                "reviewers": [RAVI],
                "approvals": "1",
                "train_after": str(len(rehearsal.pairs)),
                "train_from": "0",
                "train_to": "0",
            },
        )
        if submitted.errors:
            raise StepFailed(f"the form was refused: {submitted.errors}")
        step.result = f"{rehearsal.style().name}, reviewed by Ravi, starts on {rehearsal.champion().value}"


def draft_before(rehearsal: Rehearsal, request: str) -> None:
    with rehearsal.step("a member asks for a draft before anything was learnt") as step:
        text, rung = rehearsal.draft(rehearsal.people[MIA], request)
        if rung is not Rung.ZERO_SHOT:
            raise StepFailed(f"without examples the draft came from {rung}")
        step.result = f"[{rung.value}] {text}"


def teach(rehearsal: Rehearsal) -> None:
    """Two members post good outputs and teach them through the shortcut; the reviewer approves every card."""
    with rehearsal.step(f"two members teach {len(rehearsal.pairs)} pairs, the reviewer approves them") as step:
        failed: list[str] = []
        half = len(rehearsal.pairs) // 2
        lanes = [(MIA, rehearsal.pairs[:half]), (NOOR, rehearsal.pairs[half:])]
        threads = [
            threading.Thread(target=_teach_lane, args=(rehearsal.people[who], pairs, failed), daemon=True)
            for who, pairs in lanes
        ]
        for thread in threads:
            thread.start()
        ravi, clicked = rehearsal.people[RAVI], dict[str, float]()
        with _bar(rehearsal.console) as bar:
            task = bar.add_task("approved", total=len(rehearsal.pairs))
            deadline = time.monotonic() + 300
            while (approved := rehearsal.approved()) < len(rehearsal.pairs):
                bar.update(task, completed=approved)
                if failed or time.monotonic() > deadline:
                    raise StepFailed(failed[0] if failed else f"only {approved} were approved within five minutes")
                for card in ravi.messages(BRAND):
                    is_due = time.monotonic() - clicked.get(card["ts"], -60.0) > 5.0
                    if is_due and _has_button(card, "approve_example"):
                        _approve(ravi, card["ts"])
                        clicked[card["ts"]] = time.monotonic()
                _approve_after_a_look(ravi)
            bar.update(task, completed=approved)
        step.result = f"{approved} approved examples"


def _approve(reviewer: Person, ts: str) -> None:
    """An earlier click may have changed the card since it was read, where the machine is busy."""
    try:
        reviewer.click(BRAND, ts, "approve_example")
    except PersonError:
        if any(card["ts"] == ts and _has_button(card, "approve_example") for card in reviewer.messages(BRAND)):
            raise


def _approve_after_a_look(reviewer: Person) -> None:
    """An example that looks like another is shown to its reviewer first; here both are kept."""
    view = reviewer.open_view()
    if view is not None and _has_button(view, "approve_example"):
        reviewer.click_view(view, "approve_example")
        reviewer.close_view(view)


def _teach_lane(person: Person, pairs: list[Json], failed: list[str]) -> None:
    try:
        for pair in pairs:
            message = person.post(GENERAL, pair["completion"])
            person.shortcut("teach_style", GENERAL, message["ts"])
            view = person.wait_for_modal(30)
            submitted = person.submit(view, {"prompt": pair["prompt"]})
            if submitted.errors:
                failed.append(f"a pair was refused: {submitted.errors}")
                return
    except Exception as error:
        failed.append(f"teaching stopped: {error}")


def let_the_clock_notice(rehearsal: Rehearsal) -> None:
    with rehearsal.step("the clock notices; an admin accepts the statement on training data") as step:
        ana = rehearsal.people[ANA]
        notice = rehearsal.wait(
            lambda: next((m for m in ana.messages(BRAND) if _has_button(m, "accept_terms")), None), 60, "the notice"
        )
        ana.click(BRAND, notice["ts"], "accept_terms")
        run = rehearsal.wait(rehearsal.run, 60, "the run")
        if run.requested_by is not None:
            raise StepFailed("the run was not queued by the clock")
        step.result = run.reason


def watch_the_run(rehearsal: Rehearsal) -> None:
    with rehearsal.step("the trainer trains and measures every rung") as step:
        with _bar(rehearsal.console) as bar:
            task = bar.add_task("run", total=1.0)
            deadline = time.monotonic() + RUN_MINUTES * 60
            while (run := rehearsal.run()) and run.status not in ENDED:
                stage = " ".join(str(run.progress[key]) for key in ("stage", "rung") if run.progress.get(key))
                bar.update(task, completed=float(run.progress.get("fraction") or 0.0), description=stage or "waiting")
                if time.monotonic() > deadline:
                    raise StepFailed(f"the run was still {run.status.value} after {RUN_MINUTES:.0f} minutes")
                threading.Event().wait(0.5)
            bar.update(task, completed=1.0)
        if run is None or run.status is not RunStatus.SUCCEEDED:
            raise StepFailed(f"the run ended as {run.status.value if run else 'nothing'}: {run.error if run else ''}")
        receipt = run.receipt or {}
        step.result = f"{receipt['train_pairs']} pairs learnt, {receipt['unseen_pairs']} unseen"


def show_the_ladder(rehearsal: Rehearsal) -> None:
    with rehearsal.step("the ladder: lora against zero_shot on unseen pairs") as step:
        ana, run, style = rehearsal.people[ANA], rehearsal.run(), rehearsal.style()
        if run is None:
            raise StepFailed("there is no run")
        seen = {message["ts"] for message in ana.ephemerals(BRAND)}
        ana.slash("/huisstijl", f"ladder {STYLE}", BRAND)
        answer = rehearsal.wait(
            lambda: next((m for m in ana.ephemerals(BRAND) if m["ts"] not in seen), None), 20, "the ladder's answer"
        )
        for line in message_lines(answer):
            rehearsal.console.print(line, highlight=False, markup=False)
        with rehearsal.database.read() as session:
            cards = {row.rung: row.card for row in list_scorecards(session, run.run_id, style.scope)}
        missing = [rung.value for rung in MEASURED if rung not in cards]
        if missing:
            raise StepFailed(f"not measured: {', '.join(missing)}")
        mean, low, high = gain_bits_per_byte(cards[Rung.ZERO_SHOT], cards[Rung.LORA])
        if low <= 0:
            raise StepFailed(
                f"lora saves {mean:.3f} bits per byte, interval {low:.3f} to {high:.3f}: not clear of zero"
            )
        step.result = f"lora saves {mean:.3f} bits per byte over zero_shot (95 %: {low:.3f} to {high:.3f})"


def read_the_result(rehearsal: Rehearsal) -> None:
    with rehearsal.step("the channel hears the result and sees the loss curve") as step:
        ana, run = rehearsal.people[ANA], rehearsal.run()
        sentence = str(((run.verdict if run else None) or {}).get("sentence", ""))
        rehearsal.wait(
            lambda: any(sentence[:60] in "\n".join(message_lines(m)) for m in ana.messages(BRAND)), 30, "the result"
        )
        pictures = rehearsal.wait(lambda: ana.files(BRAND), 30, "the loss curve")
        if not ana.download(pictures[-1]).startswith(b"\x89PNG"):
            raise StepFailed("the loss curve is not a picture")
        step.result = sentence


def draft_after(rehearsal: Rehearsal, request: str) -> None:
    with rehearsal.step("the winner drafts") as step:
        champion = rehearsal.champion()
        if not champion.needs_adapter:
            raise StepFailed(
                f"the gate kept {champion.value}: {((rehearsal.run() or Run()).verdict or {})['sentence']}"
            )
        text, rung = rehearsal.draft(rehearsal.people[MIA], request)
        if rung is not champion:
            raise StepFailed(f"the champion is {champion.value}, but the draft came from {rung.value}")
        step.result = f"[{rung.value}] {text}"


def roll_back(rehearsal: Rehearsal, request: str) -> None:
    with rehearsal.step("an admin rolls back, and the next draft shows it") as step:
        before = rehearsal.champion()
        rehearsal.people[ANA].slash("/huisstijl", f"rollback {STYLE}", BRAND)
        rehearsal.wait(lambda: rehearsal.champion() is not before, 20, "the rollback")
        text, rung = rehearsal.draft(rehearsal.people[MIA], request)
        if rung is not rehearsal.champion():
            raise StepFailed(f"the champion is {rehearsal.champion().value}, but the draft came from {rung.value}")
        step.result = f"[{rung.value}] {text}"


# ------------------------------------------------------------------------------------------------ the whole


def run_rehearsal(settings: Settings, *, pairs: int, keep: bool) -> int:
    """The `rehearse` command. Returns 0 when every step happened."""
    console = Console()
    samples = [json.loads(line) for line in SAMPLES.read_text().splitlines()]
    if not 0 < pairs < len(samples):
        console.print(f"There are {len(samples)} sample pairs; take 1 to {len(samples) - 1} of them.")
        return 2
    began, request = time.monotonic(), samples[-1]["prompt"]
    folder = settings.data_dir / "rehearsal"
    shutil.rmtree(folder, ignore_errors=True)
    rehearsal = _prepare(settings, folder, console, samples[:pairs])
    try:
        start_everything(rehearsal)
        create_style(rehearsal)
        draft_before(rehearsal, request)
        teach(rehearsal)
        let_the_clock_notice(rehearsal)
        watch_the_run(rehearsal)
        show_the_ladder(rehearsal)
        read_the_result(rehearsal)
        draft_after(rehearsal, request)
        roll_back(rehearsal, request)
        is_complete = True
    except (StepFailed, httpx.HTTPError) as error:
        console.print(f"[red]The rehearsal stopped:[/] {error}", highlight=False)
        is_complete = False
    except KeyboardInterrupt:
        console.print("Stopped.")
        is_complete = False
    finally:
        stop_all(rehearsal.children)
        rehearsal.database.dispose()
    _print_table(rehearsal, samples[-1]["completion"], time.monotonic() - began)
    if not keep and is_complete:
        shutil.rmtree(folder, ignore_errors=True)
    elif not is_complete:
        console.print(f"Its data and logs are in {folder}.")
    return 0 if is_complete else 1


def _prepare(settings: Settings, folder: Path, console: Console, pairs: list[Json]) -> Rehearsal:
    """Settings of an installation of its own: nothing here touches a real workspace, database or artifact store."""
    folder.mkdir(parents=True)
    own = settings.model_copy(
        update={
            "data_dir": folder,
            "prepared_models_dir": settings.models_dir.resolve(),
            "database_url": "", "artifact_url": "", "model_url": "",
            "slack_bot_token": None, "slack_app_token": None, "slack_signing_secret": None, "slack_mode": "socket",
            "workspace_port": _free_port(), "serve_port": _free_port(),
            "tick_seconds": 2.0,
        }
    )  # fmt: skip
    children = plan(
        own,
        HUISSTIJL_PREPARED_MODELS_DIR=str(own.prepared_models_dir),
        HUISSTIJL_DATABASE_URL="",
        HUISSTIJL_ARTIFACT_URL="",
        HUISSTIJL_MODEL_URL="",
        HUISSTIJL_WORKSPACE_PORT=str(own.workspace_port),
        HUISSTIJL_SERVE_PORT=str(own.serve_port),
        HUISSTIJL_TICK_SECONDS=str(own.tick_seconds),
        HUISSTIJL_LOG_LEVEL="INFO",
    )
    for child in children:
        child.log_file = folder / f"{child.name}.log"
    return Rehearsal(
        settings=own, console=console, pairs=pairs, database=Database(own.resolved_database_url), children=children
    )


def _print_table(rehearsal: Rehearsal, reference: str, seconds: float) -> None:
    table = Table(title="Rehearsal", show_lines=True)
    for column in ("", "step", "seconds", "what happened"):
        table.add_column(column, overflow="fold")
    for step in rehearsal.steps:
        table.add_row("✓" if step.is_done else "✗", step.name, f"{step.seconds:.0f}", escape(step.result))
    table.add_row("", "the reference of the drafts, by its maintainer", "", reference)
    table.add_row("", "all of it", f"{seconds:.0f}", f"{seconds / 60:.1f} minutes")
    rehearsal.console.print(table)


def _bar(console: Console) -> Progress:
    return Progress(
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(), console=console, transient=True,
    )  # fmt: skip


def _has_button(message: Json, action_id: str) -> bool:
    elements = [e for block in message.get("blocks") or () for e in block.get("elements") or ()]
    return any(element.get("action_id") == action_id for element in elements)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2.0, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def _is_connected(rehearsal: Rehearsal) -> bool:
    """The bot answers once its Socket Mode connection stands."""
    answered = rehearsal.people[ANA].slash("/huisstijl", "help", BRAND)
    return answered.ok


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
