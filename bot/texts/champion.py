"""What people read about a style's champion: how it moved and why, and what must not become one."""

from __future__ import annotations

from collections.abc import Sequence

from bot.language import listed, say, say_count, sentence, sentences


def candidate_name(rung: str, adapter_name: str) -> str:
    return f"`{rung}` ({adapter_name})" if adapter_name else f"`{rung}`"


def promoted(style_name: str, user_id: str, now: str, before: str) -> str:
    return say(
        "{who} made {now} the champion of *{style}*, instead of {before}. It makes the next draft.",
        who=f"<@{user_id}>", now=now, style=style_name, before=before,
    )  # fmt: skip


def rolled_back(style_name: str, user_id: str, now: str, before: str) -> str:
    return say(
        "{who} rolled *{style}* back from {before} to {now}. It makes the next draft.",
        who=f"<@{user_id}>", now=now, style=style_name, before=before,
    )  # fmt: skip


def promoted_reason(user_id: str) -> str:
    return say("promoted by hand by {who}", who=f"<@{user_id}>")


def rolled_back_reason(user_id: str, before: str) -> str:
    return say("rolled back from {before} by {who}", before=before, who=f"<@{user_id}>")


def moved_to_base(style_name: str, now: str, before: str, new: str, old: str) -> str:
    return say(
        "The operator signed off another base model: *{style}* is served by {now} on {new}, instead of {before} on "
        "{old}, from the next draft on.",
        style=style_name, now=now, before=before, new=new, old=old,
    )  # fmt: skip


def back_on_base(style_name: str, now: str, before: str, new: str, old: str) -> str:
    return say(
        "The operator took the change of the base model back: *{style}* is served by {now} on {new} again, instead of "
        "{before} on {old}, from the next draft on.",
        style=style_name, now=now, before=before, new=new, old=old,
    )  # fmt: skip


def moved_to_base_reason(base: str) -> str:
    return say("the operator signed off the base model {base}", base=base)


BACK_ON_BASE_REASON = sentence("the operator took the change of the base model back")


def unknown_candidate(name: str, style_name: str, known: Sequence[str], nearest: str | None) -> str:
    candidates = listed([f"`{one}`" for one in known])
    if nearest:
        return say(
            "*{style}* has no measured candidate called “{name}”. Did you mean `{nearest}`? There are: {candidates}.",
            style=style_name, name=name, nearest=nearest, candidates=candidates,
        )  # fmt: skip
    return say(
        "*{style}* has no measured candidate called “{name}”. There are: {candidates}.",
        style=style_name, name=name, candidates=candidates,
    )  # fmt: skip


def withdrawn_adapter(name: str, reason: str) -> str:
    if reason:
        return say(
            "`{name}` was withdrawn and must not serve any more: {reason}. `/huisstijl ladder` shows what else there "
            "is.",
            name=name, reason=reason,
        )  # fmt: skip
    return say(
        "`{name}` was withdrawn and must not serve any more. `/huisstijl ladder` shows what else there is.", name=name
    )


def tainted_adapter(name: str) -> str:
    return say(
        "`{name}` learnt from something that was withdrawn since, so it must not become the champion any more. "
        "`/huisstijl ladder` shows what else there is.",
        name=name,
    )  # fmt: skip


def on_other_base(name: str, style: str, own: str, serving: str, *, is_asked_about: bool) -> str:
    refused = say(
        "`{name}` was trained on the base model {own}, and *{style}* is served on {serving}; an adapter is never moved "
        "to another base model by hand.",
        name=name, style=style, own=own, serving=serving,
    )  # fmt: skip
    if is_asked_about:
        following = say(
            "A change to {own} is open: `huisstijl base status` says how far it is, and an operator signs it off with "
            "`huisstijl base accept {style}`.",
            own=own, style=style,
        )  # fmt: skip
    else:
        following = say(
            "An operator can have {own} measured against {serving} with `huisstijl base change`, and signs off what is "
            "as good.",
            own=own, serving=serving,
        )  # fmt: skip
    return sentences(refused, following)


OUT_OF_USE_REASON = sentence("what its predecessor had learnt from was withdrawn")
#: Why there is no clean retrain.
NO_RETRAIN = {
    "too_few_examples": sentence("too few examples are left to train without it"),
    "failed_too_often": sentence("every try to train without it has failed"),
    "budget_too_small": sentence("training without it costs more than a month's budget"),
    "budget_spent": sentence("the next month's budget did not suffice either to train without it"),
    "person_forgotten": sentence("a clean retrain follows by itself"),
}


def out_of_use(style_name: str, adapters: Sequence[str], rung: str, why: str) -> str:
    """For the channel: adapters that must not serve any more, and what makes the drafts from now on."""
    names = listed([f"`{name}`" for name in adapters])
    if not rung:
        return say_count(
            len(adapters),
            "Something was withdrawn that an adapter of *{style}* had learnt from, and {why}. {adapters} is out of "
            "use.",
            "Something was withdrawn that adapters of *{style}* had learnt from, and {why}. {adapters} are out of "
            "use.",
            style=style_name, adapters=names, why=NO_RETRAIN[why](),
        )  # fmt: skip
    return say_count(
        len(adapters),
        "Something was withdrawn that an adapter of *{style}* had learnt from, and {why}. {adapters} is out of use; "
        "`{rung}` makes the next draft.",
        "Something was withdrawn that adapters of *{style}* had learnt from, and {why}. {adapters} are out of use; "
        "`{rung}` makes the next draft.",
        style=style_name, adapters=names, rung=rung, why=NO_RETRAIN[why](),
    )  # fmt: skip


def already_champion(name: str, style_name: str) -> str:
    return say("{name} serves *{style}* already.", name=name, style=style_name)


PROMOTE_USAGE = sentence(
    "Say which style and which candidate, as in `/huisstijl promote brand-voice retrieved`. `/huisstijl ladder` "
    "lists the candidates."
)
