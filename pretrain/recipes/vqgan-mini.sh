#!/usr/bin/env bash
# Makes checkpoints/vqgan-mini from nothing: data, crops, training, figures.
#
#   pretrain/recipes/vqgan-mini.sh [FOLDER]     FOLDER (default runs/vqgan-mini) keeps everything; run again to go on
#
# PROFILE=cpu (default): about 90 minutes of one core, in two parts: small crops, then large ones from the first part's
# weights. The bundled weights' first part came of a run in stretches that found these settings out (see their card); the
# second is as it stands here.
# PROFILE=gpu takes larger batches and many more steps; it has not been run yet.  PROFILE=try takes a few steps and
# bundles nothing.
. "$(dirname "$0")/common.sh"
work=$(realpath -m "${1:-runs/vqgan-mini}")
in_folder "$work"
sources=wallpapers,gcompris,stellarium,portraits,stamps,emoji,clipart,art4apps,scenes
case $profile in
  cpu) small="--batch 8 --steps 6000 --scale 0.75 --threads 1" large="--batch 16 --steps 3800 --threads 1" ;;
  gpu) small="--batch 64 --steps 100000 --scale 4" large="--batch 64 --steps 60000" ;;
  try) small="--batch 2 --steps 3 --free 1 --grow 1 --scale 0.02" large="--batch 2 --steps 3" ;;
esac

"$python" -m pretrain data fetch --sources "$sources"
"$python" -m pretrain vqgan --out "$work" --sources "$sources" $small $(resume "$work")
"$python" -m pretrain vqgan --out "$work/large" --crops "$work/crops" --start "$work/vqgan" --free 0 --grow 0 \
  --rate 1e-3 --settle 0.4 --seed 1 $large $(resume "$work/large")
"$python" -m pretrain vqgan-evaluate "$work/large/vqgan" --crops "$work/crops" --out "$work/figures"
bundle "$work/large/vqgan" vqgan-mini
