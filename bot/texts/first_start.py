"""What stands in the local workspace when it opens for the first time."""

from __future__ import annotations


def welcome(untaught: str, taught: str, trained: str) -> str:
    return (
        "Welcome! This workspace is on your own machine, and so are its people: switch between them to try what each "
        f"of them may do. Three styles are here. `{untaught}` has learnt nothing yet. `{taught}` drafts from approved "
        f"examples that are like the request. `{trained}` is being trained at this moment."
    )


def try_this(bot_user_id: str) -> str:
    return (
        f"To begin with: write `/draft` and what you need, or mention <@{bot_user_id}>. When somebody writes something "
        "good, open the menu of that message and choose “Teach house style”."
    )


def is_training(style: str, pairs: int) -> str:
    return (
        f"`{style}` opens with {pairs} examples that were approved before. An adapter is trained on them now, for "
        "real, on this machine: that takes some minutes, and drafts are slower meanwhile. The card below shows how far "
        "it is. If it beats the retrieved examples on pairs that it has never seen, it becomes the champion; "
        f"`/huisstijl rollback {style}` takes that back."
    )


def was_taught(style: str, pairs: int) -> str:
    return (
        f"`{style}` opens with {pairs} examples that were approved before. Its champion is `retrieved`: each draft "
        "is written with the examples that are most like the request. The cards below wait for a reviewer."
    )


def is_untaught(style: str) -> str:
    return (
        f"`{style}` has instructions and not one example. Ask for a draft, correct it, and keep what you corrected: "
        "that is how it learns."
    )
