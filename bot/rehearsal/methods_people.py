"""api.test, auth.test, users.*, usergroups.users.list, bots.info."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.rehearsal.errors import ApiError
from bot.rehearsal.state import public

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.rehearsal.options import Json
    from bot.rehearsal.state import State


def api_test(state: State, args: Json) -> Json:
    if args.get("error"):
        raise ApiError(str(args["error"]), args=args)
    return {"args": args}


def auth_test(state: State, args: Json) -> Json:
    seed = state.seed
    return {
        "url": f"{state.url}/",
        "team": seed.team_name,
        "team_id": seed.team_id,
        "user": seed.bot_name,
        "user_id": seed.bot_user_id,
        "bot_id": seed.bot_id,
        "is_enterprise_install": False,
    }


def users_info(state: State, args: Json) -> Json:
    return {"user": _shown(state.get_user(args.get("user")), args)}


def users_list(state: State, args: Json) -> Json:
    members = [_shown(user, args) for user in state.users.values()]
    return {"members": members, "response_metadata": {"next_cursor": ""}}


def _shown(user: Json, args: Json) -> Json:
    shown: Json = public(user)
    if args.get("include_locale") not in (True, 1, "1", "true"):
        shown.pop("locale", None)
    return shown


def usergroup_users(state: State, args: Json) -> Json:
    users = state.seed.usergroups.get(str(args.get("usergroup")))
    if users is None:
        raise ApiError("no_such_subteam")
    return {"users": list(users)}


def bots_info(state: State, args: Json) -> Json:
    seed = state.seed
    if args.get("bot") not in (None, seed.bot_id):
        raise ApiError("bot_not_found")
    bot = {"id": seed.bot_id, "app_id": seed.app_id, "user_id": seed.bot_user_id, "name": seed.bot_name}
    return {"bot": bot | {"deleted": False}}


METHODS: dict[str, Callable[[State, Json], Json]] = {
    "api.test": api_test,
    "auth.test": auth_test,
    "users.info": users_info,
    "users.list": users_list,
    "usergroups.users.list": usergroup_users,
    "bots.info": bots_info,
}
