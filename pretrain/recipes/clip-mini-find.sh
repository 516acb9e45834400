#!/usr/bin/env bash
# Makes checkpoints/clip-mini-find, which finds the words for a picture better than those that draw.
#
#   pretrain/recipes/clip-mini-find.sh [FOLDER]     FOLDER (default runs/clip-mini) is that of clip-mini.sh, run before:
#                                                   its pairs, its closed-form start and its text tower are used
#
# PROFILE=cpu (default) is what the bundled weights were made with: some four hours of one to two
# cores.  PROFILE=gpu was not run yet.  PROFILE=try takes a few steps and bundles nothing.
. "$(dirname "$0")/common.sh"
work=$(realpath -m "${1:-runs/clip-mini}")
in_folder "$work"
case $profile in
  cpu)
    large="--batch 128 --sizes 96,112" scale=1 further=1.4
    first="--steps 1400 --batch 128 --sizes 96,96,112" second="--steps 850 $large"
    third="--steps 2200 --until 857 $large" fourth="--steps 800 $large"
    ;;
  gpu)
    large="--steps 4000 --batch 1024 --sizes 112,128 --bf16" scale=8 further=8
    first="--steps 4000 --batch 1024 --sizes 96,112,128 --bf16" second="$large" third="$large" fourth="$large"
    ;;
  try) first="--steps 3 --batch 8 --sizes 96" second="$first" third="$first" fourth="$first" scale=0.02 further=0.02 ;;
esac
common="--noise 0.05 --blur 0.1 --validate-every 200"

# Icons and furniture bring six thousand further names, and lines, silhouettes and solid forms.
"$python" -m pretrain data fetch --sources icons,furniture
for part in icons furniture; do
  [ -f "$work/$part/index.json" ] || "$python" -m pretrain data build --sources $part --scale $scale --out "$work/$part"
done
# The objects once more, on other grounds, in other colours and styles.
[ -f "$work/more/index.json" ] || "$python" -m pretrain data build --scale $further --seed 11 --out "$work/more" \
  --sources emoji,stamps,clipart,art4apps,gcompris,wallpapers
mkdir -p "$work/all" "$work/all-more"
for part in objects scenes icons furniture more; do
  for shard in "$work/$part"/train/*.tar; do
    [ $part = more ] || ln -sf "$shard" "$work/all/$part-$(basename "$shard")"
    ln -sf "$shard" "$work/all-more/$part-$(basename "$shard")"
  done
done

# train_find NAME START SHARDS FLAGS...: a leg of the training, FOLDER/NAME
train_find() {
  local name=$1 start=$2 shards=$3 run="$work/run-$1"
  shift 3
  [ -d "$work/$name" ] || {
    "$python" -m pretrain train --shards "$work/$shards" --validation "$work/objects/validation" \
      --start "$work/$start" --out "$run" $(resume "$run") $common "$@"
    "$python" -m pretrain export --run "$run" --out "$work/$name" --text-of "$work/clip-mini"
  }
}

# No attack: an ordinary gradient draws speckle, but what it tells apart is finer.  The heads alone come first, on
# features that no attack ever blurred.  Then more texts to tell apart, and a looser hold on the old logits.
train_find find-one start all $first --lr 3e-4 --head-lr 1e-3 --heads-first 150 --warmup 40 --ema 0.99 \
  --classes 1 --distil 0.3 --seed 4
again="--bank 4096 --classes 0.7 --distil 0.2"
train_find find-two find-one all $second $again --lr 3e-4 --head-lr 6e-4 --warmup 30 --ema 0.99 --seed 5

# The mean of it and of clip-mini, which began with the same weights, is where the rest starts: twice more of the same.
# The mean of these two has the R@1 of the one and the R@5 of the other.
[ -d "$work/find-mean" ] || "$python" -m pretrain average "$work/find-two" "$work/clip-mini" --out "$work/find-mean"
train_find find-three find-mean all-more $third $again --lr 3e-4 --head-lr 6e-4 --warmup 40 --ema 0.995 --seed 6
train_find find-four find-three all-more $fourth $again --lr 2.5e-4 --head-lr 5e-4 --warmup 20 --ema 0.99 --seed 7
[ -d "$work/clip-mini-find" ] ||
  "$python" -m pretrain average "$work/find-four" "$work/find-three" --out "$work/clip-mini-find" --text-of "$work/clip-mini"

"$python" -m pretrain evaluate "$work/clip-mini-find" --suite project --shards "$work/objects" --out "$work/figures-find"
bundle "$work/clip-mini-find" clip-mini-find
