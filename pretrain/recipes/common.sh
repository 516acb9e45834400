# What the recipes share; they source it.  PROFILE chooses their scale: cpu (default), gpu, or try: a few steps of
# everything, which shows that all parts still fit together and puts nothing into checkpoints/.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
python=${PYTHON:-.venv/bin/python}
profile=${PROFILE:-cpu}
case $profile in cpu | gpu | try) ;; *) echo "PROFILE is cpu, gpu or try, not '$profile'" >&2; exit 2 ;; esac

# in_folder FOLDER: makes it, and refuses one where another PROFILE was at work: its networks would count as made
in_folder() {
  mkdir -p "$1"
  local before
  before=$(cat "$1/profile" 2>/dev/null || echo "$profile")
  if [ "$before" != "$profile" ]; then
    echo "$1 was made with PROFILE=$before; give another folder, or delete it" >&2
    exit 2
  fi
  echo "$profile" >"$1/profile"
}

# gather FOLDER PART...: links in FOLDER to the training shards of these parts of $work
gather() {
  local folder=$1 part shard
  shift
  mkdir -p "$folder"
  for part in "$@"; do
    for shard in "$work/$part"/train/*.tar; do ln -sf "$shard" "$folder/$part-$(basename "$shard")"; done
  done
}

# --resume where a run in this folder was cut off
resume() { if [ -f "$1/checkpoint.pt" ]; then echo --resume; fi; }

# bundle FOLDER NAME: a finished network becomes the bundled one
bundle() { if [ "$profile" = try ]; then echo "tried: $1"; else "$python" -m pretrain.bundle "$1" "$2"; fi; }
