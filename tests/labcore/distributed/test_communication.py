"""Collectives: a ring carried out number by number against the formulas, and links by hand."""

import numpy as np
import pytest

from labcore.distributed.cluster import DEVICES, Cluster, members_per_node, ring_bandwidth
from labcore.distributed.communication import all_to_all, ring, ring_bytes, ring_seconds, send
from labcore.errors import LabInputError


def ring_all_reduce(data: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """n devices with n pieces each: pass a piece on and add it, n - 1 times; then pass sums on, n - 1 times.

    (n, n, piece) -> the same shape, and how many numbers each device sent.
    """
    data, n = data.copy(), len(data)
    sent = np.zeros(n)
    for round_ in range(n - 1):
        moving = [data[rank, (rank - round_) % n].copy() for rank in range(n)]
        for rank in range(n):
            data[(rank + 1) % n, (rank - round_) % n] += moving[rank]
            sent[rank] += moving[rank].size
    for round_ in range(n - 1):
        moving = [data[rank, (rank + 1 - round_) % n].copy() for rank in range(n)]
        for rank in range(n):
            data[(rank + 1) % n, (rank + 1 - round_) % n] = moving[rank]
            sent[rank] += moving[rank].size
    return data, sent


@pytest.mark.parametrize("n", [1, 2, 3, 8])
def test_a_ring_all_reduce_sums_and_sends_what_the_formula_says(n):
    """2(n-1)/n of the data from each device, and every device ends with the sum."""
    data = np.arange(n * n * 5, dtype=float).reshape(n, n, 5)
    result, sent = ring_all_reduce(data)
    assert np.array_equal(result, np.broadcast_to(data.sum(axis=0), data.shape))
    assert sent.tolist() == [ring_bytes("all_reduce", n * 5, n)] * n


def test_an_all_reduce_is_a_reduce_scatter_and_an_all_gather():
    for n in (1, 2, 7, 64):
        halves = [ring_bytes(half, 1e9, n) for half in ("reduce_scatter", "all_gather")]
        assert sum(halves) == pytest.approx(ring_bytes("all_reduce", 1e9, n))


def test_seconds_by_hand():
    """8 devices, 80 MB, 100 GB/s, 10 µs: 14 rounds of 10 µs + 10 MB / 100 GB/s = 14 · 110 µs."""
    assert ring_seconds("all_reduce", 80e6, 8, 100e9, 10e-6) == pytest.approx(14 * 110e-6)


def test_alone_there_is_nothing_to_send():
    cluster = Cluster(DEVICES["h100"], 2, 8)
    assert float(ring(cluster, "all_reduce", 1e9, 1, 1).seconds) == 0
    assert float(all_to_all(cluster, 1e9, 1, 1).sent_bytes) == 0


@pytest.fixture
def cluster() -> Cluster:
    """4 nodes of 8, links of 300 GB/s, cards of 25 GB/s, everything reached in full."""
    return Cluster(DEVICES["a100-80"], 4, 8, 25e9, link_share=1.0, latency_seconds=0.0)


@pytest.mark.parametrize(
    ("stride", "size", "members", "bandwidth"),
    [
        (1, 8, 8, 300e9),  # a node
        (1, 4, 4, 300e9),  # half a node
        (8, 4, 1, 25e9),  # one device per node: its own card
        (2, 16, 4, 100e9),  # four per node share four cards
        (1, 32, 8, 200e9),  # everybody: eight cards per node
        (8, 1, 1, 300e9),  # nobody else; its bandwidth is never used
    ],
)
def test_how_a_ring_runs_through_nodes_and_cards(cluster, stride, size, members, bandwidth):
    assert int(members_per_node(cluster, stride, size)) == members
    assert float(ring_bandwidth(cluster, stride, size)) == bandwidth


def test_a_network_is_never_faster_than_the_links(cluster):
    fast = Cluster(DEVICES["l40s"], 2, 8, network_bandwidth=100e9, link_share=1.0)
    assert fast.outside == fast.inside == 32e9


def test_all_to_all_pays_links_and_cards_apart(cluster):
    """16 devices in two nodes, 16 MB each: 7 pieces of 1 MB by link, 8 by card."""
    message = all_to_all(cluster, 16e6, 16, 1)
    assert float(message.seconds) == pytest.approx(7e6 / 300e9 + 8e6 / 25e9)
    assert float(message.sent_bytes) == pytest.approx(15e6)


def test_a_send_uses_the_link_within_and_the_card_between_nodes(cluster):
    assert float(send(cluster, 3e9, 4).seconds) == pytest.approx(0.01)
    assert float(send(cluster, 3e9, 8).seconds) == pytest.approx(0.12)


@pytest.mark.parametrize("field", ["nodes", "per_node"])
def test_an_empty_cluster_is_refused(field):
    with pytest.raises(LabInputError, match=field):
        Cluster(DEVICES["h100"], **{field: 0})


@pytest.mark.parametrize("device", DEVICES.values(), ids=lambda device: device.title)
def test_figures_are_of_the_right_size(device):
    """A slip of a power of ten, or of both directions for one, would show: these machines do 50 to 700
    operations in the time that they read a byte, and links are slower than memory."""
    assert 50 < device.peak_flops / device.memory_bandwidth < 700
    assert device.link_bandwidth < device.memory_bandwidth
    assert 16e9 <= device.memory_bytes <= 300e9
