"""The recordings of chapter 3, fine-tuning and alignment."""

from functools import partial

from app.recorded.entry import Entry
from labcore.tuning import (
    constitution,
    dpo,
    dpo_study,
    gradient_noise,
    hf_beside,
    hf_run,
    hf_study,
    jailbreaks,
    later_tuning,
    lora_arithmetic,
    lora_frontier,
    lora_rates,
    lora_spectrum,
    refusal,
    refusal_direction,
    refusal_tradeoff,
    reward,
    reward_study,
    rlhf,
    rlhf_config,
    rlhf_study,
    sft,
    sft_smollm2,
    sft_study,
    tune,
)
from labcore.tuning.reward_model import KINDS

ENTRIES: tuple[Entry, ...] = (
    Entry("sft", "default", lambda: sft.without_weights(sft.run(sft.SFTConfig())), 0),
    Entry("sft", "study", sft_study.study, 0),
    Entry("sft", "smollm2", lambda: sft_smollm2.run(sft_smollm2.RealConfig()), 0),
    Entry("lora", "default", lambda: tune.run(tune.TuneConfig()), 0),
    Entry("lora", "rates", lora_rates.study, 0),
    Entry("lora", "frontier", lora_frontier.frontier, 0),
    Entry("lora", "spectrum", lora_spectrum.study, 0),
    Entry("lora", "arithmetic", lora_arithmetic.study, 0),
    Entry("hf", "default", lambda: hf_run.run(hf_run.HFConfig()), 0),
    Entry("hf", "longer", lambda: hf_run.run(hf_study.LONGER), 0),
    Entry("hf", "study", hf_study.study, 0),
    Entry("hf", "beside", lambda: hf_beside.run(hf_beside.BesideConfig()), 0),
    Entry("hf", "formats", lambda: hf_study.run_weigh(hf_study.FormatsConfig()), 0),
    *(
        Entry("reward", kind, partial(reward.run, reward.RewardConfig(kind)), 0)
        for kind in KINDS
    ),
    Entry("reward", "strangers", reward_study.strangers, 0),
    Entry("reward", "study", reward_study.study, 0),
    Entry("rlhf", "ability", rlhf_study.ability, 0),
    Entry("rlhf", "noise", gradient_noise.study, 0),
    Entry("rlhf", "default", lambda: rlhf.run(rlhf_config.RLHFConfig()), 0),
    Entry("rlhf", "hacking", rlhf_study.hacking, 0),
    Entry("dpo", "default", lambda: dpo.run(dpo.DPOConfig()), 0),
    Entry("dpo", "study", dpo_study.study, 0),
    Entry("safety", "default", lambda: refusal.run(refusal.RefusalConfig()), 0),
    Entry("safety", "tradeoff", refusal_tradeoff.study, 0),
    Entry("safety", "attacks", jailbreaks.study, 0),
    Entry("safety", "direction", refusal_direction.study, 0),
    Entry("safety", "later", later_tuning.study, 0),
    Entry("safety", "constitution", constitution.study, 0),
)  # fmt: skip
