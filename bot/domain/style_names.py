"""Names of styles: what people type before a colon, part of an adapter's name, unique in a workspace."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

from rapidfuzz import fuzz, process

MAX_NAME_CHARS = 40
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
_PREFIX = re.compile(r"\s*([\w-]+)\s*:(.*)", re.DOTALL)


def is_valid_name(name: str) -> bool:
    """Lower-case letters, digits and hyphens; at most 40; no hyphen at either end."""
    return len(name) <= MAX_NAME_CHARS and _NAME.fullmatch(name) is not None


def suggest_name(wish: str) -> str:
    """A valid name close to what somebody typed; empty when nothing of it can be used."""
    plain = unicodedata.normalize("NFKD", wish).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:MAX_NAME_CHARS].strip("-")


def split_request(text: str, names: Collection[str]) -> tuple[str | None, str]:
    """`brand-voice: announce …` is (brand-voice, announce …) where there is such a style; else the text is all
    request, for a colon alone means nothing."""
    found = _PREFIX.fullmatch(text)
    if found is not None and found[1].casefold() in names:
        return found[1].casefold(), found[2].strip()
    return None, text.strip()


def find_nearest(word: str, known: Collection[str]) -> str | None:
    """The known word that somebody most probably meant."""
    best = process.extractOne(word.casefold(), list(known), scorer=fuzz.ratio, score_cutoff=60)
    return str(best[0]) if best else None
