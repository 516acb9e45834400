"""Views of textured 3D models, drawn by VTK without a screen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def render_views(model: Path, turns: list[float], tilt: float, side: int) -> list[Image.Image]:
    """RGBA views (side, side) of a Wavefront model with its .mtl beside it, one for each turn in degrees around the
    upright axis.

    `tilt` is the height of the eye in degrees. Raises ValueError for a model without a surface.
    """
    import vtk

    vtk.vtkObject.GlobalWarningDisplayOff()
    renderer, window = stage(side)
    importer = vtk.vtkOBJImporter()
    importer.SetFileName(str(model))
    importer.SetFileNameMTL(str(model.with_suffix(".mtl")))
    importer.SetTexturePath(str(model.parent))
    importer.SetRenderWindow(window)
    importer.Update()
    soften(renderer)
    bounds = np.array(renderer.ComputeVisiblePropBounds()).reshape(3, 2)
    if not np.all(bounds[:, 1] >= bounds[:, 0]):
        raise ValueError("a model without a surface")
    views = [view(renderer, window, bounds, turn, tilt) for turn in turns]
    window.Finalize()
    return views


def stage(side: int) -> tuple[object, object]:
    """An empty scene in an off-screen window with a soft light from the eye and one from above the left."""
    import vtk

    renderer, window = vtk.vtkRenderer(), vtk.vtkRenderWindow()
    window.SetOffScreenRendering(1)
    window.SetAlphaBitPlanes(1)
    window.SetMultiSamples(0)
    window.SetSize(2 * side, 2 * side)
    window.AddRenderer(renderer)
    renderer.SetBackgroundAlpha(0)
    renderer.SetAutomaticLightCreation(0)
    for place, strength in (((0, 0.4, 1), 0.55), ((-0.8, 1.2, 0.6), 0.5)):
        light = vtk.vtkLight()
        light.SetLightTypeToCameraLight()
        light.SetPosition(*place)
        light.SetIntensity(strength)
        renderer.AddLight(light)
    return renderer, window


def soften(renderer: object) -> None:
    """Give every surface some ambient light and no mirror, which the files often ask too much of."""
    actors = renderer.GetActors()
    actors.InitTraversal()
    for _ in range(actors.GetNumberOfItems()):
        surface = actors.GetNextActor().GetProperty()
        surface.SetAmbientColor(surface.GetDiffuseColor())
        surface.SetAmbient(0.3)
        surface.SetDiffuse(0.75)
        surface.SetSpecular(min(surface.GetSpecular(), 0.15))


def view(renderer: object, window: object, bounds: NDArray, turn: float, tilt: float) -> Image.Image:
    """One picture of the whole model, from `turn` degrees around and `tilt` degrees above, at half the window's
    size.
    """
    import vtk
    from vtk.util.numpy_support import vtk_to_numpy

    camera, middle = renderer.GetActiveCamera(), bounds.mean(1)
    reach = np.linalg.norm(bounds[:, 1] - bounds[:, 0]) / 2
    around, above = np.radians(turn), np.radians(tilt)
    away = np.array([np.sin(around) * np.cos(above), np.sin(above), np.cos(around) * np.cos(above)])
    camera.SetViewAngle(30)
    camera.SetFocalPoint(*middle)
    camera.SetPosition(*(middle + away * reach / np.sin(np.radians(15))))
    camera.SetViewUp(0, 1, 0)
    renderer.ResetCameraClippingRange()
    window.Render()
    width, height = window.GetSize()
    values = vtk.vtkUnsignedCharArray()
    window.GetRGBACharPixelData(0, 0, width - 1, height - 1, 0, values)
    picture = Image.fromarray(vtk_to_numpy(values).reshape(height, width, 4)[::-1].copy())
    return picture.resize((width // 2, height // 2), Image.Resampling.BOX)
