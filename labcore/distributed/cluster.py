"""Devices, links, and how a ring runs through them.

All figures are the makers' own. Bandwidth is bytes per second, per device, in ONE direction; data sheets
advertise both directions added up, so NVLink's "900 GB/s" stands here as 450e9. Memory and bandwidth are
decimal (1 GB = 1e9 bytes). Peaks are dense: what sheets call "with sparsity" is twice that.
"""

from dataclasses import dataclass

import numpy as np

from labcore.configs import lab_config
from labcore.errors import LabInputError

Numbers = int | float | np.ndarray  # every formula here takes one plan or a hundred thousand


@dataclass(frozen=True, slots=True)
class Device:
    title: str
    memory_bytes: float
    peak_flops: float  # 16-bit matrix products with 32-bit sums, dense
    memory_bandwidth: float
    link_bandwidth: float  # to the other devices of its node
    source: str
    peak_share: float = 0.6  # of the peak that large products reach; see `published`


DEVICES: dict[str, Device] = {
    "v100": Device("NVIDIA V100 32 GB", 32e9, 125e12, 0.9e12, 150e9, "V100 SXM2 data sheet", 0.7),
    "a100-40": Device("NVIDIA A100 40 GB", 40e9, 312e12, 1.555e12, 300e9, "A100 SXM data sheet", 0.7),
    "a100-80": Device("NVIDIA A100 80 GB", 80e9, 312e12, 2.039e12, 300e9, "A100 SXM data sheet", 0.7),
    "h800": Device("NVIDIA H800 80 GB", 80e9, 989e12, 3.35e12, 200e9, "arXiv:2412.19437; NVLink 400 GB/s"),
    "h100": Device("NVIDIA H100 80 GB", 80e9, 989e12, 3.35e12, 450e9, "H100 SXM data sheet"),
    "h200": Device("NVIDIA H200 141 GB", 141e9, 989e12, 4.8e12, 450e9, "H200 SXM data sheet"),
    "b200": Device("NVIDIA B200 180 GB", 180e9, 2250e12, 8e12, 900e9, "HGX B200 data sheet"),
    "mi300x": Device("AMD MI300X 192 GB", 192e9, 1307e12, 5.3e12, 448e9, "MI300X data sheet"),
    "l40s": Device("NVIDIA L40S 48 GB (PCIe 4)", 48e9, 362e12, 0.864e12, 32e9, "L40S data sheet"),
    "rtx4090": Device("NVIDIA RTX 4090 24 GB (PCIe 4)", 24e9, 165e12, 1.008e12, 32e9, "Ada white paper"),
}  # fmt: skip

# Networks between nodes: one card per device, as in the usual training node.
NETWORKS: dict[str, float] = {
    "ethernet-25": 25e9 / 8,
    "ethernet-100": 100e9 / 8,
    "network-200": 200e9 / 8,
    "network-400": 400e9 / 8,
    "network-800": 800e9 / 8,
}


@lab_config
class Cluster:
    """`nodes` machines of `per_node` devices: fast links inside a node, network cards between nodes."""

    device: Device
    nodes: int = 1
    per_node: int = 8
    network_bandwidth: float = NETWORKS["network-400"]
    link_share: float = 0.8  # of the advertised bandwidth that large messages reach
    latency_seconds: float = 10e-6  # before the first byte of a message moves

    def __post_init__(self):
        for name in ("nodes", "per_node"):
            if getattr(self, name) < 1:
                raise LabInputError(name, getattr(self, name), "at_least", limit=1)

    @property
    def devices(self) -> int:
        return self.nodes * self.per_node

    @property
    def inside(self) -> float:
        """Bytes per second that a device really gets from its neighbours in the node."""
        return self.device.link_bandwidth * self.link_share

    @property
    def outside(self) -> float:
        """The same through its network card; a network faster than the links would be no bottleneck."""
        return min(self.network_bandwidth, self.device.link_bandwidth) * self.link_share


def members_per_node(cluster: Cluster, stride: Numbers, size: Numbers) -> Numbers:
    """How many of a group's `size` devices, each `stride` ranks after the last, share a node.

    Ranks are numbered tensor-parallel first, pipeline stage last, so a group with a small stride is
    close together.
    """
    return np.clip(cluster.per_node // stride, 1, size)


def ring_bandwidth(cluster: Cluster, stride: Numbers, size: Numbers) -> Numbers:
    """Bytes per second around the ring of a group.

    Inside one node it is that of the links. A ring over several nodes leaves each node once; the
    `members` devices it has there carry that traffic on their network cards together.
    """
    members = members_per_node(cluster, stride, size)
    across = np.minimum(cluster.inside, members * cluster.outside)
    return np.where(members == size, cluster.inside, across)
