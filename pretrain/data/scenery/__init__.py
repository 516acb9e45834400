"""Scenes drawn by rules: skies, lands and things in layers, each with a caption that says exactly what was drawn."""
