#!/usr/bin/env bash
# Makes checkpoints/vqgan-mini from nothing: data, crops, training, figures.
#
#   pretrain/recipes/vqgan-mini.sh [FOLDER]     FOLDER (default runs/vqgan-mini) keeps everything; run again to go on
#
# PROFILE=cpu (default): about 90 minutes of one core, in two parts: small crops, then large ones from the first part's
# weights. The bundled weights' first part came of a run in stretches that found these settings out (see their card); the
# second is as it stands here. The script has not been run from end to end.
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
made="$work/vqgan"
if [ "${PROFILE:-cpu}" = cpu ]; then
  resume=$([ -f "$work/large/checkpoint.pt" ] && echo --resume || true)
  "$python" -m pretrain vqgan --out "$work/large" --crops "$work/crops" --start "$made" --free 0 --grow 0 --steps 3800 \
    --batch 16 --rate 1e-3 --settle 0.4 --seed 1 --threads 1 $resume
  made="$work/large/vqgan"
fi
"$python" -m pretrain vqgan-evaluate "$made" --crops "$work/crops" --out "$work/figures"
"$python" -m pretrain.bundle "$made" vqgan-mini
