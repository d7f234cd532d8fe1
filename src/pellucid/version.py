"""The version of the package, and of what graphics processors would need: None."""

from pellucid.base.version import __version__

cuda: str | None = None
hip: str | None = None
rocm: str | None = None
xpu: str | None = None
git_version: str | None = None
debug = False

__all__ = ["__version__", "cuda", "debug", "git_version", "hip", "rocm", "xpu"]


def __dir__() -> list[str]:
    return sorted(__all__)
