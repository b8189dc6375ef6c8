"""What a person reads who tries in the local workspace what Slack's client would not let them do."""

from __future__ import annotations

from bot.language import say, say_count, sentence


def is_deactivated(user: str) -> str:
    return say("{user} is deactivated: act as somebody else.", user=user)


def not_in_channel(user: str, channel: str) -> str:
    return say("{user} is not in {channel}: join it first, or be invited.", user=user, channel=channel)


NO_SUCH_MESSAGE = sentence("That message is not there any more.")
ONLY_ONES_OWN = sentence("Only one's own messages can be changed.")
NO_STOP_ON_MESSAGE = sentence("There is no stop button on this message any more: it is finished.")
NO_STOP_IN_THREAD = sentence("There is no stop button in this thread: nothing is being written.")
TROUBLE = sentence("We had some trouble connecting. Try again?")
NOT_ON_TOP = sentence("This window is not open any more, or another one is on top of it.")
NO_RESULTS = sentence("Results could not be loaded. Try again in a moment.")
REQUIRED = sentence("This is a required field")


def nothing_to_click(action_id: str) -> str:
    return say(
        "There is nothing to click here any more (`{action}`): it has changed meanwhile. Look at it again.",
        action=action_id,
    )


def is_archived(channel: str) -> str:
    return say("{channel} is archived: nothing can be written there any more.", channel=channel)


def message_length(most: int) -> str:
    return say("A message has 1 to {most} characters.", most=most)


def not_a_command(command: str) -> str:
    return say("{command} is not a command here.", command=command)


def command_failed(command: str, error: str) -> str:
    return say("{command} failed with the error “{error}”", command=command, error=error)


def no_such_shortcut(shortcut: str) -> str:
    return say("The app has no shortcut {shortcut} any more: load the page again.", shortcut=shortcut)


def cannot_join(user: str, channel: str) -> str:
    return say("{user} cannot join {channel}: somebody in it has to invite them.", user=user, channel=channel)


def odd_answer(error: str) -> str:
    return say("We had some trouble connecting. Try again? (the app answered {error})", error=error)


def file_size(most: int) -> str:
    return say("A file has 1 to {most} bytes here.", most=most)


def at_least(least: int) -> str:
    return say_count(least, "Must be at least {count} character", "Must be at least {count} characters")


def at_most(most: int, extra: int) -> str:
    return say("Must be at most {most} characters ({extra} too many)", most=most, extra=extra)


def refused(error: str) -> str:
    return say("The workspace refused that with Slack's error `{error}`.", error=error)
