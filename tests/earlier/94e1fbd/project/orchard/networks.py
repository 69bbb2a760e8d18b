from torch import nn


class Blend(nn.Module):
    def __init__(self, input_shape, outputs: int, width: int = 8) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(input_shape[0], width), nn.ReLU(), nn.Linear(width, outputs))

    def forward(self, rows):
        return self.layers(rows)


class Median(Blend):
    def forward(self, rows):
        return super().forward(rows - rows.median(1, keepdim=True).values)
