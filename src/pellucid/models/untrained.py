"""What the ready networks answer where a program asks for weights that others have trained."""

from __future__ import annotations

from typing import Any

from pellucid.base.errors import ArgumentError


def untrained(name: str, options: dict[str, Any]) -> dict[str, Any]:
    """``options`` without torchvision's ``weights``, ``pretrained`` and ``progress``.

    Raises :class:`ArgumentError` where weights are asked for: nothing is fetched behind a
    program's back.  A file of them can be read with ``load_state_dict``, as names and shapes are
    torchvision's.
    """
    options = dict(options)
    options.pop("progress", None)
    for key in ("weights", "pretrained", "weights_backbone"):
        asked = options.pop(key, None)
        if asked is not None and asked is not False:
            raise ArgumentError(
                f"{name} got {key}={asked!r}: trained weights are not fetched",
                f"leave it out and call model.load_state_dict(pellucid.load({name + '.pth'!r}))",
            )
    return options
