"""What people read where a style answers with a label."""

from __future__ import annotations

from bot.language import number, say, say_count, sentence

NO_LABELS = sentence(
    "This style answers with one of its own labels, and its approved examples hold fewer than two so far. Approve "
    "examples of at least two labels, then ask again."
)
NO_LABELS_SCORED = sentence(
    "The model server did not choose among the labels. An operator can check that it knows "
    "`structured_outputs.choice` and log-probabilities, as `huisstijl serve` and vLLM do."
)
UNSURE = sentence("*I am not sure which label fits.* Choose one; it becomes an example:")
UNSURE_FALLBACK = sentence("I am not sure which label fits. Choose one of the likeliest.")
OTHERS = sentence("Another label:")
UNKNOWN_LABEL = sentence("I do not know that label any more. Ask again, or write it with “Edit”.")
NOT_MEASURED = sentence("not measured yet, so how sure I am is a guess")


def writes_texts(style: str) -> str:
    return say("*{style}* writes texts and no labels, so nothing of it waits for one.", style=style)


def unsure_title(style: str, count: int) -> str:
    if count == 0:
        return say("Nothing of *{style}* waits for a label in this channel.", style=style)
    return say_count(
        count,
        "*{style}*: {count} text of this channel waits for its label.",
        "*{style}*: {count} texts of this channel wait for their label, the least sure first.",
        style=style,
    )


def confidence(share: float) -> str:
    """How probable the shown label is."""
    return say("{share} sure", share=number(share, ".0%"))


def label_button(label: str, share: float) -> str:
    return say("{label} ({share})", label=label, share=number(share, ".0%"))


LADDER_COLUMNS = (
    sentence("candidate"),
    sentence("right"),
    sentence("95 %"),
    sentence("macro-F1"),
    sentence("95 %"),
    sentence("calib. error"),
    sentence("answered"),
    sentence("right of those"),
)
LADDER_LEGEND = sentence(
    "★ champion · macro-F1: every label counts the same · calib. error: by how much certainty and truth differ, 0 is "
    "none · answered: the rest is asked back"
)
