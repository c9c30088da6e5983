"""The engine against the model asked alone: together or one by one, the same words."""

import queue
import threading

import pytest
import torch

from labcore import zoo
from labcore.errors import LabInputError
from labcore.model.cache import KVCache
from labcore.model.config import ModelConfig
from labcore.model.generation import SamplingConfig, generate
from labcore.model.transformer import Transformer
from labcore.serving.engine import Ask, Busy, Engine, next_logits
from labcore.serving.joint_cache import join, keep


def small(**changes) -> Transformer:
    sizes = {"vocab_size": 50, "hidden_size": 32, "num_heads": 4, "num_layers": 2}
    return Transformer(ModelConfig(**sizes, **changes), torch.Generator().manual_seed(3))


def texts(lengths, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return [torch.randint(0, 50, (1, n), generator=rng) for n in lengths]


@pytest.fixture
def engine():
    made = []

    def make(model, **settings):
        made.append(Engine(model, **settings))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.mark.parametrize("positions", ["rope", "learned", "alibi"])
@torch.no_grad()
def test_joined_texts_read_on_as_if_each_were_alone(positions):
    """Three lengths; the second leaves after two tokens and the columns before the longest go."""
    model = small(positions=positions, max_positions=48)
    alone = texts((3, 9, 6))
    caches = [KVCache() for _ in alone]
    for text, cache in zip(alone, caches, strict=True):
        model(text, cache=cache)
    joint = join(caches)
    assert joint.length == 9
    for step in range(2):
        new = [7 + step, 20 + step, 33 + step]
        logits = next_logits(model, joint, new)
        alone = [
            torch.cat([text, torch.tensor([[token]])], 1)
            for text, token in zip(alone, new, strict=True)
        ]
        for row, text in enumerate(alone):
            torch.testing.assert_close(logits[row], model(text).logits[0, -1], atol=1e-5, rtol=1e-4)
    rest = keep(joint, [0, 2])
    assert rest.length == 8  # 6 tokens and 2 more: the longest that is left
    logits = next_logits(model, rest, [1, 2])
    for row, (text, token) in enumerate(zip((alone[0], alone[2]), (1, 2), strict=True)):
        whole = model(torch.cat([text, torch.tensor([[token]])], 1)).logits[0, -1]
        torch.testing.assert_close(logits[row], whole, atol=1e-5, rtol=1e-4)


def test_nothing_to_join_is_refused_and_nobody_left_is_an_empty_cache():
    with pytest.raises(LabInputError):
        join([])
    assert keep(KVCache(), []).length == 0


def test_eight_at_once_hear_what_each_would_hear_alone(engine):
    """Real weights, different lengths and ends; greedy, so equality is exact."""
    loaded = zoo.load("world-decoder")
    server = engine(loaded.model, max_batch=4)
    prompts = [
        loaded.tokenizer.encode(text)[: 3 + 2 * n]
        for n, text in enumerate(["One day, Lily went to the garden with a small blue card."] * 8)
    ]
    asks = [Ask(tuple(p), 6 + 3 * n, temperature=0.0) for n, p in enumerate(prompts)]
    heard = [queue.SimpleQueue() for _ in asks]
    for ask, ears in zip(asks, heard, strict=True):
        server.submit(ask, ears.put)
    for ask, ears in zip(asks, heard, strict=True):
        together = [ears.get().token for _ in range(ask.most_tokens)]
        config = SamplingConfig(temperature=0.0, max_new_tokens=ask.most_tokens)
        alone = [one.token for one in generate(loaded.model, ask.prompt, config)]
        assert together == alone
    assert server.tokens > server.steps  # several were seated in one pass


def test_sampling_is_everyones_own_and_repeatable(engine):
    server = engine(small(positions="rope"))
    ask = Ask((1, 2, 3), 12, temperature=1.0, seed=5)
    alone = [said.token for said in server.answer(ask)]
    others = [queue.SimpleQueue() for _ in range(4)]
    for seed, ears in enumerate(others):
        server.submit(Ask((4, 5), 12, seed=seed), ears.put)
    assert [said.token for said in server.answer(ask)] == alone
    assert len({tuple(ears.get().token for _ in range(12)) for ears in others}) > 1


def test_an_answer_ends_at_a_stop_token_at_its_length_or_where_positions_end(engine):
    model = small(positions="learned", max_positions=16)
    server = engine(model)
    said = list(server.answer(Ask((1, 2, 3), 5, temperature=0.0)))
    assert [len(said), said[-1].ended] == [5, "length"]
    stop = said[1].token
    short = list(server.answer(Ask((1, 2, 3), 5, temperature=0.0, stop_ids=(stop,))))
    assert [len(short) <= 2, short[-1].ended] == [True, "stop"]
    to_the_end = list(server.answer(Ask((1, 2, 3), 500, temperature=0.0)))
    assert len(to_the_end) == 16 - 3 + 1  # all sixteen places read, and one token more
    with pytest.raises(LabInputError):
        server.submit(Ask(tuple(range(17))), print)


def test_who_goes_away_frees_the_seat_and_too_many_are_sent_away(engine):
    server = engine(small(positions="rope"), max_batch=1, queue_limit=2)
    first = server.answer(Ask((1,), 100_000))
    next(first)
    heard = queue.SimpleQueue()
    for _ in range(2):
        server.submit(Ask((2,), 1), heard.put)
    with pytest.raises(Busy):
        server.submit(Ask((3,), 1), heard.put)
    first.close()
    assert [heard.get().ended for _ in range(2)] == ["length"] * 2


def test_closing_tells_whoever_listens():
    server = Engine(small(positions="rope"))
    answer = server.answer(Ask((1,), 1_000_000))
    next(answer)
    threading.Thread(target=server.close).start()
    with pytest.raises(Busy):
        list(answer)
    with pytest.raises(Busy):
        server.submit(Ask((1,)), print)


@pytest.mark.parametrize(
    "wrong", [{"prompt": ()}, {"most_tokens": 0}, {"temperature": -1.0}, {"top_p": 1.5}]
)
def test_impossible_wishes_are_refused(wrong):
    with pytest.raises(LabInputError):
        Ask(**{"prompt": (1,), **wrong})
