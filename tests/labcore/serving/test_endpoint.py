"""The endpoint under the official client, in a process of its own, as somebody else would ask it."""

import http.client
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import openai
import psutil
import pytest

from labcore import zoo
from labcore.distributed.launch import LEASH, ROOT
from labcore.model.generation import SamplingConfig, generate

STORY = "One day, Lily went to the garden with a small blue card."
NAME = "world-decoder"


@contextmanager
def started(*options, **environment):
    """A server on a free port; gives (its first line, its process)."""
    process = subprocess.Popen(
        [sys.executable, "-m", "labcore.serving.endpoint", "--port", "0", *options],
        cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT), LEASH: "1", **environment},
    )  # fmt: skip
    try:
        yield json.loads(process.stdout.readline()), process
    finally:
        process.stdin.close()
        process.wait(timeout=20)


@pytest.fixture(scope="module")
def server():
    with started("--max-batch", "4", "--queue-limit", "8") as (news, process):
        yield news["port"], process


@pytest.fixture(scope="module")
def client(server):
    return openai.OpenAI(base_url=f"http://127.0.0.1:{server[0]}/v1", api_key="any", max_retries=0)


def alone(prompt, tokens):
    """What the model says, asked without any server."""
    loaded = zoo.load(NAME)
    config = SamplingConfig(temperature=0.0, max_new_tokens=tokens)
    end = loaded.tokenizer.eos_id
    written = generate(loaded.model, loaded.tokenizer.encode(prompt), config, (end,))
    ids = [one.token for one in written]
    return b"".join(loaded.tokenizer.token_bytes(token) for token in ids).decode("utf-8", "replace")


def raw(port, path, body, method="POST"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request(method, path, body)
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


def test_it_listens_on_this_machine_only(server):
    """Without --host every listening socket of the process is bound to the loopback address."""
    listening = [c for c in psutil.Process(server[1].pid).net_connections() if c.status == "LISTEN"]
    assert {c.laddr.ip for c in listening} == {"127.0.0.1"}


def test_the_client_finds_the_model(client):
    assert [model.id for model in client.models.list()] == [NAME]
    assert client.models.retrieve(NAME).owned_by == "lab"


def test_an_answer_is_what_the_model_says_alone_and_the_usage_counts(client):
    answer = client.completions.create(model=NAME, prompt=STORY, max_tokens=24, temperature=0)
    assert answer.choices[0].text == alone(STORY, 24)
    assert answer.choices[0].finish_reason == "length"
    prompt = len(zoo.load(NAME).tokenizer.encode(STORY))
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (prompt, 24)


def test_a_stream_says_the_same_and_ends_with_the_usage(client):
    chunks = list(
        client.completions.create(
            model=NAME, prompt=STORY, max_tokens=24, temperature=0, stream=True,
            stream_options={"include_usage": True},
        )
    )  # fmt: skip
    assert "".join(chunk.choices[0].text for chunk in chunks[:-1]) == alone(STORY, 24)
    assert [chunk.choices[0].finish_reason for chunk in chunks[-3:-1]] == [None, "length"]
    assert chunks[-1].usage.completion_tokens == 24
    assert len(chunks) > 20  # token by token, not in one piece


def test_eight_at_once_each_hear_their_own_answer(client):
    prompts = [STORY[: 12 + 5 * n] for n in range(8)]

    def ask(prompt):
        stream = client.completions.create(
            model=NAME, prompt=prompt, max_tokens=20, temperature=0, stream=True
        )
        return "".join(chunk.choices[0].text for chunk in stream)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, prompts)) == [alone(prompt, 20) for prompt in prompts]


def test_the_same_seed_says_the_same(client):
    def ask(seed):
        answer = client.completions.create(model=NAME, prompt=STORY, max_tokens=24, seed=seed)
        return answer.choices[0].text

    assert ask(4) == ask(4)
    assert len({ask(seed) for seed in range(4)}) > 1


def test_a_stop_text_ends_the_answer_before_itself(client):
    whole = alone(STORY, 24)
    stop = whole[10:16]
    answer = client.completions.create(
        model=NAME, prompt=STORY, max_tokens=24, temperature=0, stop=[stop, "never said"]
    )
    assert answer.choices[0].text == whole[: whole.find(stop)]
    assert answer.choices[0].finish_reason == "stop"


@pytest.mark.parametrize(
    ("wrong", "param", "code"),
    [
        ({"temperature": 3}, "temperature", "invalid_value"),
        ({"top_p": 0}, "top_p", "invalid_value"),
        ({"max_tokens": 0}, "max_tokens", "invalid_value"),
        ({"max_tokens": 1_000_000}, "max_tokens", "invalid_value"),
        ({"n": 2}, "n", "unsupported_value"),
        ({"logprobs": 3}, "logprobs", "unsupported_value"),
        ({"stop": ["a"] * 5}, "stop", "invalid_value"),
        ({"prompt": ["one", "two"]}, "prompt", "invalid_type"),
        ({"prompt": "x" * 30_000}, "prompt", "context_length_exceeded"),
        ({"extra_body": {"wings": 2}}, "wings", None),
    ],
)
def test_a_bad_request_gets_the_apis_own_error(client, wrong, param, code):
    with pytest.raises(openai.BadRequestError) as error:
        client.completions.create(**{"model": NAME, "prompt": STORY, **wrong})
    assert (error.value.param, error.value.code) == (param, code)
    assert error.value.type == "invalid_request_error"


def test_other_errors_have_their_own_status_too(client, server):
    with pytest.raises(openai.NotFoundError) as error:
        client.completions.create(model="gpt-9", prompt=STORY)
    assert error.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as error:
        client.chat.completions.create(model=NAME, messages=[{"role": "user", "content": "Hi"}])
    assert error.value.code == "no_chat_template"
    port = server[0]
    for path, body, method, status in (
        ("/v1/completions", b"{", "POST", 400), ("/v1/completions", b"[]", "POST", 400),
        ("/v1/completions", b"[" * 100_000, "POST", 400), ("/v1/completions", b" " * 2_000_000, "POST", 413),
        ("/v1/completions", b"", "GET", 405), ("/v1/images", b"{}", "POST", 404),
        ("/v1/completions", b'{"model": 3}', "POST", 400),
        ("/v1/chat/completions", b'{"model": "world-decoder", "messages": [{"role": "x"}]}', "POST", 400),
        ("/v1/chat/completions", json.dumps({
            "model": NAME, "messages": [{"role": "user", "content": [{"type": "image_url"}]}]
        }).encode(), "POST", 400),
    ):  # fmt: skip
        got, told = raw(port, path, body, method)
        assert (got, set(told["error"])) == (status, {"message", "type", "param", "code"}), path


def test_too_many_at_once_are_told_to_come_back(client):
    """Four seats and eight places to wait: of twenty long requests some are sent away, none is lost."""

    def ask(_):
        try:
            return client.completions.create(model=NAME, prompt=STORY, max_tokens=120).usage
        except openai.RateLimitError as error:
            return error.response.headers["retry-after"]

    with ThreadPoolExecutor(20) as pool:
        told = list(pool.map(ask, range(20)))
    refused = [one for one in told if one == "1"]
    assert 0 < len(refused) <= 8 + 4


def test_who_hangs_up_frees_the_seat(client, server):
    streams = [
        client.completions.create(model=NAME, prompt=STORY, max_tokens=512, stream=True)
        for _ in range(4)
    ]
    assert raw(server[0], "/health", None, "GET")[1]["seated"] == 4
    for stream in streams:
        stream.close()
    deadline = time.monotonic() + 20
    while raw(server[0], "/health", None, "GET")[1]["seated"] and time.monotonic() < deadline:
        time.sleep(0.05)
    assert raw(server[0], "/health", None, "GET")[1] == {"status": "ok", "seated": 0, "waiting": 0}


def test_a_real_assistant_in_eight_bits_behind_a_key():
    """SmolLM2 in torch's int8: a chat over turns, streamed; without the key nobody gets in."""
    options = ("--model", "smollm2-135m-instruct", "--form", "torch-8", "--api-key-env", "LAB_KEY")
    with started(*options, LAB_KEY="secret") as (news, process):
        address = f"http://127.0.0.1:{news['port']}/v1"
        wrong = openai.OpenAI(base_url=address, api_key="guess", max_retries=0)
        with pytest.raises(openai.AuthenticationError) as error:
            wrong.models.list()
        assert error.value.code == "invalid_api_key"
        client = openai.OpenAI(base_url=address, api_key="secret", max_retries=0)
        turns = [{"role": "user", "content": "What is the capital of France?"}]
        ask = {"model": "smollm2-135m-instruct", "temperature": 0, "max_completion_tokens": 24}
        answer = client.chat.completions.create(messages=turns, **ask).choices[0]
        assert "Paris" in answer.message.content
        stream = client.chat.completions.create(messages=turns, stream=True, **ask)
        pieces = [chunk.choices[0].delta.content or "" for chunk in stream]
        assert "".join(pieces) == answer.message.content
        again = [*turns, {"role": "assistant", "content": answer.message.content},
                 {"role": "user", "content": "And of Italy?"}]  # fmt: skip
        assert client.chat.completions.create(messages=again, **ask).usage.prompt_tokens > 40
        # a quarter of the bytes in the blocks' matrices; the embedding stays in fp32
        assert news["bytes"] < 0.5 * 4 * 134_515_008
        process.stdin.close()
        assert process.wait(timeout=20) == 1  # the leash: it ends with whoever started it
        process.stdin = open(os.devnull)  # noqa: PTH123, SIM115 - closed once more by `started`


def test_another_host_is_only_taken_when_told_and_said_so():
    with started("--host", "0.0.0.0") as (news, process):
        assert news["event"] == "listening"
        listening = [
            c for c in psutil.Process(process.pid).net_connections() if c.status == "LISTEN"
        ]
        assert {c.laddr.ip for c in listening} == {"0.0.0.0"}
    assert "other machines" in process.stderr.read()
