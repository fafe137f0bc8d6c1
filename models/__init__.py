"""Networks that learn from single views (MAE) and from pairs of views (CroCo)."""
