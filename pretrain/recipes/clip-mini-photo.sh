#!/usr/bin/env bash
# Makes checkpoints/clip-mini-photo: what ImageNet taught Lite0, kept while its gradient learns to draw.
#
#   pretrain/recipes/clip-mini-photo.sh [FOLDER]     FOLDER (default runs/clip-mini) is that of clip-mini.sh, run before:
#                                                    its pairs, its closed-form start and its text tower are used
#
# PROFILE=cpu (default) is what the bundled weights were made with: 40 minutes of one busy core.  PROFILE=gpu has not been
# run yet.  PROFILE=try takes a few steps and bundles nothing.
. "$(dirname "$0")/common.sh"
work=$(realpath -m "${1:-runs/clip-mini}")
in_folder "$work"
declare -A scales=(
  [cpu]="--steps 1000 --batch 64 --sizes 96,112"
  [gpu]="--steps 6000 --batch 512 --sizes 96,112,128 --bf16"
  [try]="--steps 3 --batch 8 --sizes 96"
)

# The old logits weigh most, on unharmed views against attacked ones; a small radius keeps fine detail in the gradient;
# a low rate of the heads keeps what the closed form knows of classes it was not shown.
[ -d "$work/clip-mini-photo" ] || {
  "$python" -m pretrain train --shards "$work/both" --validation "$work/objects/validation" \
    --start "$work/start" --out "$work/run-photo" $(resume "$work/run-photo") ${scales[$profile]} --radius 0.6 \
    --radius-ramp 60 --blur 0.1 --classes 1 --distil 2 --lr 2e-4 --head-lr 1e-4 --warmup 40 --ema 0.99 --seed 3
  "$python" -m pretrain export --run "$work/run-photo" --out "$work/clip-mini-photo" --text-of "$work/clip-mini"
}

"$python" -m pretrain evaluate "$work/clip-mini-photo" --suite project --shards "$work/objects" --out "$work/figures-photo"
bundle "$work/clip-mini-photo" clip-mini-photo
