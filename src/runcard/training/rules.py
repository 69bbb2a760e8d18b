"""What ``auto`` means: rules over network and machine, never timings, so that a card settles the same each time."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

# Multiplications and additions of a step below which threads wait for each other longer than they compute.
SMALL_STEP = 1e8
MAX_THREADS = 8
# What a Lightning batch should last at most, and how fast a thread or a GPU is taken to be: rough on purpose, for a
# signal is looked for after each minibatch anyway, and bits do not depend on it.
EXECUTION_S = 0.25
FLOPS_OF_THREAD, FLOPS_OF_GPU = 1e10, 1e13
SECONDS_OF_STEP = 2e-4
MOST_STEPS = 1024
# Rows of a minibatch at least and at most, and how many minibatches an epoch has at least where these let it; on a GPU
# a minibatch may be as large as the memory allows, of which half is left for what comes and goes.
LEAST_ROWS, MOST_ROWS, STEPS_OF_EPOCH = 16, 256, 20
LEAST_ROWS_OF_GPU, STEPS_OF_EPOCH_ON_GPU = 32, 10


def work(model: nn.Module, input_shape: tuple[int, ...], batch_size: int, *, ids: bool = False) -> float:
    """Multiplications and additions of a step: forward, and twice that backward.

    Args:
        model: On the meta device, so that nothing is computed; one that needs values, on the CPU.
        input_shape: Of one row.
        batch_size: Rows of a step.
        ids: Whether rows are token ids. These networks look at values, which the meta device does not have, so each
            weight is counted once a token, but those that are only looked up.
    """
    if ids:
        looked_up = sum(module.weight.numel() for module in model.modules() if isinstance(module, nn.Embedding))
        weights = sum(weight.numel() for weight in model.parameters()) - looked_up
        return 6.0 * weights * input_shape[0] * batch_size
    device = next((weight.device for weight in model.parameters()), torch.device("meta"))
    rows = torch.zeros((2, *input_shape), device=device)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.eval()(rows)
    return 3.0 * float(counter.get_total_flops()) / len(rows) * batch_size


def batch_size(rows: int) -> int:
    """For the processor: a power of two, 16 to 256, such that an epoch has 20 to 40 steps as far as these ends let it.

    Args:
        rows: Training rows.
    """
    power = 1 << (max(rows // STEPS_OF_EPOCH, 1).bit_length() - 1)
    return max(LEAST_ROWS, min(MOST_ROWS, power))


def batch_size_on_gpu(rows: int, fits: Callable[[int], bool]) -> int:
    """Doubled from 32 while an epoch keeps 10 steps; where the memory ends it, half of the largest that fitted.

    Args:
        rows: Training rows.
        fits: Whether a step of so many rows finds room.
    """
    size = LEAST_ROWS_OF_GPU
    while size > 1 and not fits(size):
        size //= 2
    if size < LEAST_ROWS_OF_GPU:
        return max(1, size // 2)
    while rows // (2 * size) >= STEPS_OF_EPOCH_ON_GPU:
        if not fits(2 * size):
            return size // 2
        size *= 2
    return size


def threads(flops: float, cores: int) -> int:
    """One for a small step, whatever the machine; else its cores, up to eight."""
    return 1 if flops < SMALL_STEP else max(1, min(cores, MAX_THREADS))


def steps_per_execution(flops: float, *, threads: int, gpu: bool) -> int:
    """As many minibatches as a quarter of a second may hold, 1 to 1,024."""
    seconds = SECONDS_OF_STEP + flops / (FLOPS_OF_GPU if gpu else FLOPS_OF_THREAD * threads)
    return max(1, min(MOST_STEPS, int(EXECUTION_S / seconds)))


def precision(gpu: bool) -> str | int:
    """bfloat16 where the GPU computes in it; its range is that of float32, so nothing needs scaling."""
    return "bf16-mixed" if gpu and torch.cuda.is_bf16_supported(including_emulation=False) else 32


def channels_last(images: bool, precision: str | int, *, gpu: bool) -> bool:
    """For tensor cores, which convolve half-precision images so and no other way."""
    return images and gpu and precision != 32
