#!/usr/bin/env bash
# Makes checkpoints/clip-mini-b from nothing: data, closed-form start, ordinary contrastive training, figures.
#
#   pretrain/recipes/clip-mini-b.sh [FOLDER] [SHARDS]     FOLDER (default runs/clip-mini-b) keeps everything; run again
#                                                         to go on.  SHARDS (default runs/clip-mini) has or gets the
#                                                         pairs, those of clip-mini.sh
#
# Nothing of clip-mini is used but its pairs: this CLIP judges the pictures that clip-mini guides.
# PROFILE=cpu (default) is what the bundled weights were made with.  PROFILE=gpu takes larger batches and more steps; it
# has not been run yet.  PROFILE=try takes a few steps and bundles nothing.
. "$(dirname "$0")/common.sh"
work=$(realpath -m "${1:-runs/clip-mini-b}") shards=$(realpath -m "${2:-runs/clip-mini}")
in_folder "$work"
declare -A starts=([cpu]="" [gpu]="--pairs 65536" [try]="--pairs 512 --minutes 0.1")
declare -A scales=(
  [cpu]="--steps 600 --batch 128 --heads-first 30"
  [gpu]="--steps 6000 --batch 1024 --heads-first 100 --bf16"
  [try]="--steps 3 --batch 8 --heads-first 1"
)

pretrain/recipes/shards.sh "$shards"
[ -d "$work/start" ] || "$python" -m pretrain align-pairs --shards "$shards/both" --out "$work/start" ${starts[$profile]}

# Heads alone at first, then the two upper stages as well; noise and blur on views, no attack and no teacher.
[ -d "$work/clip-mini-b" ] || {
  "$python" -m pretrain train --shards "$shards/both" --validation "$shards/objects/validation" \
    --start "$work/start" --out "$work/run" $(resume "$work/run") ${scales[$profile]} --sizes 96 \
    --still 'conv1|layer[12]' --lr 2e-4 --head-lr 5e-4 --ema 0.99 --warmup 30 --seed 0
  "$python" -m pretrain export --run "$work/run" --out "$work/clip-mini-b"
}

"$python" -m pretrain evaluate "$work/clip-mini-b" --suite project --shards "$shards/objects" --out "$work/figures"
bundle "$work/clip-mini-b" clip-mini-b
