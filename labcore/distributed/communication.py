"""Collective operations: how much each device sends, and how long that takes.

n devices each hold `size` bytes (all-reduce), or end up with `size` bytes (all-gather), or hold `size`
bytes of which they keep an n-th (reduce-scatter) or give an n-th to each other device (all-to-all). On a
ring, n - 1 rounds pass pieces of size/n to the right-hand neighbour; an all-reduce is a reduce-scatter
followed by an all-gather. A message of B bytes costs α + B/β seconds: latency, then bytes over bandwidth.
"""

from dataclasses import dataclass

import numpy as np

from labcore.distributed.cluster import Cluster, Numbers, members_per_node, ring_bandwidth

# Rounds of a collective, in units of n - 1.
PASSES = {"all_reduce": 2, "reduce_scatter": 1, "all_gather": 1, "all_to_all": 1}


@dataclass(frozen=True, slots=True)
class Message:
    """What one device does in one communication, and with whom."""

    collective: str  # of PASSES, or "send"
    ways: Numbers  # devices that take part
    stride: Numbers  # ranks from one of them to the next
    sent_bytes: Numbers  # by each
    seconds: Numbers


def ring_bytes(collective: str, size: Numbers, n: Numbers) -> Numbers:
    """What each device sends: (n-1)/n of the data, twice for an all-reduce."""
    return PASSES[collective] * (n - 1) / n * size


def ring_seconds(
    collective: str, size: Numbers, n: Numbers, bandwidth: Numbers, latency_seconds: float
) -> Numbers:
    """n - 1 rounds (twice that for an all-reduce), each a latency and a piece of size/n."""
    rounds = PASSES[collective] * (n - 1)
    return rounds * (latency_seconds + size / n / bandwidth)


def ring(cluster: Cluster, collective: str, size: Numbers, n: Numbers, stride: Numbers) -> Message:
    """A ring collective among n devices, `stride` ranks apart."""
    bandwidth = ring_bandwidth(cluster, stride, n)
    seconds = ring_seconds(collective, size, n, bandwidth, cluster.latency_seconds)
    return Message(collective, n, stride, ring_bytes(collective, size, n), seconds)


def all_to_all(cluster: Cluster, size: Numbers, n: Numbers, stride: Numbers) -> Message:
    """A piece of size/n for every other device: to neighbours by link, to the rest by network."""
    members = members_per_node(cluster, stride, n)
    inside = (members - 1) * size / n / cluster.inside
    outside = (n - members) * size / n / cluster.outside
    seconds = (n - 1) * cluster.latency_seconds + inside + outside
    return Message("all_to_all", n, stride, ring_bytes("all_to_all", size, n), seconds)


def send(cluster: Cluster, size: Numbers, stride: Numbers) -> Message:
    """One message to the device `stride` ranks on."""
    bandwidth = np.where(stride < cluster.per_node, cluster.inside, cluster.outside)
    return Message("send", 2, stride, size, cluster.latency_seconds + size / bandwidth)
