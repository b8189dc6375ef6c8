"""What stands in the local workspace when it opens for the first time."""

from __future__ import annotations

from bot.language import say


def welcome(untaught: str, taught: str, trained: str) -> str:
    return say(
        "Welcome! This workspace is on your own machine, and so are its people: switch between them to try what each "
        "of them may do. Three styles are here. `{untaught}` has learnt nothing yet. `{taught}` drafts from approved "
        "examples that are like the request. `{trained}` is being trained at this moment.",
        untaught=untaught, taught=taught, trained=trained,
    )  # fmt: skip


def try_this() -> str:
    """The bot's name is written out: a mention would ask it for a draft."""
    return say(
        "To begin with: write `/draft` and what you need, or mention {bot}. When somebody writes something good, open "
        "the menu of that message and choose “Teach house style”.",
        bot="`@huisstijl`",
    )


def is_training(style: str, pairs: int) -> str:
    return say(
        "`{style}` opens with {pairs} examples that were approved before. An adapter is trained on them now, for real, "
        "on this machine: that takes some minutes, and drafts are slower meanwhile. The card below shows how far it "
        "is. If it beats the retrieved examples on pairs that it has never seen, it becomes the champion; "
        "`/huisstijl rollback {style}` takes that back.",
        style=style, pairs=pairs,
    )  # fmt: skip


def was_taught(style: str, pairs: int) -> str:
    return say(
        "`{style}` opens with {pairs} examples that were approved before. Its champion is `retrieved`: each draft is "
        "written with the examples that are most like the request. The cards below wait for a reviewer.",
        style=style, pairs=pairs,
    )  # fmt: skip


def is_untaught(style: str) -> str:
    return say(
        "`{style}` has instructions and not one example. Ask for a draft, correct it, and keep what you corrected: "
        "that is how it learns.",
        style=style,
    )
