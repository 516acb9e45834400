#!/usr/bin/env bash
# Makes checkpoints/clip-mini-find, which finds the words for a picture better than those that draw.
#
#   pretrain/recipes/clip-mini-find.sh [FOLDER]     FOLDER (default runs/clip-mini) is that of clip-mini.sh, run before:
#                                                   its pairs, its closed-form start and its text tower are used
#
# PROFILE=cpu (default) is what the bundled weights were made with: two hours of one core.  PROFILE=gpu was not run yet.
# PROFILE=try takes a few steps and bundles nothing.
. "$(dirname "$0")/common.sh"
work=$(realpath -m "${1:-runs/clip-mini}")
case $profile in
  cpu) first="--steps 1400 --batch 128 --sizes 96,96,112" second="--steps 850 --batch 128 --sizes 96,112" scale=1 ;;
  gpu)
    first="--steps 4000 --batch 1024 --sizes 96,112,128 --bf16" second="--steps 4000 --batch 1024 --sizes 112,128 --bf16"
    scale=8
    ;;
  try) first="--steps 3 --batch 8 --sizes 96" second="$first" scale=0.02 ;;
esac
common="--lr 3e-4 --ema 0.99 --noise 0.05 --blur 0.1 --validate-every 200"

# Icons and furniture bring six thousand further names, and lines, silhouettes and solid forms.
"$python" -m pretrain data fetch --sources icons,furniture
for part in icons furniture; do
  [ -f "$work/$part/index.json" ] || "$python" -m pretrain data build --sources $part --scale $scale --out "$work/$part"
done
mkdir -p "$work/all"
for part in objects scenes icons furniture; do
  for shard in "$work/$part"/train/*.tar; do ln -sf "$shard" "$work/all/$part-$(basename "$shard")"; done
done

# No attack: an ordinary gradient draws speckle, but what it tells apart is finer.  The heads alone come first, on
# features that no attack ever blurred.
[ -d "$work/find-one" ] || {
  "$python" -m pretrain train --shards "$work/all" --validation "$work/objects/validation" --start "$work/start" \
    --out "$work/run-find-one" $(resume "$work/run-find-one") $common $first --heads-first 150 --head-lr 1e-3 \
    --warmup 40 --classes 1 --distil 0.3 --seed 4
  "$python" -m pretrain export --run "$work/run-find-one" --out "$work/find-one"
}

# The same once more, with more texts to tell apart and a looser hold on the old logits.
[ -d "$work/clip-mini-find" ] || {
  "$python" -m pretrain train --shards "$work/all" --validation "$work/objects/validation" --start "$work/find-one" \
    --out "$work/run-find" $(resume "$work/run-find") $common $second --bank 4096 --head-lr 6e-4 --warmup 30 \
    --classes 0.7 --distil 0.2 --seed 5
  "$python" -m pretrain export --run "$work/run-find" --out "$work/clip-mini-find" --text-of "$work/clip-mini"
}

"$python" -m pretrain evaluate "$work/clip-mini-find" --suite project --shards "$work/objects" --out "$work/figures-find"
bundle "$work/clip-mini-find" clip-mini-find
