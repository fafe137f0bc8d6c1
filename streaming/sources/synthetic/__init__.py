"""Textured rooms and mesh files, rendered as video with exact depth, normals and classes."""
