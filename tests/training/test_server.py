"""The model server as the stock `openai` client meets it, with a tiny random Llama and real LoRA adapters."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import openai
import pytest
import torch
from peft import PeftModel
from starlette.testclient import TestClient
from transformers import AutoTokenizer

from bot.drafting.model import ModelClient
from config.settings import EMBEDDED_BASE_MODEL, EMBEDDED_EMBEDDING_MODEL, Settings
from tests.support.serving import running
from tests.support.wait import wait_until
from tests.training.test_engine import ADAPTERS, Held, Shop
from trainer.adapter_files import WEIGHTS, publish_adapter
from trainer.artifacts.keys import load_or_create_signing_key
from trainer.artifacts.manifest import AdapterFacts, manifest_digest
from trainer.artifacts.store import delete_adapter
from trainer.base_models import prepare_base_model, prepare_embedding_model
from trainer.classifier import fit_classifier
from trainer.classifier_files import publish_classifier
from trainer.likelihood import score_bits
from trainer.serving.adapters import AdapterSource
from trainer.serving.embedder import Embedder
from trainer.serving.engine import Engine
from trainer.serving.server import build_server
from trainer.train import load_base

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.training

HELLO: Any = [{"role": "user", "content": "hello"}]


class Served:
    """A running server over a shop of adapters, and what tests look at."""

    def __init__(self, shop: Shop, engine: Engine, url: str) -> None:
        self.shop = shop
        self.engine = engine
        self.url = url
        self.client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=60)

    def ask(self, model: str = "tiny", **options: Any) -> Any:
        return self.client.chat.completions.create(
            model=model, messages=HELLO, **({"max_tokens": 16, "temperature": 0} | options)
        )


def _settings(root: Path, **overrides: Any) -> Settings:
    values: dict[str, Any] = {"artifact_url": str(root / "store"), "base_model": "tiny", "data_dir": root}
    return Settings(_env_file=None, **(values | overrides))


@pytest.fixture(scope="module")
def embedder(embedded_models: Path) -> Embedder:
    return Embedder(prepare_embedding_model(EMBEDDED_EMBEDDING_MODEL, embedded_models), name=EMBEDDED_EMBEDDING_MODEL)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, embedder: Embedder) -> Iterator[Served]:
    root = tmp_path_factory.mktemp("server")
    shop = Shop(root)
    source = AdapterSource(store_url=str(root / "store"), cache_dir=root / "cache", keys_dir=root / "keys")
    engine = Engine(shop.base, base_model="tiny", adapters=source, dtype=torch.float32, max_waiting_requests=4)
    with running(build_server(_settings(root), engine, embedder)) as url:
        served = Served(shop, engine, url)
        yield served
        served.client.close()
    engine.close()


def test_streaming_gives_the_same_text_and_usage_as_one_answer(served: Served) -> None:
    for model in ("tiny", *ADAPTERS):
        whole = served.ask(model)
        chunks = list(served.ask(model, stream=True, stream_options={"include_usage": True}))
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        assert text == whole.choices[0].message.content
        assert chunks[-1].usage == whole.usage
        assert chunks[-2].choices[0].finish_reason == whole.choices[0].finish_reason
        assert whole.usage.completion_tokens <= 16
        assert all(chunk.usage is None for chunk in chunks[:-1])


def test_answers_carry_the_digest_of_the_adapter_that_wrote_them(served: Served) -> None:
    assert served.ask().system_fingerprint is None
    expected = manifest_digest(served.shop.root / "store" / "one-v1")
    assert served.ask("one-v1").system_fingerprint == expected
    streamed = list(served.ask("one-v1", stream=True))
    assert {chunk.system_fingerprint for chunk in streamed} == {expected}


def test_models_are_the_base_the_adapters_in_the_store_and_the_embedder(served: Served) -> None:
    ids = {model.id for model in served.client.models.list()}
    assert ids == {"tiny", "all-minilm-l6-v2", *ADAPTERS}


def test_a_newly_published_adapter_serves_without_a_restart(served: Served) -> None:
    with pytest.raises(openai.NotFoundError):
        served.ask("late-v1")
    served.shop.publish("late-v1", seed=42)
    assert served.ask("late-v1").choices[0].message.content != served.ask().choices[0].message.content
    delete_adapter(str(served.shop.root / "store"), "late-v1")
    with pytest.raises(openai.NotFoundError):
        served.ask("late-v1")


def test_a_tampered_adapter_gives_a_reason_and_never_a_token(served: Served) -> None:
    served.shop.publish("bad-v1", seed=6)
    path = served.shop.root / "store" / "bad-v1" / WEIGHTS
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    tokens = served.engine.stats.completion_tokens
    for stream in (False, True):
        with pytest.raises(openai.APIStatusError) as caught:
            served.ask("bad-v1", stream=stream)
        assert caught.value.status_code == 424
        assert caught.value.code == "adapter_rejected"
        assert "signed" in caught.value.message
    assert served.engine.stats.completion_tokens == tokens
    delete_adapter(str(served.shop.root / "store"), "bad-v1")


@pytest.mark.parametrize(
    "name", ["nobody", "one-v2", "../store/one-v1", "/etc/passwd", "ONE-V1", "", "one-v1\n", "x" * 5000, "."]
)
def test_a_wrong_model_name_is_not_found(served: Served, name: str) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        served.ask(name)
    assert caught.value.code == "model_not_found"


def test_concurrent_requests_for_one_adapter_share_forward_passes(served: Served) -> None:
    alone = served.ask("one-v1", max_tokens=40).choices[0].message.content
    before = served.engine.stats.decode_passes, served.engine.stats.decoded_rows
    answers: list[str] = []

    def work() -> None:
        answers.append(served.ask("one-v1", max_tokens=40).choices[0].message.content)

    threads = [threading.Thread(target=work) for _ in range(4)]
    with Held(served.engine):
        for thread in threads:
            thread.start()
        wait_until(lambda: served.engine.adapters.uses("one-v1") == 4)
    for thread in threads:
        thread.join()
    assert answers == [alone] * 4
    passes = served.engine.stats.decode_passes - before[0]
    assert served.engine.stats.decoded_rows - before[1] > 1.5 * passes


def test_a_client_that_goes_away_frees_its_place(served: Served) -> None:
    whole = served.ask("one-v1", max_tokens=800).usage.completion_tokens
    before = served.engine.stats.completion_tokens
    stream = served.ask("one-v1", max_tokens=800, stream=True)
    next(iter(stream))
    stream.close()
    wait_until(lambda: served.engine.adapters.uses("one-v1") == 0, seconds=10)
    assert served.engine.stats.completion_tokens - before < whole, "it wrote on for nobody"
    assert served.ask().choices[0].message.content is not None


def test_an_error_in_the_middle_of_a_stream_is_said_in_the_stream(
    served: Served, embedder: Embedder, tmp_path: Path
) -> None:
    source = AdapterSource(
        store_url=str(served.shop.root / "store"), cache_dir=tmp_path / "cache", keys_dir=served.shop.root / "keys"
    )
    engine = Engine(served.shop.base, base_model="tiny", adapters=source, dtype=torch.float32)
    settings = _settings(tmp_path, artifact_url=source.store_url)
    with (
        running(build_server(settings, engine, embedder)) as url,
        openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=60) as client,
    ):
        stream = client.chat.completions.create(
            model="one-v1", messages=HELLO, max_tokens=800, temperature=0, stream=True
        )
        next(stream)
        engine.close()
        with pytest.raises(openai.APIError) as caught:
            list(stream)
    assert caught.value.code == "engine_stopped"


def test_a_request_that_does_not_fit_is_refused(served: Served) -> None:
    long: Any = [{"role": "user", "content": "a" * 3000}]
    for stream in (False, True):
        with pytest.raises(openai.BadRequestError) as caught:
            served.client.chat.completions.create(model="tiny", messages=long, stream=stream)
        assert caught.value.code == "context_length_exceeded"


def test_a_full_queue_answers_429(served: Served) -> None:
    with Held(served.engine):
        occupied = [served.engine.submit(HELLO)]
        wait_until(lambda: served.engine.waiting_requests == 0)
        occupied += [served.engine.submit(HELLO) for _ in range(4)]
        with pytest.raises(openai.RateLimitError) as caught:
            served.ask()
        for generation in occupied:
            generation.cancel()
    assert caught.value.code == "engine_busy"
    wait_until(lambda: served.engine.waiting_requests == 0)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 100_000,
        b'{"model": "tiny"}',
        b'{"model": "tiny", "messages": []}',
        b'{"model": "tiny", "messages": [{"role": "wizard", "content": "x"}]}',
        b'{"model": "tiny", "messages": [{"role": "user", "content": "x"}], "max_tokens": 0}',
        b'{"model": "tiny", "messages": [{"role": "user", "content": "x"}], "temperature": -1}',
        b'{"model": "tiny", "messages": [{"role": "user", "content": "x"}], "n": 2}',
        b'{"model": "tiny", "messages": [{"role": "user", "content": null}]}',
        b" " * (5 << 20),
    ],
    ids=range(14),
)
def test_a_malformed_body_is_refused_in_openais_shape(served: Served, body: bytes) -> None:
    response = httpx.post(f"{served.url}/v1/chat/completions", content=body)
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "malformed_request"


def test_only_chat_models_embeddings_and_health_answer(served: Served) -> None:
    paths = ["/", "/metrics", "/invocations", "/pause", "/tokenize", "/v1/completions", "/docs", "/update_weights"]
    paths += ["/v1/load_lora_adapter", "/v1/unload_lora_adapter", "/openapi.json", "/v1/models/../../x"]
    for path in paths:
        for method in ("GET", "POST", "PUT", "DELETE"):
            response = httpx.request(method, served.url + path, json={"lora_path": "/etc"})
            assert response.status_code == 404, (method, path)
            assert response.json()["error"]["type"] == "invalid_request_error"
    assert httpx.get(f"{served.url}/health").json()["status"] == "ready"


def test_embeddings_have_length_one_and_say_what_is_alike(served: Served) -> None:
    texts = ["a dictionary compiler", "compiles dictionaries", "the cat sat on a mat", "é 🦊"] * 20
    replies = [
        served.client.embeddings.create(model="all-minilm-l6-v2", input=texts, encoding_format=kind)
        if kind
        else served.client.embeddings.create(model="all-minilm-l6-v2", input=texts)
        for kind in ("float", "base64", None)
    ]
    rows: list[Any] = [reply.data[n].embedding for n in range(len(texts)) for reply in replies[:1]]
    vectors = np.array(rows)
    assert vectors.shape == (80, 384)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.2
    assert np.allclose(vectors[0], vectors[4], atol=1e-5)
    assert np.allclose(np.array([item.embedding for item in replies[2].data]), vectors, atol=1e-6)
    with pytest.raises(openai.NotFoundError):
        served.client.embeddings.create(model="tiny", input="x")


def test_a_key_is_asked_for_where_one_is_set(served: Served, embedder: Embedder) -> None:
    settings = _settings(served.shop.root, model_api_key="sesame")
    with running(build_server(settings, served.engine, embedder)) as url:
        wrong = openai.OpenAI(base_url=f"{url}/v1", api_key="wrong", max_retries=0)
        with wrong, pytest.raises(openai.AuthenticationError):
            wrong.models.list()
        with openai.OpenAI(base_url=f"{url}/v1", api_key="sesame", max_retries=0) as right:
            assert right.models.list().data
        assert httpx.get(f"{url}/health").status_code == 200


def test_it_says_why_it_cannot_answer_when_the_model_does_not_load(tmp_path: Path) -> None:
    settings = _settings(tmp_path, base_model="embedded:nothing")
    with TestClient(build_server(settings)) as client:
        wait_until(lambda: client.get("/health").json()["status"] == "failed")
        reply = client.get("/v1/models")
        assert reply.status_code == 503
        assert "embedded model" in reply.json()["error"]["message"]


def test_the_embedded_model_starts_answers_and_takes_an_adapter(embedded_models: Path, tmp_path: Path) -> None:
    """SmolLM2-135M for real: prepared, served from /health to text, and steered by a LoRA adapter."""
    from datetime import UTC, datetime

    from tests.support.tiny_model import make_tiny_adapter
    from trainer.base_models import base_revision

    settings = _settings(tmp_path, base_model=EMBEDDED_BASE_MODEL, artifact_url="")
    settings.models_dir.symlink_to(embedded_models)
    base = prepare_base_model(settings.base_model, settings.models_dir)
    with running(build_server(settings)) as url:
        assert httpx.get(f"{url}/health").json()["status"] in {"loading", "ready"}
        wait_until(lambda: httpx.get(f"{url}/health").status_code == 200, seconds=60)
        with openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:
            question: Any = [{"role": "user", "content": "Name the capital of France."}]
            ask = client.chat.completions.create
            plain = ask(model="smollm2-135m-instruct", messages=question, max_tokens=20, temperature=0)
            assert "Paris" in (plain.choices[0].message.content or "")
            assert plain.choices[0].finish_reason == "stop"
            publish_adapter(
                settings.resolved_artifact_url,
                "smol-v1",
                make_tiny_adapter(tmp_path / "trained", base, rank=16),
                AdapterFacts(
                    base_model=settings.base_model,
                    base_revision=base_revision(base),
                    style_id="1",
                    scope="T1:workspace",
                    run_id="run-1",
                    rung="lora",
                    created_at=datetime(2026, 11, 1, tzinfo=UTC),
                ),
                load_or_create_signing_key(settings.keys_dir),
            )
            tuned = ask(model="smol-v1", messages=question, max_tokens=20, temperature=0)
            assert tuned.choices[0].message.content != plain.choices[0].message.content
            assert (tuned.system_fingerprint or "").startswith("sha256:")


def choose(served: Served, model: str, choice: list[str], **options: Any) -> Any:
    return served.ask(
        model, temperature=1, logprobs=True, extra_body={"structured_outputs": {"choice": choice}}, **options
    )


def test_an_answer_out_of_a_choice_is_the_likeliest_and_with_n_all_of_them_come_with_their_likelihoods(
    served: Served,
) -> None:
    labels = ["bug", "question", "a wish", "x"]
    for model in ("tiny", *ADAPTERS):
        answer = choose(served, model, labels, n=len(labels))
        totals = [sum(token.logprob for token in one.logprobs.content) for one in answer.choices]
        assert sorted(one.message.content for one in answer.choices) == sorted(labels)
        assert totals == sorted(totals, reverse=True)
        assert choose(served, model, labels).choices[0].message.content == answer.choices[0].message.content
        assert "".join(token.token for token in answer.choices[0].logprobs.content).startswith(
            answer.choices[0].message.content
        )
        expected = None if model == "tiny" else manifest_digest(served.shop.root / "store" / model)
        assert answer.system_fingerprint == expected
    by_model = {model: choose(served, model, labels, n=4).choices[0].logprobs.content[0].logprob for model in ADAPTERS}
    assert len(set(by_model.values())) == len(ADAPTERS)


def test_a_given_text_costs_over_http_what_it_costs_in_a_measurement(served: Served) -> None:
    """A newly approved example is predicted through the server; unseen pairs are scored by the trainer."""
    client = ModelClient(_settings(served.shop.root, model_url=f"{served.url}/v1"))
    tokenizer = AutoTokenizer.from_pretrained(served.shop.base)
    texts = ["We close at noon.", "Two lines:\n- one\n- two", "x"]
    for name in ("tiny", *ADAPTERS):
        model: Any = load_base(served.shop.base, dtype="float32")
        if name != "tiny":
            model = PeftModel.from_pretrained(model, served.shop.root / "store" / name)
        expected = [nats for nats, _ in score_bits(model, tokenizer, [HELLO] * len(texts), texts)]
        found = [
            client.score_text(HELLO, text, model=name, deadline=time.monotonic() + 30, is_base=name == "tiny")
            for text in texts
        ]
        assert [one.nll_nats for one in found] == pytest.approx(expected, rel=1e-4)
        assert all((one.fingerprint is None) == (name == "tiny") for one in found)
    client.close()


def test_a_choice_is_scored_beside_what_is_being_written(served: Served) -> None:
    alone = served.ask(max_tokens=64).choices[0].message.content
    found: list[str] = []
    writers = [
        threading.Thread(target=lambda: found.append(served.ask(max_tokens=64).choices[0].message.content))
        for _ in range(3)
    ]
    for writer in writers:
        writer.start()
    scored = [choose(served, name, ["yes", "no"]).choices[0].message.content for name in (*ADAPTERS, "tiny")]
    for writer in writers:
        writer.join()
    assert found == [alone] * 3
    assert set(scored) <= {"yes", "no"}


def test_a_classifier_out_of_the_store_chooses_among_the_labels_that_it_knows_until_it_is_withdrawn(
    served: Served, embedder: Embedder, tmp_path: Path
) -> None:
    texts = {"bug": ["It crashes.", "The page shows an error."], "bill": ["The invoice is wrong.", "I paid twice."]}
    asked, truths = zip(*((text, label) for label, own in texts.items() for text in own), strict=True)
    vectors = embedder.embed(asked)[0].numpy()
    classifier = fit_classifier(
        ("bill", "bug"), vectors, truths, vectors, truths, embedding_model=EMBEDDED_EMBEDDING_MODEL
    )
    classifier.save(tmp_path / "fitted")
    facts = AdapterFacts(
        base_model=EMBEDDED_EMBEDDING_MODEL, base_revision=embedder.revision, style_id="1", scope="T1",
        run_id="run", rung="logistic", created_at=datetime(2026, 11, 1, tzinfo=UTC),
    )  # fmt: skip
    store, name = str(served.shop.root / "store"), "tickets-v1-logistic"
    published = publish_classifier(store, name, tmp_path / "fitted", facts, served.shop.key)

    def labels(text: str) -> list[str]:
        answer = served.client.chat.completions.create(
            model=name, messages=[{"role": "user", "content": text}], n=3, logprobs=True,
            extra_body={"structured_outputs": {"choice": ["newer label", "bug", "bill"]}},
        )  # fmt: skip
        assert answer.system_fingerprint == published.digest
        return [one.message.content or "" for one in answer.choices]

    assert labels("The app crashes with an error.") == ["bug", "bill"]
    assert labels("There is a mistake on my invoice.") == ["bill", "bug"]
    with pytest.raises(openai.APIStatusError) as refused:  # it writes nothing
        served.ask(name)
    assert refused.value.status_code == 424
    delete_adapter(store, name)
    with pytest.raises(openai.NotFoundError):
        labels("The app crashes.")


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"extra_body": {"structured_outputs": {"choice": []}}}, 400),
        ({"extra_body": {"structured_outputs": {"choice": ["a"]}}, "stream": True}, 400),
        ({"n": 2}, 400),
        ({"extra_body": {"structured_outputs": {"choice": ["a " * 2000]}}}, 400),
        ({"extra_body": {"structured_outputs": {"choice": ["a"]}}, "model": "nobody-v1"}, 404),
    ],
)
def test_a_choice_that_cannot_be_made_is_refused_with_a_reason(
    options: dict[str, Any], status: int, served: Served
) -> None:
    with pytest.raises(openai.APIStatusError) as refused:
        served.ask(**({"model": "tiny"} | options))
    assert refused.value.status_code == status
    assert refused.value.code
