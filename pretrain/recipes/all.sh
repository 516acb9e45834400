#!/usr/bin/env bash
# Makes every bundled network, in the order in which they need each other.
#
#   pretrain/recipes/all.sh [FOLDER]     FOLDER (default runs/all) keeps everything; run again to go on
#
# Some fourteen hours of two cores with PROFILE=cpu (default), going by the cards.  PROFILE=try takes a few steps of each and
# bundles nothing; most of its time goes for data and figures.
. "$(dirname "$0")/common.sh"
work=$(realpath -m "${1:-runs/all}")

pretrain/recipes/clip-mini.sh "$work/clip-mini"
pretrain/recipes/clip-mini-photo.sh "$work/clip-mini"
pretrain/recipes/clip-mini-find.sh "$work/clip-mini"
pretrain/recipes/clip-mini-b.sh "$work/clip-mini-b" "$work/clip-mini"
pretrain/recipes/forward-mini.sh "$work/forward-mini" "$work/clip-mini"
pretrain/recipes/vqgan-mini.sh "$work/vqgan-mini"
