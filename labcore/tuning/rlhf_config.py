"""What a learner can turn in a run of reinforcement learning, and within which bounds."""

from labcore.configs import lab_config
from labcore.errors import check_choices, check_limits
from labcore.tuning.policy_losses import AVERAGINGS, ESTIMATORS

ALGORITHMS = ("grpo", "ppo", "rloo", "reinforce")
REWARDS = ("verifier", "shallow", "informed")
STARTS = ("half", "weak")
PLACES = ("reward", "loss")
CHOICES = {
    "algorithm": ALGORITHMS, "reward": REWARDS, "start": STARTS, "kl_place": PLACES,
    "estimator": ESTIMATORS, "averaging": AVERAGINGS,
}  # fmt: skip
LIMITS = {
    "beta": (0.0, 2.0), "clip": (0.01, 1.0), "group_size": (2, 32), "prompts": (4, 128),
    "epochs": (1, 8), "learning_rate": (1e-5, 5e-3), "steps": (5, 200), "decay": (0.0, 1.0),
}  # fmt: skip


@lab_config
class RLHFConfig:
    algorithm: str = "grpo"
    reward: str = "shallow"  # the verifier, or one of two reward models
    start: str = (
        "half"  # the policy to begin with: right in a third of its samples, or in a twentieth
    )
    beta: float = 0.0  # the price of leaving the reference, per nat
    kl_place: str = "reward"  # where that price is paid
    estimator: str = "k1"  # and by which estimate of the divergence
    clip: float = 0.2  # ε; without effect where a batch is used once
    group_size: int = 8  # G, answers to each sum
    prompts: int = 32  # Q, sums per step
    epochs: int = 2  # updates per batch of answers
    learning_rate: float = 3e-4
    steps: int = 60
    divide_by_spread: bool = True  # GRPO's; off, Dr. GRPO
    averaging: str = "token"
    decay: float = 0.95  # PPO: GAE's λ
    seed: int = 0

    def __post_init__(self):
        check_choices(self, CHOICES)
        check_limits(self, LIMITS)

    @property
    def loss_beta(self) -> float:
        return self.beta if self.kl_place == "loss" else 0.0

    @property
    def reward_beta(self) -> float:
        return self.beta if self.kl_place == "reward" else 0.0
