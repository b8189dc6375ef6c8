"""A model server for tests: OpenAI's protocol on a loopback port, with answers from a script.

Each chat request takes the next answer that was queued; when none is left it gets the default one, which repeats
the request. What was asked is in `history`. Embeddings are bags of hashed words, so texts that share words are near.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import select
import socket
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

DIMENSIONS = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the server does with one chat request."""

    text: str | None = None  #: None: repeat the request.
    chunks: int | Sequence[str] | None = None  #: None: one chunk a word; a number: that many; else these.
    delay: float = 0.0  #: Seconds before every chunk.
    first_delay: float | None = None  #: Seconds before the first chunk, where it differs.
    status: int = 200
    code: str = ""
    hangs: bool = False  #: Accept the request and never answer.
    cut_after: int | None = None  #: Close the connection after so many chunks.
    ends_early: bool = False  #: A tidy end of the stream without finish reason, as from a proxy.
    garbage: bool = False  #: Not JSON.
    reason: str = "stop"  #: Why a stream that comes to its end did.
    scores: dict[str, float] | None = None  #: Where a choice is asked for: log-probabilities; other labels have −20.
    draws: Sequence[tuple[str, float]] | None = None  #: Where a choice is asked for: these answers, drawn by dice.


class ScriptedModel:
    """A running server; use as a context manager. `url` is the base URL that the openai client takes."""

    def __init__(self, *, base_model: str = "smollm2-135m-instruct", fingerprint: str = "sha256:scripted") -> None:
        self.base_model = base_model
        self.fingerprint = fingerprint
        #: Names that may be asked for besides the base model; None: any.
        self.adapters: set[str] | None = None
        #: Whole models that it has no room for.
        self.too_large: set[str] = set()
        #: Bodies of the chat requests so far, oldest first.
        self.history: list[dict[str, Any]] = []
        #: Bodies of the requests that say that they measure: nobody's draft, so they take no answer of the script's.
        self.measured: list[dict[str, Any]] = []
        #: What they are told, in nats for every byte of each text; by the text where it is there.
        self.nats_per_byte = 1.0
        self.nats: dict[str, float] = {}
        #: Status that they fail with; None: they work.
        self.measuring_status: int | None = None
        #: Messages that a prompt may have then; a longer one is refused as too long. None: any number.
        self.longest_measured: int | None = None
        #: They wait for it.
        self.may_measure = threading.Event()
        self.may_measure.set()
        #: Lists of texts that were embedded so far.
        self.embedded: list[list[str]] = []
        #: Status that embeddings fail with; None: they work.
        self.embedding_status: int | None = None
        #: Embeddings wait for it.
        self.may_embed = threading.Event()
        self.may_embed.set()
        #: While it is, everything is refused as our own server refuses it then.
        self.is_loading = False
        self.default = Answer()
        #: Instead of the default one, by the model that is asked for.
        self.by_model: dict[str, Answer] = {}
        self._answers: deque[Answer] = deque()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._connections: set[socket.socket] = set()
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self._port = 0

    # --- the script ---------------------------------------------------------------------------------

    def enqueue(
        self,
        text: str | None = None,
        *,
        chunks: int | Sequence[str] | None = None,
        delay: float = 0.0,
        first_delay: float | None = None,
        reason: str = "stop",
    ) -> None:
        self._push(Answer(text=text, chunks=chunks, delay=delay, first_delay=first_delay, reason=reason))

    def score(self, **labels: float) -> None:
        """Choose among labels by these log-probabilities."""
        self._push(Answer(scores=labels))

    def draw(self, *answers: tuple[str, float]) -> None:
        """Choose among labels as a server that throws dice: these answers, each with its log-probability."""
        self._push(Answer(draws=answers))

    def fail(self, status: int, *, code: str = "", times: int = 1) -> None:
        for _ in range(times):
            self._push(Answer(status=status, code=code))

    def hang(self) -> None:
        """Take the next request and say nothing."""
        self._push(Answer(hangs=True))

    def drip(self, text: str | None = None, *, seconds: float = 1.0) -> None:
        """Answer with one word every so many seconds, without end."""
        self._push(Answer(text=text or "drop " * 10_000, delay=seconds, first_delay=0.0))

    def cut_after(self, chunks: int, text: str = "one two three four five six seven eight nine ten") -> None:
        """Die after so many chunks."""
        self._push(Answer(text=text, cut_after=chunks))

    def end_early(self, text: str = "one two three") -> None:
        self._push(Answer(text=text, ends_early=True))

    def babble(self) -> None:
        """Answer something that is not JSON."""
        self._push(Answer(garbage=True))

    def heal(self) -> None:
        """Nothing that was scripted and not used yet happens any more."""
        with self._lock:
            self._answers.clear()

    @property
    def prompts(self) -> list[list[dict[str, str]]]:
        """The chat messages of every request so far."""
        return [body["messages"] for body in self.history]

    def _push(self, answer: Answer) -> None:
        with self._lock:
            self._answers.append(answer)

    def take(self, body: dict[str, Any]) -> Answer:
        with self._lock:
            self.history.append(body)
            if self._answers:
                return self._answers.popleft()
            return self.by_model.get(str(body.get("model")), self.default)

    # --- life ---------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    def start(self) -> Self:
        """Listen; after a stop, on the same port as before."""
        self._stopping.clear()
        self._server = _Server(("127.0.0.1", self._port), self)
        self._port = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, name="scripted-model", daemon=True
        )
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop as a killed process does: nothing listens and every connection is reset."""
        self._stopping.set()
        if self._server is None:
            return
        self._server.shutdown()
        self._server.server_close()
        for connection in list(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        if self._thread is not None:
            self._thread.join(timeout=5)
        self._server = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def pause(self, seconds: float, connection: socket.socket) -> bool:
        """Wait; False when the client hung up or the server stops meanwhile."""
        remaining = seconds
        while remaining > 0 and not self._stopping.is_set():
            readable, _, _ = select.select([connection], [], [], min(0.02, remaining))
            if readable and not connection.recv(1, socket.MSG_PEEK):
                return False
            remaining -= 0.02
        return not self._stopping.is_set()


def embed_words(text: str) -> NDArray[np.float32]:
    """A bag of hashed words of length 1: [DIMENSIONS]."""
    vector = np.zeros(DIMENSIONS, dtype=np.float32)
    for word in re.findall(r"\w+", text.casefold()):
        vector[int(hashlib.sha256(word.encode()).hexdigest()[:8], 16) % DIMENSIONS] += 1.0
    length = float(np.linalg.norm(vector))
    return vector / np.float32(length or 1.0)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], model: ScriptedModel) -> None:
        self.model = model
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is what half of these tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 0
    server: _Server

    @property
    def model(self) -> ScriptedModel:
        return self.server.model

    def setup(self) -> None:
        super().setup()
        self.model._connections.add(self.connection)

    def finish(self) -> None:
        self.model._connections.discard(self.connection)
        with suppress(OSError):
            super().finish()

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        if self.path.rsplit("/", 1)[-1] in self.model.too_large:
            self._refuse(424, "model_too_large")
            return
        names = [self.model.base_model, *sorted(self.model.adapters or ())]
        self._answer(200, {"object": "list", "data": [{"id": n, "object": "model", "created": 0} for n in names]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.model.is_loading:
            self._refuse(503, "model_loading")
            return
        if self.path.endswith("/embeddings"):
            self._embed(body)
        else:
            self._chat(body)

    def _embed(self, body: dict[str, Any]) -> None:
        if self.model.embedding_status is not None:
            self._refuse(self.model.embedding_status, "no_embeddings")
            return
        texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
        self.model.embedded.append(texts)
        self.model.may_embed.wait(60)
        rows = [embed_words(text) for text in texts]
        packed = body.get("encoding_format") == "base64"
        data = [
            {
                "object": "embedding",
                "index": index,
                "embedding": base64.b64encode(row.astype("<f4").tobytes()).decode() if packed else row.tolist(),
            }
            for index, row in enumerate(rows)
        ]
        usage = {"prompt_tokens": 1, "total_tokens": 1}
        self._answer(200, {"object": "list", "model": body["model"], "data": data, "usage": usage})

    def _chat(self, body: dict[str, Any]) -> None:
        allowed = self.model.adapters
        if allowed is not None and body["model"] not in {self.model.base_model, *allowed}:
            self.model.history.append(body)
            self._refuse(404, "model_not_found")
            return
        if self.headers.get("x-huisstijl-work") == "measuring":
            self._measure(body)
            return
        answer = self.model.take(body)
        if answer.status != 200:
            self._refuse(answer.status, answer.code or "scripted")
        elif answer.hangs:
            self.model.pause(3600, self.connection)
            self._die()
        elif answer.garbage:
            self._stream_head()
            self._send("data: {this is not JSON\n\n")
            self._end()
        elif not body.get("stream"):
            self._answer(200, self._choose(body, answer) if "structured_outputs" in body else _whole(body, answer))
        else:
            self._stream(body, answer)

    def _measure(self, body: dict[str, Any]) -> None:
        self.model.measured.append(body)
        if self.model.measuring_status is not None:
            self._refuse(self.model.measuring_status, "scripted")
            return
        if self.model.longest_measured is not None and len(body["messages"]) > self.model.longest_measured:
            self._refuse(400, "context_length_exceeded")
            return
        self.model.may_measure.wait(60)
        scores = {
            text: -self.model.nats.get(text, self.model.nats_per_byte * len(text.encode()))
            for text in body["structured_outputs"]["choice"]
        }
        self._answer(200, self._choose(body, Answer(scores=scores)))

    def _choose(self, body: dict[str, Any], answer: Answer) -> dict[str, Any]:
        """Every text of the choice with its score, as our server and vLLM answer."""
        scores = {text: (answer.scores or {}).get(text, -20.0) for text in body["structured_outputs"]["choice"]}
        given = answer.draws or sorted(scores.items(), key=lambda one: -one[1])[: body.get("n") or 1]
        choices = [
            {
                "index": index,
                "message": {"role": "assistant", "content": text},
                "logprobs": {"content": [{"token": text, "logprob": logprob, "bytes": None, "top_logprobs": []}]},
                "finish_reason": "stop",
            }
            for index, (text, logprob) in enumerate(given)
        ]
        return {
            "id": "chatcmpl-scripted", "object": "chat.completion", "created": 0, "model": body["model"],
            "system_fingerprint": self.model.fingerprint, "choices": choices,
            "usage": {"prompt_tokens": _count(body), "completion_tokens": 1, "total_tokens": _count(body) + 1},
        }  # fmt: skip

    def _stream(self, body: dict[str, Any], answer: Answer) -> None:
        request = body["messages"][-1]["content"]
        first_delay = answer.delay if answer.first_delay is None else answer.first_delay
        if first_delay and not self.model.pause(first_delay, self.connection):
            self._die()
            return
        self._stream_head()
        words = 0
        text = f"A draft for: {request}" if answer.text is None else answer.text
        for number, chunk in enumerate(_split(text, answer.chunks)):
            if number and answer.delay and not self.model.pause(answer.delay, self.connection):
                self._die()
                return
            if answer.cut_after == number:
                self._die()
                return
            self._send(self._chunk(body, {"content": chunk}, None))
            words += 1
        if answer.cut_after is not None:
            self._die()
            return
        if not answer.ends_early:
            self._send(self._chunk(body, {}, answer.reason))
            usage = {"prompt_tokens": _count(body), "completion_tokens": words, "total_tokens": _count(body) + words}
            self._send(self._chunk(body, None, None, usage=usage))
            self._send("data: [DONE]\n\n")
        self._end()

    def _chunk(self, body: dict[str, Any], delta: dict[str, str] | None, reason: str | None, **more: Any) -> str:
        choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": reason}]
        chunk = {
            "id": "chatcmpl-scripted",
            "object": "chat.completion.chunk",
            "created": 0,
            "model": body["model"],
            "system_fingerprint": self.model.fingerprint,
            "choices": choices,
        }
        return f"data: {json.dumps(chunk | more)}\n\n"

    def _stream_head(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()

    def _send(self, text: str) -> None:
        data = text.encode()
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def _end(self) -> None:
        self.wfile.write(b"0\r\n\r\n")

    def _die(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def _refuse(self, status: int, code: str) -> None:
        self._answer(status, {"error": {"message": f"scripted {status}", "type": "scripted", "code": code}})

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _whole(body: dict[str, Any], answer: Answer) -> dict[str, Any]:
    """The answer in one piece."""
    message = {"role": "assistant", "content": answer.text or ""}
    return {
        "id": "chatcmpl-scripted", "object": "chat.completion", "created": 0, "model": body["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
    }  # fmt: skip


def _split(text: str, chunks: int | Sequence[str] | None) -> Iterator[str]:
    if chunks is None:
        yield from re.findall(r"\s*\S+\s*$|\s*\S+", text) or ([text] if text else [])
    elif isinstance(chunks, int):
        size = max(1, -(-len(text) // chunks))
        yield from (text[start : start + size] for start in range(0, len(text), size))
    else:
        yield from chunks


def _count(body: dict[str, Any]) -> int:
    return sum(len(message["content"].split()) for message in body["messages"])
