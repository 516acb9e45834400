#!/usr/bin/env bash
# Makes checkpoints/forward-mini from nothing: pictures, training, figures.
#
#   pretrain/recipes/forward-mini.sh [FOLDER] [SHARDS]     FOLDER (default runs/forward-mini) keeps everything; run again
#                                                          to go on.  SHARDS (default runs/clip-mini) has or gets the
#                                                          pairs of clip-mini.sh, whose validation part is drawn
#
# PROFILE=cpu (default): about 35 minutes of two cores, eight of them for the captions.
# PROFILE=gpu takes more of everything; it has not been run yet.  PROFILE=try takes a few steps and bundles nothing.
. "$(dirname "$0")/common.sh"
work=$(realpath -m "${1:-runs/forward-mini}") shards=$(realpath -m "${2:-runs/clip-mini}")
in_folder "$work"
declare -A scales=(
  [cpu]=""
  [gpu]="--batch 4096 --steps 60000 --judged 128"
  [try]="--batch 16 --steps 4 --judged 2 --clip-from 0.5 --components 256 --sources portraits,stellarium,gcompris"
)

pretrain/recipes/shards.sh "$shards"
"$python" -m pretrain forward --out "$work" ${scales[$profile]} $(resume "$work")
"$python" -m pretrain forward-evaluate "$work/forward" --shards "$shards/objects/validation" --out "$work/figures"
bundle "$work/forward" forward-mini
