"""Networks and weights of the package transformers, which is imported only where a card asks for one.

A name is a repository of the Hugging Face hub, such as ``google/vit-base-patch16-224``, or a local folder. Weights are
read from safetensors alone: no pickle, and no code from a repository, is ever run.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from runcard.advice import advise
from runcard.errors import CardError
from runcard.files import sha256

WEIGHTS, TOKENIZER = "*.safetensors", "tokenizer.json"
# Classes that the package finds a network by.
IMAGES, TEXTS = "AutoModelForImageClassification", "AutoModelForSequenceClassification"
# Of a description, what says nothing of the network, or follows from the data.
UNSAID = ("architectures", "dtype", "id2label", "label2id", "num_labels", "problem_type", "transformers_version")
NO_TOKENIZER = (
    f"it has no {TOKENIZER}, which text is cut up with. If it has a tokenizer of another form, transformers' "
    "AutoTokenizer.from_pretrained(...).save_pretrained(FOLDER) writes one"
)
# Counted by torch for its own use; older weights lack it.
COUNTER = "num_batches_tracked"


def library() -> Any:
    """The package.

    Raises:
        CardError: If it is not installed.
    """
    try:
        import transformers
    except ImportError as error:
        command = advise("pip", "install", "runcard[transformers]")
        raise CardError(f"model: this one needs a package that is not installed: {command}") from error
    return transformers


def pinned(name: str, revision: str | None) -> dict[str, str]:
    """A name, and which version of what it names, so that the same card means the same weights tomorrow.

    Args:
        name: A repository, or a local folder.
        revision: What the card says; None: the newest.

    Returns:
        ``name``, of a folder its full path; ``revision``, the commit, or of a folder the SHA-256 of its weights, and
        of its tokenizer if it has one.

    Raises:
        CardError: If there is nothing of this name, or the folder's weights are no longer those of the card.
    """
    if not Path(name).is_dir():
        commit = getattr(described(name, revision), "_commit_hash", None)
        return {"name": name, "revision": commit or revision or "main"}
    folder = Path(name).absolute()
    files = sorted(folder.glob(WEIGHTS))
    if not files:
        raise CardError(f"model: the folder {name} holds no weights: there is no {WEIGHTS} in it")
    files += [folder / TOKENIZER] if (folder / TOKENIZER).is_file() else []
    found = sha256(file.read_bytes() for file in files)
    if revision not in (None, found):
        raise CardError(f"model.revision: the weights in {name} are no longer those of the card. Set it to null.")
    return {"name": str(folder), "revision": found}


def described(name: str, revision: str | None) -> Any:
    """The description of a network by name, without its weights.

    Raises:
        CardError: If there is none, or the hub cannot be reached.
    """
    with _plainly(name):
        return library().AutoConfig.from_pretrained(name, **_version(name, revision))


def plain(config: Any) -> dict[str, Any]:
    """A description as plain values, for the card; without what only this data decides."""
    values: dict[str, Any] = config.to_diff_dict()
    return {key: value for key, value in values.items() if key not in UNSAID and not key.startswith("_")}


def restored(values: Mapping[str, Any], **more: Any) -> Any:
    """A description out of ``plain`` values.

    Raises:
        CardError: If they describe no network.
    """
    with _plainly("model.config"):
        return library().AutoConfig.for_model(**{**values, **more})


def tokenizer(name: str, revision: str | None) -> str:
    """The text of the ``tokenizer.json`` of a network by name; nothing else is taken for a tokenizer.

    Raises:
        CardError: If there is none, or the hub cannot be reached.
    """
    if Path(name).is_dir():
        path = Path(name) / TOKENIZER
        if not path.is_file():
            raise CardError(f"model: {name}: {NO_TOKENIZER}")
        return path.read_text(encoding="utf-8")
    with _plainly(name):
        found = library().utils.cached_file(name, TOKENIZER, revision=revision or "main")
        return Path(found).read_text(encoding="utf-8")


def made(config: Any, auto: str = IMAGES) -> nn.Module:
    """A classifier with random weights.

    Args:
        config: Its description.
        auto: ``IMAGES`` or ``TEXTS``.

    Raises:
        CardError: If this is no description of such a classifier.
    """
    kind = getattr(library(), auto)
    with _plainly(config.model_type):
        network = kind.from_config(config, dtype=torch.float32, trust_remote_code=False)
    return _tamed(network)


def loaded(config: Any, name: str, revision: str | None, auto: str = IMAGES) -> nn.Module:
    """A classifier with the weights of a name; the layer that answers begins at random if it does not fit.

    Args:
        config: Its description.
        name: Whose weights.
        revision: Which version of them.
        auto: ``IMAGES`` or ``TEXTS``.

    Raises:
        CardError: If there are no such weights, they fit another network, or the hub cannot be reached.
    """
    kind = getattr(library(), auto)
    with _plainly(name):
        network, report = kind.from_pretrained(
            name,
            config=config,
            dtype=torch.float32,
            use_safetensors=True,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
            **_version(name, revision),
        )
    lacking = [*report["missing_keys"], *(key for key, *_ in report["mismatched_keys"])]
    inside = f"{network.base_model_prefix}."
    # A text's pooler is a part of what answers: weights that were made by guessing words have none.
    free = f"{inside}pooler." if auto == TEXTS else "\0"
    unfit = sorted(k for k in lacking if k.startswith(inside) and not k.startswith(free) and not k.endswith(COUNTER))
    if unfit:
        raise CardError(
            f"model: the weights of {name} are not for this network: {len(unfit)} of its tensors, such as {unfit[0]}, "
            "have another shape or are missing. Give the sizes that the weights were made with."
        )
    return _tamed(network)


def backbone(network: nn.Module) -> nn.Module:
    """All of a classifier but the layers that answer.

    Raises:
        CardError: If they cannot be told apart.
    """
    found = network.base_model
    if found is network or not isinstance(found, nn.Module):
        way = advise("model.freeze=false")
        raise CardError(f"model.freeze: nothing of this network would be left to learn. Set {way}.")
    return found


def _tamed(network: nn.Module) -> nn.Module:
    for module in network.modules():
        # As TensorFlow counts it: in torch it means that the last batch alone decides what evaluation uses.
        if isinstance(module, nn.BatchNorm2d) and module.momentum is not None and module.momentum > 0.5:
            module.momentum = 0.1
    return network.train()


def _version(name: str, revision: str | None) -> dict[str, Any]:
    return {"trust_remote_code": False} | ({} if Path(name).is_dir() else {"revision": revision or "main"})


@contextlib.contextmanager
def _plainly(name: str) -> Iterator[None]:
    """Without the package's bars and warnings; what it refuses is said in one line."""
    said = library().utils.logging
    level, bars = said.get_verbosity(), said.is_progress_bar_enabled()
    hub = logging.getLogger("huggingface_hub")
    before = hub.level
    said.set_verbosity_error()
    said.disable_progress_bar()
    hub.setLevel(logging.ERROR)
    try:
        yield
    except Exception as error:  # the package's errors share no class of their own
        raise CardError(f"model: {name}: {_reason(error)}") from error
    finally:
        said.set_verbosity(level)
        hub.setLevel(before)
        if bars:
            said.enable_progress_bar()


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    if "couldn't connect" in text or "offline" in text.lower():
        return "it is no local folder, and the hub cannot be reached; without network name a folder"
    if "valid model identifier" in text:
        return "it is no local folder, and the hub has none of this name, or does not show it to you"
    if f"have a file named {TOKENIZER}" in text:
        return NO_TOKENIZER
    return text.partition(". ")[0].removesuffix(".")
