"""Text that people or models wrote, made safe to show: nobody is called by it, and every link says where it goes.

`neutralise` works on Markdown (drafts), `escape` on Slack's mrkdwn. Both leave the stored text alone: they are
applied where something is shown. `neutralise` may be applied twice without changing anything more.
"""

from __future__ import annotations

import re

#: WORD JOINER: takes no width and keeps a word from being read as a mention.
_JOINER = "\u2060"
_SPECIAL = re.compile(r"<!(?:subteam\^)?([^<>|^\s]+)(?:\^[^<>|]*)?(?:\|([^<>]*))?>")
_PERSON = re.compile(r"<@([A-Z0-9]+)(?:\|([^<>]*))?>")
_LOUD = re.compile(r"@(channel|here|everyone)\b", re.IGNORECASE)
_SLACK_LINK = re.compile(r"<((?:https?|mailto|tel|ftp|slack)[^>|\s]*)\|([^>]*)>")
_MARKDOWN_LINK = re.compile(r"!?\[([^\]\n]*)\]\(\s*<?([^)\s>]+)>?(?:\s+[\"'][^)\n]*)?\s*\)")
#: Code keeps its brackets: a fence (closed or still open) or a span.
_CODE = re.compile(r"(```.*?(?:```|\Z)|`[^`\n]+`)", re.DOTALL)

_SLACK_TOKEN = re.compile(r"<([^<>\n]+)>")


def escape(text: str) -> str:
    """For mrkdwn: Slack's three control characters are shown instead of obeyed."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def neutralise(markdown: str) -> str:
    """Markdown without live mentions, in which every link shows its target. Code keeps its brackets."""
    # What one replacement leaves behind may read as a mention or link again, so until there is none.
    while (safer := _neutralise_once(markdown)) != markdown:
        markdown = safer
    return markdown


def _neutralise_once(markdown: str) -> str:
    parts = _CODE.split(markdown)
    # Every second part is code. Mentions come last, everywhere: what is left of a link's brackets may be one.
    return _without_mentions("".join(p if index % 2 else _with_honest_links(p) for index, p in enumerate(parts)))


def _without_mentions(text: str) -> str:
    text = _SPECIAL.sub(lambda found: f"@{_JOINER}{(found[2] or found[1]).lstrip('@')}", text)
    text = _PERSON.sub(lambda found: f"@{_JOINER}{(found[2] or found[1]).lstrip('@')}", text)
    return _LOUD.sub(lambda found: f"@{_JOINER}{found[1]}", text)


def _with_honest_links(text: str) -> str:
    text = _SLACK_LINK.sub(lambda found: _label_and_target(found[2], found[1]), text)
    return _MARKDOWN_LINK.sub(lambda found: _label_and_target(found[1], found[2]), text)


def _label_and_target(label: str, target: str) -> str:
    label = label.strip()
    bare = target.removeprefix("mailto:").removeprefix("tel:")
    return target if not label or label in (target, bare) else f"{label} ({target})"


def as_typed(slack_text: str) -> str:
    """A message's text as its author typed it: links and channels written out, Slack's escapes undone."""
    return unescape(_SLACK_TOKEN.sub(_written_out, slack_text))


def unescape(text: str) -> str:
    """The inverse of `escape`."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _written_out(found: re.Match[str]) -> str:
    target, _, label = found[1].partition("|")
    if target.startswith("!"):
        return f"@{label.lstrip('@') or target[1:].partition('^')[0]}"
    if target.startswith("#"):
        return f"#{label or target[1:]}"
    if target.startswith("@"):
        return f"@{label.lstrip('@') or target[1:]}"
    bare = target.removeprefix("mailto:").removeprefix("tel:")
    if label and target.endswith(f"//{label}"):
        return label  # typed without "https://"
    return bare if label in ("", target, bare) else f"{label} ({target})"


def shorten(text: str, most: int) -> str:
    """One line of at most `most` characters; what was left out shows as an ellipsis."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"


def clip(text: str, most: int) -> str:
    """The beginning of a text with its line breaks, at most `most` characters."""
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"
