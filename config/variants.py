"""The ways in which a draft can be written once more. The word is stored with the draft and chosen in a menu."""

from __future__ import annotations

from enum import StrEnum


class Variant(StrEnum):
    SHORTER = "shorter"  #: The same, said in clearly fewer words.
    LONGER = "longer"  #: The same, with more room for each point.
    ANOTHER = "another"  #: The same, in other words.
