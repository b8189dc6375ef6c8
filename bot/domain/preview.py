"""`/draft --private …`: a draft for the person's own eyes first."""

from __future__ import annotations

import re

#: Slack's client turns two hyphens into a dash where the system's keyboard does; Dutch says privé.
_FLAG = re.compile(r"(?:^|\s)(?:--|—|–)(?:private|preview|priv[eé])(?=\s|$)", re.IGNORECASE)


def split_private(text: str) -> tuple[bool, str]:
    """Whether the request asks for a private draft, and the request without the word that says so.

    The word counts at the beginning and at the end: in the middle of a text it may be what the text is about.
    """
    for found in _FLAG.finditer(text):
        if not text[: found.start()].strip() or not text[found.end() :].strip():
            return True, (text[: found.start()] + text[found.end() :]).strip()
    return False, text
