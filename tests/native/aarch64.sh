#!/usr/bin/env bash
# On Debian: builds the engine for 64-bit ARM with Debian's cross compiler and runs the native tests on
# that build in an emulated processor: a real aarch64 Python with NumPy, so the same tests, the same
# oracles, the same tolerances. Emulation takes minutes.
#
#   tests/native/aarch64.sh               all of tests/native but CUDA's
#   tests/native/aarch64.sh -k moe -x     arguments go to pytest
#
# Everything that it makes or downloads lies in build/aarch64. Needs what `make test` made.
set -euo pipefail
cd "$(dirname "$0")/../.."
venv=${SFUMATO_VENV:-$PWD/.venv}
here=$PWD/build/aarch64
root=$here/root
mkdir -p "$here"

if ! command -v aarch64-linux-gnu-g++ > /dev/null || ! command -v qemu-aarch64-static > /dev/null; then
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends g++-aarch64-linux-gnu qemu-user-static
fi

if ! test -e "$here/python"; then
  echo "== Python for aarch64"
  # A package list of its own: this system stays as it is.
  mkdir -p "$here/apt/lists/partial" "$here/apt/cache/archives/partial"
  : > "$here/apt/status"
  apt() {
    apt-get -qq -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o APT::Install-Recommends=false \
      -o APT::Sandbox::User=root -o Debug::NoLocking=true -o Dir::State::Lists="$here/apt/lists" \
      -o Dir::State::status="$here/apt/status" -o Dir::Cache="$here/apt/cache" "$@"
  }
  apt update
  apt --download-only -y install python3 libpython3-dev libstdc++6
  for package in "$here"/apt/cache/archives/*.deb; do dpkg-deb -x "$package" "$root"; done
  version=$(basename "$(readlink "$root/usr/bin/python3")")
  "$venv/bin/pip" install --quiet --upgrade --target "$here/site" --only-binary=:all: \
    --python-version "${version#python}" --platform manylinux2014_aarch64 --platform manylinux_2_28_aarch64 \
    "numpy>=1.26,<3" "gguf>=0.17,<0.20" "msgspec>=0.19,<0.23" "pytest>=8,<10" "pytest-timeout>=2.3,<3" \
    "hypothesis>=6.100,<7"
  # Its own path as argv[0] makes it sys.executable, so that children of the tests are emulated too.
  cat > "$here/python" << END
#!/bin/sh
export PYTHONHOME="$root/usr" PYTHONPATH="$here/app:$PWD/tests:$here/site" PYTHONDONTWRITEBYTECODE=1
exec qemu-aarch64-static -L "$root" -0 "\$0" "$root/usr/bin/python3" "\$@"
END
  chmod +x "$here/python"
fi

echo "== the engine for aarch64"
include=$(echo "$root"/usr/include/python3.*)
soabi=$("$here/python" -c "import sysconfig; print(sysconfig.get_config_var('SOABI'))")
"$venv/bin/cmake" -G Ninja -S native -B "$here/native" -DCMAKE_TOOLCHAIN_FILE=cmake/aarch64.cmake \
  -DCMAKE_BUILD_TYPE=Release -DSFUMATO_CUDA=OFF -DCMAKE_MAKE_PROGRAM="$venv/bin/ninja" \
  -DPython_EXECUTABLE="$venv/bin/python" -DPython_INCLUDE_DIR="$include" -DSKBUILD_SOABI="$soabi" \
  -DCMAKE_CXX_FLAGS="-idirafter $root/usr/include" > "$here/build.log" || { cat "$here/build.log"; exit 1; }
"$venv/bin/cmake" --build "$here/native" --target _native >> "$here/build.log" || { tail -50 "$here/build.log"; exit 1; }
rm -rf "$here/app"
cp -r app "$here/app"
find "$here/app" -name '*.so' -delete
cp "$here"/native/_native.*.so "$here/app/sfumato/engine/"

echo "== its tests, emulated"
unset SFUMATO_NATIVE_LIBRARY SFUMATO_ISA
"$here/python" -c "import platform; from sfumato.engine import _native; \
print(platform.machine(), _native.instruction_set(), _native.__file__)"
# Emulation takes its time (Hypothesis's profile without deadlines), and no limit of memory (RLIMIT_AS) holds in it.
exec "$here/python" -m pytest -c /dev/null --rootdir="$PWD" -p no:cacheprovider -q -m "not slow" --timeout 1200 \
  --hypothesis-profile ci --ignore-glob='*cuda*' -o testpaths=tests/native \
  --deselect tests/native/test_loading.py::test_a_system_that_gives_no_memory_is_out_of_memory "$@"
