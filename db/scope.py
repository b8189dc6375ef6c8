"""Scope: where a style may learn from and be used. Everything that retrieves, trains or serves demands one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """A whole workspace, or one private channel of it."""

    team_id: str
    channel_id: str | None = None  #: None: the workspace; else the one private channel.

    @property
    def key(self) -> str:
        """`T1` or `T1/C1`: the value that rows carry and queries compare."""
        return self.team_id if self.channel_id is None else f"{self.team_id}/{self.channel_id}"

    @classmethod
    def from_key(cls, key: str) -> Scope:
        team_id, _, channel_id = key.partition("/")
        return cls(team_id=team_id, channel_id=channel_id or None)

    def covers(self, team_id: str, channel_id: str) -> bool:
        """May a style of this scope be used in that channel?"""
        return self.team_id == team_id and self.channel_id in (None, channel_id)
