"""What `/huisstijl` says about itself. A subcommand without a line here is a mistake that a test finds."""

from __future__ import annotations

from collections.abc import Sequence

from bot.language import Sentence, bullet, lines, say, sentence

#: Subcommand → what `help` shows of it.
HELP: dict[str, Sentence] = {
    "help": sentence("`/huisstijl help`: this list"),
    "styles": sentence("`/huisstijl styles`: the styles that can be used here"),
    "style": sentence("`/huisstijl style new` and `/huisstijl style edit NAME`: make or change a style (admins)"),
    "examples": sentence("`/huisstijl examples [STYLE]`: what a style has learnt, with the newest examples"),
    "withdraw": sentence("`/huisstijl withdraw EXAMPLE_ID`: take an example back"),
    "forget": sentence(
        "`/huisstijl forget`: erase what is yours, after a quote; `/huisstijl forget @PERSON` for somebody else "
        "(admins)"
    ),
    "review": sentence("`/huisstijl review [STYLE]`: what waits for your review (reviewers and admins)"),
    "knowledge": sentence(
        "`/huisstijl knowledge [STYLE]`: the documents that drafts take facts from; `/huisstijl knowledge remove ID` "
        "erases one (who added it, reviewers and admins)"
    ),
    "unsure": sentence("`/huisstijl unsure [STYLE]`: texts here that wait for their label, the least sure first"),
    "train": sentence("`/huisstijl train [STYLE]`: train now, after a quote (admins)"),
    "measure": sentence("`/huisstijl measure [STYLE]`: measure again what serves best, and train nothing (admins)"),
    "ladder": sentence("`/huisstijl ladder [STYLE]`: every way to make a draft, measured on unseen pairs"),
    "status": sentence("`/huisstijl status [STYLE]`: champion, runs, what comes next"),
    "trial": sentence(
        "`/huisstijl trial STYLE [CANDIDATE]`: compare the champion with another candidate blindly, on real requests; "
        "`/huisstijl trial STYLE stop` ends it (admins)"
    ),
    "promote": sentence("`/huisstijl promote STYLE RUNG-OR-ADAPTER`: choose the champion by hand (admins)"),
    "rollback": sentence("`/huisstijl rollback [STYLE]`: go back to the previous champion (admins)"),
}
HELP_INTRO = sentence(
    "*Huisstijl* writes drafts the way your team writes. Ask with `/draft [style:] request`, mention me, or write to "
    "me. Teach me with the message shortcut “Teach house style”."
)
STYLE_USAGE = sentence("Say what to do with a style: `/huisstijl style new` or `/huisstijl style edit NAME`.")


def unknown(word: str, nearest: str | None) -> str:
    if nearest:
        return say(
            "I do not know `/huisstijl {word}`. Did you mean `/huisstijl {nearest}`? `/huisstijl help` lists them all.",
            word=word, nearest=nearest,
        )  # fmt: skip
    return say("I do not know `/huisstijl {word}`. `/huisstijl help` lists what I can do.", word=word)


def help_text(subcommands: Sequence[str]) -> str:
    return lines(HELP_INTRO(), *(bullet(HELP[name]()) for name in subcommands))
