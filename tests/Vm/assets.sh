#!/usr/bin/env bash
# What virtual machines are made of, from Debian's packages, unpacked and never installed:
#   assets.sh FOLDER     fills FOLDER with
#     qemu/              QEMU 10 with its firmware (the 7.2 of bookworm crashes guests with two processors)
#     k6/, k7/           Linux 6.12 and the newest of Debian's testing suite: vmlinuz, lib/modules/VERSION
#     k6 also has        the module dm-writeboost, built for it
#     tpt/               thin-provisioning-tools 1.1, which run on bookworm as they are (its own are 0.9)
#     ublk_cmd.h         the newest of the kernel's headers
# What is there already stays. About 250 MB are fetched, from the mirror that apt is set up with.
set -euo pipefail

folder=$1
mkdir -p "$folder/apt"
cd "$folder"

say() { printf 'vm: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# The mirror of the suite that this machine runs serves the others too.
mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' \
  | awk '$2 == "bookworm" { print $1; exit }')
[ -n "$mirror" ] || die "no mirror of Debian's bookworm is configured for apt"

# Suites that are not configured: lists of their own, so that nothing is ever installed from them.
apt_options=(
  -o "Dir::Etc::sourcelist=$folder/apt/sources.list" -o Dir::Etc::sourceparts=/dev/null
  -o "Dir::State::lists=$folder/apt/lists" -o "Dir::Cache=$folder/apt/cache"
  -o APT::Get::List-Cleanup=0 -o APT::Sandbox::User=root
)
prepare_apt() {
  [ -e apt/ready ] && return
  mkdir -p apt/lists/partial apt/cache/archives/partial
  local keyring=/usr/share/keyrings/debian-archive-keyring.gpg suite
  for suite in bookworm-backports trixie forky; do
    echo "deb [signed-by=$keyring] $mirror $suite main"
  done > apt/sources.list
  apt-get "${apt_options[@]}" update -qq >&2 || die "the lists of other suites cannot be had"
  # Those of this machine's own suites may be old, or not there yet; only root may change that.
  apt-get update -qq >&2 || say "going on with the package lists that are there"
  touch apt/ready
}

# from_suite SUITE PACKAGE TREE: unpacks a package of a suite that is not configured.
from_suite() {
  (cd apt && rm -f ./*.deb && apt-get "${apt_options[@]}" download -qq "$2/$1" >&2) || die "no package $2 in $1"
  dpkg-deb -x apt/*.deb "$3"
}

# from_here PACKAGE TREE: the same, of a suite that is.
from_here() {
  (cd apt && rm -f ./*.deb && apt-get -o APT::Sandbox::User=root download -qq "$1" >&2) || die "no package $1"
  dpkg-deb -x apt/*.deb "$2"
}

# One module tree, uncompressed: busybox's insmod takes no .xz.
settle_modules() {
  local tree=$1 modules
  [ -d "$tree/usr/lib/modules" ] && { mkdir -p "$tree/lib"; mv "$tree/usr/lib/modules" "$tree/lib/"; }
  modules=$(echo "$tree"/lib/modules/*)
  find "$modules" -name '*.ko.xz' -print0 | xargs -0r -n 64 xz -d
  find "$tree" -name 'vmlinuz*' -exec mv {} "$tree/vmlinuz" \;
  depmod -b "$tree" "$(basename "$modules")"
}

qemu() {
  local package
  for package in qemu-system-x86 qemu-system-data seabios; do
    from_suite bookworm-backports $package qemu.new
  done
  mv qemu.new qemu
}

# The package that a package without contents stands for.
stands_for() { "$@" | awk '$1 == "Depends:" { print $2; exit }'; }

k6() {
  local image version
  image=$(stands_for apt-cache depends linux-image-6.12-cloud-amd64)
  from_here "$image" k6.new
  settle_modules k6.new
  version=$(basename k6.new/lib/modules/*)
  writeboost_module "$version" k6.new
  mv k6.new k6
}

# Headers of the very version, or the module does not load.
writeboost_module() {
  local version=$1 tree=$PWD/$2 common
  common=linux-headers-$(echo "$version" | sed 's/-cloud-amd64//')-common
  from_here "linux-headers-$version" headers
  from_here "$common" headers
  from_here "linux-kbuild-$(echo "$version" | sed 's/-cloud-amd64//')" headers
  from_suite trixie dm-writeboost-dkms headers
  # The headers' makefiles name each other by absolute paths under /usr.
  local here=$PWD/headers/usr
  find headers/usr/src -name Makefile -exec sed -i "s|/usr/src/|$here/src/|; s|/usr/lib/|$here/lib/|" {} +
  make -s -C "$here/src/linux-headers-$version" M="$(echo "$here"/src/dm-writeboost-*)" \
    CONFIG_DEBUG_INFO_BTF_MODULES= modules >&2 || die "dm-writeboost does not build for $version"
  mkdir -p "$tree/lib/modules/$version/extra"
  cp headers/usr/src/dm-writeboost-*/dm-writeboost.ko "$tree/lib/modules/$version/extra/"
  depmod -b "$tree" "$version"
  rm -rf headers
}

k7() {
  local name
  name=$(apt-cache "${apt_options[@]}" search --names-only '^linux-modules-7[0-9.]*.*-cloud-amd64$' \
    | awk '{ print $1 }' | sort -V | tail -1 | sed 's/linux-modules-//')
  [ -n "$name" ] || die "Debian's testing suite has no linux-modules-7*-cloud-amd64"
  for package in linux-binary linux-modules linux-base; do from_suite forky "$package-$name" k7.new; done
  settle_modules k7.new
  mv k7.new k7
}

ublk_cmd.h() {
  from_suite forky linux-libc-dev libc.new
  mv "$(find libc.new -name ublk_cmd.h)" ublk_cmd.h
  rm -rf libc.new
}

tpt() {
  from_suite trixie thin-provisioning-tools tpt.new
  mv tpt.new tpt
}

for part in qemu k6 k7 tpt ublk_cmd.h; do
  [ -e "$part" ] && continue
  say "fetching $part"
  rm -rf "$part.new"
  prepare_apt
  "$part"
done
rm -rf apt
