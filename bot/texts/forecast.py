"""How many more examples: one sentence for every way it can come out, and how earlier forecasts came true."""

from __future__ import annotations

from bot.domain.forecast import Outlook, Prospect
from bot.language import say, say_count, sentence

SPEAKS_OF_OTHERS = sentence(
    "What that run foresaw was about another champion, or under other instructions, and says nothing of now."
)
TRAINS_BY_COUNT = sentence("Until there is one, the number of new examples decides when this style trains.")


def outlook_said(outlook: Outlook) -> str:
    """What more examples would do, as the last run foresees it."""
    if outlook.prospect is Prospect.SERVES:
        mean, low, high = outlook.gain_doubled
        return say(
            "With twice as many examples, training `{rung}` anew would gain about {mean:.3f} bits per byte ({low:.3f} "
            "to {high:.3f}).",
            rung=outlook.rung, mean=mean, low=low, high=high,
        )  # fmt: skip
    if outlook.prospect is Prospect.AHEAD:
        mean, low, high = outlook.gain_now
        if low <= 0:
            return say(
                "`{rung}` may be ahead of `{champion}` already, by about {mean:.3f} bits per byte ({low:.3f} to "
                "{high:.3f}): too little to tell with the examples of now.",
                rung=outlook.rung, champion=outlook.champion, mean=mean, low=low, high=high,
            )  # fmt: skip
        return say(
            "`{rung}` is already better than `{champion}` with the examples of now, by about {mean:.3f} bits per byte "
            "({low:.3f} to {high:.3f}).",
            rung=outlook.rung, champion=outlook.champion, mean=mean, low=low, high=high,
        )  # fmt: skip
    if outlook.more is None:
        return say(
            "At this rate `{rung}` would not overtake `{champion}` within {limit} examples ({chance:.0%} that it "
            "would).",
            rung=outlook.rung, champion=outlook.champion, limit=outlook.limit, chance=outlook.chance,
        )  # fmt: skip
    if outlook.more_high is None:
        return say_count(
            outlook.more,
            "With about {count} more example `{rung}` would overtake `{champion}`; {low} at least, and perhaps not "
            "within {limit} ({chance:.0%} that it would).",
            "With about {count} more examples `{rung}` would overtake `{champion}`; {low} at least, and perhaps not "
            "within {limit} ({chance:.0%} that it would).",
            rung=outlook.rung, champion=outlook.champion, low=outlook.more_low or 0, limit=outlook.limit,
            chance=outlook.chance,
        )  # fmt: skip
    return say_count(
        outlook.more,
        "With about {count} more example `{rung}` would overtake `{champion}` ({low} to {high}).",
        "With about {count} more examples `{rung}` would overtake `{champion}` ({low} to {high}).",
        rung=outlook.rung, champion=outlook.champion, low=outlook.more_low or 0, high=outlook.more_high,
    )  # fmt: skip


def record_said(settled: int, held: int, mean_error: float | None) -> str:
    """How earlier forecasts came out; empty while none has."""
    if not settled:
        return ""
    return say_count(
        settled,
        "Of {count} earlier forecast {held} held; it was off by {error:.3f} bits per byte.",
        "Of {count} earlier forecasts {held} held; they were off by {error:.3f} bits per byte on average.",
        held=held, error=mean_error or 0.0,
    )  # fmt: skip


def went_on_said(count: int, mean_error: float | None) -> str:
    """What runs that went on from an earlier adapter measured of what was foreseen; empty without any."""
    if not count:
        return ""
    return say_count(
        count,
        "{count} forecast was measured by a run that went on from an earlier adapter ({error:.3f} bits per byte off); "
        "whether it held is not counted, because it foresaw a training from the base model.",
        "{count} forecasts were measured by runs that went on from an earlier adapter ({error:.3f} bits per byte off "
        "on average); whether they held is not counted, because they foresaw trainings from the base model.",
        error=mean_error or 0.0,
    )  # fmt: skip
