"""The model client keeps its promises against a server that does not."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from bot.drafting.model import CIRCUIT_FAILURES, CIRCUIT_SECONDS, Circuit, ModelClient, Piece
from bot.errors import (
    AdapterUnavailable,
    ModelBroke,
    ModelBusy,
    ModelDown,
    ModelError,
    ModelLoading,
    ModelSlow,
    PromptTooLong,
)
from config.base_names import base_model_id
from config.prompts import build_prompt
from config.settings import Settings
from tests.support.model_server import ScriptedModel
from tests.support.wait import wait_until

PROMPT = build_prompt("Be brief.", "Where is my parcel?")


@pytest.fixture
def server() -> Iterator[ScriptedModel]:
    with ScriptedModel() as running:
        yield running


@pytest.fixture
def client(settings: Settings, server: ScriptedModel) -> Iterator[ModelClient]:
    found = ModelClient(
        settings.model_copy(
            update={"model_url": server.url, "first_token_deadline_seconds": 0.4, "draft_deadline_seconds": 1.0}
        )
    )
    yield found
    found.close()


def ask(client: ModelClient, *, seconds: float = 1.0, is_base: bool = True, model: str = "m") -> list[Piece]:
    return list(client.stream(PROMPT, model=model, max_tokens=64, deadline=time.monotonic() + seconds, is_base=is_base))


def text_of(pieces: list[Piece]) -> str:
    return "".join(piece.text for piece in pieces)


def test_a_stream_ends_in_the_facts(client: ModelClient, server: ScriptedModel) -> None:
    server.enqueue("It is on its way. Team Support", delay=0.01)
    pieces = ask(client)
    assert text_of(pieces) == "It is on its way. Team Support"
    assert pieces[-1].is_last
    assert pieces[-1].completion_tokens == 7
    assert pieces[-1].fingerprint == "sha256:scripted"
    assert server.history[0]["temperature"] == 0
    assert server.prompts == [PROMPT]


def test_the_last_part_of_a_base_models_name_is_what_it_is_called() -> None:
    assert base_model_id("embedded:smollm2-135m-instruct") == "smollm2-135m-instruct"
    assert base_model_id("org/Some-Model") == "Some-Model"
    assert base_model_id("/models/local/") == "local"


@pytest.mark.parametrize(
    ("status", "code", "is_base", "expected"),
    [
        (500, "", True, ModelError),
        (503, "model_loading", True, ModelLoading),
        (429, "engine_busy", True, ModelBusy),
        (404, "model_not_found", False, AdapterUnavailable),
        (424, "adapter_rejected", False, AdapterUnavailable),
        (404, "model_not_found", True, ModelDown),
        (401, "invalid_api_key", True, ModelDown),
        (400, "context_length_exceeded", True, PromptTooLong),
    ],
)
def test_a_refusal_becomes_our_error(
    client: ModelClient, server: ScriptedModel, status: int, code: str, is_base: bool, expected: type[ModelError]
) -> None:
    server.fail(status, code=code)
    with pytest.raises(ModelError) as caught:
        ask(client, is_base=is_base)
    assert type(caught.value) is expected


def test_a_server_that_is_not_there_is_down(client: ModelClient, server: ScriptedModel) -> None:
    server.stop()
    with pytest.raises(ModelDown):
        ask(client)
    assert not client.is_up()


@pytest.mark.alone
def test_silence_is_slow_within_the_first_token_deadline(client: ModelClient, server: ScriptedModel) -> None:
    server.hang()
    began = time.monotonic()
    with pytest.raises(ModelSlow):
        ask(client, seconds=30)
    assert time.monotonic() - began < 0.9


@pytest.mark.alone
def test_a_dripping_server_is_cut_off_at_the_deadline(client: ModelClient, server: ScriptedModel) -> None:
    server.drip(seconds=0.1)
    began = time.monotonic()
    pieces: list[Piece] = []
    with pytest.raises(ModelSlow):
        pieces.extend(client.stream(PROMPT, model="m", max_tokens=64, deadline=began + 0.6))
    assert time.monotonic() - began < 1.0


@pytest.mark.alone
def test_a_server_that_falls_silent_in_mid_stream_is_cut_off_at_the_deadline(
    client: ModelClient, server: ScriptedModel
) -> None:
    server.enqueue("one two", delay=30, first_delay=0)
    began = time.monotonic()
    with pytest.raises(ModelSlow):
        ask(client, seconds=0.3)
    assert time.monotonic() - began < 0.6


@pytest.mark.parametrize("how", ["cut", "early"])
def test_a_stream_that_ends_before_the_answer_is_broken(client: ModelClient, server: ScriptedModel, how: str) -> None:
    if how == "cut":
        server.cut_after(3)
    else:
        server.end_early("one two three")
    got: list[str] = []
    with pytest.raises(ModelBroke):
        for piece in client.stream(PROMPT, model="m", max_tokens=64, deadline=time.monotonic() + 2):
            got.append(piece.text)  # noqa: PERF401 - what came before the error counts
    assert "".join(got).startswith("one two three")


def test_garbage_is_a_model_error(client: ModelClient, server: ScriptedModel) -> None:
    server.babble()
    with pytest.raises(ModelError):
        ask(client)


def test_closing_a_stream_hangs_up_and_leaves_no_thread(client: ModelClient, server: ScriptedModel) -> None:
    server.drip(seconds=0.05)
    stream = client.stream(PROMPT, model="m", max_tokens=64, deadline=time.monotonic() + 30)
    wait_until(lambda: next(stream).text, seconds=2)
    stream.close()
    wait_until(lambda: not [t for t in threading.enumerate() if t.name == "model-stream"], seconds=2)


def test_embeddings_of_like_texts_are_near_and_have_length_one(client: ModelClient) -> None:
    vectors = client.embed(["the parcel is late", "my parcel is late again", "invoice of March"])
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    assert vectors[0] @ vectors[1] > 0.6 > vectors[0] @ vectors[2]
    assert client.embed([]).shape == (0, 0)


def test_failing_embeddings_leave_drafting_alone(client: ModelClient, server: ScriptedModel) -> None:
    server.embedding_status = 500
    for _ in range(CIRCUIT_FAILURES + 1):
        with pytest.raises(ModelError):
            client.embed(["text"])
    assert text_of(ask(client)) == "A draft for: Where is my parcel?"


def test_the_circuit_opens_after_five_failures_and_lets_one_request_try_later(
    settings: Settings, server: ScriptedModel
) -> None:
    now = [0.0]
    client = ModelClient(settings.model_copy(update={"model_url": server.url}), clock=lambda: now[0])
    server.fail(500, times=CIRCUIT_FAILURES + 1)
    for _ in range(CIRCUIT_FAILURES):
        with pytest.raises(ModelError):
            ask(client)
    with pytest.raises(ModelDown, match="leave it alone"):
        ask(client)
    assert len(server.history) == CIRCUIT_FAILURES
    now[0] += CIRCUIT_SECONDS
    with pytest.raises(ModelError):
        ask(client)  # the one that tries fails too
    with pytest.raises(ModelDown, match="leave it alone"):
        ask(client)
    now[0] += CIRCUIT_SECONDS
    assert text_of(ask(client)) == "A draft for: Where is my parcel?"
    assert not client.is_left_alone
    client.close()


def test_a_request_the_server_dislikes_does_not_open_the_circuit(client: ModelClient, server: ScriptedModel) -> None:
    server.fail(429, times=CIRCUIT_FAILURES + 1)
    for _ in range(CIRCUIT_FAILURES + 1):
        with pytest.raises(ModelBusy):
            ask(client)
    assert text_of(ask(client))


def test_a_server_that_loads_its_model_is_asked_again_at_once(client: ModelClient, server: ScriptedModel) -> None:
    server.is_loading = True
    for _ in range(CIRCUIT_FAILURES + 1):
        with pytest.raises(ModelLoading):
            ask(client)
        with pytest.raises(ModelLoading):
            client.embed(["Where is my parcel?"])
    server.is_loading = False
    assert text_of(ask(client))
    assert len(client.embed(["Where is my parcel?"])) == 1


def test_of_many_waiting_only_one_tries_a_half_open_circuit() -> None:
    now = [0.0]
    circuit = Circuit(lambda: now[0])
    for _ in range(CIRCUIT_FAILURES):
        circuit.failed()
    now[0] += CIRCUIT_SECONDS
    circuit.enter()
    with pytest.raises(ModelDown):
        circuit.enter()
