"""Published models as points: parameters, tokens, and the hours that their makers report.

Sizes and tokens are the makers' own, rounded as they round them. A mixture has two sizes: all parameters, and
those that one token meets.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Landmark:
    title: str
    year: int
    parameters: float
    tokens: float
    source: str
    active: float | None = None  # parameters that a token meets; None: all

    @property
    def worked(self) -> float:
        """The parameters that a token meets: those that count in C = 6·N·D."""
        return self.parameters if self.active is None else self.active

    @property
    def flops(self) -> float:
        return 6 * self.worked * self.tokens

    @property
    def tokens_per_parameter(self) -> float:
        return self.tokens / self.worked


CHINCHILLA = "arXiv:2203.15556"
LLAMA_1, LLAMA_2, LLAMA_3 = "arXiv:2302.13971", "arXiv:2307.09288", "arXiv:2407.21783"
LLAMA_3_CARD = "Llama 3 model card"
QWEN_2_5, SMOLLM2 = "arXiv:2412.15115", "arXiv:2502.02737"

LANDMARKS: tuple[Landmark, ...] = (
    Landmark("GPT-3 175B", 2020, 175e9, 300e9, "arXiv:2005.14165"),
    Landmark("Jurassic-1 178B", 2021, 178e9, 300e9, f"{CHINCHILLA}, table 1"),
    Landmark("Gopher 280B", 2021, 280e9, 300e9, "arXiv:2112.11446"),
    Landmark("MT-NLG 530B", 2022, 530e9, 270e9, "arXiv:2201.11990"),
    Landmark("Chinchilla 70B", 2022, 70e9, 1.4e12, CHINCHILLA),
    Landmark("PaLM 540B", 2022, 540e9, 780e9, "arXiv:2204.02311"),
    Landmark("BLOOM 176B", 2022, 176e9, 366e9, "arXiv:2211.05100"),
    Landmark("Llama 1 7B", 2023, 6.7e9, 1.0e12, LLAMA_1),
    Landmark("Llama 1 65B", 2023, 65.2e9, 1.4e12, LLAMA_1),
    Landmark("Llama 2 7B", 2023, 6.7e9, 2.0e12, LLAMA_2),
    Landmark("Llama 2 70B", 2023, 69e9, 2.0e12, LLAMA_2),
    Landmark("Llama 3 8B", 2024, 8.0e9, 15e12, LLAMA_3_CARD),
    Landmark("Llama 3 70B", 2024, 70.6e9, 15e12, LLAMA_3_CARD),
    Landmark("Llama 3.1 405B", 2024, 405e9, 15.6e12, LLAMA_3),
    Landmark("Qwen2.5 0.5B", 2024, 0.49e9, 18e12, QWEN_2_5),
    Landmark("Qwen2.5 7B", 2024, 7.6e9, 18e12, QWEN_2_5),
    Landmark("Qwen2.5 72B", 2024, 72.7e9, 18e12, QWEN_2_5),
    Landmark("DeepSeek-V2", 2024, 236e9, 8.1e12, "arXiv:2405.04434", active=21e9),
    Landmark("DeepSeek-V3", 2024, 671e9, 14.8e12, "arXiv:2412.19437", active=37e9),
    Landmark("SmolLM2 135M", 2025, 0.135e9, 2e12, SMOLLM2),
    Landmark("SmolLM2 1.7B", 2025, 1.7e9, 11e12, SMOLLM2),
)


@dataclass(frozen=True, slots=True)
class ReportedRun:
    """What a run took by its makers' own account, on devices of `cluster.DEVICES`."""

    title: str
    parameters: float  # that a token meets
    tokens: float
    device: str
    device_hours: float
    source: str


REPORTED: tuple[ReportedRun, ...] = (
    ReportedRun("Llama 1 7B", 6.7e9, 1.0e12, "a100-80", 82_432, f"{LLAMA_1}, table 15"),
    ReportedRun("Llama 1 65B", 65.2e9, 1.4e12, "a100-80", 1_022_362, f"{LLAMA_1}, table 15"),
    ReportedRun("Llama 2 70B", 69e9, 2.0e12, "a100-80", 1_720_320, f"{LLAMA_2}, table 2"),
    ReportedRun("Llama 3.1 405B", 405e9, 15.6e12, "h100", 30.84e6, "Llama 3.1 model card"),
    # Pre-training alone: extending the context took 119,000 hours more, post-training 5,000.
    ReportedRun("DeepSeek-V3", 37e9, 14.8e12, "h800", 2.664e6, "arXiv:2412.19437, table 1"),
)
