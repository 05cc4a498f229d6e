#!/usr/bin/env bash
# What Debian and Ubuntu must have before Sfumato can be built and shown. Installs what is missing when
# run as root, otherwise names the command. Other distributions: the same libraries under their names.
set -eu

packages="
  g++ make python3-venv
  libegl1 libgl1 libglib2.0-0 libdbus-1-3 libfontconfig1 libfreetype6 fontconfig fonts-dejavu-core
  libx11-xcb1 libxkbcommon0 libxkbcommon-x11-0
  libxcb-cursor0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-randr0 libxcb-render-util0
  libxcb-shape0 libxcb-shm0 libxcb-sync1 libxcb-util1 libxcb-xfixes0 libxcb-xkb1
"

command -v dpkg-query > /dev/null || exit 0

missing=""
for package in $packages; do
  # libglib2.0-0 became libglib2.0-0t64 in the 64-bit time transition; either will do.
  installed=$(dpkg-query -W -f='${db:Status-Abbrev}' "$package" "${package}t64" 2> /dev/null || true)
  case "$installed" in
    *ii*) ;;
    *) missing="$missing $package" ;;
  esac
done
[ -z "$missing" ] && exit 0

if [ "$(id -u)" = 0 ]; then
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends $missing
else
  echo "Sfumato needs system packages that are not installed. Install them and start again:"
  echo "  sudo apt-get install$missing"
  exit 1
fi
