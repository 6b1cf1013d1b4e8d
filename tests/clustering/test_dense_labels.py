"""Numbers of clusters without gaps."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from vireid.clustering.dense_labels import dense_labels


@given(st.lists(st.integers(-3, 9), max_size=30))
def test_clusters_keep_their_members_and_order(labels):
    labels = np.array(labels, np.int64)
    dense = dense_labels(labels)
    assert dense.dtype == np.int64
    assert ((dense == -1) == (labels < 0)).all()
    kept = labels >= 0
    assert sorted(set(dense[kept])) == list(range(len(set(labels[kept]))))
    order = labels[kept][:, None] - labels[kept]
    assert (np.sign(order) == np.sign(dense[kept][:, None] - dense[kept])).all()
