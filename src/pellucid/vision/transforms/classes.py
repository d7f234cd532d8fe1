"""Transforms as objects: settings now, the picture later.  Names and arguments are those of
torchvision."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from pellucid.base.dtypes import DType
from pellucid.base.errors import ArgumentError, ArgumentTypeError, ShapeError
from pellucid.nn.module import Module
from pellucid.tensor.creation import tensor
from pellucid.tensor.random import randn
from pellucid.tensor.tensor import Tensor
from pellucid.vision.images import (
    InterpolationMode,
    Picture,
    channels_of,
    check_picture,
    interpolation_of,
    size_of,
)
from pellucid.vision.transforms import functional as F
from pellucid.vision.transforms import random

Size = int | Sequence[int]
Fill = float | Sequence[float] | None
_NEAREST = InterpolationMode.NEAREST
_BILINEAR = InterpolationMode.BILINEAR


class Transform(Module):
    """A change of one picture; subclasses say which in ``forward``."""

    def _settings(self) -> str:
        """The arguments, for ``repr``."""
        return ", ".join(
            f"{name}={value}"
            for name, value in self.__dict__.items()
            if not name.startswith("_") and name != "training"
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._settings()})"

    def forward(self, img: Picture) -> Picture:
        """The changed picture; every subclass says how."""
        raise NotImplementedError


# ---- several ------------------------------------------------------------------------------------


class Compose:
    """Transforms one after the other.

    >>> from pellucid.vision import transforms
    >>> change = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))])
    """

    def __init__(self, transforms: Sequence[Callable[..., Any]]) -> None:
        self.transforms = transforms

    def __call__(self, img: Any) -> Any:
        """The picture, changed by all of them."""
        for transform in self.transforms:
            img = transform(img)
        return img

    def __repr__(self) -> str:
        lines = "\n".join(f"    {transform}" for transform in self.transforms)
        return f"Compose(\n{lines}\n)"


class RandomApply(Transform):
    """All transforms with probability ``p``, else none."""

    def __init__(self, transforms: Sequence[Callable[..., Any]], p: float = 0.5) -> None:
        super().__init__()
        self.transforms, self.p = transforms, p

    def forward(self, img: Picture) -> Picture:
        """The picture, changed or not."""
        if random.happens(self.p):
            for transform in self.transforms:
                img = transform(img)
        return img


class RandomChoice(Transform):
    """One of the transforms, with chances ``p``."""

    def __init__(
        self, transforms: Sequence[Callable[..., Any]], p: Sequence[float] | None = None
    ) -> None:
        super().__init__()
        self.transforms, self.p = transforms, p

    def forward(self, img: Picture) -> Picture:
        """The picture, changed by one of them."""
        return self.transforms[random.chosen(len(self.transforms), self.p)](img)


class RandomOrder(Transform):
    """All transforms in random order."""

    def __init__(self, transforms: Sequence[Callable[..., Any]]) -> None:
        super().__init__()
        self.transforms = transforms

    def forward(self, img: Picture) -> Picture:
        """The picture, changed by all of them."""
        for place in random.order(len(self.transforms)):
            img = self.transforms[place](img)
        return img


class Lambda:
    """Any function as a transform."""

    def __init__(self, lambd: Callable[[Any], Any]) -> None:
        if not callable(lambd):
            raise ArgumentTypeError(f"Lambda got a {type(lambd).__name__}", "give a function")
        self.lambd = lambd

    def __call__(self, img: Any) -> Any:
        """What the function makes of the picture."""
        return self.lambd(img)

    def __repr__(self) -> str:
        return "Lambda()"


# ---- from one kind to the other -----------------------------------------------------------------


class ToTensor:
    """A Pillow image or array (H, W, C) as a float32 tensor (C, H, W) from 0 to 1."""

    def __call__(self, pic: Any) -> Tensor:
        """The tensor."""
        return F.to_tensor(pic)

    def __repr__(self) -> str:
        return "ToTensor()"


class PILToTensor:
    """A Pillow image as a tensor (C, H, W) with its values."""

    def __call__(self, pic: Any) -> Tensor:
        """The tensor."""
        return F.pil_to_tensor(pic)

    def __repr__(self) -> str:
        return "PILToTensor()"


class ToPILImage:
    """A tensor (C, H, W) or array (H, W, C) as a Pillow image, of ``mode`` or the usual one."""

    def __init__(self, mode: str | None = None) -> None:
        self.mode = mode

    def __call__(self, pic: Any) -> Any:
        """The image."""
        return F.to_pil_image(pic, self.mode)

    def __repr__(self) -> str:
        return f"ToPILImage({'' if self.mode is None else f'mode={self.mode}'})"


class ConvertImageDtype(Transform):
    """Another dtype, with black and white where they were."""

    def __init__(self, dtype: DType) -> None:
        super().__init__()
        self.dtype = dtype

    def forward(self, image: Tensor) -> Tensor:
        """The picture in that dtype."""
        return F.convert_image_dtype(image, self.dtype)


class Normalize(Transform):
    """(x − mean) / std for each channel of a floating-point tensor (…, C, H, W)."""

    def __init__(self, mean: Sequence[float], std: Sequence[float], inplace: bool = False) -> None:
        super().__init__()
        self.mean, self.std, self.inplace = mean, std, inplace

    def forward(self, tensor: Tensor) -> Tensor:
        """The normalized picture."""
        return F.normalize(tensor, self.mean, self.std, self.inplace)


# ---- size and place -----------------------------------------------------------------------------


class Resize(Transform):
    """Another size: (height, width), or the length of the shorter side."""

    def __init__(
        self,
        size: Size,
        interpolation: InterpolationMode = _BILINEAR,
        max_size: int | None = None,
        antialias: bool | None = True,
    ) -> None:
        super().__init__()
        self.size, self.interpolation = size, interpolation_of(interpolation)
        self.max_size, self.antialias = max_size, antialias

    def forward(self, img: Picture) -> Picture:
        """The resized picture."""
        return F.resize(img, self.size, self.interpolation, self.max_size, self.antialias)


class CenterCrop(Transform):
    """The middle part."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.size = F.pair(size, "size")

    def forward(self, img: Picture) -> Picture:
        """The middle of the picture."""
        return F.center_crop(img, self.size)


class Pad(Transform):
    """A border around the picture; see :func:`~pellucid.vision.transforms.functional.pad`."""

    def __init__(
        self, padding: Size, fill: float | Sequence[float] = 0, padding_mode: str = "constant"
    ) -> None:
        super().__init__()
        self.padding, self.fill, self.padding_mode = padding, fill, padding_mode

    def forward(self, img: Picture) -> Picture:
        """The picture with its border."""
        return F.pad(img, self.padding, self.fill, self.padding_mode)


class RandomCrop(Transform):
    """A part at a random place, of the picture with a border of ``padding``.

    ``pad_if_needed`` adds a border where the picture is smaller than ``size``.
    """

    def __init__(
        self,
        size: Size,
        padding: Size | None = None,
        pad_if_needed: bool = False,
        fill: float | Sequence[float] = 0,
        padding_mode: str = "constant",
    ) -> None:
        super().__init__()
        self.size = F.pair(size, "size")
        self.padding, self.pad_if_needed = padding, pad_if_needed
        self.fill, self.padding_mode = fill, padding_mode

    @staticmethod
    def get_params(img: Picture, output_size: Sequence[int]) -> tuple[int, int, int, int]:
        """Upper left corner and size of a random part."""
        high, wide = size_of(img)
        height, width = output_size
        if high < height or wide < width:
            raise ShapeError(
                f"a part of {height}×{width} does not fit into a picture of {high}×{wide}",
                "use padding=, or pad_if_needed=True",
            )
        if (wide, high) == (width, height):
            return 0, 0, high, wide
        top = random.whole(0, high - height + 1)
        return top, random.whole(0, wide - width + 1), height, width

    def forward(self, img: Picture) -> Picture:
        """A part of the picture."""
        check_picture(img, "RandomCrop")
        if self.padding is not None:
            img = F.pad(img, self.padding, self.fill, self.padding_mode)
        height, width = self.size
        if self.pad_if_needed and size_of(img)[1] < width:
            img = F.pad(img, [width - size_of(img)[1], 0], self.fill, self.padding_mode)
        if self.pad_if_needed and size_of(img)[0] < height:
            img = F.pad(img, [0, height - size_of(img)[0]], self.fill, self.padding_mode)
        return F.crop(img, *self.get_params(img, self.size))


class RandomResizedCrop(Transform):
    """A part with a random share ``scale`` of the area and a random ratio of width to height,
    resized (Szegedy and others, "Going deeper with convolutions", 2014)."""

    def __init__(
        self,
        size: Size,
        scale: Sequence[float] = (0.08, 1.0),
        ratio: Sequence[float] = (3.0 / 4.0, 4.0 / 3.0),
        interpolation: InterpolationMode = _BILINEAR,
        antialias: bool | None = True,
    ) -> None:
        super().__init__()
        self.size = F.pair(size, "size")
        self.scale, self.ratio = scale, ratio
        self.interpolation, self.antialias = interpolation_of(interpolation), antialias

    @staticmethod
    def get_params(
        img: Picture, scale: Sequence[float], ratio: Sequence[float]
    ) -> tuple[int, int, int, int]:
        """Upper left corner and size of a random part; the middle where ten tries do not fit."""
        high, wide = size_of(img)
        for _ in range(10):
            area = high * wide * random.uniform(scale[0], scale[1])
            aspect = math.exp(random.uniform(math.log(ratio[0]), math.log(ratio[1])))
            width, height = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
            if 0 < width <= wide and 0 < height <= high:
                top = random.whole(0, high - height + 1)
                return top, random.whole(0, wide - width + 1), height, width
        width, height = wide, high
        if wide / high < min(ratio):
            height = round(wide / min(ratio))
        elif wide / high > max(ratio):
            width = round(high * max(ratio))
        return (high - height) // 2, (wide - width) // 2, height, width

    def forward(self, img: Picture) -> Picture:
        """A part of the picture, resized."""
        check_picture(img, "RandomResizedCrop")
        place = self.get_params(img, self.scale, self.ratio)
        return F.resized_crop(img, *place, self.size, self.interpolation, self.antialias)


class FiveCrop(Transform):
    """The four corners and the middle, as a tuple."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.size = F.pair(size, "size")

    def forward(self, img: Picture) -> tuple[Picture, ...]:
        """Five parts."""
        return F.five_crop(img, self.size)


class TenCrop(Transform):
    """The four corners and the middle, and those of the mirrored picture, as a tuple."""

    def __init__(self, size: Size, vertical_flip: bool = False) -> None:
        super().__init__()
        self.size, self.vertical_flip = F.pair(size, "size"), vertical_flip

    def forward(self, img: Picture) -> tuple[Picture, ...]:
        """Ten parts."""
        return F.ten_crop(img, self.size, self.vertical_flip)


class _WithChance(Transform):
    """What happens with probability ``p``."""

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ArgumentError(f"{type(self).__name__} got p={p}", "give a probability")
        self.p = p

    def forward(self, img: Picture) -> Picture:
        """The picture, changed or not."""
        return self.change(img) if random.happens(self.p) else img

    def change(self, img: Picture) -> Picture:
        """What happens; every subclass says it."""
        raise NotImplementedError


class RandomHorizontalFlip(_WithChance):
    """Mirrored left to right with probability ``p``."""

    def change(self, img: Picture) -> Picture:
        """The mirrored picture."""
        return F.hflip(img)


class RandomVerticalFlip(_WithChance):
    """Mirrored top to bottom with probability ``p``."""

    def change(self, img: Picture) -> Picture:
        """The mirrored picture."""
        return F.vflip(img)


class RandomGrayscale(_WithChance):
    """Grey, with as many channels as before, with probability ``p``."""

    def __init__(self, p: float = 0.1) -> None:
        super().__init__(p)

    def change(self, img: Picture) -> Picture:
        """The grey picture."""
        return F.rgb_to_grayscale(img, 1 if channels_of(img) == 1 else 3)


class RandomInvert(_WithChance):
    """White less the picture, with probability ``p``."""

    def change(self, img: Picture) -> Picture:
        """The inverted picture."""
        return F.invert(img)


class RandomPosterize(_WithChance):
    """Only the upper ``bits``, with probability ``p``."""

    def __init__(self, bits: int, p: float = 0.5) -> None:
        super().__init__(p)
        self.bits = bits

    def change(self, img: Picture) -> Picture:
        """The picture with fewer values."""
        return F.posterize(img, self.bits)


class RandomSolarize(_WithChance):
    """Values from ``threshold`` on inverted, with probability ``p``."""

    def __init__(self, threshold: float, p: float = 0.5) -> None:
        super().__init__(p)
        self.threshold = threshold

    def change(self, img: Picture) -> Picture:
        """The picture with its bright parts inverted."""
        return F.solarize(img, self.threshold)


class RandomAdjustSharpness(_WithChance):
    """Sharpness by a factor, with probability ``p``."""

    def __init__(self, sharpness_factor: float, p: float = 0.5) -> None:
        super().__init__(p)
        self.sharpness_factor = sharpness_factor

    def change(self, img: Picture) -> Picture:
        """The sharper or softer picture."""
        return F.adjust_sharpness(img, self.sharpness_factor)


class RandomAutocontrast(_WithChance):
    """Channels stretched from black to white, with probability ``p``."""

    def change(self, img: Picture) -> Picture:
        """The picture with its full range."""
        return F.autocontrast(img)


class RandomEqualize(_WithChance):
    """A flat histogram, with probability ``p``."""

    def change(self, img: Picture) -> Picture:
        """The picture with a flat histogram."""
        return F.equalize(img)


def _range(value: float | Sequence[float], name: str) -> tuple[float, float]:
    """A number as ±number, or two bounds."""
    if isinstance(value, int | float):
        if value < 0:
            raise ArgumentError(f"{name} is {value}", "one number must not be negative")
        return -float(value), float(value)
    if len(value) != 2:
        raise ArgumentError(f"{name} is {value}", "give one number, or the lowest and the highest")
    return float(value[0]), float(value[1])


class RandomRotation(Transform):
    """Turned by a random angle, in degrees."""

    def __init__(
        self,
        degrees: float | Sequence[float],
        interpolation: InterpolationMode = _NEAREST,
        expand: bool = False,
        center: Sequence[float] | None = None,
        fill: Fill = 0,
    ) -> None:
        super().__init__()
        self.degrees = _range(degrees, "degrees")
        self.interpolation, self.expand = interpolation_of(interpolation), expand
        self.center, self.fill = center, fill

    @staticmethod
    def get_params(degrees: Sequence[float]) -> float:
        """A random angle."""
        return random.uniform(degrees[0], degrees[1])

    def forward(self, img: Picture) -> Picture:
        """The turned picture."""
        angle = self.get_params(self.degrees)
        return F.rotate(img, angle, self.interpolation, self.expand, self.center, self.fill)


class RandomAffine(Transform):
    """Turned, shifted, scaled and sheared at random.

    ``degrees``: ±, or bounds.  ``translate``: largest shift to the right and down as shares of
    width and height.  ``scale``: bounds of the factor.  ``shear``: degrees, ± along x, bounds along
    x, or bounds along x and y.
    """

    def __init__(
        self,
        degrees: float | Sequence[float],
        translate: Sequence[float] | None = None,
        scale: Sequence[float] | None = None,
        shear: float | Sequence[float] | None = None,
        interpolation: InterpolationMode = _NEAREST,
        fill: Fill = 0,
        center: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        self.degrees = _range(degrees, "degrees")
        if translate is not None and not all(0 <= share <= 1 for share in translate):
            raise ArgumentError(f"translate is {translate}", "give shares from 0 to 1")
        if scale is not None and not all(factor > 0 for factor in scale):
            raise ArgumentError(f"scale is {scale}", "give factors larger than 0")
        self.translate, self.scale = translate, scale
        self.shear: tuple[float, ...] | None = None
        if shear is not None:
            both = not isinstance(shear, int | float) and len(shear) == 4
            self.shear = tuple(shear) if both else _range(shear, "shear")  # type: ignore[arg-type]
        self.interpolation, self.fill = interpolation_of(interpolation), fill
        self.center = center

    @staticmethod
    def get_params(
        degrees: Sequence[float],
        translate: Sequence[float] | None,
        scale_ranges: Sequence[float] | None,
        shears: Sequence[float] | None,
        img_size: Sequence[int],
    ) -> tuple[float, tuple[int, int], float, tuple[float, float]]:
        """Angle, shift, factor and shear; ``img_size`` is (width, height)."""
        angle = random.uniform(degrees[0], degrees[1])
        shift = (0, 0)
        if translate is not None:
            most = [share * extent for share, extent in zip(translate, img_size, strict=True)]
            shift = (
                round(random.uniform(-most[0], most[0])),
                round(random.uniform(-most[1], most[1])),
            )
        factor = 1.0 if scale_ranges is None else random.uniform(scale_ranges[0], scale_ranges[1])
        right = down = 0.0
        if shears is not None:
            right = random.uniform(shears[0], shears[1])
            down = random.uniform(shears[2], shears[3]) if len(shears) == 4 else 0.0
        return angle, shift, factor, (right, down)

    def forward(self, img: Picture) -> Picture:
        """The changed picture."""
        check_picture(img, "RandomAffine")
        height, width = size_of(img)
        found = self.get_params(
            self.degrees, self.translate, self.scale, self.shear, (width, height)
        )
        return F.affine(img, *found, self.interpolation, self.fill, self.center)


class RandomPerspective(_WithChance):
    """Corners moved at random towards the middle, by up to half of ``distortion_scale``."""

    def __init__(
        self,
        distortion_scale: float = 0.5,
        p: float = 0.5,
        interpolation: InterpolationMode = _BILINEAR,
        fill: Fill = 0,
    ) -> None:
        super().__init__(p)
        self.distortion_scale = distortion_scale
        self.interpolation, self.fill = interpolation_of(interpolation), fill

    @staticmethod
    def get_params(
        width: int, height: int, distortion_scale: float
    ) -> tuple[list[list[int]], list[list[int]]]:
        """The corners, and where they come to lie, clockwise from the upper left one."""
        right, down = (int(distortion_scale * (n // 2)) for n in (width, height))
        xs = [(0, right + 1), (width - right - 1, width)]
        ys = [(0, down + 1), (height - down - 1, height)]
        ends = [[random.whole(*xs[i]), random.whole(*ys[j])] for i, j in _CORNERS]
        starts = [[i * (width - 1), j * (height - 1)] for i, j in _CORNERS]
        return starts, ends

    def change(self, img: Picture) -> Picture:
        """The distorted picture."""
        height, width = size_of(img)
        starts, ends = self.get_params(width, height, self.distortion_scale)
        return F.perspective(img, starts, ends, self.interpolation, self.fill)


_CORNERS = ((0, 0), (1, 0), (1, 1), (0, 1))


# ---- colours ------------------------------------------------------------------------------------


class Grayscale(Transform):
    """Luma, in one channel or three equal ones."""

    def __init__(self, num_output_channels: int = 1) -> None:
        super().__init__()
        self.num_output_channels = num_output_channels

    def forward(self, img: Picture) -> Picture:
        """The grey picture."""
        return F.rgb_to_grayscale(img, self.num_output_channels)


class ColorJitter(Transform):
    """Brightness, contrast, saturation and hue changed at random, in random order.

    One number x stands for factors from max(0, 1 − x) to 1 + x (hue: turns from −x to x), two for
    the bounds.
    """

    def __init__(
        self,
        brightness: float | Sequence[float] = 0,
        contrast: float | Sequence[float] = 0,
        saturation: float | Sequence[float] = 0,
        hue: float | Sequence[float] = 0,
    ) -> None:
        super().__init__()
        self.brightness = self._bounds(brightness, "brightness", 1.0)
        self.contrast = self._bounds(contrast, "contrast", 1.0)
        self.saturation = self._bounds(saturation, "saturation", 1.0)
        self.hue = self._bounds(hue, "hue", 0.0)
        if self.hue and not -0.5 <= self.hue[0] <= self.hue[1] <= 0.5:
            raise ArgumentError(f"hue is {hue}", "give shares from -0.5 to 0.5")

    @staticmethod
    def _bounds(
        value: float | Sequence[float], name: str, middle: float
    ) -> tuple[float, float] | None:
        if isinstance(value, int | float):
            if value < 0:
                raise ArgumentError(f"{name} is {value}", "one number must not be negative")
            low, high = middle - value, middle + value
            low = max(low, 0.0) if middle else low
        else:
            low, high = value
        if middle and low < 0:
            raise ArgumentError(f"{name} is {value}", "factors are from 0 on")
        return None if low == high == middle else (float(low), float(high))

    def forward(self, img: Picture) -> Picture:
        """The picture in other colours."""
        changes: list[tuple[Callable[[Picture, float], Picture], tuple[float, float] | None]] = [
            (F.adjust_brightness, self.brightness),
            (F.adjust_contrast, self.contrast),
            (F.adjust_saturation, self.saturation),
            (F.adjust_hue, self.hue),
        ]
        for place in random.order(4):
            change, bounds = changes[place]
            if bounds is not None:
                img = change(img, random.uniform(*bounds))
        return img


class GaussianBlur(Transform):
    """Blurred, with a width chosen at random between the bounds ``sigma``."""

    def __init__(self, kernel_size: Size, sigma: float | Sequence[float] = (0.1, 2.0)) -> None:
        super().__init__()
        self.kernel_size = F.pair(kernel_size, "kernel_size")
        low, high = (sigma, sigma) if isinstance(sigma, int | float) else sigma
        if not 0 < low <= high:
            raise ArgumentError(f"sigma is {sigma}", "give bounds larger than 0")
        self.sigma = (float(low), float(high))

    def forward(self, img: Picture) -> Picture:
        """The blurred picture."""
        return F.gaussian_blur(img, self.kernel_size, random.uniform(*self.sigma))


class RandomErasing(_WithChance):
    """A rectangle of a tensor replaced, with probability ``p`` (Zhong and others, "Random erasing
    data augmentation", 2017).

    ``scale``: bounds of its share of the area; ``ratio``: of its height to its width; ``value``: a
    number, one for each channel, or "random" for normal noise.
    """

    def __init__(
        self,
        p: float = 0.5,
        scale: Sequence[float] = (0.02, 0.33),
        ratio: Sequence[float] = (0.3, 3.3),
        value: float | str | Sequence[float] = 0,
        inplace: bool = False,
    ) -> None:
        super().__init__(p)
        if isinstance(value, str) and value != "random":
            raise ArgumentError(f"value is {value!r}", 'give a number, numbers, or "random"')
        self.scale, self.ratio, self.value, self.inplace = scale, ratio, value, inplace

    @staticmethod
    def get_params(
        img: Tensor,
        scale: Sequence[float],
        ratio: Sequence[float],
        value: list[float] | None = None,
    ) -> tuple[int, int, int, int, Tensor]:
        """Upper left corner, size, and what goes there; the whole picture where ten tries fail."""
        channels, high, wide = (int(n) for n in img.shape[-3:])
        for _ in range(10):
            area = high * wide * random.uniform(scale[0], scale[1])
            aspect = math.exp(random.uniform(math.log(ratio[0]), math.log(ratio[1])))
            height, width = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
            if not (height < high and width < wide):
                continue
            new = randn(channels, height, width) if value is None else tensor(value)[:, None, None]
            top = random.whole(0, high - height + 1)
            return top, random.whole(0, wide - width + 1), height, width, new
        return 0, 0, high, wide, img

    def change(self, img: Tensor) -> Tensor:
        """The picture without a part of it."""
        value: list[float] | None = None
        if not isinstance(self.value, str):
            given = self.value
            value = [float(given)] if isinstance(given, int | float) else [float(v) for v in given]
            if len(value) not in (1, img.shape[-3]):
                raise ArgumentError(
                    f"value has {len(value)} numbers for {img.shape[-3]} channels",
                    "give one, or one for each channel",
                )
        found = self.get_params(img, self.scale, self.ratio, value)
        return F.erase(img, *found, self.inplace)
