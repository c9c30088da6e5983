"""The knobs of the planner: model, cluster, batch, and what is taken for granted."""

import streamlit as st

from app.page import LabPage
from labcore.distributed.cluster import DEVICES, NETWORKS
from labcore.distributed.memory import OPTIMIZER_BYTES
from labcore.distributed.planner import PlannerConfig
from labcore.distributed.schedules import SCHEDULES
from labcore.distributed.workload import plannable
from labcore.model.presets import PRESETS

DEFAULT = PlannerConfig()
PER_NODE = ("1", "2", "4", "8", "16", "72")
MOST_NODES = 4096
SEQUENCES = tuple(str(2**k) for k in range(9, 18))  # 512 to 131,072 tokens
BATCHES = tuple(str(2**k) for k in range(16, 26))  # 65,536 to 33,554,432 tokens


def thousands(tokens: str) -> str:
    """
    >>> thousands("2048"), thousands("4194304"), thousands("512")
    ('2K', '4M', '512')
    """
    count = int(tokens)
    if count >= 2**20:
        return f"{count >> 20}M"
    return f"{count >> 10}K" if count >= 1024 else tokens


def knobs(page: LabPage) -> PlannerConfig:
    """What is to be trained, on what, and how the pipeline is run. LabInputError if it cannot be."""
    titles = plannable()
    first = st.columns(4)
    with first[0]:
        preset = page.choice("preset", tuple(titles), DEFAULT.preset, "select", titles.get)
    with first[1]:
        device = page.choice(
            "device", tuple(DEVICES), DEFAULT.device, "select", lambda name: DEVICES[name].title
        )
    with first[2]:
        nodes = page.number("nodes", 1, MOST_NODES, DEFAULT.nodes)
    with first[3]:
        per_node = page.choice("per_node", PER_NODE, str(DEFAULT.per_node), "select", str)
    second = st.columns(4)
    with second[0]:
        network = page.choice("network", tuple(NETWORKS), DEFAULT.network, "select")
    with second[1]:
        sequence = pick_sequence(page, preset)
    with second[2]:
        batches = tuple(batch for batch in BATCHES if int(batch) >= sequence)
        batch = page.choice("batch_tokens", batches, str(DEFAULT.batch_tokens), "select", thousands)
    with second[3]:
        schedule = page.choice("schedule", SCHEDULES, DEFAULT.schedule, "select")
    with st.expander(page.text("assumptions"), key="planner-assumptions"):
        page.caption("assumptions.about")
        details = assumptions(page, device, schedule)
    return PlannerConfig(
        preset, device, nodes, int(per_node), network, int(batch), sequence, schedule, **details
    )


def pick_sequence(page: LabPage, preset: str) -> int:
    """No longer than learned positions reach."""
    config = PRESETS[preset].config
    most = config.max_positions if config.positions == "learned" else float("inf")
    options = [length for length in SEQUENCES if int(length) <= most]
    default = str(min(DEFAULT.sequence, int(options[-1])))
    return int(page.choice("sequence", options, default, "select", thousands))


def follow_device(page: LabPage, device: str) -> None:
    """Another device brings its own share of the peak; a link's value for the first one stays."""
    slot = "planner.device.opened"
    if st.session_state.get(slot, device) != device:
        page.controls.set("peak_share", DEVICES[device].peak_share)
    st.session_state[slot] = device


def assumptions(page: LabPage, device: str, schedule: str) -> dict:
    """What no formula knows: shares of published figures that are reached, and choices of software."""
    follow_device(page, device)
    own_share = DEVICES[device].peak_share
    columns = st.columns(3)
    with columns[0]:
        shares = {
            "peak_share": page.slider("peak_share", 0.2, 1.0, own_share, 0.05),
            "attention_share": page.slider(
                "attention_share", 0.1, 1.0, DEFAULT.attention_share, 0.05
            ),
            "reserve": page.slider("reserve", 0.0, 0.4, DEFAULT.reserve, 0.02),
        }
        flash = page.toggle("flash", DEFAULT.flash)
    with columns[1]:
        links = {
            "link_share": page.slider("link_share", 0.2, 1.0, DEFAULT.link_share, 0.05),
            "overlap": page.slider("overlap", 0.0, 1.0, DEFAULT.overlap, 0.05),
            "tensor_overlap": page.slider("tensor_overlap", 0.0, 1.0, DEFAULT.tensor_overlap, 0.05),
        }
        sequence_parallel = page.toggle("sequence_parallel", DEFAULT.sequence_parallel)
    with columns[2]:
        latency = page.slider("latency_us", 0.0, 100.0, DEFAULT.latency_us, 1.0)
        optimizer = page.choice("optimizer", tuple(OPTIMIZER_BYTES), DEFAULT.optimizer, "select")
        gradients = page.choice("gradient_bytes", ("2", "4"), str(DEFAULT.gradient_bytes))
        chunks = DEFAULT.chunks
        if schedule == "interleaved":
            chunks = page.slider("chunks", 2, 8, DEFAULT.chunks)
    return {
        **shares, **links, "flash": flash, "sequence_parallel": sequence_parallel,
        "latency_us": latency, "optimizer": optimizer, "gradient_bytes": int(gradients),
        "chunks": chunks,
    }  # fmt: skip
