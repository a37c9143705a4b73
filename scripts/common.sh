# Sourced by the experiment scripts: checks their variables (and those in `more`) and defines `train`.
# Defaults of run.py are the released recipe, so the scripts only name data, method and paths.

for name in ROOT EXP_PATH ${more:-}; do
    if [[ -z ${!name:-} ]]; then
        case $name in
            ROOT) what='the data folder, with images/, train.txt, test.txt and gaze/' ;;
            EXP_PATH) what='the run folder to write' ;;
            FIXATIONS) what='the fixation table' ;;
        esac
        printf '%s: set %s to %s, as in: ROOT=data/kvasir EXP_PATH=exp/run %sbash %s\n' \
            "$(basename -- "$0")" "$name" "$what" "${more:+$more=GazeMedSeg/kvasir_fixation.csv }" "$0" >&2
        exit 2
    fi
done

repository=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
# The interpreter: PYTHON, else that of scripts/setup.sh's environment, else the active one (conda).
python=${PYTHON:-$repository/.venv/bin/python}
[[ -n ${PYTHON:-} || -x $python ]] || python=python

train() {
    "$python" "$repository/run.py" train --root "$ROOT" --exp_path "$EXP_PATH" "$@"
}
