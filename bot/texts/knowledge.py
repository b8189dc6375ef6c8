"""What people read about the team's documents: adding, listing and removing them."""

from __future__ import annotations

from collections.abc import Sequence

from bot.language import bullet, lines, listed, say, say_count, sentence, sentences

ADD_TITLE = sentence("Add to knowledge")
ADD_SUBMIT = sentence("Add")
ADD_STYLE = sentence("Which style shall know this?")
CANCEL = sentence("Cancel")
NO_FILE = sentence(
    "There is no file with this message. Share a PDF, DOCX, Markdown, HTML or text file and use this shortcut on it."
)
NO_STYLE_FOR_PLACE = sentence(
    "No style may take facts from here. What is shared in a private channel only enters that channel's own styles, and "
    "nothing enters from a direct message or a channel that is shared with another company."
)
REVIEWERS_ADD = sentence(
    "Only a style's reviewers and workspace admins can add documents. `/huisstijl styles` names them."
)
REVIEWERS_REMOVE = sentence(
    "Only who added a document, the style's reviewers and workspace admins can remove it. `/huisstijl styles` names "
    "them."
)
REMOVE_WHICH = sentence(
    "Say which document, as in `/huisstijl knowledge remove ID`. `/huisstijl knowledge` lists them."
)
MESSAGE_GONE = sentence("This message was deleted, so nothing was added. Share the file again.")

READS = ("PDF", "DOCX", "Markdown", "HTML", "text")

#: Why a document was not added, by `bot.documents.formats.Reason`.
UNREADABLE = {
    "too_large": sentence("“{name}” was not added: it is larger than {megabytes} MB. Add it in parts."),
    "too_many_pages": sentence("“{name}” was not added: it has more than {pages} pages. Add it in parts."),
    "too_much_text": sentence("“{name}” was not added: it has more than {chars} characters of text. Add it in parts."),
    "unknown_type": sentence("“{name}” was not added: I read {formats}. Save it as one of those and add it again."),
    "not_what_it_says": sentence(
        "“{name}” was not added: what is in it is not what its name ends in. Save it anew, or give it its right ending."
    ),
    "old_word": sentence(
        "“{name}” was not added: it is in Word's old format or has a password. Save it as DOCX without one and add it "
        "again."
    ),
    "encrypted": sentence("“{name}” was not added: it has a password. Save it without one and add it again."),
    "scanned": sentence(
        "“{name}” was not added: its pages are pictures, with no text to read. Run text recognition (OCR) over it and "
        "add it again."
    ),
    "empty": sentence("“{name}” was not added: there is no text in it. Check that it is the right file."),
    "binary": sentence("“{name}” was not added: it is not text. Check that it is the right file."),
    "not_utf8": sentence("“{name}” was not added: its text is not UTF-8. Save it as UTF-8 and add it again."),
    "bomb": sentence(
        "“{name}” was not added: unpacked, it would be far larger than any document. Check where it comes from."
    ),
    "damaged": sentence("“{name}” was not added: the file is damaged. Save it anew and add it again."),
    "too_slow": sentence(
        "“{name}” was not added: reading it took too much time or memory. Save it anew in a simpler form, or add it in "
        "parts."
    ),
}  # fmt: skip


def unreadable(reason: str, name: str, *, megabytes: int, pages: int, chars: int) -> str:
    return UNREADABLE[reason](name=name, megabytes=megabytes, pages=pages, chars=chars, formats=listed(READS))


def only_secrets(name: str) -> str:
    return say(
        "“{name}” was not added: every part of it holds what looks like a key or a password. Take those out and add it "
        "again.",
        name=name,
    )


def too_many_passages(name: str, most: int) -> str:
    return say(
        "“{name}” was not added: with it the style's documents would have more than {most} passages. Remove documents "
        "that are no longer needed, then add it again.",
        name=name, most=most,
    )  # fmt: skip


def added(style: str, title: str, document_id: str, passages: int, left_out: int) -> str:
    done = say_count(
        passages,
        "*{style}* knows “{title}” now: {count} passage (`{document_id}`).",
        "*{style}* knows “{title}” now: {count} passages (`{document_id}`).",
        style=style, title=title, document_id=document_id,
    )  # fmt: skip
    if not left_out:
        return done
    secrets = say_count(
        left_out,
        "{count} passage was left out, because it holds what looks like a key or a password.",
        "{count} passages were left out, because they hold what looks like a key or a password.",
    )
    return sentences(done, secrets)


def known_already(style: str, title: str, document_id: str) -> str:
    return say(
        "*{style}* knows this text already, as “{title}” (`{document_id}`), so nothing was added.",
        style=style, title=title, document_id=document_id,
    )  # fmt: skip


def source(title: str, heading: str, page: int | None) -> str:
    """Where a passage stands, under a draft that used it."""
    if page and heading:
        return say("{title}, “{heading}”, page {page}", title=title, heading=heading, page=page)
    if page:
        return say("{title}, page {page}", title=title, page=page)
    return say("{title}, “{heading}”", title=title, heading=heading) if heading else title


def removed(style: str, title: str) -> str:
    return say("*{style}* no longer knows “{title}”: its text is erased.", style=style, title=title)


def no_documents(style: str) -> str:
    return say("*{style}* has no documents yet.", style=style)


def files_to_add(names: Sequence[str]) -> str:
    return lines(
        say("Drafts can take facts from these files, and say so. They are read, cut into passages and kept:"),
        *[bullet(name) for name in names],
    )


def file_gone(name: str) -> str:
    return say("“{name}” was not added: I cannot read it in Slack any more. Share it again and add it.", name=name)


def person_forgotten(name: str) -> str:
    return say(
        "“{name}” was not added: whoever shared or added it was forgotten meanwhile. If it shall be known, share it "
        "again yourself and add it.",
        name=name,
    )


def not_hosted(name: str) -> str:
    return say(
        "“{name}” was not added: Slack only links to it and does not hold it. Download it and share the file itself.",
        name=name,
    )


def not_shared_here(name: str) -> str:
    return say("“{name}” was not added: it is not shared in that channel any more. Share it there again.", name=name)


def by_style(styles: Sequence[tuple[str, Sequence[tuple[str, str, int, int | None]]]]) -> str:
    return lines(*[documents(name, shown) if shown else no_documents(name) for name, shown in styles])


def documents(style: str, shown: Sequence[tuple[str, str, int, int | None]]) -> str:
    """`shown`: (id, title, passages, pages) of each document."""
    return lines(
        say_count(len(shown), "*{style}* has {count} document:", "*{style}* has {count} documents:", style=style),
        *[_document(*one) for one in shown],
    )


def _document(document_id: str, title: str, passages: int, pages: int | None) -> str:
    counted = say_count(passages, "{count} passage", "{count} passages")
    if pages is None:
        return say("`{document_id}` {title}: {passages}", document_id=document_id, title=title, passages=counted)
    return say(
        "`{document_id}` {title}: {pages}, {passages}",
        document_id=document_id, title=title, passages=counted, pages=say_count(pages, "{count} page", "{count} pages"),
    )  # fmt: skip
