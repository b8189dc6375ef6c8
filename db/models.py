"""Every table in one place, for the migrations: importing this module fills `Base.metadata`."""

from db import (
    adapters,
    audit,
    base_changes,
    datasets,
    drafts,
    example_versions,
    examples,
    forecasts,
    home_viewers,
    inbox,
    judgements,
    knowledge,
    outbox,
    people,
    preferences,
    prequential,
    probes,
    promotions,
    ratings,
    reviews,
    runs,
    scorecards,
    set_aside_pairs,
    styles,
    teams,
    trainers,
    trials,
)  # fmt: skip
from db.base import Base

metadata = Base.metadata

__all__ = [
    "adapters", "audit", "base_changes", "datasets", "drafts", "example_versions", "examples", "forecasts",
    "home_viewers", "inbox", "judgements", "knowledge", "metadata", "outbox", "people", "preferences", "prequential",
    "probes", "promotions", "ratings", "reviews", "runs", "scorecards", "set_aside_pairs", "styles", "teams",
    "trainers", "trials",
]  # fmt: skip
