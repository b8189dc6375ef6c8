"""`huisstijl chat`: the local workspace in a terminal, as one of its people.

What you type is posted; what starts with `/` is a slash command; what starts with `:` is for this client. Messages are
numbered as they appear, so that a button or shortcut can be named by number.
"""

from __future__ import annotations

import shlex
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
from rich.console import Console
from rich.markup import escape
from rich.prompt import Prompt

from bot.rehearsal.errors import PersonError
from bot.rehearsal.people import Person
from bot.rehearsal.seed import Seed, default_seed
from bot.rehearsal.workspace import load_tokens, workspace_folder
from config.settings import Settings

HELP = """Type to post in the channel; start with @huisstijl to mention the bot, with / for a slash command.
  :as NAME            be somebody else ({people})
  :in CHANNEL         go to a channel ({channels}) or :in bot for the direct message with the bot
  :reply N TEXT       answer in the thread of message N
  :teach N            "Teach house style" on message N
  :press N ACTION     press a button of message N; the buttons show their names
  :modal              fill in the modal that is open
  :help  :quit"""

Json = dict[str, Any]


class Chat:
    """One terminal, looking at one channel as one person."""

    def __init__(self, settings: Settings, console: Console, who: str = "mia") -> None:
        self.console = console
        self.seed: Seed = default_seed()
        self.url = f"http://{settings.workspace_host}:{settings.workspace_port}"
        self.token = load_tokens(workspace_folder(settings))["client_token"]
        self.names = {person.name: person.id for person in self.seed.people}
        self.by_id = {person.id: person.name for person in self.seed.people} | {self.seed.bot_user_id: "huisstijl"}
        self.person = self._person(who)
        self.channel, self.channel_name = self.seed.channels[0].id, self.seed.channels[0].name
        self.numbered: list[Json] = []
        self._shown: dict[str, str] = {}
        self._lock = threading.Lock()
        self._done = threading.Event()

    # ------------------------------------------------------------------------------------------ typing

    def run(self) -> None:
        """Read lines until :quit or end of input."""
        self._help()
        watcher = threading.Thread(target=self._watch, daemon=True)
        watcher.start()
        while not self._done.is_set():
            try:
                line = self.console.input(f"[bold]{self.by_id[self.person.id]}[/] #{self.channel_name}> ").strip()
            except (EOFError, KeyboardInterrupt):
                break
            if line:
                try:
                    self.obey(line)
                except (PersonError, ValueError, IndexError, KeyError) as error:
                    self.console.print(f"[red]{escape(str(error) or 'that did not work; :help says how')}[/]")
            self.show_news()
        self._done.set()

    def obey(self, line: str) -> None:
        if line.startswith("/"):
            command, _, text = line.partition(" ")
            answered = self.person.slash(command, text, self.channel)
            if not answered.ok:
                raise PersonError(answered.error or "the app did not answer in time")
            self._fill_in_if_open(1.5)
        elif line.startswith(":"):
            verb, *rest = shlex.split(line[1:])
            self._verbs()[verb](*rest)
        else:
            self.person.post(self.channel, line.replace("@huisstijl", f"<@{self.seed.bot_user_id}>"))

    def _verbs(self) -> dict[str, Callable[..., None]]:
        return {
            "as": self._be, "in": self._go, "reply": self._reply, "teach": self._teach, "press": self._press,
            "modal": lambda: self._fill_in_if_open(0.1), "help": self._help, "quit": self._done.set,
        }  # fmt: skip

    def _help(self) -> None:
        people, channels = ", ".join(self.names), ", ".join(channel.name for channel in self.seed.channels)
        self.console.print(HELP.format(people=people, channels=channels))

    def close(self) -> None:
        self._done.set()
        self.person.close()

    def _be(self, name: str) -> None:
        before, self.person = self.person, self._person(name)
        before.close()
        self._shown.clear()

    def _go(self, name: str) -> None:
        name = name.lstrip("#")
        if name == "bot":
            self.channel = self.person.open_messages_tab()
        else:
            self.channel = {channel.name: channel.id for channel in self.seed.channels}[name]
        self.channel_name = name
        self._shown.clear()

    def _reply(self, number: str, *words: str) -> None:
        root = self.numbered[int(number) - 1]
        text = " ".join(words).replace("@huisstijl", f"<@{self.seed.bot_user_id}>")
        self.person.post(self.channel, text, root.get("thread_ts") or root["ts"])

    def _teach(self, number: str) -> None:
        self.person.shortcut("teach_style", self.channel, self.numbered[int(number) - 1]["ts"])
        self._fill_in_if_open(3.0)

    def _press(self, number: str, action_id: str) -> None:
        self.person.click(self.channel, self.numbered[int(number) - 1]["ts"], action_id)
        self._fill_in_if_open(1.0)

    # ------------------------------------------------------------------------------------------ modals

    def _fill_in_if_open(self, seconds: float) -> None:
        """Ask for each input of the modal that is open, submit, and show what is wrong until it is accepted."""
        try:
            view = self.person.wait_for_modal(seconds)
        except PersonError:
            return
        while True:
            self.console.rule(escape(view["title"]["text"]))
            values = {}
            for block in view["blocks"]:
                if block["type"] == "input":
                    values[block["block_id"]] = self._ask(block)
                else:
                    self._print_lines(block_lines(block))
            if "submit" not in view or Prompt.ask("Send?", choices=["y", "n"], default="y") == "n":
                self.person.close_view(view)
                return
            submitted = self.person.submit(view, {key: value for key, value in values.items() if value})
            if submitted.errors is None and submitted.view is None:
                return
            for block_id, complaint in (submitted.errors or {}).items():
                self.console.print(f"[red]{block_id}: {escape(complaint)}[/]")
            view = submitted.view or view

    def _ask(self, block: Json) -> Any:
        element, label = block["element"], block["label"]["text"]
        options = {option["text"]["text"]: option["value"] for option in element.get("options", ())}
        if element["type"] == "multi_users_select":
            names = Prompt.ask(f"{label} (names, with spaces between)", default="")
            return [self.names[name] for name in names.split()]
        if element["type"] in ("conversations_select", "channels_select"):
            name = Prompt.ask(f"{label} (channel)", default=self.channel_name)
            return {channel.name: channel.id for channel in self.seed.channels}[name.lstrip("#")]
        if element["type"] == "checkboxes":
            return [v for text, v in options.items() if Prompt.ask(text, choices=["y", "n"], default="n") == "y"]
        if options:
            first = (element.get("initial_option") or {"text": {"text": next(iter(options))}})["text"]["text"]
            return options[Prompt.ask(label, choices=list(options), default=first)]
        return Prompt.ask(label, default=element.get("initial_value", ""))

    # ------------------------------------------------------------------------------------------ looking

    def show_news(self) -> None:
        """Print what is new or has changed in this channel, threads included."""
        with self._lock:
            for message in self._everything():
                key, looks = message["ts"], repr((message.get("text"), message.get("blocks"), message.get("files")))
                if self._shown.get(key) == looks:
                    continue
                self._shown[key] = looks
                self.numbered.append(message)
                who = self.by_id.get(message.get("user", ""), "huisstijl")
                place = "  ↳ " if message.get("thread_ts") not in (None, message["ts"]) else ""
                only = " [dim](only you see this)[/]" if message.get("is_ephemeral") else ""
                self.console.print(f"{place}[cyan]{len(self.numbered)}[/] [bold]{who}[/]{only}")
                self._print_lines(message_lines(message), place)

    def _everything(self) -> Iterator[Json]:
        for message in self.person.messages(self.channel):
            if message.get("reply_count"):
                yield from self.person.messages(self.channel, message["ts"])
            else:
                yield message
        for message in self.person.ephemerals(self.channel):
            yield message | {"is_ephemeral": True}

    def _print_lines(self, lines: list[str], indent: str = "") -> None:
        for line in lines:
            self.console.print(f"{indent}  {escape(line)}", highlight=False)

    def _watch(self) -> None:
        while not self._done.wait(1.0):
            try:
                self.show_news()
            except (PersonError, httpx.HTTPError):
                continue

    def _person(self, name: str) -> Person:
        if name not in self.names:
            raise ValueError(f"nobody is called {name}; there are {', '.join(self.names)}")
        return Person(self.url, self.names[name], self.token, self.seed.bot_user_id)


def message_lines(message: Json) -> list[str]:
    """A message as plain lines: its blocks, or its text where it has none."""
    blocks = [line for block in message.get("blocks") or () for line in block_lines(block)]
    files = [f"[picture: {file.get('title') or file.get('name')}]" for file in message.get("files") or ()]
    return (blocks or (message.get("text") or "").splitlines()) + files


def block_lines(block: Json) -> list[str]:
    """A Block Kit block as plain lines; buttons show the names that `:press` wants."""
    kind = block["type"]
    if kind == "divider":
        return ["─" * 20]
    if kind == "actions" or kind == "context_actions":
        return ["  ".join(f"[{e['text']['text']}: {e['action_id']}]" for e in block["elements"] if "text" in e)]
    if kind == "context":
        return ["  ".join(_text_of(element) for element in block["elements"])]
    if kind == "rich_text":
        return "".join(_rich_text(block)).splitlines()
    texts = [_text_of(block.get("text"))] + [_text_of(field) for field in block.get("fields") or ()]
    return [line for text in texts for line in text.splitlines()]


def _text_of(element: Any) -> str:
    if isinstance(element, str):
        return element
    return str((element or {}).get("text") or (element or {}).get("alt_text") or "")


def _rich_text(element: Json) -> Iterator[str]:
    if "elements" in element:
        for inner in element["elements"]:
            yield from _rich_text(inner)
        if element["type"] != "rich_text":
            yield "\n"
    else:
        yield str(element.get("text") or element.get("name") or element.get("url") or "")


def run_chat(settings: Settings, who: str) -> int:
    """The `chat` command. Returns the exit code."""
    console = Console()
    try:
        chat = Chat(settings, console, who)
        chat.person.channels()
    except (httpx.HTTPError, ValueError) as error:
        console.print(f"The local workspace does not answer: start it with `huisstijl up`. ({escape(str(error))})")
        return 1
    chat.run()
    chat.close()
    return 0
