"""A judge model grades drafts that people have decided about, so that its agreement with them can be measured. Off
unless the operator names one (`HUISSTIJL_JUDGE_URL`, `…_MODEL`); it decides nothing.

It is another machine: whatever is sent there leaves this one. So nothing of a style that is for one private channel is
ever sent, nor a draft that not everybody in the workspace could have seen.
"""

from __future__ import annotations

from datetime import timedelta

import openai
import structlog
from openai import DefaultHttpxClient, OpenAI, Timeout

from bot.domain.judging import read_grade
from bot.drafting.background import Background
from bot.drafting.retrieval import choose_demonstrations
from bot.errors import ModelDown
from bot.services import Services
from bot.workers import Bell
from config.prompts import Pair, build_judge_prompt
from db.base import now_in_database
from db.drafts import Draft, list_family, lock_draft
from db.judgements import count_judged_since, find_draft_to_judge, list_styles_to_judge, save_judgement
from db.styles import Style, get_style, keep_style

log = structlog.get_logger()

#: A draft that was asked for longer ago is not graded any more.
WINDOW = timedelta(days=7)
#: Of one style in a day: a judge is paid for by the token.
MOST_A_DAY = 100
#: Nobody waits for a grade, so it looks for drafts so many times less often than others look for work.
POLLS = 10
#: Approved examples that show the judge what the team writes.
DEMONSTRATIONS = 3
ANSWER_SECONDS = 60.0
ANSWER_TOKENS = 16


class Judge(Background):
    """One thread that has drafts graded."""

    def __init__(self, services: Services) -> None:
        super().__init__("judge", bell=Bell(), poll_seconds=services.settings.poll_seconds, idle_polls=POLLS)
        settings = services.settings
        self._services = services
        key = settings.judge_api_key.get_secret_value() if settings.judge_api_key else "none"
        self._client = OpenAI(
            base_url=settings.judge_url, api_key=key, max_retries=0, http_client=DefaultHttpxClient(trust_env=False)
        )

    def start(self) -> None:
        log.warning(
            "judge.on", url=self._services.settings.judge_url, model=self._services.settings.judge_model,
            sends="instructions, three approved examples, request and draft of what people decided about in public "
            "channels, of styles that are for the whole workspace",
        )  # fmt: skip
        super().start()

    def stop(self) -> None:
        super().stop()
        self._client.close()

    def work_once(self) -> bool:
        """Have one draft graded, or put it away ungraded; False when there is none. Raises ModelDown, SlackError."""
        found = self._find()
        if found is None:
            return False
        style, draft, examples = found
        grade = None
        if self._may_leave(draft):
            grade = read_grade(self._ask(style, draft, examples))
            if grade is None:
                log.info("judge.no_grade", draft_id=draft.draft_id)
        with self._services.database.write() as session:
            keep_style(session, draft.style_id)
            now = lock_draft(session, draft.draft_id)
            if not now.is_erased:
                save_judgement(session, now, style.scope, judge=self._services.settings.judge_model, grade=grade)
        return True

    def _find(self) -> tuple[Style, Draft, list[Pair]] | None:
        with self._services.database.read() as session:
            now = now_in_database(session)
            for style_id in list_styles_to_judge(session, now - WINDOW):
                style = get_style(session, style_id)
                if count_judged_since(session, style_id, style.scope, now - timedelta(days=1)) >= MOST_A_DAY:
                    continue
                draft = find_draft_to_judge(session, style_id, style.scope, now - WINDOW)
                if draft is None:
                    continue
                shown = choose_demonstrations(
                    session, style, style.scope, embedding_model=self._services.settings.embedding_model,
                    k=DEMONSTRATIONS,
                )  # fmt: skip
                # Its own example, or that of a variant of it, would show the judge what people made of it.
                family = {one.draft_id for one in list_family(session, draft.family_id)}
                examples = [
                    Pair(prompt=one.prompt, completion=one.completion) for one in shown if one.draft_id not in family
                ]
                return style, draft, examples
        return None

    def _may_leave(self, draft: Draft) -> bool:
        """Was it asked for where everybody in the workspace can read? Asked at this moment: a channel may have become
        private. Raises SlackError."""
        channel = self._services.slack.get_channel(draft.channel_id, fresh=True)
        is_open = not (channel.is_private or channel.is_direct or channel.is_external)
        if not is_open:
            log.info("judge.not_sent", draft_id=draft.draft_id, why="asked for in a private place")
        return is_open

    def _ask(self, style: Style, draft: Draft, examples: list[Pair]) -> str:
        try:
            answer = self._client.chat.completions.create(
                model=self._services.settings.judge_model,
                messages=build_judge_prompt(style.full_instructions, draft.request, draft.completion, examples),  # type: ignore[arg-type]
                max_tokens=ANSWER_TOKENS, temperature=0, timeout=Timeout(ANSWER_SECONDS),
            )  # fmt: skip
        except (openai.BadRequestError, openai.UnprocessableEntityError) as error:  # this draft, and no other
            log.warning("judge.refused", draft_id=draft.draft_id, status=error.status_code, code=error.code)
            return ""
        except (openai.OpenAIError, ValueError) as error:
            raise ModelDown from error
        return (answer.choices[0].message.content or "") if answer.choices else ""
