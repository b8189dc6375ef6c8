"""Text that people or models wrote, made safe to show: nobody is called by it, and every link says where it goes.

`neutralise` works on Markdown (drafts), `escape` on Slack's mrkdwn. Both leave the stored text alone: they are
applied where something is shown. `neutralise` may be applied twice without changing anything more.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence

#: WORD JOINER: takes no width and keeps a word from being read as a mention.
_JOINER = "\u2060"
_SPECIAL = re.compile(r"<!(?:subteam\^)?([^<>|^\s]+)(?:\^[^<>|]*)?(?:\|([^<>]*))?>")
_PERSON = re.compile(r"<@([A-Z0-9]+)(?:\|([^<>]*))?>")
_LOUD = re.compile(r"@(channel|here|everyone)\b", re.IGNORECASE)
#: How an address begins that a click may open.
ADDRESS = r"(?:(?:https?|mailto|tel|ftp|slack|file|data|javascript|vbscript):(?!:)|[a-z][a-z0-9+.-]*://)"
_SLACK_LINK = re.compile(rf"<({ADDRESS}[^>|\s]*)\|([^>]*)>", re.IGNORECASE)
#: An address in brackets that is neither the web's, nor mail's, nor a telephone's.
_ODD_ADDRESS = re.compile(rf"<(?=(?!(?:https?|mailto|tel):){ADDRESS}[^<>\s]*>)", re.IGNORECASE)
#: `https://your-bank.example@evil.example/`: what stands before the @ only misleads.
_USER_INFO = re.compile(r"(https?://)[^/?#\s@<>()\[\]]*@(?=\S)", re.IGNORECASE)
#: `[1]: https://…` at a line's beginning: what a label elsewhere in the text would point to.
_REFERENCE = re.compile(r"^([ >\t*+-]*(?:\d{1,9}[.)])?[ \t]*\[[^\[\]]+\]):", re.MULTILINE)
#: `&lt;!here&gt;`: whoever unescapes a text once too often makes a mention of it.
_ESCAPED_TOKEN = re.compile(r"(&(?:lt|#0*60|#x0*3c);)(?=[!@#])", re.IGNORECASE)
#: What reads like an address, and the address's own host.
_HOST_LIKE = re.compile(r"(?<![\w.-])(?:[\w-]+\.)+[^\W\d_][\w-]+", re.IGNORECASE)
_HOST = re.compile(r"^(?:[a-z][a-z0-9+.-]*:)?(?://)?(?:[^/@\s]*@)?([^/?#:@\s]+)", re.IGNORECASE)
_MARKDOWN_LINK = re.compile(r"!?\[([^\[\]\n]*)\]\(\s*<?([^)\s>]+)>?(?:\s+[\"'][^)\n]*)?\s*\)")
#: Code keeps its brackets: a fence (closed or still open) or a span.
_CODE = re.compile(r"(```.*?(?:```|\Z)|`[^`\n]+`)", re.DOTALL)

#: Mentions within mentions within links: so many layers are peeled one by one.
_MOST_LAYERS = 25
_SLACK_TOKEN = re.compile(r"<([^<>\n]+)>")


def escape(text: str) -> str:
    """For mrkdwn: Slack's three control characters are shown instead of obeyed."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def neutralise(markdown: str, *, is_line_start: bool = True) -> str:
    """Markdown without live mentions, in which every link shows its target. Code keeps its brackets.

    `is_line_start`: does the text begin where a line does?
    """
    # What one replacement leaves behind may read as a mention or link again, so until there is none.
    for _ in range(_MOST_LAYERS):
        if (safer := _neutralise_once(markdown, is_line_start)) == markdown:
            return _outside_code(markdown, lambda text, _: text.replace("](", f"]{_JOINER}("))
        markdown = safer
    # Nobody writes so many layers by accident: no bracket of this text opens anything.
    flat = markdown.replace("<", f"<{_JOINER}").replace("](", f"]{_JOINER}(")
    return _without_mentions(flat)


def _outside_code(markdown: str, change: Callable[[str, int], str]) -> str:
    """The text with its parts that are no code changed; `change` is told which part it has."""
    parts = _CODE.split(markdown)
    for index in range(0, len(parts), 2):  # every second part is code
        parts[index] = change(parts[index], index)
    return "".join(parts)


def _neutralise_once(markdown: str, is_line_start: bool) -> str:
    honest = _outside_code(
        markdown, lambda text, index: _with_honest_links(text, is_line_start=is_line_start and index == 0)
    )
    # Mentions come last, everywhere: what is left of a link's brackets may be one.
    return _without_mentions(honest)


def _without_mentions(text: str) -> str:
    text = _SPECIAL.sub(lambda found: f"@{_JOINER}{(found[2] or found[1]).lstrip('@')}", text)
    text = _PERSON.sub(lambda found: f"@{_JOINER}{(found[2] or found[1]).lstrip('@')}", text)
    text = _ESCAPED_TOKEN.sub(rf"\1{_JOINER}", text)
    return _LOUD.sub(lambda found: f"@{_JOINER}{found[1]}", text)


def _with_honest_links(text: str, *, is_line_start: bool) -> str:
    text = _USER_INFO.sub(r"\1", text)
    text = _SLACK_LINK.sub(lambda found: _label_and_target(found[2], found[1]), text)
    text = _MARKDOWN_LINK.sub(lambda found: _label_and_target(found[1], found[2]), text)
    text = _ODD_ADDRESS.sub(f"<{_JOINER}", text)
    return _REFERENCE.sub(lambda found: f"{found[1]}{_JOINER if found.start() or is_line_start else ''}:", text)


def _label_and_target(label: str, target: str) -> str:
    """`label (target)`; the target alone where the label adds nothing, or reads like another address."""
    label = label.strip()
    bare = target.removeprefix("mailto:").removeprefix("tel:")
    if not label or label in (target, bare) or _names_another_host(label, target):
        return target
    return f"{label} ({target})"


def _names_another_host(label: str, target: str) -> bool:
    found = _HOST.match(target)
    own = _plain_host(found[1]) if found else ""
    readable = "".join(c for c in unicodedata.normalize("NFKC", label) if unicodedata.category(c) != "Cf")
    return any(_plain_host(host) != own for host in _HOST_LIKE.findall(readable))


def _plain_host(host: str) -> str:
    return host.casefold().rstrip(".").removeprefix("www.")


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


def shorten_apart(names: Sequence[str], most: int) -> list[str]:
    """Each name in at most `most` characters, an ellipsis in the middle of a longer one; in so many more as it takes
    for no two of them to look alike."""
    for room in range(most, max(map(len, names), default=0)):
        shown = [_without_middle(name, room) for name in names]
        if len(set(shown)) == len(set(names)):
            return shown
    return list(names)


def _without_middle(name: str, most: int) -> str:
    tail = (most - 1) // 2
    return name if len(name) <= most else f"{name[: most - 1 - tail]}…{name[-tail:]}"


def clip(text: str, most: int) -> str:
    """The beginning of a text with its line breaks, at most `most` characters."""
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"
