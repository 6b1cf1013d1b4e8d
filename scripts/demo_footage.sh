#!/usr/bin/env bash
# From four cameras to "who is this?", without a label: renders a scene with a tracker's mistakes,
# crops it, learns from the first half, and answers for people of the second.
#
#   bash scripts/demo_footage.sh [OUT]          OUT is runs/demo_footage of the repository by default
#   SEED=1 bash scripts/demo_footage.sh OUT     other people, other cameras
#
# Interrupted? The same command goes on.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
out="${1:-$root/runs/demo_footage}"
seed="${SEED:-0}"
half=2026-05-01T12:04:00   # the scene begins at 12:00
later=2026-05-01T12:06:00  # who left before is a stranger to the searches below

# At a gap of 1 no pattern of clothes shows in heat, and hardly anybody is found across the modalities.
vireid synth "$out/scene" --video --minutes 8 --people 320 --gap 0.33 --seed "$seed"
{
    read -r _
    while IFS=, read -r camera modality video tracks start rate; do
        # A folder of pictures does not know how fast they were taken.
        pictures=()
        if [ -d "$out/scene/$video" ]; then pictures=(--frame-rate "$rate"); fi
        for part in first second; do
            time=(--until "$half")
            if [ $part = second ]; then time=(--since "$half"); fi
            vireid crop "$out/scene/$video" --tracks "$out/scene/$tracks" --camera "$camera" \
                --modality "$modality" --start "$start" "${pictures[@]}" "${time[@]}" \
                --output "$out/$part" </dev/null
        done
    done
} <"$out/scene/cameras.csv"

settings=(--dataset folder --data-dir "$out/first" --seed "$seed")
# shellcheck disable=SC2046
vireid baseline --config "$root/configs/footage_baseline.yaml" "${settings[@]}" \
    --output "$out/baseline" $(go_on "$out/baseline")
# shellcheck disable=SC2046
vireid mmm --config "$root/configs/footage_mmm.yaml" "${settings[@]}" \
    --baseline "$out/baseline" --output "$out/mmm" $(go_on "$out/mmm")

# People of the second half: nobody says who they are, and the network never saw them.
vireid evaluate --dataset folder --data-dir "$out/second" --checkpoint "$out/mmm"
# Nobody is in front of two cameras at once, so people at one time are different people.
vireid calibrate "$out/mmm" --data-dir "$out/second" --transitions "$out/scene/transitions.csv"
vireid index "$out/mmm" "$out/second" --output "$out/index" --dim 0
# The fewer tracklets a search ranks, the more it can say: one camera, the last two minutes.
ask=(vireid search "$out/index" --from "$later" --fpir 0.05 --transitions "$out/scene/transitions.csv")
"${ask[@]}" --camera cam3 --query 'train/unknown/visible/cam1/*' --top 5 \
    --format html --output "$out/answers.html"
for way in visible:cam3 infrared:cam1; do
    "${ask[@]}" --camera "${way#*:}" --query "train/unknown/${way%:*}/*" --top 10000 \
        --format jsonl --output "$out/answers-${way%:*}.jsonl"
done

echo "The scene knows who everybody is. Nothing above did; how right were the answers?"
PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}" python -m benchmarks.footage_answers \
    "$out/scene" "$out/second" "$out"/answers-{visible,infrared}.jsonl
echo "look at them: vireid browse $out/index"
