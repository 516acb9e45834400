#!/usr/bin/env bash
# Makes checkpoints/forward-mini from nothing: pairs, training, figures.
#
#   pretrain/recipes/forward-mini.sh [FOLDER] [SHARDS]     FOLDER (default runs/forward-mini) keeps everything; run again
#                                                          to go on.  SHARDS (default runs/clip-mini) has or gets the
#                                                          pairs, those of clip-mini.sh
#
# PROFILE=cpu (default): about 45 minutes of one core.
# PROFILE=gpu takes more of everything; it has not been run yet.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(realpath -m "${1:-runs/forward-mini}") shards=$(realpath -m "${2:-runs/clip-mini}")
python=${PYTHON:-.venv/bin/python}

if [ "${PROFILE:-cpu}" = gpu ]; then
  how="--batch 256 --steps 30000 --tries 8 --judged 128"
else
  how="--steps 1700 --threads 1"
fi
resume=$([ -f "$work/checkpoint.pt" ] && echo --resume || true)

pretrain/recipes/shards.sh "$shards"
"$python" -m pretrain forward --shards "$shards/objects/train" "$shards/scenes/train" --out "$work" $how $resume
"$python" -m pretrain forward-evaluate "$work/forward" --shards "$shards/objects/validation" --out "$work/figures"
"$python" -m pretrain.bundle "$work/forward" forward-mini
