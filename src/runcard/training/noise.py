"""Noise, of dropout say, as a pure function of the seed and the number of minibatches done."""

from __future__ import annotations

import torch

WORD = 2**64 - 1


def reseed(seed: int, minibatch: int, rank: int = 0) -> None:
    """Begin torch's random numbers anew for a minibatch.

    Reseeding the generators themselves takes a microsecond; ``torch.manual_seed`` takes seventy.

    Args:
        seed: The card's.
        minibatch: How many were done before.
        rank: The process among those that share a minibatch, from 0.
    """
    mixed = mix(mix(seed) + minibatch * 2**10 + rank)
    torch.default_generator.manual_seed(mixed)
    if torch.cuda.is_initialized():
        torch.cuda.default_generators[torch.cuda.current_device()].manual_seed(mixed)


def mix(number: int) -> int:
    """Spread a number over 64 bits, so that neighbours share nothing (splitmix64; Steele, Lea and Flood 2014)."""
    number = (number + 0x9E3779B97F4A7C15) & WORD
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & WORD
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & WORD
    return number ^ (number >> 31)
