"""Figures of merit for clusters and for duplicate links, from contingency counts: O(n log n), never O(n²)."""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


class Score(msgspec.Struct, frozen=True):
    """Precision and recall, 0 to 1.  Where nothing is said, or nothing is to be found, the figure is 1."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall, 0 to 1."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


def pairwise(truth: npt.ArrayLike, found: npt.ArrayLike) -> Score:
    """Precision and recall over all pairs of items of the same cluster.

    The label -1 makes an item a cluster of its own, in `truth` (noise) and in `found` (put into no incident).
    A cluster of a thousand counts half a million pairs: large incidents rule this figure; see `bcubed`.
    """
    cells, t_sizes, f_sizes = _contingency(truth, found)
    together = _pairs(cells[2])
    return Score(_share(together, _pairs(f_sizes)), _share(together, _pairs(t_sizes)))


def bcubed(truth: npt.ArrayLike, found: npt.ArrayLike) -> Score:
    """B-cubed precision and recall: each item's own share of its cluster, averaged over the items.

    A. Bagga, B. Baldwin, "Algorithms for Scoring Coreference Chains", LREC Workshop on Linguistics
    Coreference, 1998; E. Amigó, J. Gonzalo, J. Artiles, F. Verdejo, "A Comparison of Extrinsic Clustering
    Evaluation Metrics Based on Formal Constraints", Information Retrieval 12(4), 2009, who show that of the
    usual figures only this one is right about homogeneity, completeness, rag bag and size against number.
    The label -1 makes an item a cluster of its own on either side.
    """
    (t, f, both), t_sizes, f_sizes = _contingency(truth, found)
    square = both.astype(np.float64) ** 2
    items = float(both.sum())
    return Score(
        _share(float((square / f_sizes[f]).sum()), items), _share(float((square / t_sizes[t]).sum()), items)
    )


def per_incident(truth: npt.ArrayLike, found: npt.ArrayLike) -> dict[int, Score]:
    """B-cubed figures of the items of each true incident apart (noise left out), so that small ones are seen.

    The plain mean over the values weighs a lost child like a dark quarter.
    """
    labels = np.asarray(truth, dtype=np.int64)
    (t, f, both), t_sizes, f_sizes = _contingency(truth, found)
    number = np.empty(len(t_sizes), dtype=np.int64)
    number[_apart(labels)] = labels
    square = both.astype(np.float64) ** 2
    precision = np.bincount(t, square / f_sizes[f], len(t_sizes)) / t_sizes
    recall = np.bincount(t, square / t_sizes[t], len(t_sizes)) / t_sizes
    return {
        int(n): Score(float(p), float(r)) for n, p, r in zip(number, precision, recall, strict=True) if n >= 0
    }


def links(truth: npt.ArrayLike, said: npt.ArrayLike) -> Score:
    """Precision and recall of duplicate links.

    `said[i]` is the index of an earlier report that `i` is called a duplicate of, or -1.  Precision is
    correct links over links said; recall is correct links over reports that have an earlier report of the
    same problem.
    """
    labels, to = np.asarray(truth, dtype=np.int64), np.asarray(said, dtype=np.int64)
    here = np.flatnonzero(to >= 0)
    if len(labels) != len(to) or (to < -1).any() or (to[here] >= here).any():
        raise ValueError("said: one index of an earlier report, or -1, for each report")
    right = int(((labels[here] == labels[to[here]]) & (labels[here] >= 0)).sum())
    real = labels[labels >= 0]
    return Score(_share(right, len(here)), _share(right, len(real) - len(np.unique(real))))


def _contingency(truth: npt.ArrayLike, found: npt.ArrayLike) -> tuple[tuple[Ints, Ints, Ints], Ints, Ints]:
    """The filled cells (row, column, count) of the table truth x found, and the sizes of rows and columns."""
    t, f = (_apart(np.asarray(labels, dtype=np.int64)) for labels in (truth, found))
    if len(t) != len(f):
        raise ValueError(f"{len(t)} true labels but {len(f)} found ones")
    wide = int(f.max(initial=0)) + 1
    cell, count = np.unique(t * wide + f, return_counts=True)
    return (cell // wide, cell % wide, count), np.bincount(t), np.bincount(f)


def _apart(labels: Ints) -> Ints:
    """Labels renumbered from 0, each -1 as a label of its own."""
    if labels.ndim != 1 or (labels < -1).any():
        raise ValueError("labels: one row of integers from -1")
    alone = labels < 0
    own = labels.copy()
    own[alone] = labels.max(initial=0) + 1 + np.arange(int(alone.sum()))
    return np.unique(own, return_inverse=True)[1].astype(np.int64)


def _pairs(sizes: Ints) -> int:
    return int((sizes * (sizes - 1) // 2).sum())


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole else 1.0
