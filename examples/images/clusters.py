"""Digits without their names: groups by k-means, and maps by principal components, t-SNE and UMAP.

    python examples/images/clusters.py [FOLDER]

FOLDER holds MNIST's files; without it the 8×8 digits that come with Pellucid are used.  Writes
centres.png, the mean image of each group, and maps.png, the digits in the plane.
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import pellucid
from pellucid.data.digit_images import digit_images
from pellucid.insight.pictures import project
from pellucid.models import kmeans, principal_components
from pellucid.vision.utils import save_image


def purity(groups, classes):
    """Share of rows whose class is the commonest of their group."""
    counted = np.zeros((groups.max() + 1, classes.max() + 1))
    np.add.at(counted, (groups, classes), 1)
    return counted.max(1).sum() / len(classes)


def neighbour(points, classes):
    """Share of rows whose nearest other row has the same class: how well a map keeps them apart."""
    squares = (points**2).sum(1)
    distances = squares[:, None] - 2 * points @ points.T + squares
    np.fill_diagonal(distances, np.inf)
    return (classes[distances.argmin(1)] == classes).mean()


def maps(rows, methods, seed=0):
    """Points in the plane (rows, 2), by name of the method."""
    found = {"principal components": principal_components(rows, 2).transform(rows)}
    for name in methods:
        found[name] = project(rows, name.lower().replace("-", ""), seed)
    return found


def draw(places, classes, path):
    """The maps side by side, a colour for each digit."""
    figure, axes = plt.subplots(1, len(places), figsize=(5 * len(places), 4.5))
    for ax, (name, points) in zip(axes, places.items(), strict=True):
        ax.scatter(*points.T, c=classes, cmap="tab10", s=6)
        ax.set_title(name)
        ax.set_xticks([])
        ax.set_yticks([])
    figure.tight_layout()
    figure.savefig(path, dpi=100)
    plt.close(figure)


def main(source="digits", folder=".", rows=1500, methods=("t-SNE", "UMAP")):
    """Group, map, draw; return the purity of the groups and how well each map separates."""
    (images, classes), _ = digit_images(source)
    points, classes = images[:rows].reshape(len(images[:rows]), -1), classes[:rows]
    found = {count: kmeans(points, count) for count in (10, 30)}
    centres = found[30].centres.reshape(-1, 1, *images.shape[2:]).astype(np.float32)
    save_image(pellucid.from_numpy(centres), Path(folder) / "centres.png", nrow=10)
    pure = {count: purity(groups.labels, classes) for count, groups in found.items()}
    kept = {"pixels": neighbour(points, classes)}
    places = maps(points, methods)
    kept |= {name: neighbour(place, classes) for name, place in places.items()}
    draw(places, classes, Path(folder) / "maps.png")
    for count, share in pure.items():
        print(f"{count} groups: the commonest digit of its group is {share:.1%} of the images")
    for name, share in kept.items():
        print(f"{name}: the nearest image is of the same digit in {share:.1%}")
    return pure, kept


if __name__ == "__main__":
    main(*sys.argv[1:2])
