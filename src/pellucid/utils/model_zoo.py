"""The older place of :func:`pellucid.hub.load_state_dict_from_url`."""

from pellucid.hub import load_state_dict_from_url as load_url

__all__ = ["load_url"]


def __dir__() -> list[str]:
    return sorted(__all__)
