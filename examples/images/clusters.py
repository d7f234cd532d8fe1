"""Digits without their names: groups by k-means, and maps by principal components and t-SNE.

    python examples/images/clusters.py [FOLDER]

FOLDER holds MNIST's files; without it the 8×8 digits that come with Pellucid are used.  Writes
centres.png: the mean image of each group.
"""

import sys
from pathlib import Path

import numpy as np
from sklearn.manifold import TSNE

import pellucid
from pellucid.data.digit_images import digit_images
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


def maps(rows, seed=0):
    """Points in the plane (rows, 2), by name of the method."""
    tsne = TSNE(init="pca", random_state=seed)
    return {
        "principal components": principal_components(rows, 2).transform(rows),
        "t-SNE": tsne.fit_transform(rows),
    }


def main(source="digits", folder=".", rows=1500):
    """Group, map, draw; return the purity of the groups and how well each map separates."""
    (images, classes), _ = digit_images(source)
    points, classes = images[:rows].reshape(len(images[:rows]), -1), classes[:rows]
    found = {count: kmeans(points, count) for count in (10, 30)}
    centres = found[30].centres.reshape(-1, 1, *images.shape[2:]).astype(np.float32)
    save_image(pellucid.from_numpy(centres), Path(folder) / "centres.png", nrow=10)
    pure = {count: purity(groups.labels, classes) for count, groups in found.items()}
    kept = {"pixels": neighbour(points, classes)}
    kept |= {name: neighbour(place, classes) for name, place in maps(points).items()}
    for count, share in pure.items():
        print(f"{count} groups: the commonest digit of its group is {share:.1%} of the images")
    for name, share in kept.items():
        print(f"{name}: the nearest image is of the same digit in {share:.1%}")
    return pure, kept


if __name__ == "__main__":
    main(*sys.argv[1:2])
