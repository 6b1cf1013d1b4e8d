"""Features to pseudo-labels: neighbours, sparse Jaccard distance, DBSCAN, sub-clusters."""
