"""A channel with a hundred more people in it, and what they ask there."""

from __future__ import annotations

from dataclasses import replace

from bot.rehearsal.seed import BRAND, Seed, SeedPerson, default_seed

OTHERS = tuple(f"U0CROWD{number:03}" for number in range(100))


def crowded_seed() -> Seed:
    """The usual workspace, with a hundred more people in the channel of the style."""
    seed = default_seed()
    people = tuple(SeedPerson(id=user_id, name=user_id.lower(), real_name=user_id) for user_id in OTHERS)
    channels = tuple(replace(c, members=(*c.members, *OTHERS)) if c.id == BRAND else c for c in seed.channels)
    return replace(seed, people=(*seed.people, *people), channels=channels)
