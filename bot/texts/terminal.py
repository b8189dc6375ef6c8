"""What the command line says while it imports and exports: for the operator, and in English only."""

from __future__ import annotations

from collections.abc import Sequence

BAD_JSON = "is not JSON: {reason}"
NOT_UTF8 = "is not UTF-8 text"
NOT_AN_OBJECT = "is not a JSON object with “prompt” and “completion”"
MISSING_KEYS = "has no {missing}"
WRONG_TYPES = "mixes formats: prompt and completion are both texts, or both lists of chat messages"
BAD_MESSAGE = 'has a chat message in “{field}” that is not {{"role": …, "content": text}}'
ONE_USER_MESSAGE = (
    "has a prompt of several turns ({roles}); an example is one request and one answer, so write one line per request"
)
WRONG_ROLES = (
    "has roles {roles} in “{field}”; the prompt is one “user” message and the completion one “assistant” message"
)
OTHER_SYSTEM = "has a system message that differs from the style's instructions"
LINE_TOO_LONG = "is longer than {most:,} bytes"


def line_problem(line: int, sentence: str) -> str:
    return f"line {line}: {sentence}"


def nothing_imported(count: int) -> str:
    return f"Nothing was imported: {count} bad {'line' if count == 1 else 'lines'}."


def too_many_to_review(count: int, most: int) -> str:
    return (
        f"{count:,} examples would be {count:,} review cards in the channel, and {most:,} is the most. Import fewer, "
        f"or import examples that were reviewed before with --approve."
    )


def imported(style: str, added: int, duplicates: int, seconds: float, *, approved: bool) -> str:
    what = "approved" if approved else "proposed for review"
    return f"{style}: {added:,} examples {what}, {duplicates:,} duplicates left out ({seconds:.1f} s)."


def left_out(double: str) -> str:
    return f"is the same as {double} and was left out"


def which_team(teams: Sequence[str]) -> str:
    if not teams:
        return "There is no style yet, so there is nothing to read examples into or out of. Make one in Slack first."
    return f"Several teams have styles: {', '.join(teams)}. Say which one with --team."


def no_such_style(name: str, names: Sequence[str]) -> str:
    there_are = f"There are: {', '.join(names)}." if names else "Make one in Slack with `/huisstijl style new`."
    return f"There is no style “{name}”. {there_are}"


def unknown_format(format: str, formats: Sequence[str]) -> str:
    return f"There is no format “{format}”. Use {' or '.join(formats)}."


def pairs_exported(style: str, count: int) -> str:
    if count == 1:
        return f"{style}: 1 preference pair written."
    return f"{style}: {count:,} preference pairs written."


def exported(style: str, count: int) -> str:
    return f"{style}: {count:,} approved examples written."


def measurement_queued(style: str, run_id: str) -> str:
    return (
        f"{style}: a measurement is queued ({run_id}); it trains nothing. `huisstijl ladder {style}` shows it when it "
        f"has ended, and the style's channel how far it is."
    )
