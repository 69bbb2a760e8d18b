from pathlib import Path

import numpy as np


class Harvest:
    def __init__(self, file: str) -> None:
        self.path = Path(__file__).parents[1] / file

    def columns(self) -> list[str]:
        return ["spectrum", "grams", "sort"]

    def read(self):
        with np.load(self.path) as arrays:
            return {name: arrays[name] for name in self.columns()}
