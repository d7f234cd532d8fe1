"""Other people's formats."""

from typing import TYPE_CHECKING

from pellucid.base.faces import lazy_face

if TYPE_CHECKING:
    from pellucid.interop import safetensors as safetensors
    from pellucid.interop.safetensors import load_file as load_file
    from pellucid.interop.safetensors import load_metadata as load_metadata
    from pellucid.interop.safetensors import save_file as save_file
    from pellucid.interop.weights import load_weights as load_weights
    from pellucid.interop.weights import save_sharded as save_sharded

__all__ = [
    "load_file",
    "load_metadata",
    "load_weights",
    "safetensors",
    "save_file",
    "save_sharded",
]

_PLACES = {
    "load_file": "pellucid.interop.safetensors",
    "load_metadata": "pellucid.interop.safetensors",
    "safetensors": "pellucid.interop.safetensors",
    "load_weights": "pellucid.interop.weights",
    "save_file": "pellucid.interop.safetensors",
    "save_sharded": "pellucid.interop.weights",
}
"""Public name → the module that defines it; it is loaded when the name is first used."""

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_face(__name__, _PLACES)
