"""Golden vectors for SqueezeLLM (SqueezeAILab/SqueezeLLM): the clusters that scikit-learn's k-means finds as the
authors call it (quantization/nuq.py: weighted by gradients squared, weights of 0 count for nothing, seed 0, 50
steps), and the weights that their rules take out of a matrix (squeezellm/outliers.py, and the threshold of the
quartiles). Written anew. Writes test/golden/squeezellm.json. Run: python tools/golden/make_squeezellm.py; needs
numpy and scikit-learn.

Weights and gradients come from congruential.py. The file holds the losses, summed over the rows, in float64, the
centroids of the first row, and the places that are taken out.
"""
import json
import pathlib

import numpy as np
from sklearn.cluster import KMeans

from congruential import matrix

ROWS, COLUMNS = 6, 96


def cluster(weights, counted, bits):
    loss, first = 0.0, None
    for row, sample_weight in zip(weights, counted):
        sample_weight = sample_weight * (row != 0)
        if sample_weight.sum() == 0:
            sample_weight = np.ones_like(sample_weight)
        found = KMeans(2**bits, random_state=0, n_init="auto", max_iter=50)
        found.fit(row.reshape(-1, 1), sample_weight=sample_weight)
        centers = found.cluster_centers_.ravel().astype(np.float64)
        loss += (sample_weight * (row.astype(np.float64) - centers[found.labels_]) ** 2).sum()
        first = sorted(centers.tolist()) if first is None else first
    return float(loss), first


def sensitive(counted, percent):
    threshold = np.sort(counted.ravel())[::-1][int(counted.size * percent / 100) - 1]
    return np.flatnonzero(counted.ravel() > threshold)


def outliers(weights, factor):
    low, high = np.quantile(weights.astype(np.float64), [0.25, 0.75])
    span = high - low
    threshold = max(abs(low - factor * span), abs(high + factor * span))
    return np.flatnonzero(np.abs(weights.ravel()) >= threshold)


def main():
    weights = matrix(ROWS, COLUMNS, 3)
    gradients = matrix(ROWS, COLUMNS, 5)
    counted = gradients * gradients
    taken = sensitive(counted, 1)
    rest = weights.copy()
    rest.ravel()[taken] = 0
    large = outliers(rest, 1.1)
    without = rest.copy()
    without.ravel()[large] = 0
    cases = []
    for bits in (2, 3, 4):
        loss, centroids = cluster(weights, counted, bits)
        sparse_loss, _ = cluster(without, counted, bits)
        cases.append({"bits": bits, "loss": loss, "centroids": centroids, "sparseLoss": sparse_loss})
    golden = {
        "rows": ROWS,
        "columns": COLUMNS,
        "sensitive": taken.tolist(),
        "outliers": large.tolist(),
        "cases": cases,
    }
    target = pathlib.Path(__file__).parents[2] / "test" / "golden" / "squeezellm.json"
    target.write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
