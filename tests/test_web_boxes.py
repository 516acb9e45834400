"""The page's own boxes."""

import pytest

pytest.importorskip("gradio")

import gradio as gr

from apps.boxes import Painter, Picture


def test_picture_boxes_can_be_updated(tmp_path):
    """Gradio makes a component anew for each update, from what it was made of and what is new."""
    with gr.Blocks():
        boxes = [Picture(tmp_path, "Start image", elem_id="start"), Painter(tmp_path, "Photo", elem_id="photo")]
    for box in boxes:
        again = type(box)(**{**box.constructor_args, "visible": False, "label": "Another", "render": False})
        told = again.get_config()
        assert (told["visible"], told["label"], again.elem_id) == (False, "Another", box.elem_id)
