#!/usr/bin/env bash
# Fetches assets/selfie_segmentation.tflite by the name of its npm package, and compares its hash.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
name=selfie_segmentation
hash=$(grep -oE '^SHA256 = "[0-9a-f]{64}"' "$root/backend/detect/person.py" | cut -d '"' -f 2)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
npm pack --silent "@mediapipe/$name@0.1.1675465747" >/dev/null
tar xzf ./*.tgz "package/$name.tflite"
echo "$hash  package/$name.tflite" | sha256sum --check --quiet
install -m 644 "package/$name.tflite" "$root/assets/$name.tflite"
echo "assets/$name.tflite is as it should be."
