"""What `/huisstijl` says about itself. A subcommand without a line here is a mistake that a test finds."""

from __future__ import annotations

#: Subcommand → what `help` shows of it.
HELP: dict[str, str] = {
    "help": "`/huisstijl help`: this list",
    "styles": "`/huisstijl styles`: the styles that can be used here",
    "style": "`/huisstijl style new` and `/huisstijl style edit NAME`: make or change a style (admins)",
    "examples": "`/huisstijl examples [STYLE]`: what a style has learnt, with the newest examples",
    "withdraw": "`/huisstijl withdraw EXAMPLE_ID`: take an example back",
    "train": "`/huisstijl train [STYLE]`: train now, after a quote (admins)",
    "ladder": "`/huisstijl ladder [STYLE]`: every way to make a draft, measured on unseen pairs",
    "status": "`/huisstijl status [STYLE]`: champion, runs, what comes next",
    "promote": "`/huisstijl promote STYLE RUNG-OR-ADAPTER`: choose the champion by hand (admins)",
    "rollback": "`/huisstijl rollback [STYLE]`: go back to the previous champion (admins)",
}
HELP_INTRO = (
    "*Huisstijl* writes drafts the way your team writes. Ask with `/draft [style:] request`, mention me, or write to "
    "me. Teach me with the message shortcut “Teach house style”."
)
STYLE_USAGE = "Say what to do with a style: `/huisstijl style new` or `/huisstijl style edit NAME`."


def unknown(word: str, nearest: str | None) -> str:
    if nearest:
        return (
            f"I do not know `/huisstijl {word}`. Did you mean `/huisstijl {nearest}`? `/huisstijl help` lists them all."
        )
    return f"I do not know `/huisstijl {word}`. `/huisstijl help` lists what I can do."


def help_text(subcommands: list[str]) -> str:
    return "\n".join([HELP_INTRO, *(f"• {HELP[name]}" for name in subcommands)])
