"""FlashAttention: a softmax that never holds its row, tiles, exactness, time and memory, the way back."""

from app.labs.inference import (
    flash_backward,
    flash_exact,
    flash_online,
    flash_tiles,
    flash_time,
)
from app.page import LabPage
from labcore.serving import on_chip, online_softmax, tile_backward, tile_exactness, tiled_attention

SHOWN = (
    online_softmax.naive_softmax, online_softmax.safe_softmax, tiled_attention.take_in,
    online_softmax.online, tiled_attention.tiled_attention, tiled_attention.tiled_moves,
    on_chip.tile_bytes, tile_exactness.forgetful, tile_backward.backward,
)  # fmt: skip

PARTS = {
    "online": flash_online, "tiles": flash_tiles, "exact": flash_exact, "time": flash_time,
    "backward": flash_backward,
}  # fmt: skip


def experiment(page: LabPage) -> None:
    part = page.choice("part", tuple(PARTS), "online")
    page.caption(f"part.{part}")
    PARTS[part].draw(page)
