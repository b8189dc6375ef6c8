"""Each newly approved example is first predicted by what serves the style now (prequential evaluation, Dawid 1984), so
that none is wasted for measuring.

Nobody waits for it: an example shapes the next draft at once, and is predicted here as if it did not yet, from a prompt
that shows nothing of it and of what came after it. Each is tried once; one that could not be predicted within a day, by
then part of what it would be predicted from, is left out.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, replace
from datetime import timedelta

import structlog

from bot.drafting.background import Background
from bot.drafting.rung import Plan, make_plan_as_measured, make_plan_for_example
from bot.errors import AdapterUnavailable, ModelBroke, ModelError, ModelSlow, NotYet, PromptTooLong
from bot.services import Services
from config.labels import choose_label, label_cost
from config.likeness import normalise
from db.adapters import list_adapters_trained_on
from db.base import now_in_database
from db.drafts import count_open_drafts
from db.examples import Example, ExampleStatus, lock_example
from db.prequential import count_scored_since, find_example_to_score, list_styles_to_score, save_score
from db.promotions import Promotion, find_promotion
from db.styles import Style, get_style, keep_style

log = structlog.get_logger()

#: An example that nobody came to in this time is not predicted any more.
WINDOW = timedelta(days=1)
#: Of one style's examples in a day: an import of thousands does not keep the model server from drafting.
MOST_A_DAY = 200
SCORING_SECONDS = 60.0
#: Nobody waits, so it looks for what another process embedded so many times less often than others look.
POLLS = 30
#: A draft that somebody waits for comes first; so long at most, where there is always one.
GIVES_WAY_SECONDS = 600.0
#: So many times a server may be slow with an example, or answer nonsense, before it is left out.
MOST_TRIES = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What the champion made of an example; nothing where it could not be asked."""

    nll_nats: float | None = None
    #: The same as a run would have measured it.
    as_measured_nats: float | None = None
    #: Of a label.
    is_right: bool | None = None


class Measurer(Background):
    """One thread that has approved examples predicted."""

    def __init__(self, services: Services) -> None:
        super().__init__(
            "measurer", bell=services.wakeups.measuring, poll_seconds=services.settings.poll_seconds,
            idle_polls=POLLS,
        )  # fmt: skip
        self._services = services
        #: Since when there has always been a draft that somebody waited for.
        self._gave_way_at: float | None = None
        #: Tries of examples that were not to be had so far.
        self._tries: Counter[str] = Counter()
        #: Failures in a row of a style's examples: what keeps failing, because its base model is not served or does not
        #: fit, comes after the others.
        self._failures: Counter[str] = Counter()

    def work_once(self) -> bool:
        """Have one example predicted; False when there is none, or a draft is waited for. Raises ModelError."""
        found = self._find()
        if found is None or self._gives_way(found[0].team_id):
            return False
        style, champion, example = found
        try:
            plan = make_plan_for_example(self._services.database, self._services.settings, style, champion, example)
            prediction = self._predict(plan, example)
            if prediction.nll_nats is not None:
                as_measured = self._predict_as_measured(plan, prediction.nll_nats, style, champion, example)
                prediction = replace(prediction, as_measured_nats=as_measured)
        except (AdapterUnavailable, NotYet, PromptTooLong) as error:
            log.info("example.not_predicted", example_id=example.example_id, error=type(error).__name__)
            plan, prediction = None, Prediction()
        except (ModelSlow, ModelBroke):
            self._tries[example.example_id] += 1
            if self._tries[example.example_id] < MOST_TRIES:
                self._failures[style.style_id] += 1
                raise
            log.warning("example.not_predicted", example_id=example.example_id, tries=MOST_TRIES)
            plan, prediction = None, Prediction()
        except ModelError:
            self._failures[style.style_id] += 1
            raise
        self._tries.pop(example.example_id, None)
        self._failures.pop(style.style_id, None)
        self._save(champion, example, plan, prediction)
        return True

    def _gives_way(self, team_id: str) -> bool:
        with self._services.database.read() as session:
            is_busy = count_open_drafts(session, team_id) > 0
        if not is_busy:
            self._gave_way_at = None
            return False
        now = time.monotonic()
        if self._gave_way_at is None:
            self._gave_way_at = now
        return now - self._gave_way_at < GIVES_WAY_SECONDS

    def _find(self) -> tuple[Style, Promotion, Example] | None:
        name = self._services.settings.embedding_model
        with self._services.database.read() as session:
            since = now_in_database(session) - WINDOW
            waiting = list_styles_to_score(session, name, since)
            for style_id in sorted(waiting, key=lambda one: (self._failures[one], one)):
                style = get_style(session, style_id)
                champion = find_promotion(session, style.champion_promotion_id)
                if champion is None or champion.scope_key != style.scope_key:
                    continue
                if count_scored_since(session, style_id, style.scope, since) >= MOST_A_DAY:
                    continue
                example = find_example_to_score(session, style_id, style.scope, name, since)
                if example is not None:
                    return style, champion, example
        return None

    def _predict(self, plan: Plan, example: Example) -> Prediction:
        """Raises the ModelError family."""
        with self._services.database.read() as session:
            taught = {adapter.name for adapter in list_adapters_trained_on(session, example.example_id)}
        if plan.adapter_name in taught:
            return Prediction()  # it was approved long enough ago to have been learnt
        deadline = time.monotonic() + SCORING_SECONDS
        if plan.labelling is not None:
            return self._predict_label(plan, example, deadline)
        plan = replace(plan, room_tokens=plan.least_room_tokens)  # nothing is written
        while True:
            try:
                scored = self._services.model.score_text(
                    plan.messages, example.completion, model=plan.model, deadline=deadline,
                    is_base=plan.adapter_name is None,
                )  # fmt: skip
            except PromptTooLong:
                smaller = plan.smaller()
                if smaller is None:
                    raise
                plan = smaller
            else:
                return Prediction(nll_nats=scored.nll_nats)

    def _predict_as_measured(
        self, plan: Plan, nll_nats: float, style: Style, champion: Promotion, example: Example
    ) -> float | None:
        """In nats, for the watch on drift. Asked again only where a run's prompt would be another than a draft's."""
        database, settings = self._services.database, self._services.settings
        measured = make_plan_as_measured(database, settings, style, champion, example, self._services.model.embed)
        if (measured.messages, measured.labelling) == (plan.messages, plan.labelling):
            return nll_nats
        return self._predict(measured, example).nll_nats

    def _predict_label(self, plan: Plan, example: Example, deadline: float) -> Prediction:
        assert plan.labelling is not None, "the style answers with labels"
        scores = plan.labelling.scores
        if scores is None:
            scores = self._services.model.score_labels(
                plan.messages, plan.labelling.labels, model=plan.model, deadline=deadline,
                is_base=plan.adapter_name is None, is_measuring=True,
            ).scores  # fmt: skip
        calibration = plan.labelling.calibration
        chosen = choose_label(scores, calibration).label
        return Prediction(
            nll_nats=label_cost(scores, calibration, example.completion),
            is_right=normalise(chosen) == normalise(example.completion),
        )

    def _save(self, champion: Promotion, example: Example, plan: Plan | None, prediction: Prediction) -> None:
        with self._services.database.write() as session:
            keep_style(session, example.style_id)  # as whoever withdraws does, before the example
            now = lock_example(session, example.example_id)
            if now.status is not ExampleStatus.APPROVED:
                return  # taken back meanwhile: nothing is kept of it
            saved = save_score(
                session, now, promotion_id=champion.promotion_id,
                rung=plan.rung if plan else champion.rung, adapter_name=(plan.adapter_name or "") if plan else "",
                nll_nats=prediction.nll_nats, as_measured_nats=prediction.as_measured_nats,
                is_right=prediction.is_right,
            )  # fmt: skip
        log.info("example.predicted", example_id=example.example_id, is_first=saved)
