"""Whole models beside the base model, as the stock `openai` client meets them, with tiny random Llamas."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from config.settings import EMBEDDED_EMBEDDING_MODEL, Settings
from tests.support.full_models import make_full_model
from tests.support.serving import running
from tests.support.tiny_model import make_tiny_model
from tests.support.wait import wait_until
from tests.training.test_engine import Held, Shop
from trainer.artifacts.manifest import AdapterFacts, manifest_digest
from trainer.artifacts.store import delete_adapter
from trainer.base_models import base_revision, prepare_embedding_model
from trainer.errors import AdapterUnknown, ModelTooLarge
from trainer.full_files import publish_full, read_parameters
from trainer.memory import HEADROOM_BYTES
from trainer.serving.adapters import AdapterSource
from trainer.serving.embedder import Embedder
from trainer.serving.engine import Engine
from trainer.serving.full_models import FullModels
from trainer.serving.server import build_server
from trainer.serving.text import Sampling

pytestmark = pytest.mark.training

HELLO: Any = [{"role": "user", "content": "hello"}]
SHORT = Sampling(max_tokens=12)


class FullShop(Shop):
    """A shop of adapters that has whole models too, and memory that a test sets."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.store = str(root / "store")
        self.room = 1 << 40
        #: Those whose models take of the room; none: the room is all free.
        self.models: FullModels | None = None
        self.trained: dict[str, Path] = {}
        for seed, name in enumerate(("whole-v1-full", "other-v1-full"), start=1):
            self.publish_full(name, seed=seed)

    def publish_full(self, name: str, *, seed: int, base: Path | None = None) -> None:
        base = base or self.base
        self.trained[name] = make_full_model(self.root / f"trained-{name}", base, seed=seed)
        facts = AdapterFacts(
            base_model="tiny", base_revision=base_revision(base), style_id="1", scope="T1", run_id=f"run-{name}",
            rung="full", created_at=datetime(2026, 11, 1, tzinfo=UTC),
        )  # fmt: skip
        publish_full(self.store, name, self.trained[name], facts, self.key, base_path=base)

    @property
    def source(self) -> AdapterSource:
        return AdapterSource(store_url=self.store, cache_dir=self.root / "full-cache", keys_dir=self.root / "keys")

    def free(self) -> int:
        return self.room - (len(self.models.names()) * self.needed if self.models else 0)

    @property
    def needed(self) -> int:
        """Memory that one of the models needs to come in, in float32."""
        return 4 * read_parameters(self.store, "whole-v1-full") + HEADROOM_BYTES


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> FullShop:
    return FullShop(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def base_engine(shop: FullShop) -> Iterator[Engine]:
    engine = shop.engine(shop.root / "cache", base_model="tiny", free_bytes=shop.free)
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def url(shop: FullShop, base_engine: Engine, embedded_models: Path) -> Iterator[str]:
    path = prepare_embedding_model(EMBEDDED_EMBEDDING_MODEL, embedded_models)
    settings = Settings(_env_file=None, artifact_url=shop.store, base_model="tiny", data_dir=shop.root)
    with running(build_server(settings, base_engine, Embedder(path, name=EMBEDDED_EMBEDDING_MODEL))) as url:
        yield url


@pytest.fixture
def client(url: str, shop: FullShop) -> Iterator[openai.OpenAI]:
    shop.room = 1 << 40
    with openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=60) as client:
        yield client


def ask(client: openai.OpenAI, model: str, **options: Any) -> Any:
    return client.chat.completions.create(
        model=model, messages=HELLO, **({"max_tokens": 12, "temperature": 0} | options)
    )


def text_of(answer: Any) -> str:
    return str(answer.choices[0].message.content)


def loaded(url: str) -> list[str]:
    names: list[str] = httpx.get(f"{url}/health").json()["loaded_models"]
    return names


def test_a_whole_model_writes_its_own_text_under_its_name(client: openai.OpenAI, shop: FullShop, url: str) -> None:
    folder = shop.trained["whole-v1-full"]
    model: Any = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    prompt = tokenizer.apply_chat_template(HELLO, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    written = model.generate(**prompt, max_new_tokens=12, do_sample=False)[0, prompt["input_ids"].shape[1] :]
    whole = ask(client, "whole-v1-full")
    assert text_of(whole) == tokenizer.decode(written, skip_special_tokens=True)
    assert len({text_of(ask(client, name)) for name in ("tiny", "one-v1", "whole-v1-full", "other-v1-full")}) == 4
    assert whole.system_fingerprint == manifest_digest(Path(shop.store) / "whole-v1-full")
    assert {"other-v1-full", "whole-v1-full"} <= set(loaded(url))
    chunks = list(ask(client, "whole-v1-full", stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == text_of(whole)
    assert {chunk.system_fingerprint for chunk in chunks} == {whole.system_fingerprint}
    assert {"whole-v1-full", "other-v1-full", "tiny"} <= {one.id for one in client.models.list()}


def test_labels_are_scored_and_texts_embedded_beside_it(client: openai.OpenAI) -> None:
    def scores(model: str) -> dict[str, float]:
        answer = ask(
            client,
            model,
            n=2,
            logprobs=True,
            temperature=1.0,
            extra_body={"structured_outputs": {"choice": ["a", "b"]}},
        )
        return {one.message.content: sum(t.logprob for t in one.logprobs.content) for one in answer.choices}

    assert scores("whole-v1-full") != scores("tiny")
    assert len(client.embeddings.create(model="all-minilm-l6-v2", input="hello").data[0].embedding) == 384


def test_one_that_does_not_fit_is_refused_in_a_sentence_and_the_base_model_serves_on(
    client: openai.OpenAI, shop: FullShop
) -> None:
    shop.publish_full("large-v1-full", seed=3)
    shop.room = 1000
    for stream in (False, True):
        with pytest.raises(openai.APIStatusError) as caught:
            ask(client, "large-v1-full", stream=stream)
        assert (caught.value.status_code, caught.value.code) == (424, "model_too_large")
        assert "large-v1-full needs about 0.3 GB of memory, and 0.0 GB are free" in caught.value.message
    with pytest.raises(openai.APIStatusError, match="large-v1-full needs about"):
        client.models.retrieve("large-v1-full")
    assert [client.models.retrieve(name).id for name in ("tiny", "one-v1")] == ["tiny", "one-v1"]
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nobody-v1-full")
    assert text_of(ask(client, "tiny")) and text_of(ask(client, "one-v1"))
    shop.room = 1 << 40
    assert client.models.retrieve("large-v1-full").id == "large-v1-full"
    assert text_of(ask(client, "large-v1-full"))


def test_a_tampered_one_gives_a_reason_and_never_a_token(client: openai.OpenAI, shop: FullShop, url: str) -> None:
    shop.publish_full("bad-v1-full", seed=4)
    path = Path(shop.store) / "bad-v1-full" / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(openai.APIStatusError) as caught:
        ask(client, "bad-v1-full")
    assert (caught.value.status_code, caught.value.code) == (424, "adapter_rejected")
    assert "signed" in caught.value.message
    assert "bad-v1-full" not in loaded(url)
    delete_adapter(shop.store, "bad-v1-full")


def test_one_of_another_base_model_is_refused(client: openai.OpenAI, shop: FullShop, tmp_path: Path) -> None:
    shop.publish_full("stray-v1-full", seed=5, base=make_tiny_model(tmp_path / "stray", seed=9))
    with pytest.raises(openai.APIStatusError) as caught:
        ask(client, "stray-v1-full")
    assert caught.value.status_code == 424
    assert "another base model" in caught.value.message


def test_one_that_was_deleted_writes_no_more(client: openai.OpenAI, shop: FullShop) -> None:
    shop.publish_full("gone-v1-full", seed=6)
    assert text_of(ask(client, "gone-v1-full"))
    delete_adapter(shop.store, "gone-v1-full")
    with pytest.raises(openai.NotFoundError):
        ask(client, "gone-v1-full")


# ------------------------------------------------------------------------------------------------ memory


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def models(shop: FullShop, base_engine: Engine) -> Iterator[tuple[FullModels, Clock]]:
    shop.room, clock = 1 << 40, Clock()
    shop.models = FullModels(shop.source, base_engine, idle_seconds=60, clock=clock)
    yield shop.models, clock
    shop.models.close()
    shop.models = None


def write(models: FullModels, name: str) -> str:
    with models.borrowed(name) as engine:
        return engine.complete(HELLO, None, SHORT)


def test_one_that_nobody_asks_for_leaves_and_comes_back_when_asked(models: tuple[FullModels, Clock]) -> None:
    full, clock = models
    text = write(full, "whole-v1-full")
    clock.now = 59.0
    full.sweep()
    assert full.names() == ["whole-v1-full"]
    clock.now = 60.0
    full.sweep()
    assert full.names() == []
    assert write(full, "whole-v1-full") == text


def test_an_idle_one_makes_room_for_another(models: tuple[FullModels, Clock], shop: FullShop) -> None:
    full, clock = models
    shop.room = 2 * shop.needed
    for clock.now, name in enumerate(("whole-v1-full", "other-v1-full", "whole-v1-full")):
        write(full, name)
    shop.publish_full("third-v1-full", seed=8)
    write(full, "third-v1-full")
    assert full.names() == ["third-v1-full", "whole-v1-full"]  # who was asked least lately left


def test_one_that_writes_is_never_taken_away(models: tuple[FullModels, Clock], shop: FullShop) -> None:
    full, clock = models
    expected = write(full, "whole-v1-full")
    with full.borrowed("whole-v1-full") as engine:
        pass
    with Held(engine):
        with full.borrowed("whole-v1-full") as own:
            generation = own.submit(HELLO, None, SHORT)
        clock.now = 1000.0
        full.sweep()
        shop.room = 0
        with pytest.raises(ModelTooLarge):
            write(full, "other-v1-full")
        assert full.names() == ["whole-v1-full"]
        assert not full.is_idle
    assert "".join(generation) == expected
    wait_until(lambda: engine.is_idle, what="the answer is through")
    assert full.is_idle
    clock.now = 2000.0
    full.sweep()
    assert full.names() == []


def test_what_is_deleted_leaves_memory_and_disk(models: tuple[FullModels, Clock], shop: FullShop) -> None:
    full, _ = models
    shop.publish_full("brief-v1-full", seed=7)
    write(full, "brief-v1-full")
    assert (shop.source.cache_dir / "brief-v1-full").is_dir()
    delete_adapter(shop.store, "brief-v1-full")
    with pytest.raises(AdapterUnknown):
        write(full, "brief-v1-full")
    full.sweep()
    assert full.names() == []
    assert not (shop.source.cache_dir / "brief-v1-full").exists()


def test_many_that_ask_at_once_load_it_once(models: tuple[FullModels, Clock], shop: FullShop) -> None:
    full, _ = models
    texts: list[str] = []
    threads = [threading.Thread(target=lambda: texts.append(write(full, "whole-v1-full"))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(texts) == 6 and len(set(texts)) == 1
    assert full.names() == ["whole-v1-full"]
