"""A model behind an OpenAI-compatible endpoint: `python -m labcore.serving.endpoint --model …`.

Completions and, for a model with a chat template, chat completions; streamed as server-sent events or in
one piece. The server listens on this machine only, unless it is told another address.
"""

import argparse
import asyncio
import copy
import json
import os
import random
import secrets
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import torch
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

from labcore import zoo
from labcore.compression import stored_linear
from labcore.compression.quantise_speed import in_form
from labcore.distributed.meeting import leave_with_the_launcher
from labcore.errors import LabInputError
from labcore.serving.answer_text import AnswerText
from labcore.serving.api_requests import ApiError, Wanted, wanted
from labcore.serving.engine import Ask, Busy, Engine, Said
from labcore.zoo import LoadedModel

MOST_BYTES = 1_000_000  # of a request
LOOPBACK = "127.0.0.1"


@dataclass
class Endpoint:
    """What every request needs: the model, its engine, and who may ask."""

    name: str
    loaded: LoadedModel
    engine: Engine
    api_key: str = ""  # "": everybody
    created: int = field(default_factory=lambda: int(time.time()))

    def app(self) -> Starlette:
        @asynccontextmanager
        async def lifespan(_: Starlette):
            yield
            await asyncio.to_thread(self.engine.close)

        routes = [
            Route("/health", self.health),
            Route("/v1/models", self.models),
            Route("/v1/models/{name:path}", self.model),
            Route("/v1/chat/completions", self.chat, methods=["POST"]),
            Route("/v1/completions", self.completion, methods=["POST"]),
        ]
        handlers = {ApiError: _refuse, HTTPException: _refuse_http}
        return Starlette(routes=routes, exception_handlers=handlers, lifespan=lifespan)

    async def health(self, _: Request) -> JSONResponse:
        seated, waiting = self.engine.load
        return JSONResponse({"status": "ok", "seated": seated, "waiting": waiting})

    async def models(self, request: Request) -> JSONResponse:
        self._admit(request)
        return JSONResponse({"object": "list", "data": [self._card()]})

    async def model(self, request: Request) -> JSONResponse:
        self._admit(request)
        self._check_name(request.path_params["name"])
        return JSONResponse(self._card())

    async def chat(self, request: Request):
        return await self._answer(request, "chat")

    async def completion(self, request: Request):
        return await self._answer(request, "completion")

    def _card(self) -> dict:
        return {"id": self.name, "object": "model", "created": self.created, "owned_by": "lab"}

    def _admit(self, request: Request) -> None:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if self.api_key and not secrets.compare_digest(given.encode(), self.api_key.encode()):
            raise ApiError(401, "Incorrect API key provided.", code="invalid_api_key")

    def _check_name(self, name: str) -> None:
        if name != self.name:
            raise ApiError(
                404, f"The model `{name[:60]}` does not exist; this server has `{self.name}`.",
                "model", "model_not_found",
            )  # fmt: skip

    async def _answer(self, request: Request, kind: str):
        self._admit(request)
        asked = wanted(await _body(request), kind)
        self._check_name(asked.model)
        prompt = await asyncio.to_thread(self.prompt_ids, asked)  # a template takes a process
        seed = random.SystemRandom().getrandbits(31) if asked.seed is None else asked.seed
        stop_ids = () if self.loaded.tokenizer.eos_id is None else (self.loaded.tokenizer.eos_id,)
        ask = Ask(
            tuple(prompt), asked.most_tokens, asked.temperature, asked.top_p, stop_ids, seed % 2**63
        )
        try:
            said = listen(self.engine, ask)
            first = await anext(said)  # so that a refusal is a status and not a broken stream
        except Busy:
            raise ApiError(
                429, "Too many requests are waiting; try again in a moment.",
                code="rate_limit_exceeded", kind="requests",
            ) from None  # fmt: skip
        except LabInputError as error:
            raise ApiError(
                400, f"The prompt has {len(prompt)} tokens; this model reads {error.facts['limit']}.",
                "messages" if kind == "chat" else "prompt", "context_length_exceeded",
            ) from None  # fmt: skip
        reply = Reply(
            kind, self.name, asked, len(prompt), AnswerText(self.loaded.tokenizer, asked.stops)
        )
        if asked.stream:
            return StreamingResponse(reply.events(first, said), media_type="text/event-stream")
        return await reply.whole(request, first, said)

    def prompt_ids(self, asked: Wanted) -> list[int]:
        """The tokens that the model reads. Raises ApiError if it cannot hold a conversation."""
        if asked.prompt:
            return self.loaded.tokenizer.encode(asked.prompt)
        ask = getattr(self.loaded.tokenizer, "conversation_ids", None)
        tokens = ask(asked.messages) if ask else None
        if tokens is None:
            raise ApiError(
                400, f"`{self.name}` goes on with a text and knows no turns; ask /v1/completions.",
                "messages", "no_chat_template",
            )  # fmt: skip
        return tokens


@dataclass
class Reply:
    """The answer on its way back."""

    kind: str
    model: str
    asked: Wanted
    prompt_tokens: int
    text: AnswerText
    written: int = 0
    ended: str = ""
    id: str = field(default_factory=lambda: secrets.token_hex(12))
    created: int = field(default_factory=lambda: int(time.time()))

    async def pieces(self, first: Said, said: AsyncIterator[Said]) -> AsyncIterator[str]:
        """Text as it comes, up to the end or a stop text."""
        now: Said | None = first
        try:
            while now is not None and not self.ended:
                self.written += 1
                self.ended = now.ended
                piece = self.text.read(now.token)
                if self.ended:
                    piece += self.text.end()
                if self.text.stopped:
                    self.ended = "stop"
                if piece:
                    yield piece
                now = None if self.ended else await anext(said)
        finally:
            await said.aclose()

    async def events(self, first: Said, said: AsyncIterator[Said]) -> AsyncIterator[str]:
        """Server-sent events, the last of which is [DONE]."""
        if self.kind == "chat":
            yield self._event({"role": "assistant", "content": ""})
        try:
            async for piece in self.pieces(first, said):
                yield self._event({"content": piece})
        except Busy:  # closed in the middle: the stream breaks off without its end
            return
        yield self._event({}, self.ended)
        if self.asked.include_usage:
            usage = {**self._frame(chunk=True), "choices": [], "usage": self._usage()}
            yield f"data: {json.dumps(usage)}\n\n"
        yield "data: [DONE]\n\n"

    async def whole(self, request: Request, first: Said, said: AsyncIterator[Said]) -> JSONResponse:
        """The answer in one piece; given up when whoever asked has gone."""
        text = ""
        try:
            async for piece in self.pieces(first, said):
                text += piece
                if await request.is_disconnected():
                    break
        except Busy:
            raise ApiError(503, "The server is closing.", kind="server_error") from None
        finally:
            await said.aclose()
        choice = {"index": 0, "finish_reason": self.ended or None, "logprobs": None}
        if self.kind == "chat":
            choice["message"] = {"role": "assistant", "content": text, "refusal": None}
        else:
            choice["text"] = text
        return JSONResponse({**self._frame(), "choices": [choice], "usage": self._usage()})

    def _event(self, delta: dict, ended: str = "") -> str:
        choice = {"index": 0, "finish_reason": ended or None, "logprobs": None}
        if self.kind == "chat":
            choice["delta"] = delta
        else:
            choice["text"] = delta.get("content", "")
        return f"data: {json.dumps({**self._frame(chunk=True), 'choices': [choice]})}\n\n"

    def _frame(self, chunk: bool = False) -> dict:
        chat = self.kind == "chat"
        name = "chat.completion" if chat else "text_completion"
        return {
            "id": ("chatcmpl-" if chat else "cmpl-") + self.id, "created": self.created,
            "object": f"{name}.chunk" if chat and chunk else name, "model": self.model,
        }  # fmt: skip

    def _usage(self) -> dict:
        return {
            "prompt_tokens": self.prompt_tokens, "completion_tokens": self.written,
            "total_tokens": self.prompt_tokens + self.written,
        }  # fmt: skip


async def listen(engine: Engine, ask: Ask) -> AsyncIterator[Said]:
    """The engine's tokens in the server's event loop; who stops listening gives the seat up."""
    loop, news = asyncio.get_running_loop(), asyncio.Queue()
    ticket = engine.submit(ask, lambda said: loop.call_soon_threadsafe(news.put_nowait, said))
    try:
        while (said := await news.get()) is not None:
            yield said
            if said.ended:
                return
        raise Busy
    finally:
        ticket.give_up()


async def _body(request: Request) -> object:
    data = b""
    async for piece in request.stream():
        data += piece
        if len(data) > MOST_BYTES:
            raise ApiError(413, f"The request is larger than {MOST_BYTES} bytes.")
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise ApiError(400, "We could not parse the JSON body of your request.") from None


def _refuse(_: Request, error: ApiError) -> JSONResponse:
    headers = {"Retry-After": "1"} if error.status == 429 else None
    return JSONResponse(error.body, error.status, headers)


def _refuse_http(request: Request, error: HTTPException) -> JSONResponse:
    message = f"{error.detail}: {request.method} {request.url.path[:100]}"
    return JSONResponse(ApiError(error.status_code, message).body, error.status_code, error.headers)


def prepared(name: str, form: str) -> tuple[LoadedModel, int]:
    """A model with the matrices of its blocks kept in a form, and the bytes of all its weights."""
    if form not in stored_linear.available():
        raise LabInputError("form", form, "known_choice", allowed=stored_linear.available())
    loaded = zoo.load(name)
    model = in_form(copy.deepcopy(loaded.model), form)
    return LoadedModel(model, loaded.tokenizer, loaded.card), stored_linear.bytes_of(model)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="world-decoder", help="a name of the zoo, or owner/name")
    parser.add_argument("--form", default="fp32", choices=stored_linear.available())
    parser.add_argument("--host", default=LOOPBACK, help="this machine only, unless told otherwise")
    parser.add_argument("--port", type=int, default=8000, help="0: any free one")
    parser.add_argument("--max-batch", type=int, default=8)
    parser.add_argument("--queue-limit", type=int, default=32)
    parser.add_argument("--api-key-env", default="", help="variable that holds the key to ask for")
    asked = parser.parse_args(arguments)
    torch.set_num_threads(1)
    leave_with_the_launcher()
    key = os.environ.get(asked.api_key_env, "") if asked.api_key_env else ""
    if asked.api_key_env and not key:
        parser.error(f"{asked.api_key_env} is not set")
    try:
        loaded, weights = prepared(asked.model, asked.form)
        engine = Engine(loaded.model, asked.max_batch, asked.queue_limit)
    except LabInputError as error:
        parser.error(str(error))
    listener = socket.create_server((asked.host, asked.port))
    port = listener.getsockname()[1]
    if asked.host != LOOPBACK:
        print(f"Listening on {asked.host}: other machines can ask this model.", file=sys.stderr)
    news = {
        "event": "listening",
        "port": port,
        "model": asked.model,
        "form": asked.form,
        "bytes": weights,
    }
    print(json.dumps(news), flush=True)
    app = Endpoint(asked.model, loaded, engine, key).app()
    uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False)).run([listener])


if __name__ == "__main__":
    main()
