"""The endpoint in a process of its own, and a client for it that notes when each piece of an answer came."""

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from labcore.distributed.launch import LEASH, ROOT

START_SECONDS, ANSWER_SECONDS = 120.0, 120.0


@dataclass(eq=False)
class Running:
    """A server that runs: its port, its process, the bytes of its weights."""

    process: subprocess.Popen
    port: int
    model: str
    form: str
    weight_bytes: int

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def stop(self) -> None:
        """Its leash closes and it leaves."""
        with suppress(OSError):
            self.process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=10)
        self.process.kill()
        self.process.wait()


def start(model: str, form: str, max_batch: int, queue_limit: int = 256) -> Running:
    """A server on a free port of this machine, once it listens. RuntimeError if it does not come up."""
    command = [
        sys.executable, "-m", "labcore.serving.endpoint", "--model", model, "--form", form, "--port", "0",
        "--max-batch", str(max_batch), "--queue-limit", str(queue_limit),
    ]  # fmt: skip
    process = subprocess.Popen(  # nosec B603 # options are a choice's values, no shell
        command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", LEASH: "1"},
    )  # fmt: skip
    line = process.stdout.readline()
    if not line:
        process.wait()
        raise RuntimeError("the endpoint did not start")
    news = json.loads(line)
    return Running(process, news["port"], model, form, news["bytes"])


@contextmanager
def served(model: str, form: str, max_batch: int) -> Iterator[Running]:
    running = start(model, form, max_batch)
    try:
        yield running
    finally:
        running.stop()


@dataclass(frozen=True, slots=True)
class Heard:
    """One answer as the one who asked met it."""

    first_seconds: float  # from asking to the first piece
    total_seconds: float  # to the end
    tokens: int
    error: str = ""  # the API's code, or the kind of failure


def pieces(running: Running, path: str, body: dict) -> Iterator[dict]:
    """Ask and yield the stream's events. RuntimeError with the API's own message on a refusal."""
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=ANSWER_SECONDS)
    try:
        connection.request("POST", path, json.dumps({**body, "stream": True}))
        answer = connection.getresponse()
        if answer.status != 200:
            error = json.loads(answer.read())["error"]
            raise RuntimeError(error["code"] or error["message"])
        for line in answer:
            text = line.decode("utf-8").strip()
            if text == "data: [DONE]":
                return
            if text.startswith("data: "):
                yield json.loads(text.removeprefix("data: "))
        raise RuntimeError("the stream broke off")
    finally:
        connection.close()


def ask(running: Running, prompt: str, tokens: int, seed: int) -> Heard:
    """One streamed completion, timed."""
    body = {
        "model": running.model, "prompt": prompt, "max_tokens": tokens, "seed": seed,
        "stream_options": {"include_usage": True},
    }  # fmt: skip
    begun, first, written = time.perf_counter(), float("nan"), 0
    try:
        for event in pieces(running, "/v1/completions", body):
            if event["choices"] and first != first:
                first = time.perf_counter() - begun
            written = (event.get("usage") or {}).get("completion_tokens", written)
    except (OSError, RuntimeError, http.client.HTTPException, ValueError) as error:
        return Heard(first, time.perf_counter() - begun, written, str(error)[:80] or "failed")
    return Heard(first, time.perf_counter() - begun, written)
