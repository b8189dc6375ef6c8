"""Who somebody is: roles as Slack tells them, never as a payload claims them. When Slack does not answer: no."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Any

from bot.domain.values import Actor
from bot.errors import RoleUnknown, SlackError
from bot.slack import SlackGateway
from db.audit import record
from db.base import now_in_database
from db.people import Person, find_person, save_person
from db.session import Database

#: How long a role is believed before Slack is asked again.
ROLE_AGE = timedelta(seconds=60)


class People:
    def __init__(self, database: Database, slack: SlackGateway, admin_usergroup: str = "") -> None:
        """`admin_usergroup` names a user group whose members are admins too."""
        self._database = database
        self._slack = slack
        self._admin_usergroup = admin_usergroup

    def get_actor(self, team_id: str, user_id: str) -> Actor:
        """The person with their rights. Raises RoleUnknown, on record, when Slack cannot be asked and nothing fresh is
        known."""
        try:
            return self._ask(team_id, user_id)
        except RoleUnknown:
            with self._database.write() as session:
                record(session, team_id=team_id, actor=user_id, action="role.unknown", subject=user_id)
            raise

    def _ask(self, team_id: str, user_id: str) -> Actor:
        with self._database.read() as session:
            known = find_person(session, team_id, user_id)
            if known is not None and known.fetched_at > now_in_database(session) - ROLE_AGE:
                return _as_actor(known)
        try:
            described = self._slack.get_user(user_id)
            is_named_admin = self._is_in_admin_usergroup(user_id)
        except SlackError as error:
            raise RoleUnknown from error
        with self._database.write() as session:
            person = _as_person(self._slack.team_id, user_id, described)
            person.team_id, person.fetched_at = team_id, now_in_database(session)
            person.is_admin = person.is_admin or is_named_admin
            save_person(session, person)
        return _as_actor(person)

    def find_locale(self, team_id: str, user_id: str, *, may_ask: bool = True) -> str:
        """The locale of a person, at most a minute old; "" where nobody can say. Without `may_ask` it is what Slack
        said last: an event that only mentions a person is no reason to ask for them."""
        if may_ask and user_id:
            with suppress(RoleUnknown):
                return self._ask(team_id, user_id).locale
        with self._database.read() as session:
            known = find_person(session, team_id, user_id)
        return known.locale if known else ""

    def _is_in_admin_usergroup(self, user_id: str) -> bool:
        return bool(self._admin_usergroup) and user_id in self._slack.list_usergroup_members(self._admin_usergroup)


def _as_person(own_team_id: str, user_id: str, described: dict[str, Any]) -> Person:
    profile = described.get("profile") or {}
    return Person(
        user_id=user_id,
        name=profile.get("display_name") or described.get("real_name") or described.get("name") or user_id,
        locale=described.get("locale") or "en-US",
        is_admin=bool(described.get("is_admin") or described.get("is_owner")),
        is_bot=bool(described.get("is_bot")),
        is_guest=bool(described.get("is_restricted") or described.get("is_ultra_restricted")),
        is_stranger=bool(described.get("is_stranger"))
        or described.get("team_id", own_team_id) not in (own_team_id, None),
        is_deactivated=bool(described.get("deleted")),
    )


def _as_actor(person: Person) -> Actor:
    is_full_member = not (person.is_bot or person.is_guest or person.is_stranger or person.is_deactivated)
    return Actor(
        team_id=person.team_id,
        user_id=person.user_id,
        name=person.name,
        locale=person.locale,
        is_admin=person.is_admin and is_full_member,
        is_full_member=is_full_member,
    )
