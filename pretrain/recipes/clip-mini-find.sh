#!/usr/bin/env bash
# Makes checkpoints/clip-mini-find, which finds the words for a picture better than those that draw.
#
#   pretrain/recipes/clip-mini-find.sh [FOLDER]     FOLDER (default runs/clip-mini) is that of clip-mini.sh and of
#                                                   clip-mini-photo.sh, run before: pairs, starts and text tower are
#                                                   theirs
#
# PROFILE=cpu (default) is what the bundled weights were made with: some seven hours of one to two
# cores.  PROFILE=gpu was not run yet.  PROFILE=try takes a few steps and bundles nothing.
. "$(dirname "$0")/common.sh"
work=$(realpath -m "${1:-runs/clip-mini}")
in_folder "$work"
case $profile in
  cpu)
    large="--batch 128 --sizes 96,112" scale=1 further=1.4
    first="--steps 1400 --batch 128 --sizes 96,96,112" second="--steps 850 $large"
    third="--steps 2200 --until 857 $large" fourth="--steps 800 $large"
    fifth="--steps 1600 --until 250 $large" sixth="--steps 2500 $large" seventh="--steps 1100 $large"
    ;;
  gpu)
    large="--steps 4000 --batch 1024 --sizes 112,128 --bf16" scale=8 further=8
    first="--steps 4000 --batch 1024 --sizes 96,112,128 --bf16" second="$large" third="$large" fourth="$large"
    fifth="$large" sixth="$large" seventh="$large"
    ;;
  try)
    scale=0.02 further=0.02 first="--steps 3 --batch 8 --sizes 96" second="$first" third="$first" fourth="$first"
    fifth="$first" sixth="$first" seventh="$first"
    ;;
esac
common="--noise 0.05 --blur 0.1 --validate-every 200"

# Icons and furniture bring six thousand further names, silhouettes and solid forms; outlines bring lines.
"$python" -m pretrain data fetch --sources icons,furniture,outlines
for part in icons furniture; do
  [ -f "$work/$part/index.json" ] || "$python" -m pretrain data build --sources $part --scale $scale --out "$work/$part"
done
[ -f "$work/outlines/index.json" ] ||
  "$python" -m pretrain data build --sources outlines --scale $scale --seed 12 --out "$work/outlines"
# The objects once more, on other grounds, in other colours and styles.
[ -f "$work/more/index.json" ] || "$python" -m pretrain data build --scale $further --seed 11 --out "$work/more" \
  --sources emoji,stamps,clipart,art4apps,gcompris,wallpapers
gather "$work/all" objects scenes icons furniture
gather "$work/all-more" objects scenes icons furniture more
gather "$work/all-lines" objects scenes icons furniture more outlines
gather "$work/all-last" objects scenes icons furniture outlines

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

# mean_of NAME ONE OTHER...: FOLDER/NAME, the mean of these
mean_of() {
  local name=$1
  shift
  [ -d "$work/$name" ] ||
    "$python" -m pretrain average "${@/#/$work/}" --out "$work/$name" --text-of "$work/clip-mini"
}

# No attack: an ordinary gradient draws speckle, but what it tells apart is finer.  The heads alone come first, on
# features that no attack ever blurred.  Then more texts to tell apart, and a looser hold on the old logits.
train_find find-one start all $first --lr 3e-4 --head-lr 1e-3 --heads-first 150 --warmup 40 --ema 0.99 \
  --classes 1 --distil 0.3 --seed 4
again="--bank 4096 --classes 0.7 --distil 0.2"
train_find find-two find-one all $second $again --lr 3e-4 --head-lr 6e-4 --warmup 30 --ema 0.99 --seed 5

# The mean of it and of clip-mini, which began with the same weights, is where the rest starts: twice more of the same.
# The mean of these two has the R@1 of the one and the R@5 of the other.
mean_of find-mean find-two clip-mini
train_find find-three find-mean all-more $third $again --lr 3e-4 --head-lr 6e-4 --warmup 40 --ema 0.995 --seed 6
train_find find-four find-three all-more $fourth $again --lr 2.5e-4 --head-lr 5e-4 --warmup 20 --ema 0.99 --seed 7
mean_of find-mean-two find-four find-three

# Lines now, and what WordNet's glosses say of the classes instead of class rows alone. A short leg as it is and one with
# mixed styles: their mean with where they began is better than each.
kept="--bank 4096 --glosses 1 --classes 0.3 --distil 0.2"
for mixing in 0 0.5; do
  train_find find-five-$mixing find-mean-two all-lines $fifth $kept --lr 2.5e-4 --head-lr 5e-4 --warmup 20 --ema 0.99 \
    --seed 8 --mix-styles $mixing
done
mean_of find-mean-three find-five-0 find-five-0.5 find-mean-two
train_find find-six find-mean-three all-lines $sixth $kept --lr 3e-4 --head-lr 6e-4 --warmup 30 --ema 0.995 --seed 9

# Where glosses point is no linear map of a text's vector: a hidden layer.  A sixth of clip-mini-photo, which remembers
# photographs, goes into the start; what glosses say of the views, as the untouched network sees them, is taught too.
# A good half of the way from there knows more names than the end.
mean_of find-mean-four find-six find-six find-six find-six find-six clip-mini-photo
[ -d "$work/find-deep" ] ||
  "$python" -m pretrain deepen "$work/find-mean-four" --out "$work/find-deep" --text-of "$work/clip-mini"
train_find find-seven find-deep all-last $seventh $kept --seen-glosses 0.5 --lr 3e-4 --head-lr 6e-4 --warmup 30 \
  --ema 0.99 --seed 10
[ -d "$work/find-done" ] ||
  "$python" -m pretrain export --run "$work/run-find-seven" --keep 0.6 --out "$work/find-done" \
    --text-of "$work/clip-mini"

"$python" -m pretrain evaluate "$work/find-done" --suite project --shards "$work/objects" --out "$work/figures-find"
bundle "$work/find-done" clip-mini-find
