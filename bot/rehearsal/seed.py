"""Who and what is in a workspace when it is new. Names and ids are stable: tests and rehearsals say them."""

from __future__ import annotations

from dataclasses import dataclass, field

TEAM_ID = "T0HUISSTIJL"
OTHER_TEAM_ID = "T0PARTNER"
BOT_USER_ID = "U0HUISBOT"
BOT_ID = "B0HUISBOT"
APP_ID = "A0HUISSTIJL"

MIA = "U0MIA"
NOOR = "U0NOOR"
RAVI = "U0RAVI"
ANA = "U0ANA"
GUEST = "U0GUS"
STRANGER = "U0STELLA"
#: Is in one private channel and nowhere else.
PIM = "U0PIM"
LEFT = "U0LEO"

GENERAL = "C0GENERAL"
BRAND = "C0BRAND"
#: A public channel that is the home of a style of its own.
PACKAGES = "C0PACKAGES"
#: A public channel that the bot is not in.
RANDOM = "C0RANDOM"
#: A private channel that the bot is not in until somebody invites it.
LEADS = "C0LEADS"
#: A private channel that the bot is in.
LEGAL = "C0LEGAL"
#: A public channel shared with another company.
PARTNERS = "C0PARTNERS"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedPerson:
    id: str
    name: str
    real_name: str
    locale: str = "en-US"
    tz: str = "Europe/Amsterdam"
    is_admin: bool = False
    is_owner: bool = False
    is_restricted: bool = False
    is_stranger: bool = False
    deleted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedChannel:
    id: str
    name: str
    members: tuple[str, ...]
    is_private: bool = False
    is_archived: bool = False
    is_ext_shared: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """A new workspace: one team, its people and channels, and the bot's user among them."""

    team_id: str = TEAM_ID
    team_name: str = "Huisstijl workspace"
    team_domain: str = "huisstijl-local"
    app_id: str = APP_ID
    bot_user_id: str = BOT_USER_ID
    bot_id: str = BOT_ID
    bot_name: str = "huisstijl"
    people: tuple[SeedPerson, ...] = ()
    channels: tuple[SeedChannel, ...] = ()
    usergroups: dict[str, tuple[str, ...]] = field(default_factory=dict)


def default_seed() -> Seed:
    """Two members, a reviewer, an admin, a guest, one who is in a private channel only, an outsider, one who left."""
    staff = (MIA, NOOR, RAVI, ANA)
    return Seed(
        people=(
            SeedPerson(id=MIA, name="mia", real_name="Mia de Wit", locale="en-GB"),
            SeedPerson(id=NOOR, name="noor", real_name="Noor Haddad", locale="en-GB"),
            SeedPerson(id=RAVI, name="ravi", real_name="Ravi Menon", locale="en-GB", tz="Europe/London"),
            SeedPerson(id=ANA, name="ana", real_name="Ana Costa", is_admin=True),
            SeedPerson(id=GUEST, name="gus", real_name="Gus (guest)", is_restricted=True),
            SeedPerson(id=PIM, name="pim", real_name="Pim Bakker", locale="nl-NL"),
            SeedPerson(id=STRANGER, name="stella", real_name="Stella (partner)", is_stranger=True),
            SeedPerson(id=LEFT, name="leo", real_name="Leo (left)", deleted=True),
        ),
        channels=(
            SeedChannel(id=GENERAL, name="general", members=(*staff, BOT_USER_ID)),
            SeedChannel(id=BRAND, name="brand", members=(*staff, GUEST, BOT_USER_ID)),
            SeedChannel(id=PACKAGES, name="packages", members=(*staff, BOT_USER_ID)),
            SeedChannel(id=RANDOM, name="random", members=staff),
            SeedChannel(id=LEADS, name="leads", members=(RAVI, ANA), is_private=True),
            SeedChannel(id=LEGAL, name="legal", members=(PIM, ANA, BOT_USER_ID), is_private=True),
            SeedChannel(id=PARTNERS, name="partners", members=(*staff, STRANGER, BOT_USER_ID), is_ext_shared=True),
        ),
        usergroups={"S0REVIEWERS": (RAVI, ANA)},
    )
