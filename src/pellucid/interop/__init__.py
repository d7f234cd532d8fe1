"""Other people's formats."""

from typing import TYPE_CHECKING

from pellucid.base.faces import lazy_face

if TYPE_CHECKING:
    from pellucid.interop import safetensors as safetensors
    from pellucid.interop.safetensors import load_file as load_file
    from pellucid.interop.safetensors import load_metadata as load_metadata
    from pellucid.interop.safetensors import save_file as save_file

__all__ = [
    "load_file",
    "load_metadata",
    "safetensors",
    "save_file",
]

_PLACES = {
    "load_file": "pellucid.interop.safetensors",
    "load_metadata": "pellucid.interop.safetensors",
    "safetensors": "pellucid.interop.safetensors",
    "save_file": "pellucid.interop.safetensors",
}
"""Public name → the module that defines it; it is loaded when the name is first used."""

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_face(__name__, _PLACES)
