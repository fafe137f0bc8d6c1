"""Draws a scene off-screen with VTK: what it looks like, and which triangle each pixel shows.

VTK does not need a display. Textures carry their light, so nothing is lit here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self

import numpy as np
import vtkmodules.vtkRenderingOpenGL2  # noqa: F401  registers the OpenGL classes
from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
from vtkmodules.vtkCommonCore import vtkDataArray, vtkLogger, vtkPoints, vtkUnsignedCharArray
from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkImageData, vtkPolyData
from vtkmodules.vtkRenderingCore import (
    vtkActor,
    vtkPolyDataMapper,
    vtkRenderer,
    vtkRenderWindow,
    vtkTexture,
)

if TYPE_CHECKING:
    from types import TracebackType

    from numpy.typing import NDArray

    from streaming.sources.synthetic.camera import Camera
    from streaming.sources.synthetic.meshes import Mesh
    from streaming.sources.synthetic.scene import Scene

_NEAR_M: Final = 0.02


class Rasterizer:
    """Draws one scene with one camera; close it, or use it as a context manager."""

    def __init__(self, scene: Scene, camera: Camera) -> None:
        self._scene = scene
        self._camera = camera
        low, high = scene.bounds
        self._bounds = low, high
        self._looks = _Canvas(camera, scene.background)
        # Walls come first in a room: drawn last, what they lose behind furniture costs nothing.
        for mesh in reversed(scene.meshes):
            self._looks.add(_textured(mesh))
        self._numbers: _Canvas | None = None

    def image(self, pose: NDArray[np.float64]) -> NDArray[np.uint8]:
        """What the camera sees from a pose (4, 4): uint8 RGB (height, width, 3)."""
        return np.ascontiguousarray(self._looks.draw(pose, self._far(pose))[..., :3])

    def triangles(self, pose: NDArray[np.float64]) -> NDArray[np.int32]:
        """Index in `Scene.triangles` of what each pixel's centre shows, or -1.

        Shape (height, width), int32.
        """
        if self._numbers is None:
            self._numbers = _Canvas(self._camera, (0, 0, 0))
            self._numbers.add(_numbered(self._scene.triangles))
        colour = self._numbers.draw(pose, self._far(pose)).astype(np.int32)
        number = colour[..., 0] + (colour[..., 1] << 8) + (colour[..., 2] << 16)
        return np.asarray(number - 1, np.int32)

    def close(self) -> None:
        """Releases the memory of the graphics library."""
        self._looks.close()
        if self._numbers is not None:
            self._numbers.close()

    def _far(self, pose: NDArray[np.float64]) -> float:
        """Distance beyond which there is nothing."""
        low, high = self._bounds
        corner = np.maximum(np.abs(pose[:3, 3] - low), np.abs(pose[:3, 3] - high))
        return 1.01 * float(np.linalg.norm(corner)) + _NEAR_M

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class _Canvas:
    """An off-screen window of which only the camera moves."""

    def __init__(self, camera: Camera, background: tuple[int, int, int]) -> None:
        # VTK reports the missing X server on stderr before it turns to another window kind.
        vtkLogger.SetStderrVerbosity(vtkLogger.VERBOSITY_OFF)
        self._size = camera.width, camera.height
        self._renderer = vtkRenderer()
        self._renderer.SetBackground(*(channel / 255 for channel in background))
        self._window = vtkRenderWindow()
        self._window.SetOffScreenRendering(1)
        self._window.SetMultiSamples(0)
        self._window.SetSize(*self._size)
        self._window.AddRenderer(self._renderer)
        self._renderer.GetActiveCamera().SetViewAngle(camera.vertical_angle_deg)
        self._pixels = vtkUnsignedCharArray()

    def add(self, actor: vtkActor) -> None:
        actor.GetProperty().LightingOff()
        self._renderer.AddActor(actor)

    def draw(self, pose: NDArray[np.float64], far: float) -> NDArray[np.uint8]:
        """RGBA (height, width, 4), valid until the next call."""
        view = self._renderer.GetActiveCamera()
        place, down, forward = pose[:3, 3], pose[:3, 1], pose[:3, 2]
        view.SetPosition(*place)
        view.SetFocalPoint(*(place + forward))
        view.SetViewUp(*-down)
        view.SetClippingRange(_NEAR_M, far)
        self._window.Render()
        width, height = self._size
        self._window.GetRGBACharPixelData(0, 0, width - 1, height - 1, 0, self._pixels, 0)
        rows_from_below = np.asarray(vtk_to_numpy(self._pixels), np.uint8)  # type: ignore[no-untyped-call]  # VTK's
        return rows_from_below.reshape(height, width, 4)[::-1]

    def close(self) -> None:
        self._renderer.RemoveAllViewProps()
        self._window.RemoveRenderer(self._renderer)
        self._window.Finalize()


def _data_array(values: NDArray[np.generic]) -> vtkDataArray:
    """A copy that VTK owns."""
    array: vtkDataArray = numpy_to_vtk(values, deep=True)  # type: ignore[no-untyped-call]  # VTK's
    return array


def _poly_data(vertices: NDArray[np.float64], triangles: NDArray[np.int64]) -> vtkPolyData:
    points = vtkPoints()
    points.SetData(_data_array(vertices.astype(np.float32)))
    cells = vtkCellArray()
    starts = np.arange(0, 3 * len(triangles) + 1, 3, dtype=np.int64)
    cells.SetData(_data_array(starts), _data_array(triangles.ravel()))
    data = vtkPolyData()
    data.SetPoints(points)
    data.SetPolys(cells)
    return data


def _textured(mesh: Mesh) -> vtkActor:
    data = _poly_data(mesh.vertices, mesh.triangles)
    data.GetPointData().SetTCoords(_data_array(mesh.uv.astype(np.float32)))
    height, width = mesh.texture.shape[:2]
    picture = vtkImageData()
    picture.SetDimensions(width, height, 1)
    texels = np.ascontiguousarray(mesh.texture.reshape(-1, 3))
    picture.GetPointData().SetScalars(_data_array(texels))
    texture = vtkTexture()
    texture.SetInputData(picture)
    texture.InterpolateOn()
    texture.MipmapOn()
    # Its default of 4 costs four times as long in software.
    texture.SetMaximumAnisotropicFiltering(1.0)
    mapper = vtkPolyDataMapper()
    mapper.SetInputData(data)
    actor = vtkActor()
    actor.SetMapper(mapper)
    actor.SetTexture(texture)
    return actor


def _numbered(triangles: NDArray[np.float64]) -> vtkActor:
    """Triangles (t, 3, 3) in flat colours that spell their number, counted from 1."""
    number = np.arange(1, len(triangles) + 1)
    colours = np.stack([number & 255, (number >> 8) & 255, number >> 16], axis=1)
    data = _poly_data(triangles.reshape(-1, 3), np.arange(3 * len(triangles)).reshape(-1, 3))
    data.GetCellData().SetScalars(_data_array(colours.astype(np.uint8)))
    mapper = vtkPolyDataMapper()
    mapper.SetInputData(data)
    mapper.SetScalarModeToUseCellData()
    mapper.SetColorModeToDirectScalars()
    actor = vtkActor()
    actor.SetMapper(mapper)
    return actor
