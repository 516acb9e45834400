#!/usr/bin/env bash
# The pairs that the bundled CLIPs are trained on: FOLDER/objects and FOLDER/scenes, and the training shards of FOLDER/both.
#
#   pretrain/recipes/shards.sh FOLDER     run again to go on.  PROFILE=gpu composes eight times as many pairs.
. "$(dirname "$0")/common.sh"
work=$(realpath -m "$1")
in_folder "$work"
objects=emoji,stamps,clipart,art4apps,gcompris,wallpapers
scenes=scenes,avatars,portraits
declare -A scales=([cpu]=1 [gpu]=8 [try]=0.02)
scale=${scales[$profile]}

"$python" -m pretrain data fetch --sources "$objects,$scenes"
[ -f "$work/objects/index.json" ] || "$python" -m pretrain data build --sources "$objects" --scale "$scale" --out "$work/objects"
[ -f "$work/scenes/index.json" ] || "$python" -m pretrain data build --sources "$scenes" --scale "$scale" --out "$work/scenes"
gather "$work/both" objects scenes
