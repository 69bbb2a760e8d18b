"""Weights cut into shares, one a process, and whole tensors again for a checkpoint.

As in ZeRO (Rajbhandari et al. 2020) and FSDP (Zhao et al. 2023): each process keeps a share of the weights, of their
gradients and of what the optimizer knows of them, and borrows the rest of a layer for the time that it computes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from pytorch_lightning.strategies import DDPStrategy
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor


class Sharded(DDPStrategy):
    """Lightning's processes and their group; the network in shares in place of a copy for each.

    Not Lightning's own for it: that one wants the network made by a hook of its own, and keeps no whole checkpoint.
    """

    def configure_ddp(self) -> None:
        """Cut the network, which is on the device by now and has no optimizer yet."""
        assert self.lightning_module is not None
        assert isinstance(self.lightning_module.model, nn.Module)
        shard(self.lightning_module.model, self.root_device, self.world_size)


def shard(model: nn.Module, device: torch.device, processes: int) -> None:
    """Cut a network in place, layer by layer where it has a list of them; all processes must call it."""
    mesh = init_device_mesh(device.type, (processes,))
    lists = [module for module in model.modules() if isinstance(module, nn.ModuleList)]
    for module in reversed(lists):  # from the inside out
        for layer in module:
            if not isinstance(layer, nn.ModuleList | nn.ModuleDict):  # which compute nothing themselves
                fully_shard(layer, mesh=mesh, reshard_after_forward=True)
    fully_shard(model, mesh=mesh, reshard_after_forward=True)


def is_sharded(model: nn.Module) -> bool:
    """Whether its weights are in shares, so that all processes have to take part in looking at them."""
    return any(isinstance(weight, DTensor) for weight in model.parameters())


def whole(content: Any) -> Any:
    """Plain values with each share in them replaced by the whole tensor, on the CPU; all processes must call it."""
    if isinstance(content, DTensor):
        return content.full_tensor().cpu()  # one after the other: together they need not fit a GPU
    if isinstance(content, Mapping):
        return {name: whole(value) for name, value in content.items()}
    if isinstance(content, list | tuple):
        return type(content)(whole(value) for value in content)
    return content


def share(tensor: Tensor, like: Tensor) -> Tensor:
    """A whole tensor where and as another one is: on its device, of its type, this process's share of it."""
    if not isinstance(like, DTensor):
        return tensor.to(like)
    placed = tensor.to(like.device, like.dtype)
    # Each process has the whole: nothing needs to be sent.
    return distribute_tensor(placed, like.device_mesh, like.placements, src_data_rank=None)


def shares(tensors: Mapping[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """Whole tensors by name as a network's ``load_state_dict`` takes them."""
    there = model.state_dict()
    return {name: share(tensor, there[name]) if name in there else tensor for name, tensor in tensors.items()}


def optimizer_shares(content: Mapping[str, Any], weights: Sequence[Tensor]) -> dict[str, Any]:
    """What an optimizer's ``state_dict`` was as a whole, as its ``load_state_dict`` takes it.

    Args:
        content: With plain tensors.
        weights: The optimizer's, in its order; what has a weight's shape is cut as the weight is.
    """
    state = {
        number: {
            name: share(value, weights[number])
            if isinstance(weights[number], DTensor) and value.shape == weights[number].shape and value.dim()
            else value
            for name, value in values.items()
        }
        for number, values in content["state"].items()
    }
    return {**content, "state": state}
