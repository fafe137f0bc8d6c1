"""Finds pairs of views that show the same place: pure functions on arrays, composed by the miner.

In reading order: config, views, features, matching, overlap, geometry, photometry, verdict,
search, miner; beside them truth (exact correspondences) and draw (pictures of pairs).
"""
