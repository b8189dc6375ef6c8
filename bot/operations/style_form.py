"""What an admin typed into the style form, as a checked StyleForm or as sentences beside the inputs."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.style_names import is_valid_name, suggest_name
from bot.domain.style_terms import read_terms
from bot.domain.values import Actor, Channel, Submission
from bot.operations.styles import StyleForm
from bot.texts import styles as texts
from db.styles import StyleKind

#: block_id → least and most.
NUMBERS = {"approvals": (1, 5), "train_after": (0, 100_000), "train_from": (0, 23), "train_to": (0, 23)}
MAX_INSTRUCTIONS_CHARS = 3_000
MAX_BUDGET = 1_000_000.0
#: A byte has eight bits: nothing gains more.
MAX_GAIN_BITS = 8.0


def read_style_form(
    submission: Submission, *, private_channel_id: str | None, reviewers: Sequence[Actor], channel: Channel | None
) -> tuple[StyleForm | None, dict[str, str]]:
    """The form, or what is wrong with it by block_id.

    `private_channel_id`: the one channel that the style is for, if it is. `reviewers` and `channel` are the chosen
    ones as Slack describes them.
    """
    errors: dict[str, str] = {}
    name, instructions = submission.text("name"), submission.text("instructions")
    if not name:
        errors["name"] = texts.NAME_MISSING()
    elif not is_valid_name(name):
        errors["name"] = texts.name_invalid(suggest_name(name))
    if not instructions:
        errors["instructions"] = texts.INSTRUCTIONS_MISSING()
    errors |= _channel_errors(channel, private_channel_id)
    errors |= _reviewer_errors(reviewers)
    numbers: dict[str, int] = {}
    for block_id, (least, most) in NUMBERS.items():
        number = _whole_number(submission.text(block_id))
        if number is None or not least <= number <= most:
            errors[block_id] = texts.number_out_of_range(least, most)
        else:
            numbers[block_id] = number
    if "approvals" in numbers and "reviewers" not in errors and numbers["approvals"] > len(reviewers):
        errors["approvals"] = texts.too_few_reviewers(len(reviewers), numbers["approvals"])
    gain, wrong_gain = _read_gain(submission.text("train_gain"))
    errors |= {"train_gain": wrong_gain} if wrong_gain else {}
    monthly_budget, wrong_budget = read_budget_field(submission.text("budget"))
    errors |= {"budget": wrong_budget} if wrong_budget else {}
    kind = StyleKind(submission.text("kind") or StyleKind.DRAFT)
    terms, wrong_terms = read_terms(
        submission.text("required_terms"), submission.text("forbidden_terms"), has_labels=kind is StyleKind.CLASSIFY
    )
    errors |= wrong_terms
    if errors or channel is None:
        return None, errors
    return StyleForm(
        name=name, instructions=instructions, kind=kind, terms=terms,
        channel_id=channel.channel_id, reviewer_ids=tuple(reviewer.user_id for reviewer in reviewers),
        approvals_required=numbers["approvals"], may_approve_own=bool(submission.choices("own")),
        train_after_examples=numbers["train_after"], train_on_gain_bits=gain, train_from_hour=numbers["train_from"],
        train_to_hour=numbers["train_to"], recipe=submission.text("recipe").removeprefix("-"),
        monthly_budget=monthly_budget, is_digest_on=bool(submission.choices("digest")),
    ), {}  # fmt: skip


def _channel_errors(channel: Channel | None, private_channel_id: str | None) -> dict[str, str]:
    if channel is None:
        return {"channel": texts.CHANNEL_MISSING()}
    if private_channel_id is not None and channel.channel_id != private_channel_id:
        return {"channel": texts.PRIVATE_ONLY_HERE()}
    if channel.is_external:
        return {"channel": texts.CHANNEL_EXTERNAL()}
    if not channel.is_member or channel.is_direct:
        return {"channel": texts.CHANNEL_NOT_JOINED()}
    return {}


def _reviewer_errors(reviewers: Sequence[Actor]) -> dict[str, str]:
    if not reviewers:
        return {"reviewers": texts.REVIEWERS_MISSING()}
    others = [reviewer.name for reviewer in reviewers if not reviewer.is_full_member]
    return {"reviewers": texts.reviewers_not_members(others)} if others else {}


def read_budget_field(text: str) -> tuple[float | None, str]:
    """An amount of money, None where the field is empty; or the sentence that says what is wrong."""
    if not text:
        return None, ""
    try:
        amount = float(text.replace(",", "."))
    except ValueError:
        return None, texts.BUDGET_INVALID()
    return (round(amount, 2), "") if 0 <= amount <= MAX_BUDGET else (None, texts.BUDGET_INVALID())


def _read_gain(text: str) -> tuple[float | None, str]:
    """Bits per byte, None where the field is empty; or the sentence that says what is wrong."""
    if not text:
        return None, ""
    try:
        gain = float(text.replace(",", "."))
    except ValueError:
        return None, texts.GAIN_INVALID()
    return (gain, "") if 0 < gain <= MAX_GAIN_BITS else (None, texts.GAIN_INVALID())


def _whole_number(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None
