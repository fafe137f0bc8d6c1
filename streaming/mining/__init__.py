"""Finds pairs of views that show the same place: pure functions on arrays, composed by the miner.

In reading order: config, views, features, overlap, geometry, photometry, verdict; then
intake, search, miner; beside them truth (exact correspondences) and draw (pictures
of pairs).
"""
