#!/usr/bin/env bash
# Makes checkpoints/forward-mini from nothing: pictures, training, figures.
#
#   pretrain/recipes/forward-mini.sh [FOLDER] [SHARDS]     FOLDER (default runs/forward-mini) keeps everything; run again
#                                                          to go on.  SHARDS (default runs/clip-mini) has or gets the
#                                                          pairs of clip-mini.sh, whose validation part is drawn
#
# PROFILE=cpu (default): about 35 minutes of two cores, eight of them for the captions.
# PROFILE=gpu takes more of everything; it has not been run yet.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(realpath -m "${1:-runs/forward-mini}") shards=$(realpath -m "${2:-runs/clip-mini}")
python=${PYTHON:-.venv/bin/python}

if [ "${PROFILE:-cpu}" = gpu ]; then
  how="--batch 4096 --steps 60000 --judged 128"
else
  how=""  # its defaults
fi
resume=$([ -f "$work/checkpoint.pt" ] && echo --resume || true)

pretrain/recipes/shards.sh "$shards"
"$python" -m pretrain forward --out "$work" $how $resume
"$python" -m pretrain forward-evaluate "$work/forward" --shards "$shards/objects/validation" --out "$work/figures"
"$python" -m pretrain.bundle "$work/forward" forward-mini
