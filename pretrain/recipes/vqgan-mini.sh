#!/usr/bin/env bash
# Makes checkpoints/vqgan-mini from nothing: data, crops, training, figures.
#
#   pretrain/recipes/vqgan-mini.sh [FOLDER]     FOLDER (default runs/vqgan-mini) keeps everything; run again to go on
#
# PROFILE=cpu (default): about 45 minutes of one core. The bundled weights came of a run in stretches that found these settings
# out (see their card); this script has not been run from end to end.
# PROFILE=gpu takes larger batches and many more steps; it has not been run yet.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(realpath -m "${1:-runs/vqgan-mini}")
python=${PYTHON:-.venv/bin/python}

if [ "${PROFILE:-cpu}" = gpu ]; then
  how="--batch 64 --steps 100000 --scale 4"
else
  how="--batch 8 --steps 6000 --scale 0.75 --threads 1"
fi
sources=wallpapers,gcompris,stellarium,portraits,stamps,emoji,clipart,art4apps,scenes
resume=$([ -f "$work/checkpoint.pt" ] && echo --resume || true)

"$python" -m pretrain data fetch --sources "$sources"
"$python" -m pretrain vqgan --out "$work" --sources "$sources" $how $resume
"$python" -m pretrain vqgan-evaluate "$work/vqgan" --crops "$work/crops" --out "$work/figures"
"$python" -m pretrain.bundle "$work/vqgan" vqgan-mini
