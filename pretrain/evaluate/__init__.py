"""What a CLIP can do, in figures and pictures. Each suite's text says how its figures mislead."""
