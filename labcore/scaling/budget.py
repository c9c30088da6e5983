"""What a training run costs: device hours, days, money, energy; and the counts of a published architecture.

hours = FLOPs / (peak · share of the peak), whatever the number of devices; days follow from the number.
Energy is the devices' rated power times those hours, times what the building adds (PUE), as in the Llama
reports: an upper estimate, since a device rarely draws its rated power.
"""

from dataclasses import dataclass

from labcore.configs import lab_config
from labcore.distributed.cluster import DEVICES
from labcore.distributed.workload import preset_workload
from labcore.errors import LabInputError, check_limits
from labcore.model.counting import EMBEDDING, count_flops, count_parameters
from labcore.model.presets import PRESETS
from labcore.scaling.chinchilla import PASSES, budget_for
from labcore.scaling.landmarks import REPORTED, ReportedRun

# Rated power, of the makers' data sheets (SXM or OAM modules; PCIe cards for the last two).
WATTS: dict[str, float] = {
    "v100": 300, "a100-40": 400, "a100-80": 400, "h800": 700, "h100": 700, "h200": 700,
    "b200": 1000, "mi300x": 750, "l40s": 350, "rtx4090": 450,
}  # fmt: skip
GRAMS_PER_KWH = 385.0  # of CO2, the average of the United States that the Llama 1 report takes
HOUR = 3600.0
LIMITS = {
    "flops": (0, 1e40), "peak_share": (1e-6, 1), "dollars_per_hour": (0, 1e6), "pue": (1, 100),
    "grams_per_kwh": (0, 1e6),
}  # fmt: skip


@lab_config
class BillConfig:
    flops: float = 5.76e23
    device: str = "h100"
    devices: int = 1024
    peak_share: float = 0.4  # of the peak, over the whole run: what MFU reports end up near
    dollars_per_hour: float = 2.0  # one device; the rate that the DeepSeek-V3 report reckons with
    pue: float = 1.1  # power of the whole building over that of the devices
    grams_per_kwh: float = GRAMS_PER_KWH

    def __post_init__(self):
        if self.device not in DEVICES:
            raise LabInputError("device", self.device, "known_choice", allowed=tuple(DEVICES))
        if not self.flops > 0:
            raise LabInputError("flops", self.flops, "positive")
        if self.devices < 1:
            raise LabInputError("devices", self.devices, "at_least", limit=1)
        check_limits(self, LIMITS)


@dataclass(frozen=True, slots=True)
class Bill:
    device_hours: float
    days: float
    dollars: float
    megawatt_hours: float
    tonnes: float  # of CO2


def bill(config: BillConfig) -> Bill:
    """From FLOPs to hours, and from hours to everything else."""
    rate = DEVICES[config.device].peak_flops * config.peak_share  # FLOPs per second of one device
    hours = config.flops / rate / HOUR
    energy = megawatt_hours(config.device, hours, config.pue)
    return Bill(
        device_hours=hours,
        days=hours / config.devices / 24,
        dollars=hours * config.dollars_per_hour,
        megawatt_hours=energy,
        tonnes=energy * config.grams_per_kwh / 1000,
    )


def megawatt_hours(device: str, hours: float, pue: float) -> float:
    return WATTS[device] * hours * pue / 1e6


@dataclass(frozen=True, slots=True)
class Implied:
    """What follows from the hours that a report gives."""

    run: ReportedRun
    flops: float  # 6·N·D
    peak_share: float  # of all device hours, pauses and failures included
    megawatt_hours: float


def implied_shares(pue: float = 1.1) -> tuple[Implied, ...]:
    """6·N·D over what the devices could have done in the reported hours."""
    rows = []
    for run in REPORTED:
        flops = PASSES * run.parameters * run.tokens
        could = run.device_hours * HOUR * DEVICES[run.device].peak_flops
        energy = megawatt_hours(run.device, run.device_hours, pue)
        rows.append(Implied(run, flops, flops / could, energy))
    return tuple(rows)


# A published architecture.


@dataclass(frozen=True, slots=True)
class Counts:
    title: str
    context: int  # tokens it was counted at
    parameters: int
    active: int  # that a token meets
    without_embeddings: int  # neither the tables of tokens and positions nor an untied head
    forward_flops: float  # per token, masked scores left out
    share_of_rule: float  # forward_flops over 2·active
    tokens: float  # for which this size is the best, by the law chosen
    flops: float  # 6 · active · tokens


@lab_config
class CountsConfig:
    preset: str = "llama-3-8b"
    law: str = "approach1"

    def __post_init__(self):
        if self.preset not in decoders():
            raise LabInputError("preset", self.preset, "known_choice", allowed=decoders())


def decoders() -> tuple[str, ...]:
    """The published decoders, small ones first."""
    names = [name for name, preset in PRESETS.items() if preset.config.kind == "decoder"]
    return tuple(sorted(names, key=lambda name: preset_workload(name).total_parameters))


def counts(config: CountsConfig) -> Counts:
    """Parameters in both counts, operations by formula and by the rule of thumb 2·N."""
    model, load = PRESETS[config.preset].config, preset_workload(config.preset)
    context = min(model.max_positions, 4096)
    outside = (EMBEDDING, "stack.position_embedding.weight", "head.output.weight")
    tables = sum(part.parameters for part in count_parameters(model) if part.name in outside)
    forward = forward_flops(config.preset, context)
    active = load.active_parameters
    flops = budget_for(config.law, active)
    return Counts(
        title=PRESETS[config.preset].title, context=context, parameters=load.total_parameters,
        active=active, without_embeddings=load.total_parameters - tables, forward_flops=forward,
        share_of_rule=forward / (2 * active), tokens=flops / PASSES / active, flops=flops,
    )  # fmt: skip


def forward_flops(preset: str, context: int) -> float:
    """Per token of a text of `context` tokens; half of the scores are masked and need not be made."""
    work = count_flops(PRESETS[preset].config, context)
    scores = sum(part.flops for part in work if part.name.endswith((".scores", ".heads")))
    return (sum(part.flops for part in work) - scores / 2) / context
