"""What a bundle tells of the rows that it was learned from: nothing that is one person's, unless its card says so.

Minima and maxima are rounded outward. A category is named if so many training rows hold it that it is nobody's, and if
it is no sentence; of the others there are digests, by which the network still knows them (``runcard.data.withheld``).
"""

from __future__ import annotations

import math
import secrets
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from runcard.data.dataset import Dataset
from runcard.data.fields import plainly
from runcard.data.signature import Array, Feature, Signature, Target
from runcard.data.transforms import Transforms
from runcard.data.withheld import Withheld, digest_of

# Training rows that hold a category which is named.
LEAST_ROWS = 5
# Words of a category, on the average, from which on a column holds sentences that became categories.
SENTENCE_WORDS = 4
# Of a feature's range at most one part in so many is added at either end.
PARTS = 20
NICE = (1, 2, 5, 10)
TRUTH = ("true", "false")


def withhold(signature: Signature, data: Dataset) -> Signature:
    """The signature as strangers may see it.

    Args:
        signature: The run's.
        data: Its rows; the training part is counted.
    """
    train = data.indices("train")
    features = (_feature(one, data.rows.columns[one.name], train) for one in signature.features)
    return Signature(tuple(features), _target(signature.target))


def withhold_categories(transforms: Transforms, signature: Signature) -> Transforms:
    """The transforms, with digests in the places of the categories that a signature withholds."""
    if transforms.text is not None:
        return transforms
    content = transforms.to_dict()
    for step, feature in zip(content["features"], signature.features, strict=True):
        if feature.withheld is not None:
            step["categories"] = tuple(_hidden(text, feature) for text in step["categories"])
    return Transforms.from_dict(content, signature)


def round_outward(low: float, high: float) -> tuple[float, float]:
    """Ends that lie a little further out, on round numbers; equal ends stay.

    Returns:
        Each at most a twentieth of the range away, but for the next round number.
    """
    span = high - low
    if not 0 < span < math.inf:
        return low, high
    exponent = math.floor(math.log10(span / PARTS))
    step = next(part for part in NICE if part * 10.0**exponent >= span / PARTS * (1 - 1e-9))
    # By whole numbers of steps, written in decimal: 3 · 0.1 is 0.30000000000000004.
    ends = (math.floor(low / 10.0**exponent / step), math.ceil(high / 10.0**exponent / step))
    first, last = (float(f"{count * step}e{exponent}") for count in ends)
    return min(first, low), max(last, high)


def _feature(feature: Feature, values: Array, train: Array) -> Feature:
    if feature.kind == "category":
        return _category(feature, values[train])
    # Of pixels a PNG's black and white are made, and they are no secret; true and false are none either.
    if feature.low is None or feature.high is None or feature.kind in ("image", "boolean"):
        return feature
    low, high = round_outward(feature.low, feature.high)
    return replace(feature, low=low, high=high)


def _target(target: Target) -> Target:
    if target.low is None or target.high is None:
        return target
    low, high = round_outward(target.low, target.high)
    return replace(target, low=low, high=high)


def _category(feature: Feature, values: Array) -> Feature:
    named = _named(feature.categories, Counter(values.tolist()))
    hidden = [text for text in feature.categories if text not in named]
    if not hidden:
        return feature
    salt = secrets.token_hex(16)
    plain = [plainly(text) for text in feature.categories]
    found_by_value = all(plain) and len({*plain}) == len(plain)
    digests = tuple(digest_of(salt, text) for text in hidden)
    plains = tuple(digest_of(salt, plainly(text)) for text in hidden) if found_by_value else ()
    listed = tuple(text for text in feature.categories if text in named)
    return replace(feature, categories=listed, withheld=Withheld(salt, digests, plains))


def _named(categories: tuple[str, ...], counts: Mapping[str, int]) -> frozenset[str]:
    """The categories that may be read by strangers."""
    truths = {text for text in categories if plainly(text) in TRUTH}
    if sum(len(text.split()) for text in categories) >= SENTENCE_WORDS * len(categories):
        return frozenset(truths)
    return frozenset(truths | {text for text in categories if counts[text] >= LEAST_ROWS})


def _hidden(text: str, feature: Feature) -> str:
    withheld = feature.withheld
    assert withheld is not None
    return text if text in feature.categories else digest_of(withheld.salt, text)
