"""Fronts of what is built into a room or stands in it: windows, doors, bookshelves, drawers.

Each function takes a generator and returns a material (see `textures`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from streaming.sources.synthetic.pictures import landscape
from streaming.sources.synthetic.textures import earthen, planks, random_colour, to_picture

if TYPE_CHECKING:
    from numpy.random import Generator

    from streaming.sources.synthetic.textures import Colour, Material, Picture


def window(rng: Generator) -> Material:
    """A bright view outside behind glazing bars."""
    view = landscape(rng)
    bars = int(rng.integers(2, 4)), int(rng.integers(2, 5))

    def paint(height: int, width: int) -> Picture:
        picture = to_picture(view(height, width) + np.float32(30))
        bar = np.zeros((height, width), bool)
        for row in np.linspace(0, height - 1, bars[0] + 1):
            bar[max(0, int(row) - 5) : int(row) + 5] = True
        for column in np.linspace(0, width - 1, bars[1] + 1):
            bar[:, max(0, int(column) - 5) : int(column) + 5] = True
        picture[bar] = 235
        return picture

    return paint


def door(rng: Generator) -> Material:
    """A wooden door with panels and a handle."""
    boards = planks(rng, earthen(rng, vivid=0.45, bright=0.6), plank_width=40)

    def paint(height: int, width: int) -> Picture:
        picture = boards(width, height).transpose(1, 0, 2).copy()
        for top, bottom in ((0.08, 0.42), (0.5, 0.92)):
            corner = int(0.15 * width), int(top * height)
            opposite = int(0.85 * width), int(bottom * height)
            cv2.rectangle(picture, corner, opposite, (40, 30, 20), 4)
            cv2.rectangle(picture, (corner[0] + 6, corner[1] + 6), opposite, (220, 205, 180), 2)
        cv2.circle(picture, (int(0.92 * width), int(0.46 * height)), 7, (225, 205, 120), -1)
        return picture

    return paint


def books(rng: Generator) -> Material:
    """Shelves of books: coloured spines with bands, of uneven height."""

    def paint(height: int, width: int) -> Picture:
        picture = np.full((height, width, 3), 28, np.uint8)
        board = random_colour(rng, vivid=0.4, bright=0.45)
        shelf_height = int(rng.integers(54, 76))
        for floor in range(shelf_height, height + shelf_height, shelf_height):
            left = 4
            while left < width - 8:
                thick = int(rng.integers(5, 16))
                top = floor - int(shelf_height * rng.uniform(0.55, 0.88))
                spine = random_colour(rng, vivid=0.6, bright=0.6)
                cv2.rectangle(picture, (left, top), (left + thick - 2, floor - 5), spine, -1)
                for _ in range(2):
                    band = int(rng.integers(top + 3, max(top + 4, floor - 9)))
                    mark = random_colour(rng, vivid=0.3, bright=0.9)
                    cv2.rectangle(picture, (left, band), (left + thick - 2, band + 2), mark, -1)
                left += thick + (int(rng.integers(10, 40)) if rng.random() < 0.06 else 0)
            cv2.rectangle(picture, (0, floor - 5), (width, floor), board, -1)
        cv2.rectangle(picture, (0, 0), (width - 1, height - 1), board, 6)
        return picture

    return paint


def drawers(rng: Generator, colour: Colour, trim: Colour) -> Material:
    """A cabinet front: doors and drawers with handles on worn boards."""
    boards = planks(rng, colour, plank_width=60)
    columns, rows = int(rng.integers(1, 4)), int(rng.integers(1, 4))

    def paint(height: int, width: int) -> Picture:
        picture = boards(height, width)
        for row in range(rows):
            for column in range(columns):
                left, right = (int((column + k) * width / columns) for k in (0, 1))
                top, bottom = (int((row + k) * height / rows) for k in (0, 1))
                inner = (left + 5, top + 5), (right - 6, bottom - 6)
                cv2.rectangle(picture, *inner, trim, 3)
                handle = (left + right) // 2, (top + bottom) // 2
                cv2.ellipse(picture, handle, (9, 4), 0, 0, 360, (230, 220, 180), -1)
        return picture

    return paint
