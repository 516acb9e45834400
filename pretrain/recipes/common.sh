# What the recipes share; they source it.  PROFILE chooses their scale: cpu (default), gpu, or try: a few steps of
# everything, in minutes, which shows that all parts still fit together and puts nothing into checkpoints/.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
python=${PYTHON:-.venv/bin/python}
profile=${PROFILE:-cpu}
case $profile in cpu | gpu | try) ;; *) echo "PROFILE is cpu, gpu or try, not '$profile'" >&2; exit 2 ;; esac

# --resume where a run in this folder was cut off
resume() { if [ -f "$1/checkpoint.pt" ]; then echo --resume; fi; }

# bundle FOLDER NAME: a finished network becomes the bundled one
bundle() { if [ "$profile" = try ]; then echo "tried: $1"; else "$python" -m pretrain.bundle "$1" "$2"; fi; }
