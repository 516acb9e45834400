#!/usr/bin/env bash
# Makes checkpoints/clip-mini-b from nothing: data, closed-form start, ordinary contrastive training, figures.
#
#   pretrain/recipes/clip-mini-b.sh [FOLDER] [SHARDS]     FOLDER (default runs/clip-mini-b) keeps everything; run again
#                                                         to go on.  SHARDS (default runs/clip-mini) has or gets the
#                                                         pairs, those of clip-mini.sh
#
# Nothing of clip-mini is used but its pairs: this CLIP judges the pictures that clip-mini guides.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(realpath -m "${1:-runs/clip-mini-b}") shards=$(realpath -m "${2:-runs/clip-mini}")
python=${PYTHON:-.venv/bin/python}

pretrain/recipes/shards.sh "$shards"
[ -d "$work/start" ] || "$python" -m pretrain align-pairs --shards "$shards/both" --out "$work/start"

# Heads alone for 30 steps, then the two upper stages as well; noise and blur on views, no attack and no teacher.
[ -d "$work/clip-mini-b" ] || {
  resume=$([ -f "$work/run/checkpoint.pt" ] && echo --resume || true)
  "$python" -m pretrain train --shards "$shards/both" --validation "$shards/objects/validation" \
    --start "$work/start" --out "$work/run" $resume --steps 600 --batch 128 --sizes 96 --still 'conv1|layer[12]' \
    --heads-first 30 --lr 2e-4 --head-lr 5e-4 --ema 0.99 --warmup 30 --seed 0
  "$python" -m pretrain export --run "$work/run" --out "$work/clip-mini-b"
}

"$python" -m pretrain evaluate "$work/clip-mini-b" --suite project --shards "$shards/objects" --out "$work/figures"
"$python" -m pretrain.bundle "$work/clip-mini-b" clip-mini-b
