"""Add to knowledge: a message shortcut opens a window, and the files of the message are read in the background.

`/huisstijl knowledge` lists documents and takes them away.
"""

from __future__ import annotations

import json

from bot.blocks.knowledge import MAX_FILES, NAME_CHARS, STYLE_BLOCK, AddForm, add_view
from bot.blocks.text import notice
from bot.deliveries import own_click
from bot.domain.passages import plain_name
from bot.domain.values import Click, Command, Shortcut, Submission
from bot.errors import BadInput, DocumentRefused, MembersOnly, MessageGone
from bot.operations.shared_files import (
    ReadingOrder,
    add_shared_file,
    find_addable,
    list_known,
    order_reading,
    remove_known,
)
from bot.operations.styles import find_named_style
from bot.routing import FieldErrors
from bot.services import Services
from bot.slack import FileMissing, MessageMissing
from bot.texts import knowledge as texts
from db.styles import list_usable_styles


def open_add(services: Services, shortcut: Shortcut) -> None:
    actor = services.people.get_actor(shortcut.team_id, shortcut.user_id)
    channel = services.slack.get_channel(shortcut.channel_id, fresh=True)
    styles = find_addable(services.database, actor, channel)
    files = tuple((file_id, plain_name(name, NAME_CHARS)) for file_id, name in shortcut.files[:MAX_FILES])
    if not styles:
        services.slack.open_view(shortcut.trigger_id, notice(texts.ADD_TITLE(), texts.NO_STYLE_FOR_PLACE()))
    elif not files:
        services.slack.open_view(shortcut.trigger_id, notice(texts.ADD_TITLE(), texts.NO_FILE()))
    else:
        form = AddForm(channel_id=shortcut.channel_id, ts=shortcut.message_ts, files=files)
        services.slack.open_view(shortcut.trigger_id, add_view(form, styles))


def submit_add(services: Services, submission: Submission) -> FieldErrors | None:
    actor = services.people.get_actor(submission.team_id, submission.user_id)
    form = AddForm.from_metadata(submission.metadata)
    try:
        permalink = services.slack.find_permalink(form.channel_id, form.ts)
    except MessageMissing as error:
        raise MessageGone(texts.MESSAGE_GONE()) from error
    channel = services.slack.get_channel(form.channel_id, fresh=True)

    def body(order: ReadingOrder) -> dict[str, object]:
        return own_click(
            actor.team_id, actor.user_id, "read_document", order.order_id, view_id=order.order_id,
            metadata=json.dumps(order.as_dict()),
        )  # fmt: skip

    order_reading(
        services.database, actor, channel, submission.text(STYLE_BLOCK), message_ts=form.ts, permalink=permalink,
        files=form.files, body=body,
    )  # fmt: skip
    services.wakeups.reading.ring()
    return None


def read_document(services: Services, click: Click) -> None:
    """What was ordered a moment ago. Who ordered it hears how it went in a direct message."""
    actor = services.people.get_actor(click.team_id, click.user_id)
    order = ReadingOrder(**json.loads(click.metadata))
    channel = services.slack.get_channel(order.channel_id, fresh=True)
    try:
        file = services.slack.get_file(order.file_id)
        added = add_shared_file(
            services.database, actor, channel, order, file, lambda: services.slack.download_file(file)
        )
    except FileMissing as error:
        raise DocumentRefused(texts.file_gone(order.name)) from error
    services.wakeups.embeddings.ring()
    services.answer(click, added.sentence)


def knowledge(services: Services, command: Command, args: str) -> None:
    """`/huisstijl knowledge [STYLE]`, and `/huisstijl knowledge remove ID`."""
    actor = services.people.get_actor(command.team_id, command.user_id)
    word, _, rest = args.partition(" ")
    if word.casefold() == "remove":
        document_id = rest.strip().strip("`")
        if not document_id:
            raise BadInput(texts.REMOVE_WHICH())
        said = remove_known(services.database, services.settings, actor, command.channel_id, document_id)
        services.answer(command, said)
        return
    if not actor.is_full_member:
        raise MembersOnly
    with services.database.read() as session:
        if args:
            styles = [find_named_style(session, command.team_id, command.channel_id, args)]
        else:
            styles = list_usable_styles(session, command.team_id, command.channel_id)
    services.answer(command, list_known(services.database, styles) if styles else texts.NO_STYLE_FOR_PLACE())
