"""The routing table: every Slack trigger on the left, the function that translates it on the right. Nothing else."""

from __future__ import annotations

from bot import deliveries
from bot.listeners import (
    agent,
    drafts,
    feedback,
    forget,
    home,
    huisstijl,
    knowledge,
    mentions,
    reactions,
    review_queue,
    reviews,
    styles,
    teach,
    training,
    trials,
    versions,
)
from bot.routing import Route, action, command, event, read_message, shortcut, view

LEARNING: tuple[Route, ...] = (
    command("/huisstijl", huisstijl.huisstijl),
    shortcut("teach_style", teach.open_teach),
    view("teach", teach.submit_teach),
    action("use_offer", teach.use_offer),
    action("choose_taught_style", teach.choose_style),
    view("style_form", styles.submit_style_form),
    action("approve_example", reviews.approve),
    action("edit_example", reviews.open_edit),
    view("edit_example", reviews.submit_edit),
    action("reject_example", reviews.open_reject),
    view("reject_example", reviews.submit_reject),
    action("withdraw_example", reviews.withdraw),
    action("review_open:*", reviews.open_detail),
    action("review_back", reviews.back),
    action("keep_this:*", reviews.keep_this),
    action("keep_other:*", reviews.keep_other),
    action("redact_choice", review_queue.nothing_to_do),
    action("review_queue", review_queue.open_by_click),
    action("queue_style", review_queue.change_filter),
    action("queue_proposer", review_queue.change_filter),
    action("queue_age", review_queue.change_filter),
    action("queue_warned", review_queue.change_filter),
    action("queue_previous", review_queue.turn_page),
    action("queue_next", review_queue.turn_page),
    action("bulk_open:*", review_queue.open_bulk),
    action("bulk_approve", review_queue.approve_bulk),
    view("approve_imports", review_queue.submit_bulk),
    action("confirm_forget", forget.confirm_forget),
    action("cancel_forget", forget.cancel_forget),
    event("message:message_deleted", teach.forget_message, lambda body, services: deliveries.read_deletion(body)),
)

KNOWLEDGE: tuple[Route, ...] = (
    shortcut("add_knowledge", knowledge.open_add),
    view("add_knowledge", knowledge.submit_add),
    action("read_document", knowledge.read_document),
)

TRAINING: tuple[Route, ...] = (
    action("confirm_train", training.confirm_train),
    action("cancel_train", training.cancel_train),
    action("cancel_run", training.cancel_run),
    action("accept_terms", training.accept_terms),
    action("confirm_trial", trials.confirm),
    action("cancel_trial", trials.cancel),
)

DRAFTING: tuple[Route, ...] = (
    command("/draft", drafts.ask_by_command),
    event("app_mention", mentions.answer_mention, read_message),
    event("message", mentions.answer_direct_message, read_message),
    event("agent_session_stopped", drafts.stop_streaming, lambda body, services: deliveries.read_session_stopped(body)),
    action("keep_draft", feedback.keep_draft),
    action("choose_label:*", feedback.choose_label),
    action("edit_draft", feedback.open_edit),
    view("edit_draft", feedback.submit_edit),
    action("discard_draft", feedback.open_discard),
    view("discard_draft", feedback.submit_discard),
    action("more_draft", versions.choose_more),
    action("use_draft", versions.use),
    view("use_draft", versions.submit_use),
    action("share_draft", versions.share),
    action("choose_draft:*", trials.choose),
)

AGENT: tuple[Route, ...] = (
    event("app_home_opened:messages", agent.offer_prompts, lambda body, services: deliveries.read_home_opened(body)),
    action("rate_draft", agent.rate),
)

HOME: tuple[Route, ...] = (
    event("app_home_opened:home", home.open_home, lambda body, services: deliveries.read_home_opened(body)),
    action("home_page:*", home.turn_page),
    action("home_part:*", home.turn_part),
    action("home_charts:*", home.send_charts),
    action("home_edit_style:*", home.open_style_settings),
    action("home_edit_team", home.open_team_settings),
    view("team_form", home.submit_team_settings),
    action("digest_off", home.switch_digest_off),
)

#: Only where the operator has named the emoji that flags.
REACTIONS: tuple[Route, ...] = (
    event("reaction_added", reactions.ask_about_flagged, lambda body, services: deliveries.read_reaction(body)),
    action("teach_flagged", reactions.teach_flagged),
)

ROUTES: tuple[Route, ...] = (*LEARNING, *KNOWLEDGE, *TRAINING, *DRAFTING, *AGENT, *HOME)
