"""The engine writes the same text alone and in company, keeps adapters apart, and refuses what it cannot do."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import torch

from tests.support.tiny_model import make_tiny_adapter, make_tiny_model
from tests.support.wait import wait_until
from trainer.adapter_files import WEIGHTS, publish_adapter
from trainer.artifacts.keys import load_or_create_signing_key
from trainer.artifacts.manifest import AdapterFacts
from trainer.artifacts.store import delete_adapter
from trainer.base_models import base_revision
from trainer.errors import AdapterTampered, AdapterUnknown, EngineBusy, EngineStopped, GenerationFailed, PromptTooLong
from trainer.serving.adapters import AdapterSource
from trainer.serving.engine import Engine, Event, Finished
from trainer.serving.text import Sampling, TextStream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from config.prompts import ChatMessages

pytestmark = pytest.mark.training

PROMPTS = ["hello", "a much longer prompt than that one, so that rows must be padded", "x", "één 🦊 vos"]
ADAPTERS = ["one-v1", "two-v1", "three-v1", "dora-v1"]
SHORT = Sampling(max_tokens=24)


def ask(text: str) -> ChatMessages:
    return [{"role": "user", "content": text}]


class Shop:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.base = make_tiny_model(root / "base")
        self.key = load_or_create_signing_key(root / "keys")
        for seed, name in enumerate(ADAPTERS):
            self.publish(name, seed=seed, use_dora=name.startswith("dora"))

    def publish(self, name: str, *, seed: int, use_dora: bool = False, scale: float = 0.2) -> None:
        folder = self.root / f"trained-{name}"
        trained = make_tiny_adapter(folder, self.base, seed=seed, use_dora=use_dora, scale=scale)
        facts = AdapterFacts(
            base_model="tiny",
            base_revision=base_revision(self.base),
            style_id="1",
            scope="T1:workspace",
            run_id=f"run-{name}",
            rung="lora",
            created_at=datetime(2026, 11, 1, tzinfo=UTC),
        )
        publish_adapter(str(self.root / "store"), name, trained, facts, self.key)

    def engine(self, cache: Path, **overrides: object) -> Engine:
        source = AdapterSource(store_url=str(self.root / "store"), cache_dir=cache, keys_dir=self.root / "keys")
        arguments: dict[str, Any] = {"adapters": source, "dtype": torch.float32} | overrides
        return Engine(self.base, **arguments)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return Shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture
def engine(shop: Shop, tmp_path: Path) -> Iterator[Engine]:
    engine = shop.engine(tmp_path / "cache")
    yield engine
    engine.close()


def adapter_weights(engine: Engine) -> list[str]:
    return [name for name, _ in engine.model.named_parameters() if "lora" in name]


class Held:
    """An engine that is kept from its next step, so that requests gather."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def __enter__(self) -> None:
        self.engine.model_lock.acquire()

    def __exit__(self, *exc: object) -> None:
        self.engine.model_lock.release()


def test_greedy_text_is_the_same_alone_and_in_any_company(engine: Engine) -> None:
    names = [None, *ADAPTERS]
    alone = {(name, text): engine.complete(ask(text), name, SHORT) for name in names for text in PROMPTS}
    assert len(set(alone.values())) > len(PROMPTS), "the adapters change nothing"
    together = {key: engine.submit(ask(key[1]), key[0], SHORT) for key in alone}
    assert {key: "".join(generation) for key, generation in together.items()} == alone


def test_it_writes_what_transformers_generate_writes(engine: Engine) -> None:
    prompt = engine.prompt_tokens(ask("hello"))
    with engine.use_adapter("one-v1") as model, torch.inference_mode():
        expected = model.generate(input_ids=torch.tensor([prompt]), max_new_tokens=24, do_sample=False, use_cache=True)
    text = engine.tokenizer.decode(expected[0, len(prompt) :], skip_special_tokens=True)
    assert engine.complete(ask("hello"), "one-v1", SHORT) == text


def test_requests_for_one_adapter_share_forward_passes(engine: Engine) -> None:
    engine.load_adapter("one-v1")
    with Held(engine):
        first = engine.submit(ask("warm"), "one-v1", SHORT)
        generations = [engine.submit(ask(f"{n} again"), "one-v1", SHORT) for n in range(7)]
    lengths = []
    for generation in [first, *generations]:
        "".join(generation)
        assert generation.finished is not None
        lengths.append(generation.finished.completion_tokens)
    assert engine.stats.decode_passes <= 2 * max(lengths)
    assert engine.stats.prefill_passes <= 2
    assert engine.stats.completion_tokens == sum(lengths)


def test_requests_for_different_adapters_share_forward_passes(engine: Engine) -> None:
    for name in ADAPTERS[:3]:
        engine.load_adapter(name)
    with Held(engine):
        generations = [engine.submit(ask(text), name, SHORT) for name in ADAPTERS[:3] for text in PROMPTS[:2]]
    for generation in generations:
        "".join(generation)
    assert engine.stats.decoded_rows > 2 * engine.stats.decode_passes


def test_a_late_request_joins_the_running_batch(engine: Engine) -> None:
    alone = engine.complete(ask("late"), None, SHORT)
    long = engine.submit(ask("early"), None, Sampling(max_tokens=400))
    pieces = iter(long)
    next(pieces)
    late = "".join(engine.submit(ask("late"), None, SHORT))
    assert late == alone
    assert long.finished is None, "the early one was over before the late one joined"
    long.cancel()


def test_an_adapter_is_loaded_on_demand_and_a_new_one_needs_no_restart(engine: Engine, shop: Shop) -> None:
    assert engine.adapters.names() == []
    engine.complete(ask("x"), "one-v1", SHORT)
    assert engine.adapters.names() == ["one-v1"]
    with pytest.raises(AdapterUnknown):
        engine.complete(ask("x"), "fresh-v1", SHORT)
    shop.publish("fresh-v1", seed=77)
    engine.complete(ask("x"), "fresh-v1", SHORT)
    delete_adapter(str(shop.root / "store"), "fresh-v1")
    with pytest.raises(AdapterUnknown):
        engine.complete(ask("x"), "fresh-v1", SHORT)
    assert "fresh-v1" not in engine.adapters.names()


def test_the_least_recently_used_adapter_leaves_and_comes_back_unchanged(shop: Shop, tmp_path: Path) -> None:
    engine = shop.engine(tmp_path, max_loaded_adapters=2)
    try:
        before = {name: engine.complete(ask("x"), name, SHORT) for name in ADAPTERS}
        assert engine.adapters.names() == sorted(ADAPTERS[2:])
        assert {name: engine.complete(ask("x"), name, SHORT) for name in ADAPTERS} == before
        assert engine.adapters.evicted_count == 6
        assert len(engine.model.peft_config) == 2, "weights of an evicted adapter stayed in the model"
    finally:
        engine.close()


def test_an_adapter_in_use_is_never_evicted(shop: Shop, tmp_path: Path) -> None:
    engine = shop.engine(tmp_path, max_loaded_adapters=1)
    try:
        alone = engine.complete(ask("x"), "one-v1", Sampling(max_tokens=200))
        generation = engine.submit(ask("x"), "one-v1", Sampling(max_tokens=200))
        with pytest.raises(EngineBusy):
            engine.submit(ask("x"), "two-v1", SHORT)
        assert "".join(generation) == alone
        wait_until(lambda: engine.adapters.uses("one-v1") == 0)
        engine.complete(ask("x"), "two-v1", SHORT)
        assert engine.adapters.names() == ["two-v1"]
    finally:
        engine.close()


def test_the_base_model_goes_on_after_its_only_adapter_was_withdrawn(engine: Engine, shop: Shop) -> None:
    alone = engine.complete(ask("hello"), None, SHORT)
    for seed in (7, 8):  # and the next adapter finds a model that it can be loaded into
        shop.publish("only-v1", seed=seed)
        assert engine.complete(ask("hello"), "only-v1", SHORT) != alone
        delete_adapter(str(shop.root / "store"), "only-v1")
        with pytest.raises(AdapterUnknown):
            engine.complete(ask("hello"), "only-v1", SHORT)
        assert engine.complete(ask("hello"), None, SHORT) == alone
        assert not adapter_weights(engine)


def test_an_adapter_withdrawn_while_it_writes_finishes_what_it_began(engine: Engine, shop: Shop) -> None:
    shop.publish("brief-v1", seed=31)
    alone = engine.complete(ask("x"), "brief-v1", SHORT)
    with Held(engine):
        generation = engine.submit(ask("x"), "brief-v1", SHORT)
        delete_adapter(str(shop.root / "store"), "brief-v1")
        with pytest.raises(AdapterUnknown):
            engine.submit(ask("x"), "brief-v1", SHORT)
    assert "".join(generation) == alone
    wait_until(lambda: not adapter_weights(engine), what="its weights leave with its last request")


def test_adapters_load_while_others_answer(engine: Engine) -> None:
    stop = threading.Event()

    def ask_on() -> None:
        while not stop.is_set():
            engine.complete(ask("x"), "one-v1", Sampling(max_tokens=2))

    def load() -> None:
        for _ in range(5):
            for name in ADAPTERS[1:3]:
                engine.load_adapter(name)
                engine.adapters.unload(name)

    askers = [threading.Thread(target=ask_on, daemon=True) for _ in range(3)]
    loader = threading.Thread(target=load, daemon=True)
    for thread in (*askers, loader):
        thread.start()
    loader.join(timeout=20)
    assert not loader.is_alive(), "loading and answering wait for each other"
    stop.set()
    for thread in askers:
        thread.join(timeout=20)
        assert not thread.is_alive()


def test_adapters_leave_when_memory_is_short(shop: Shop, tmp_path: Path) -> None:
    engine = shop.engine(tmp_path, free_bytes=lambda: 0)
    try:
        for name in ADAPTERS:
            engine.complete(ask("x"), name, SHORT)
        assert engine.adapters.names() == [ADAPTERS[-1]]
    finally:
        engine.close()


def test_a_tampered_adapter_is_never_loaded(engine: Engine, shop: Shop) -> None:
    shop.publish("spoiled-v1", seed=5)
    path = shop.root / "store" / "spoiled-v1" / WEIGHTS
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(AdapterTampered):
        engine.submit(ask("x"), "spoiled-v1", SHORT)
    assert engine.adapters.names() == []
    delete_adapter(str(shop.root / "store"), "spoiled-v1")


def test_a_request_that_does_not_fit_is_refused_with_its_numbers_and_holds_nothing(engine: Engine) -> None:
    with pytest.raises(PromptTooLong, match="1024"):
        engine.submit(ask("a" * 2000), "two-v1")
    assert (engine.adapters.uses("two-v1"), engine.waiting_requests) == (0, 0)
    with pytest.raises(PromptTooLong):
        engine.submit(ask("a" * 900), None, Sampling(max_tokens=300))
    assert engine.complete(ask("a" * 900), None, Sampling(max_tokens=3)) is not None


def test_a_full_queue_is_refused_and_recovers(shop: Shop, tmp_path: Path) -> None:
    engine = shop.engine(tmp_path, max_waiting_requests=3, max_batch_requests=1)
    try:
        with Held(engine):
            generations = [engine.submit(ask("x"), None, SHORT)]
            wait_until(lambda: engine.waiting_requests == 0)
            generations += [engine.submit(ask("x"), None, SHORT) for _ in range(3)]
            with pytest.raises(EngineBusy):
                engine.submit(ask("x"), None, SHORT)
        assert len({"".join(generation) for generation in generations}) == 1
    finally:
        engine.close()


def test_cancelling_frees_the_place(shop: Shop, tmp_path: Path) -> None:
    engine = shop.engine(tmp_path, max_batch_requests=1)
    try:
        events: list[Event] = []
        running = engine.submit(ask("x"), "one-v1", Sampling(max_tokens=900), on_event=events.append)
        wait_until(lambda: events)
        waiting = engine.submit(ask("y"), None, Sampling(max_tokens=900))
        waiting.cancel()
        running.cancel()
        assert engine.complete(ask("z"), None, SHORT)
        assert running.finished is not None and running.finished.reason == "cancelled"
        assert waiting.finished is not None and waiting.finished.completion_tokens == 0
        assert engine.adapters.uses("one-v1") == 0
    finally:
        engine.close()


def test_closing_ends_waiting_and_running_requests_with_an_error(shop: Shop, tmp_path: Path) -> None:
    engine = shop.engine(tmp_path, max_batch_requests=1)
    generations = [engine.submit(ask("x"), None, Sampling(max_tokens=900)) for _ in range(3)]
    engine.close()
    for generation in generations:
        with pytest.raises(EngineStopped):
            "".join(generation)
    with pytest.raises(EngineStopped):
        engine.submit(ask("x"))


def test_a_seed_repeats_and_no_seed_varies(engine: Engine) -> None:
    warm = Sampling(max_tokens=20, temperature=1.0, top_p=0.95, seed=7)
    again = [engine.submit(ask("x"), None, warm) for _ in range(3)]
    assert len({"".join(generation) for generation in again}) == 1
    free = [engine.complete(ask("x"), None, Sampling(max_tokens=20, temperature=1.5)) for _ in range(4)]
    assert len(set(free)) > 1


def test_a_temperature_of_almost_nothing_is_greedy(engine: Engine) -> None:
    greedy = engine.complete(ask("x"), None, SHORT)
    for temperature in (5e-324, 1e-40, 1e-6):
        assert engine.complete(ask("x"), None, Sampling(max_tokens=24, temperature=temperature, seed=1)) == greedy


def test_an_adapter_that_overflows_fails_alone(engine: Engine, shop: Shop) -> None:
    shop.publish("loud-v1", seed=9, scale=1e30)
    alone = engine.complete(ask("x"), "one-v1", SHORT)
    engine.load_adapter("loud-v1")
    with Held(engine):
        calm = engine.submit(ask("x"), "one-v1", SHORT)
        loud = engine.submit(ask("x"), "loud-v1", SHORT)
    with pytest.raises(GenerationFailed):
        "".join(loud)
    assert "".join(calm) == alone
    wait_until(lambda: engine.adapters.uses("loud-v1") == 0)
    delete_adapter(str(shop.root / "store"), "loud-v1")


def test_use_adapter_gives_the_model_and_puts_it_back(engine: Engine) -> None:
    ids = torch.tensor([engine.prompt_tokens(ask("hello"))])
    with torch.inference_mode():
        with engine.use_adapter(None) as model:
            plain = model(input_ids=ids).logits
        with engine.use_adapter("one-v1") as model:
            adapted = model(input_ids=ids).logits
        with engine.use_adapter(None) as model:
            assert torch.equal(model(input_ids=ids).logits, plain)
    assert not torch.allclose(plain, adapted)


def test_a_folder_just_trained_can_be_used_before_it_is_published(engine: Engine, shop: Shop) -> None:
    engine.adapters.load_folder("candidate", shop.root / "trained-one-v1")
    same = engine.complete(ask("hello"), "one-v1", SHORT)
    assert engine.complete(ask("hello"), "candidate", SHORT) == same
    engine.adapters.unload("candidate")
    with pytest.raises(AdapterUnknown):
        engine.complete(ask("hello"), "candidate", SHORT)


def test_many_threads_asking_at_once_each_get_their_own_answer(engine: Engine) -> None:
    expected = {
        (name, text): engine.complete(ask(text), name, SHORT) for name in (None, "one-v1", "two-v1") for text in PROMPTS
    }
    wrong: list[object] = []

    def work(name: str | None, text: str) -> None:
        for _ in range(2):
            got = engine.complete(ask(text), name, SHORT)
            wrong.extend([(name, text)] if got != expected[name, text] else [])

    threads = [threading.Thread(target=work, args=key) for key in expected]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_pieces_never_break_a_character_or_leak_a_stop_string(engine: Engine) -> None:
    text = "naïve 🦊🦊🏽 日本 STO STOP never"
    tokens = engine.tokenizer(text, add_special_tokens=False)["input_ids"]
    stream = TextStream(engine.tokenizer, ["STOP"])
    pieces = []
    for token in tokens:
        pieces.append(stream.push(token))
        if stream.is_stopped:
            break
    assert "".join(pieces) + stream.finish() == "naïve 🦊🦊🏽 日本 STO "
    assert not any("\ufffd" in piece for piece in pieces)
    unstopped = TextStream(engine.tokenizer, ["STOPPED"])
    assert "".join(map(unstopped.push, tokens)) + unstopped.finish() == text


def test_the_end_reports_tokens_and_the_adapters_digest(engine: Engine) -> None:
    events: list[Event] = []
    engine.submit(ask("x"), "one-v1", Sampling(max_tokens=3), on_event=events.append)
    wait_until(lambda: events and isinstance(events[-1], Finished))
    end = events[-1]
    assert isinstance(end, Finished)
    assert end.reason in {"length", "stop"}
    assert end.prompt_tokens == len(engine.prompt_tokens(ask("x")))
    assert end.adapter_digest == engine.load_adapter("one-v1")
    assert end.adapter_digest.startswith("sha256:")
