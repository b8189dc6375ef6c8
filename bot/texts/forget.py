"""What people read when somebody wants to be forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.language import all_of, bullet, lines, listed, say, say_count, sentence, sentences

FORGET_BUTTON = sentence("Erase it all")
CANCEL_BUTTON = sentence("Cancel")
NOT_FORGOTTEN = sentence("Nothing was erased.")
OTHERS_ARE_FOR_ADMINS = sentence(
    "Only workspace admins can have somebody else forgotten. `/huisstijl forget` alone erases what is yours."
)
FORGET_WHOM = sentence(
    "Say whom, as in `/huisstijl forget @somebody` (admins), or `/huisstijl forget` alone for what is yours."
)
#: A style that must not be named here, and a longer list than a message takes.
PRIVATE_STYLE = sentence("a style of a private channel")
#: Styles that are listed one by one.
SHOWN = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What of a person is in one style. Without a name where it must not be told."""

    style_name: str
    examples: int
    adapters: int
    adapter_names: tuple[str, ...]


def quote_lines(
    user_id: str, shares: Sequence[Share], drafts: int, documents: int = 0, preferences: int = 0
) -> list[str]:
    """A paragraph each; `user_id` is empty for whoever asks about themselves."""
    counted = _counted(
        sum(share.examples for share in shares), sum(bool(share.examples) for share in shares), drafts, documents,
        preferences,
    )  # fmt: skip
    said = [_headline(user_id, counted)]
    if shares:
        shown = [bullet(_share(share)) for share in shares[:SHOWN]]
        if len(shares) > SHOWN:
            rest = len(shares) - SHOWN
            shown.append(bullet(say_count(rest, "and {count} more style", "and {count} more styles")))
        said.append(lines(*shown))
    said.append(_consequences(has_adapters=any(share.adapters for share in shares)))
    return said


def _headline(user_id: str, counted: str) -> str:
    if user_id:
        return say("*Forget {who}?* Of theirs there are {counted}.", who=f"<@{user_id}>", counted=counted)
    return say("*Forget what is yours?* There are {counted}.", counted=counted)


def _counted(examples: int, styles: int, drafts: int, documents: int, preferences: int) -> str:
    counted = [
        say(
            "{examples} in {styles}",
            examples=say_count(examples, "{count} example", "{count} examples"),
            styles=say_count(styles, "{count} style", "{count} styles"),
        ),
        say_count(drafts, "{count} draft", "{count} drafts"),
    ]
    if preferences:
        counted.append(say_count(preferences, "{count} opinion on a draft", "{count} opinions on drafts"))
    if documents:
        counted.append(say_count(documents, "{count} document", "{count} documents"))
    return all_of(counted)


def _share(share: Share) -> str:
    style = f"*{share.style_name}*" if share.style_name else PRIVATE_STYLE()
    examples = say_count(share.examples, "{count} example", "{count} examples")
    if not share.adapters:
        return say("{style}: {examples}; no adapter was trained on them", style=style, examples=examples)
    if not share.adapter_names:
        return say_count(
            share.adapters,
            "{style}: {examples}; {count} adapter was trained on them",
            "{style}: {examples}; {count} adapters were trained on them",
            style=style, examples=examples,
        )  # fmt: skip
    names = listed([f"`{name}`" for name in share.adapter_names])
    return say("{style}: {examples}; trained on them: {adapters}", style=style, examples=examples, adapters=names)


def _consequences(*, has_adapters: bool) -> str:
    erased = say(
        "All these texts are erased for good, wherever they are kept, and shape no draft any more. What was posted in "
        "Slack stays there until it is deleted there."
    )
    if not has_adapters:
        return erased
    return sentences(
        erased,
        say(
            "The adapters that were trained on them are out of use at once: a prompt makes the drafts until a clean "
            "retrain has succeeded, which starts by itself where enough examples are left."
        ),
    )


def nothing_to_forget(user_id: str) -> str:
    if user_id:
        return say("There is nothing of {who} to forget: no example, no draft and no document.", who=f"<@{user_id}>")
    return say("There is nothing of yours to forget: no example, no draft and no document.")


def forgotten(
    user_id: str, examples: int, styles: int, drafts: int, adapters: int, documents: int = 0, preferences: int = 0
) -> str:
    counted = _counted(examples, styles, drafts, documents, preferences)
    if user_id:
        done = say("{who} is forgotten: {counted} were erased.", who=f"<@{user_id}>", counted=counted)
    else:
        done = say("You are forgotten: {counted} were erased.", counted=counted)
    if not adapters:
        return done
    follows = say_count(
        adapters,
        "{count} adapter that had learnt from them is out of use; `/huisstijl status` says what comes next.",
        "{count} adapters that had learnt from them are out of use; `/huisstijl status` says what comes next.",
    )
    return sentences(done, follows)
