"""What the ready networks answer where a program asks for weights that others have trained."""

from __future__ import annotations

import enum
from functools import cache
from typing import Any

from pellucid.base.errors import ArgumentError, NamingError


def untrained(name: str, options: dict[str, Any], num_classes: object = 1000) -> dict[str, Any]:
    """``options`` with ``num_classes``, without torchvision's ``weights``, ``pretrained`` and
    ``progress``.

    A bool, None or :class:`Weights` in the place of ``num_classes`` is what older programs ask for:
    whether weights are wanted.  Raises :class:`ArgumentError` where they are: nothing is fetched
    behind a program's back.  A file of them can be read with ``load_state_dict``, as names and
    shapes are torchvision's.
    """
    options = {"num_classes": num_classes, **options}
    if num_classes is None or isinstance(num_classes, (bool, str, Weights)):
        options["num_classes"] = 1000
        refuse_weights(name, num_classes)
    options.pop("progress", None)
    for key in ("weights", "pretrained", "weights_backbone"):
        refuse_weights(name, options.pop(key, None), key=key)
    return options


def refuse_weights(
    name: str, weights: object, pretrained: object = False, key: str = "weights"
) -> None:
    """Raise :class:`ArgumentError` where trained weights are asked for."""
    for word, asked in ((key, weights), ("pretrained", pretrained)):
        if asked is not None and asked is not False:
            raise ArgumentError(
                f"{name} got {word}={asked!r}: trained weights are not fetched",
                f"leave it out and call model.load_state_dict(pellucid.load({name + '.pth'!r}))",
            )


class Weights(enum.Enum):
    """Names of trained weights, such as ``ResNet18_Weights.DEFAULT``; the files are not fetched."""

    def get_state_dict(self, *args: object, **settings: object) -> None:
        """Raises :class:`ArgumentError`: the file is not fetched."""
        refuse_weights(str(self), self)


@cache
def weights_named(name: str) -> type[Weights]:
    """The names of the weights of one network, by the name of its class in torchvision."""
    members = {"IMAGENET1K_V1": "IMAGENET1K_V1", "IMAGENET1K_V2": "IMAGENET1K_V2"}
    make: Any = Weights  # calling an enumeration without members makes one that derives from it
    made: type[Weights] = make(name, {**members, "DEFAULT": "IMAGENET1K_V1"})
    return made


def unknown(name: str) -> NamingError:
    """The error for a network that is not here."""
    return NamingError(f"there is no network {name!r}", "see pellucid.models.list_models()")
