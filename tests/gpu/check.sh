#!/usr/bin/env bash
# On a machine with an NVIDIA card: build for it, prove the kernels right, then measure. Under nine minutes.
#
#   tests/gpu/check.sh            everything
#   tests/gpu/check.sh prove      without the bench
#   tests/gpu/check.sh bench      without the proofs
#
# Needs nvcc (CUDA 12.4 or later), a C++20 compiler and Python 3.11. Results: tests/bench/results/<gpu>.csv
# SFUMATO_TRANSFORMERS=python names a Python with torch and transformers, which are then measured beside.
set -euo pipefail
cd "$(dirname "$0")/../.."
what=${1:-all}
venv=${SFUMATO_VENV:-.venv}

nvidia-smi --query-gpu=name,driver_version,memory.total,power.limit,clocks.max.sm,clocks.max.mem --format=csv
test -x "$venv/bin/python" || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet "cmake>=3.25,<5" "ninja>=1.11,<2" "nanobind>=2.4,<4" "numpy>=1.26,<3" \
  "gguf>=0.17,<0.20" "msgspec>=0.19,<0.23" "pytest>=8,<10" "pytest-timeout>=2.3,<3" "hypothesis>=6.100,<7" \
  "nvidia-ml-py>=12.535,<14" "platformdirs>=4.2,<5"

echo "== build for this card"
"$venv/bin/cmake" -G Ninja -S native -B build/gpu -DSFUMATO_CUDA=ON -DCMAKE_CUDA_ARCHITECTURES=native \
  -DCMAKE_BUILD_TYPE=Release -DPython_EXECUTABLE="$PWD/$venv/bin/python" \
  -DCMAKE_MAKE_PROGRAM="$PWD/$venv/bin/ninja" >build-gpu.log || { cat build-gpu.log; exit 1; }
time "$venv/bin/ninja" -C build/gpu _native >>build-gpu.log || { tail -50 build-gpu.log; exit 1; }
SFUMATO_NATIVE_LIBRARY=$(echo "$PWD"/build/gpu/_native.*.so)
export SFUMATO_NATIVE_LIBRARY PYTHONPATH=$PWD/app:$PWD/tests

if [ "$what" != bench ]; then
  echo "== operations and the whole network, on the card"
  time "$venv/bin/python" -m pytest -q -p no:cacheprovider tests/native/test_cuda_ops.py tests/native/test_cuda_model.py \
    tests/native/test_requantize.py
  if command -v compute-sanitizer >/dev/null; then
    echo "== compute-sanitizer, small shapes"
    small="test_rope or test_moe or test_denoise_step or (test_attention and 8) or test_the_head and 33"
    for tool in memcheck racecheck; do
      time timeout 100 compute-sanitizer --tool "$tool" --error-exitcode 9 --target-processes all \
        "$venv/bin/python" -m pytest -q -x -p no:cacheprovider tests/native/test_cuda_ops.py -k "$small"
    done
    time timeout 100 compute-sanitizer --tool memcheck --error-exitcode 9 --target-processes all \
      "$venv/bin/python" -m pytest -q -x -p no:cacheprovider tests/native/test_cuda_model.py -k "change_nothing and 20000 or change_little and 1.0"
  fi
fi
if [ "$what" != prove ]; then
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
  export SFUMATO_RANDOM_MODEL=$folder/random.gguf
  echo "== the 26B shape, random weights of the published mix"
  time "$venv/bin/python" tests/gpu/bench_device.py --transformers "${SFUMATO_TRANSFORMERS:-$venv/bin/python}"
  echo "== the compact profile, up to 16k"
  time "$venv/bin/python" tests/gpu/bench_device.py --profile compact --prefix 1024 15872 --steps 20
  echo "== as on a card of 12 GB: the rest of the experts streamed from main memory"
  time "$venv/bin/python" tests/gpu/bench_device.py --memory 11e9 --prefix 1024 --steps 20
fi
