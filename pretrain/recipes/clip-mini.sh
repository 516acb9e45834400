#!/usr/bin/env bash
# Makes checkpoints/clip-mini from nothing: data, closed-form start, robust training in three parts, figures.
#
#   pretrain/recipes/clip-mini.sh [FOLDER]     FOLDER (default runs/clip-mini) keeps everything; run again to go on
#
# PROFILE=cpu (default) is what the bundled weights were made with: about three hours on two busy cores.
# PROFILE=gpu takes more pairs, larger views and batches, and more steps of the attack; it has not been run yet.
# PROFILE=try takes a few steps of each part and bundles nothing.
. "$(dirname "$0")/common.sh"
work=$(realpath -m "${1:-runs/clip-mini}")
in_folder "$work"

case $profile in
  cpu)
    first="--steps 1000 --until 638 --batch 128 --sizes 96" second="--steps 700 --until 268 --batch 128 --sizes 96"
    third="--steps 1100 --batch 128 --sizes 96,112" languages=""
    ;;
  gpu)
    large="--batch 512 --sizes 96,112,128 --bf16 --attack-steps 2"
    first="--steps 2000 $large" second="--steps 4000 $large" third="--steps 4000 $large" languages=""
    ;;
  try) first="--steps 3 --batch 8 --sizes 96" second="$first" third="$first" languages="--minutes 0.1" ;;
esac
common="--radius 1.5 --classes 0.3 --ema 0.99" rates="--lr 3e-4 --head-lr 1e-3"

pretrain/recipes/shards.sh "$work"

# Part one: objects; the heads alone for 40 steps, then the attack grows to its full radius over 200.
[ -d "$work/start" ] || "$python" -m pretrain align --out "$work/start"
[ -d "$work/one" ] || {
  "$python" -m pretrain train --shards "$work/objects/train" --validation "$work/objects/validation" \
    --start "$work/start" --out "$work/run-one" $(resume "$work/run-one") $common $rates $first \
    --radius-ramp 200 --heads-first 40 --seed 0
  "$python" -m pretrain export --run "$work/run-one" --out "$work/one"
}

# Part two: scenes as well, and the logits of the untouched ImageNet network, so that photographs are not forgotten.
[ -d "$work/two" ] || {
  "$python" -m pretrain train --shards "$work/both" --validation "$work/objects/validation" \
    --start "$work/one" --out "$work/run-two" $(resume "$work/run-two") $common $rates $second \
    --radius-ramp 1 --warmup 30 --distil 0.1 --seed 1
  "$python" -m pretrain export --run "$work/run-two" --out "$work/two" --keep 0.5  # half-way back draws best
}

# Words of other languages become new rows of the text tower: English is cut and understood as before.
[ -d "$work/languages" ] || "$python" -m pretrain multilingual --start "$work/two" --out "$work/languages" $languages

# Part three: more of the same without the old logits.  Half-way back retrieves more than its start and draws best.
[ -d "$work/clip-mini" ] || {
  "$python" -m pretrain train --shards "$work/both" --validation "$work/objects/validation" \
    --start "$work/languages" --out "$work/run-three" $(resume "$work/run-three") $common $third \
    --lr 2.5e-4 --head-lr 5e-4 --radius-ramp 1 --warmup 40 --seed 2
  "$python" -m pretrain export --run "$work/run-three" --out "$work/clip-mini" --keep 0.5
}

"$python" -m pretrain evaluate "$work/clip-mini" --suite project,languages --shards "$work/objects" --out "$work/figures"
bundle "$work/clip-mini" clip-mini
