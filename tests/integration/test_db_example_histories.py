"""Whatever people click in whatever order: every example's history stays legal, and stale clicks change nothing."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from db.examples import (
    LIVE,
    TRANSITIONS,
    Example,
    ExampleChanged,
    ExampleStatus,
    count_examples,
    get_example,
    list_approved_examples,
    list_live_pairs,
    transition,
)
from db.models import metadata
from db.scope import Scope
from db.session import Database
from db.styles import get_style
from tests.support.factories import make_example, make_style

WORKSPACE = Scope(team_id="T1")


class ExampleHistories(RuleBasedStateMachine):
    examples = Bundle("examples")
    cards = Bundle("cards")  # what somebody saw earlier, perhaps no longer true

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.database = Database(f"sqlite:///{Path(self.folder.name) / 'histories.db'}")
        metadata.create_all(self.database.engine)
        with self.database.write() as session:
            self.style_id = make_style(session).style_id
        self.expected: dict[str, tuple[ExampleStatus, int]] = {}

    @rule(target=examples)
    def propose(self):
        with self.database.write() as session:
            style = get_style(session, self.style_id)
            example_id = make_example(session, style).example_id
        self.expected[example_id] = (ExampleStatus.PROPOSED, 1)
        return example_id

    @rule(target=cards, example_id=examples)
    def look(self, example_id):
        with self.database.read() as session:
            return get_example(session, example_id)

    @rule(card=cards, to=st.sampled_from(ExampleStatus))
    def click(self, card: Example, to):
        status, version = self.expected[card.example_id]
        is_allowed = card.version == version and to in TRANSITIONS[status]
        try:
            with self.database.write() as session:
                transition(session, session.merge(card, load=False), to, decided_by="U1")
        except ExampleChanged:
            assert not is_allowed
        else:
            assert is_allowed
            self.expected[card.example_id] = (to, version + 1)

    @invariant()
    def the_database_agrees(self):
        with self.database.read() as session:
            live = {example_id for example_id, _, _ in list_live_pairs(session, self.style_id, WORKSPACE)}
            approved = {example.example_id for example in list_approved_examples(session, self.style_id, WORKSPACE)}
            counts = count_examples(session, self.style_id, WORKSPACE)
            for example_id, (status, version) in self.expected.items():
                example = get_example(session, example_id)
                assert (example.status, example.version) == (status, version)
                if status is ExampleStatus.APPROVED:
                    assert example.approved_at is not None
        assert live == {one for one, (status, _) in self.expected.items() if status in LIVE}
        assert approved == {one for one, (status, _) in self.expected.items() if status is ExampleStatus.APPROVED}
        assert sum(counts.values()) == len(self.expected)

    def teardown(self):
        self.database.dispose()
        self.folder.cleanup()


TestExampleHistories = ExampleHistories.TestCase
TestExampleHistories.settings = hypothesis_settings(max_examples=15, stateful_step_count=30, deadline=None)
