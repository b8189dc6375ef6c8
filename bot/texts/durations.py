"""How long something takes, in words."""

from __future__ import annotations

from bot.language import say


def duration(seconds: float) -> str:
    """`40 s`, `7 min`, `1 h 20 min`."""
    seconds = max(seconds, 0)
    if seconds < 90:
        return say("{seconds} s", seconds=round(seconds))
    minutes = round(seconds / 60)
    if minutes < 90:
        return say("{minutes} min", minutes=minutes)
    hours, rest = divmod(minutes, 60)
    if rest:
        return say("{hours} h {minutes} min", hours=hours, minutes=rest)
    return say("{hours} h", hours=hours)
