"""The reader of pictures, made on top of the bundled towers: python -m labcore.recipes.picture_reader"""

import torch

from labcore import shipped
from labcore.vision.looking import bundled_pair
from labcore.vision.picture_reader import PictureReader
from labcore.vision.reader_training import TASKS, ReaderConfig, train
from labcore.vision.telling import ASSET, BUNDLED_MODE, bundled_reader

CONFIG = ReaderConfig(BUNDLED_MODE, steps=600)


def main() -> None:
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(CONFIG.seed)
    reader = PictureReader(bundled_pair().eye, CONFIG.mode, generator)
    for look in train(reader, CONFIG, every=200):
        print(look.step, round(look.loss_nats, 3), TASKS, look.right.round(2).tolist(), flush=True)
    halves = {name: weight.detach().half() for name, weight in reader.trained().items()}
    shipped.save(halves, ASSET)
    bundled_reader.cache_clear()
    print(ASSET.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
