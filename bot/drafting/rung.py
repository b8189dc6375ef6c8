"""From a style's champion to one prompt for one model: which rung it really is, with which examples, and why.

A champion that cannot be served as promoted (no examples yet, its adapter gone) is served as the nearest rung that
can, and the draft says so.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from bot.blocks.draft import Shape
from bot.domain.drafting import Turn, choose_history, count_turn_tokens, search_text
from bot.domain.variants import MAX_VERSIONS
from bot.drafting.labelling import Labelling, plan_labelling
from bot.drafting.retrieval import NO_VECTOR, choose_fixed_examples, list_kin, retrieve_examples
from bot.errors import AdapterUnavailable, ModelError
from bot.texts import drafting as texts
from bot.texts import knowledge
from bot.texts import labels as label_texts
from config.base_names import base_model_id
from config.choosing import Choice
from config.draft_room import served_room
from config.kinship import Embed as EmbedAll
from config.likeness import NEAR_DUPLICATE
from config.passages import PassageSearch, QuotablePassage
from config.prompts import ChatMessages, Pair, Quote, build_prompt, build_variant_prompt
from config.recipe_files import RecipeUnreadable, choice_of, read_recipe_file
from config.rungs import Rung
from config.settings import Settings
from config.variants import Variant
from db.adapters import Adapter, AdapterStatus, get_adapter
from db.drafts import Draft, DraftStatus, list_drafts_of_thread, list_family
from db.examples import Example, ExampleStatus, count_approved_holding, count_examples, list_not_before
from db.knowledge import find_documents, has_documents, list_quotable
from db.promotions import Promotion, find_promotion, get_champion
from db.scorecards import find_measured_room
from db.search import Hit, bytes_to_vector
from db.session import Database
from db.styles import Style, StyleKind, get_style
from db.trials import TrialCandidate, find_candidate_of_draft

log = structlog.get_logger()

#: Drafts of a thread whose text a follow-up builds on.
_SPOKEN = (DraftStatus.SHOWN, DraftStatus.KEPT, DraftStatus.EDITED)

Embed = Callable[[str], NDArray[np.float32]]
#: What a draft is made with.
Candidate = Promotion | TrialCandidate


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that is decided before the model is asked."""

    style: str
    instructions: str
    forbidden_terms: tuple[str, ...]
    request: str
    rung: Rung
    #: What the model server is asked for: an adapter's name, or the base model's.
    model: str
    adapter_name: str | None
    #: In the prompt's order.
    examples: tuple[Example, ...]
    history: tuple[Turn, ...]
    #: Of the team's documents, in the prompt's order, and where each document stands in Slack, by its id.
    passages: tuple[QuotablePassage, ...] = ()
    document_links: Mapping[str, str | None] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    variant: Variant | None = None
    #: Of a variant: the texts that the prompt carries, the one to vary last; and every text that it must not repeat.
    versions: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    parent_link: str | None = None
    #: Of a style that classifies: how its answer is chosen. None: the answer is a text.
    labelling: Labelling | None = None
    #: Tokens that the draft may take, and those that every draft may.
    room_tokens: int
    least_room_tokens: int

    @property
    def messages(self) -> ChatMessages:
        examples = [Pair(prompt=example.prompt, completion=example.completion) for example in self.examples]
        history = [Pair(prompt=turn.request, completion=turn.answer) for turn in self.history]
        quotes = [Quote(source=passage.source, text=passage.text) for passage in self.passages]
        if self.variant is None:
            return build_prompt(self.instructions, self.request, examples, history, quotes)
        return build_variant_prompt(
            self.instructions, self.request, self.variant, self.versions, examples, history, quotes
        )

    @property
    def shape(self) -> Shape:
        return Shape(
            style=self.style,
            rung=self.rung.value,
            adapter=self.adapter_name,
            # The one most like the request first, which stands last in the prompt.
            examples=tuple((example.example_id, example.permalink) for example in reversed(self.examples)),
            passages=tuple(
                (knowledge.source(one.title, one.heading, one.page), self.document_links.get(one.document_id))
                for one in reversed(self.passages)
            ),
            notes=self.notes,
            variant=self.variant.value if self.variant else None,
            parent_link=self.parent_link,
        )

    def smaller(self) -> Plan | None:
        """The same with half the room, down to what every draft may take, then with half the examples, then with a
        passage less (those least like the request leave first), then with less of the thread; None when nothing can be
        left out."""
        if self.room_tokens > self.least_room_tokens:
            return replace(self, room_tokens=max(self.room_tokens // 2, self.least_room_tokens))
        if self.examples:
            kept = self.examples[(len(self.examples) + 1) // 2 :]
            notes = self.notes if texts.FEWER_EXAMPLES() in self.notes else (*self.notes, texts.FEWER_EXAMPLES())
            return replace(self, examples=kept, notes=notes)
        if self.passages:
            notes = self.notes if texts.FEWER_PASSAGES() in self.notes else (*self.notes, texts.FEWER_PASSAGES())
            return replace(self, passages=self.passages[1:], notes=notes)
        if self.history:
            return replace(self, history=self.history[1:])
        if len(self.versions) > 1:
            return replace(self, versions=self.versions[1:])
        return None


def choose_how(recipe: str, rung: Rung, *, forbidden: Sequence[str] = ()) -> Choice:
    """How a prompt of this rung gets its examples under a recipe, and a style's forbidden terms: as when the rung was
    measured."""
    return choice_of(_read_values(recipe, "rungs"), rung, forbidden=forbidden)


def _read_values(recipe: str, section: str) -> Mapping[str, Any]:
    try:
        values: Mapping[str, Any] = read_recipe_file(recipe).get(section, {})
    except RecipeUnreadable:
        log.warning("recipe.unreadable", recipe=recipe)
        return {}
    return values


def make_plan(database: Database, settings: Settings, draft: Draft, embed: Embed) -> Plan:
    """The champion's plan for this draft. `embed` raises ModelError where it cannot: then words are compared."""
    with database.read() as session:
        style = get_style(session, draft.style_id)
        champion = _find_candidate(session, style, draft)
        adapter = _find_adapter(session, style, champion)
        history = _history(session, draft, settings.history_max_tokens)
        rung = champion.rung if champion else Rung.RETRIEVED
    notes: list[str] = []
    if rung.is_classifier and style.kind is not StyleKind.CLASSIFY:
        rung, adapter = Rung.RETRIEVED, None  # the style's kind was changed since
    if rung.needs_adapter and adapter is None:
        if draft.comparison_id is not None:
            raise AdapterUnavailable  # another rung in its place would be compared under its name
        rung = Rung.RETRIEVED
        notes.append(texts.NO_ADAPTER())
    return _plan(database, settings, draft, style, champion, adapter, rung, history, notes, embed)


def make_plan_without_adapter(
    database: Database, settings: Settings, draft: Draft, embed: Embed, refused: Plan
) -> Plan:  # fmt: skip
    """What is drafted instead when the model server refuses what the champion needs: `retrieved` on the base model.
    Where that was a whole model (`full`), which may not fit into the server's memory, the champion before it."""
    with database.read() as session:
        style = get_style(session, draft.style_id)
        champion = _find_champion(session, style)
        history = _history(session, draft, settings.history_max_tokens)
        before = _find_before(session, style, champion) if refused.rung is Rung.FULL else None
        adapter = _find_adapter(session, style, before)
    if before is None:
        notes = [texts.adapter_refused(refused.model)]
        return _plan(database, settings, draft, style, champion, None, Rung.RETRIEVED, history, notes, embed)
    notes = [texts.model_refused(refused.model)]
    return _plan(database, settings, draft, style, before, adapter, before.rung, history, notes, embed)


def _find_before(session: Session, style: Style, champion: Promotion | None) -> Promotion | None:
    """The latest earlier champion that can still serve and is no whole model."""
    before = champion
    while before is not None:
        before = find_promotion(session, before.replaced_id)
        if before is None or before.scope_key != style.scope_key:
            return None
        is_there = not before.rung.needs_adapter or _find_adapter(session, style, before) is not None
        is_of_kind = style.kind is StyleKind.CLASSIFY or not before.rung.is_classifier
        if before.rung is not Rung.FULL and is_there and is_of_kind:
            return before
    return None


def make_plan_for_example(
    database: Database, settings: Settings, style: Style, champion: Promotion, example: Example,
    *, unshown: Collection[str] = frozenset(), is_as_measured: bool = False,
) -> Plan:  # fmt: skip
    """What a draft for this example's request would be made with at the moment before it was approved: nothing is shown
    of itself, of what was approved after it, and of its conversation, which may tell its answer. The example is
    embedded. `unshown`: ids of more examples that are not shown. Raises AdapterUnavailable where the champion's adapter
    is not there, and NotYet as for a draft."""
    with database.read() as session:
        adapter = _find_adapter(session, style, champion)
        barred = list_not_before(session, style.style_id, style.scope, example)
    is_other_kind = champion.rung.is_classifier and style.kind is not StyleKind.CLASSIFY
    if is_other_kind or (champion.rung.needs_adapter and adapter is None):
        raise AdapterUnavailable
    asked = Draft(draft_id="", style_id=style.style_id, team_id=style.team_id, request=example.prompt)  # of no table
    vector = bytes_to_vector(example.embedding or b"")
    return _plan(
        database, settings, asked, style, champion, adapter, champion.rung, [], [], lambda _: vector, barred,
        unshown=unshown, measured=example.completion if is_as_measured else None,
    )  # fmt: skip


def make_plan_as_measured(
    database: Database, settings: Settings, style: Style, champion: Promotion, example: Example, embed: EmbedAll
) -> Plan:
    """The same as a run measures an unseen pair: no example is shown that is kin to it (config/kinship.py), and
    passages stand in the prompt of `knowledge` alone. `embed` is asked for completions; it raises the ModelError
    family where it cannot."""
    limits = _read_values(style.recipe or settings.recipe, "splits")
    unshown: frozenset[str] = frozenset()
    while True:
        plan = make_plan_for_example(
            database, settings, style, champion, example, unshown=unshown, is_as_measured=True
        )  # fmt: skip
        kin = list_kin(
            example, plan.examples, embedding_model=settings.embedding_model, embed=embed,
            near_duplicate=float(limits.get("near_duplicate", NEAR_DUPLICATE)),
        )  # fmt: skip
        if not kin:
            return plan
        unshown |= kin  # others take their places, and may be kin, too


def _plan(
    database: Database, settings: Settings, draft: Draft, style: Style, champion: Candidate | None,
    adapter: Adapter | None, rung: Rung, history: list[Turn], notes: list[str], embed: Embed,
    barred: Collection[str] = frozenset(), *, unshown: Collection[str] = frozenset(), measured: str | None = None,
) -> Plan:  # fmt: skip
    """`barred`: ids of examples that have no part in it. `unshown`: of those that only are not shown. `measured`: the
    completion that is measured in it, which brings passages to `knowledge` alone, and none that holds it."""
    hidden = frozenset(barred).union(unshown)
    choice = choose_how(style.recipe or settings.recipe, rung, forbidden=style.terms.forbidden)
    with database.read() as session:
        quotes = not rung.is_classifier and (measured is None or rung is Rung.KNOWLEDGE)
        knows_documents = quotes and has_documents(session, style.style_id, style.scope)
    query, vector = draft.request if rung is Rung.NEIGHBOURS else search_text(draft.request, history), NO_VECTOR
    if rung.uses_retrieval or rung is Rung.NEIGHBOURS or knows_documents:
        vector = _embed(embed, query, notes)  # before the session: a slow server holds no connection

    def find(choice: Choice) -> list[Hit]:
        with database.read() as session:
            return retrieve_examples(
                session, style, query, vector, embedding_model=settings.embedding_model, choice=choice, barred=hidden
            )

    def cover(choice: Choice) -> list[Example]:
        with database.read() as session:
            return choose_fixed_examples(
                session, style, run_id=champion.run_id if champion else None,
                embedding_model=settings.embedding_model, choice=choice, barred=hidden,
            )  # fmt: skip

    hits = find(choice) if rung.uses_retrieval or rung is Rung.NEIGHBOURS else []
    examples = cover(choice) if rung is Rung.FEW_SHOT else [hit.example for hit in hits]
    neighbours = [(hit.example.completion, hit.similarity) for hit in reversed(hits)] if rung is Rung.NEIGHBOURS else []
    passages: tuple[QuotablePassage, ...] = ()
    links: dict[str, str | None] = {}
    if knows_documents:
        passages, links = _find_passages(database, settings, style, query, vector, unlike=measured or "")
    if rung is Rung.KNOWLEDGE and not passages:
        rung = Rung.RETRIEVED
        notes.append(texts.NO_PASSAGE())
    if not examples and rung in (Rung.FEW_SHOT, Rung.RETRIEVED, Rung.NEIGHBOURS):
        why = _why_no_examples(database, style, choice, cover if rung is Rung.FEW_SHOT else find)
        rung = Rung.ZERO_SHOT
        if why in (texts.NO_EXAMPLES(), texts.ONLY_FORBIDDEN()):  # else there might be one that is like it by meaning
            notes = [note for note in notes if note != texts.BY_WORDS()]
        notes = [*notes, why]
    base_model = champion.base_model if champion else settings.base_model
    labelling = None
    if style.kind is StyleKind.CLASSIFY:
        labelling = plan_labelling(
            database, style, rung, base_model, adapter.name if adapter else "", neighbours=neighbours,
            barred=barred,
        )  # fmt: skip
        notes = notes if labelling.calibration.pairs else [*notes, label_texts.NOT_MEASURED()]
    base = base_model_id(base_model)
    family = _family(database, draft)
    with database.read() as session:
        allowed = find_measured_room(
            session, style.style_id, style.scope, rung=rung, base_model=base_model,
            adapter_name=adapter.name if adapter else "",
        )  # fmt: skip
    return Plan(
        style=style.name, instructions=style.full_instructions, forbidden_terms=style.terms.forbidden,
        request=draft.request, rung=rung,
        model=adapter.name if adapter else base, adapter_name=adapter.name if adapter else None,
        examples=tuple(examples), history=tuple(history), passages=passages, document_links=links,
        notes=tuple(notes), variant=draft.variant,
        versions=_versions(draft, family), known=tuple(one.text for one in family), parent_link=draft.parent_link,
        labelling=labelling, least_room_tokens=settings.draft_max_tokens,
        room_tokens=served_room(allowed, least=settings.draft_max_tokens),
    )  # fmt: skip


def _why_no_examples(
    database: Database, style: Style, choice: Choice, find: Callable[[Choice], Sequence[object]]
) -> str:  # fmt: skip
    """`find` has found none with this choice."""
    with database.read() as session:
        approved = count_examples(session, style.style_id, style.scope)[ExampleStatus.APPROVED]
        held = count_approved_holding(session, style.style_id, style.scope, style.terms.forbidden)
    if not approved:
        return texts.NO_EXAMPLES()
    if held == approved:
        return texts.ONLY_FORBIDDEN()
    any_length = replace(choice, max_tokens=sys.maxsize)
    if find(any_length):
        return texts.ONLY_TOO_LONG()
    return texts.ALIKE_FORBIDDEN() if find(replace(any_length, forbidden=())) else texts.NONE_ALIKE()


def _find_passages(
    database: Database, settings: Settings, style: Style, query: str, vector: NDArray[np.float32], *, unlike: str
) -> tuple[tuple[QuotablePassage, ...], dict[str, str | None]]:
    """What the style's documents say about this, whatever the rung: facts belong in documents, style in the rung."""
    with database.read() as session:
        known = list_quotable(session, style.style_id, style.scope, settings.embedding_model)
        found = PassageSearch(known).find(query, vector, unlike=unlike).passages
        documents = find_documents(session, {one.document_id for one in found})
    return found, {document_id: document.permalink for document_id, document in documents.items()}


def _family(database: Database, draft: Draft) -> list[Draft]:
    """The drafts that a variant is a version of, oldest first; none for a first draft."""
    if draft.variant is None:
        return []
    with database.read() as session:
        family = list_family(session, draft.family_id)
    return [one for one in family if one.draft_id != draft.draft_id and one.text.strip()]


def _versions(draft: Draft, family: list[Draft]) -> tuple[str, ...]:
    """What the prompt shows: the draft to vary, and for another one what was tried besides."""
    parent = [one.text for one in family if one.draft_id == draft.parent_id]
    if draft.variant is not Variant.ANOTHER:
        return tuple(parent)
    others = [one.text for one in family if one.draft_id != draft.parent_id]
    return (*others[-(MAX_VERSIONS - 1) :], *parent)


def _embed(embed: Embed, query: str, notes: list[str]) -> NDArray[np.float32]:
    try:
        return embed(query)
    except ModelError as error:
        log.warning("retrieval.by_words", error=type(error).__name__)
        notes.append(texts.BY_WORDS())
        return NO_VECTOR


def _find_candidate(session: Session, style: Style, draft: Draft) -> Candidate | None:
    """The champion; for one of two drafts that are compared blindly, what it is to be made with."""
    if draft.comparison_id is not None:
        return find_candidate_of_draft(session, draft.comparison_id, draft.draft_id)
    return _find_champion(session, style)


def _find_champion(session: Session, style: Style) -> Promotion | None:
    try:
        return get_champion(session, style, style.scope)
    except LookupError:
        log.warning("champion.missing", style_id=style.style_id)
        return None


def _find_adapter(session: Session, style: Style, champion: Candidate | None) -> Adapter | None:
    if champion is None or champion.adapter_id is None or not champion.rung.needs_adapter:
        return None
    try:
        adapter = get_adapter(session, champion.adapter_id, style.scope)
    except LookupError:
        return None
    return adapter if adapter.status is AdapterStatus.PUBLISHED else None


def _history(session: Session, draft: Draft, max_tokens: int) -> list[Turn]:
    """Earlier requests of this thread in the same style, with the text that stands: a person's, where edited."""
    if not draft.thread_ts:
        return []  # for one person's eyes: no thread
    if get_style(session, draft.style_id).kind is StyleKind.CLASSIFY:
        return []  # every text has a label of its own
    earlier = list_drafts_of_thread(session, draft.team_id, draft.channel_id, draft.thread_ts)
    earlier = _last_of_each_family([one for one in earlier if one.family_id < draft.family_id])
    turns = [_as_turn(one) for one in earlier if one.style_id == draft.style_id]
    return choose_history(turns, max_tokens)


def _as_turn(draft: Draft) -> Turn:
    answer = draft.edited_completion or draft.completion
    tokens = count_turn_tokens(
        draft.request, answer, counted_text=draft.completion, counted_tokens=draft.completion_tokens
    )
    return Turn(request=draft.request, answer=answer, tokens=tokens)


def _last_of_each_family(drafts: list[Draft]) -> list[Draft]:
    """Of a draft and its variants, the one that people settled on, or else the last; in the families' order."""
    standing: dict[str, Draft] = {}
    for one in drafts:
        if one.status in _SPOKEN and one.completion:
            known = standing.get(one.family_id)
            if known is None or _is_settled(one) or not _is_settled(known):
                standing[one.family_id] = one
    return [standing[family_id] for family_id in sorted(standing)]


def _is_settled(draft: Draft) -> bool:
    return draft.status in (DraftStatus.KEPT, DraftStatus.EDITED) or draft.used_by is not None
