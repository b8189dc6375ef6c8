"""What people read about the ladder: what was measured on which pairs, and what follows from it."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.ladder import Ladder
from bot.language import say, say_count, sentence, sentences
from bot.texts.economy import economy_says
from bot.texts.measured import drafts_said, forms_said
from bot.texts.training import BECAUSE


def ladder_title(ladder: Ladder) -> str:
    if ladder.unrelated < ladder.n:
        return say(
            "The ladder of {style}, measured on {n} unseen pairs that count as {unrelated}",
            style=ladder.style_name, n=ladder.n, unrelated=ladder.unrelated,
        )  # fmt: skip
    return say_count(
        ladder.n,
        "The ladder of {style}, measured on {count} unseen pair",
        "The ladder of {style}, measured on {count} unseen pairs",
        style=ladder.style_name,
    )


def not_enough_pairs(ladder: Ladder) -> str:
    if ladder.unrelated < ladder.n:
        return say(
            "Not enough yet: the {n} unseen pairs count as {unrelated}, because some of them are related, and {needed} "
            "are needed to tell better from luck. Approved examples of other conversations give more.",
            n=ladder.n, unrelated=ladder.unrelated, needed=ladder.pairs_needed,
        )  # fmt: skip
    return say_count(
        ladder.n,
        "Not enough yet: {count} unseen pair, and {needed} are needed to tell better from luck. More approved examples "
        "give more unseen pairs.",
        "Not enough yet: {count} unseen pairs, and {needed} are needed to tell better from luck. More approved "
        "examples give more unseen pairs.",
        needed=ladder.pairs_needed,
    )


def ladder_says(ladder: Ladder) -> list[str]:
    """What follows from the measurement, a sentence each: the same in Slack and in the terminal."""
    says = [said for said in (ladder.because, ladder.verdict, ladder.hindsight, ladder.forecast) if said]
    if not ladder.is_enough:
        says.append(sentences(not_enough_pairs(ladder), ladder.prequential))
    used = [said for said in (drafts_said(ladder), forms_said(ladder), ladder.efforts, ladder.judge) if said]
    return [*says, *used, *economy_says(ladder.economy), *ladder.probes]


def ladder_text(title: str, says: Sequence[str]) -> str:
    """What notifications and screen readers say."""
    return sentences(say("{title}.", title=title), *says)


LADDER_COLUMNS = (
    sentence("candidate"),
    sentence("bits/byte"),
    sentence("95 %"),
    sentence("chrF"),
    sentence("exact"),
    sentence("edit"),
    sentence("prompt tok"),
    sentence("s/draft"),
)
LADDER_LEGEND = sentence(
    "★ champion · bits/byte: what the model needs to write the approved output, lower is better · "
    "chrF, exact, edit: of drafts for some of these pairs · exact: word for word · edit: 1 is equal · "
    "s/draft: its share of a batch, a single draft takes longer"
)


def measured_because(cause: str) -> str:
    """Above a ladder: that it was measured without training, and why."""
    if cause in BECAUSE:
        return say("Measured again, without training, {because}.", because=BECAUSE[cause]())
    return say("Measured again, without training.")
