"""How many devices a service needs: from requests, lengths and patience to batch, copies and cost.

One copy of the model (on one device, or cut over a group of them) serves B texts at once. Each step writes
a token of every text, and reads the prompts of those who have just come in. An answer of A tokens stays for A
steps; so of B texts B/A come and go at every step, and

    one step       t(B) = w(B) + (B/A) · r      w: writing, r: reading one prompt
    one copy       B / (A · t(B)) requests per second
    first token    t/2 (the step under way) + w + r
    each further   t(B)

w and r are times at the roofline, of a stated share of the makers' figures. No queue is in these formulas:
they hold while copies are loaded to less than they can do. A copy that gets fewer requests than it can do
is not full: by Little's law λ requests a second keep n = λ · A · t(n) texts in it (`at_load`).
`capacity_check` holds all this to a simulation.
Axes: M batch sizes, 1 to the largest that fits.
"""

from dataclasses import dataclass, replace
from math import ceil, floor

import numpy as np

from labcore.configs import lab_config
from labcore.distributed.cluster import DEVICES, Device
from labcore.distributed.communication import ring_seconds
from labcore.errors import LabInputError, check_choices, check_limits
from labcore.model.counting import kv_cache_bytes, weight_bytes
from labcore.model.presets import PRESETS
from labcore.serving.roofline import Load, step_seconds
from labcore.serving.step_roof import CACHE_BITS, MODELS, WEIGHT_BITS, check_positions

GROUPS = (1, 2, 4, 8)
MOST_BATCH = 1024
LINK_SHARE, LINK_LATENCY = 0.8, 2e-6  # inside one node; seconds of each hop of a ring
LIMITS = {
    "requests": (0.1, 10_000), "prompt": (1, 131_072), "answer": (2, 16_384),
    "first_ms": (10, 60_000), "next_ms": (1, 1_000), "price": (0.01, 1_000),
    "peak_share": (0.1, 1), "bandwidth_share": (0.1, 1), "reserve": (0, 0.5), "load_share": (0.1, 1),
}  # fmt: skip


@lab_config
class CapacityConfig:
    preset: str = "llama-3-8b"
    device: str = "h100"
    group: int = 1  # devices that one copy is cut over (tensor parallelism)
    weight_bits: int = 16
    cache_bits: int = 16
    requests: float = 20.0  # per second
    prompt: int = 1000  # tokens
    answer: int = 250  # tokens
    first_ms: float = 500.0  # patience for the first token
    next_ms: float = 40.0  # and for each further one
    price: float = 2.5  # of one device for one hour; the learner's own figure
    # What is taken for granted.
    peak_share: float = 0.5  # of the makers' operations per second
    bandwidth_share: float = 0.7  # of the makers' bytes per second
    reserve: float = 0.1  # of the memory, for activations and whatever else
    load_share: float = 0.8  # of what a copy can do, so that no queue builds up

    def __post_init__(self):
        known = {"preset": MODELS, "device": DEVICES, "group": GROUPS}
        check_choices(self, known | {"weight_bits": WEIGHT_BITS, "cache_bits": CACHE_BITS})
        check_limits(self, LIMITS)
        model = PRESETS[self.preset].config
        check_positions(model, self.prompt + self.answer)
        if model.key_value_heads % self.group:
            raise LabInputError("group", self.group, "splits_heads", heads=model.key_value_heads)


@dataclass(frozen=True, slots=True, eq=False)
class CapacityResult:
    weight_bytes: float
    text_bytes: float  # the cache of one text at its full length
    memory_bytes: float  # of one copy's devices, the reserve taken off
    read_seconds: float  # of one prompt
    batches: np.ndarray  # (M,) 1 to the largest that fits
    write_seconds: np.ndarray  # (M,) w(B)
    next_seconds: np.ndarray  # (M,) t(B)
    first_seconds: np.ndarray  # (M,)
    per_second: np.ndarray  # (M,) requests of one copy
    cost: np.ndarray  # (M,) per million answer tokens, at the load that is planned for
    fit: int  # texts that fit beside the weights; may be more than M
    batch: int  # chosen: the largest within all limits; 0 if not even one text is
    limit: str  # what stops a larger batch: "memory", "first", "next", "most"
    copies: int
    devices: int
    likely_seconds: float  # between two tokens at the requests asked for; NaN where copies are full
    real_cost: float  # with whole devices at the requests asked for; nan without a batch

    @property
    def chosen(self) -> int:
        """Where the chosen batch stands in the arrays."""
        return self.batch - 1


def copy_of(config: CapacityConfig) -> Device:
    """One copy's devices as one: what they reach of the makers' figures, added up."""
    device = DEVICES[config.device]
    return replace(
        device,
        peak_flops=device.peak_flops * config.peak_share * config.group,
        memory_bandwidth=device.memory_bandwidth * config.bandwidth_share * config.group,
    )


def step(config: CapacityConfig, batch: int, tokens: int, cached: int) -> float:
    """Seconds at the roofline, and of the two all-reduces of each layer where a copy is cut."""
    model = PRESETS[config.preset].config
    load = Load(batch, tokens, cached, config.weight_bits / 8, config.cache_bits / 8)
    seconds = step_seconds(model, load, copy_of(config))
    if config.group > 1:
        size = 2 * batch * tokens * model.hidden_size  # bytes: 16-bit sums
        link = DEVICES[config.device].link_bandwidth * LINK_SHARE
        each = ring_seconds("all_reduce", size, config.group, link, LINK_LATENCY)
        seconds += 2 * model.num_layers * float(each)
    return seconds


def run(config: CapacityConfig) -> CapacityResult:
    model = PRESETS[config.preset].config
    weights = weight_bytes(model, config.weight_bits / 8)
    text = kv_cache_bytes(model, config.prompt + config.answer, config.cache_bits / 8)
    memory = DEVICES[config.device].memory_bytes * config.group * (1 - config.reserve)
    fit = max(0, floor((memory - weights) / text))
    batches = np.arange(1, min(fit, MOST_BATCH) + 1)

    read = step(config, 1, config.prompt, 0)
    halfway = config.prompt + config.answer // 2
    write = np.array([step(config, int(batch), 1, halfway) for batch in batches])
    each = write + batches / config.answer * read
    first = each / 2 + write + read
    per_second = batches / (config.answer * each)
    hourly = config.group * config.price
    sold = config.load_share * per_second * config.answer * 3600  # tokens of a copy in an hour
    within = (each <= config.next_ms / 1e3) & (first <= config.first_ms / 1e3)
    batch = int(within.sum())  # both grow with the batch
    limit = what_stops(config, batch, fit, each, first)
    copies = ceil(config.requests / (config.load_share * per_second[batch - 1])) if batch else 0
    asked = config.requests * config.answer * 3600
    real = copies * hourly / asked * 1e6 if batch else float("nan")
    likely = at_load(each, config.answer, config.requests / copies) if batch else float("nan")
    return CapacityResult(
        weights, text, memory, read, batches, write, each, first, per_second, hourly / sold * 1e6,
        fit, batch, limit, copies, copies * config.group,
        likely, real,
    )  # fmt: skip


def at_load(next_seconds: np.ndarray, answer: int, per_second: float) -> float:
    """Seconds of a step of a copy that gets so many requests a second.  next_seconds (M,): t(1) to t(M)

    Little's law: n = λ · A · t(n) texts are in it, so it runs where n / (A · t(n)) is λ. With w(n) = a + c·n
    that is t = a / (1 − λ·(c·A + r)); w bends where arithmetic takes over, so it is read off the curve.
    Infinite where no batch does so much.
    """
    rates = np.arange(1, len(next_seconds) + 1) / (answer * next_seconds)  # rise with n
    return float(np.interp(per_second, rates, next_seconds, right=np.inf))


def what_stops(
    config: CapacityConfig, batch: int, fit: int, each: np.ndarray, first: np.ndarray
) -> str:
    """Why the batch is not one larger."""
    if batch == len(each):
        return "memory" if batch == fit else "most"
    return "next" if each[batch] > config.next_ms / 1e3 else "first"
