#!/usr/bin/env bash
#
# ensure-wasm-target.sh [TARGET] - make `cargo build --target TARGET` work.
#
# TARGET is wasm32-wasip2 (the default) or wasm32-unknown-unknown.
#
# Does as little as it can, in this order:
#   1. nothing, if the active Rust toolchain can already link a program for TARGET;
#   2. `rustup target add TARGET`;
#   3. builds the target's standard library from Debian's `rust-src` (only the
#      exact version of the active rustc will do) and `wasi-libc`, and adds it
#      to the toolchain.
#
# Step 3 fetches both packages through apt from the Debian mirror this machine
# already uses, so apt checks them against Debian's archive keyring. It works
# on private copies of apt's state: no source is added, no package installed.
# The toolchain is changed by one rename, of a directory already proved to work:
#   <sysroot>/lib/rustlib/TARGET
# Delete that directory to undo it; do so before any later `rustup target add`.
#
# Needs (step 3): apt, cargo with access to crates.io (std has a few dependencies
# there, fixed by its lock file), and write access to the toolchain. No root if the
# toolchain is your own. Takes about 60 MB of download and a minute of CPU.

set -euo pipefail
export LC_ALL=C

unset RUSTC RUSTFLAGS RUSTC_WRAPPER RUSTC_WORKSPACE_WRAPPER CARGO_ENCODED_RUSTFLAGS
unset CARGO_TARGET_DIR CARGO_BUILD_TARGET CARGO_BUILD_TARGET_DIR CARGO_BUILD_RUSTFLAGS

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() { say "$*"; exit 1; }

target=${1:-wasm32-wasip2}
case $target in
    wasm32-wasip2) packages=(rust-src wasi-libc) ;;
    wasm32-unknown-unknown) packages=(rust-src) ;;
    *) die "cannot provide $target" ;;
esac

command -v rustc >/dev/null || die "no rustc on PATH"

# Resolved once, here, so that a rust-toolchain.toml in this directory counts.
# Past this point rustup's proxies are not used.
sysroot=$(rustc --print sysroot)
host=$(rustc -vV | sed -n 's/^host: //p')
release=$(rustc -vV | sed -n 's/^release: //p')
commit=$(rustc -vV | sed -n 's/^commit-hash: //p')
installed=$sysroot/lib/rustlib/$target

work=$(mktemp -d "${TMPDIR:-/tmp}/ensure-wasm-target.XXXXXX")
staged=$installed.new.$$
trap 'rm -rf "$work" "$staged"' EXIT

# links RUSTC: can it compile, optimise across crates, and link for the target?
# Link-time optimisation is part of the test: a std without bitcode fails it.
links() {
    printf 'fn main() { println!("{}", std::env::args().count()) }\n' >"$work/probe.rs"
    rm -f "$work/probe.wasm"
    "$@" --edition 2021 --target "$target" -C opt-level=s -C lto=fat -C panic=abort \
        -o "$work/probe.wasm" "$work/probe.rs" >"$work/probe.log" 2>&1 \
        && [ -s "$work/probe.wasm" ]
}

# --- 1. already there ---------------------------------------------------------

if links "$sysroot/bin/rustc"; then
    say "$target is ready (rustc $release)"
    exit 0
fi

# --- 2. rustup ----------------------------------------------------------------

if [ ! -e "$installed" ] && command -v rustup >/dev/null; then
    toolchain=$(basename "$sysroot")
    if rustup target add --toolchain "$toolchain" "$target" >"$work/rustup.log" 2>&1 \
        && links "$sysroot/bin/rustc"; then
        say "$target added by rustup (rustc $release)"
        exit 0
    fi
    say "rustup could not add $target; building it from Debian's sources"
fi

# --- 3. build -----------------------------------------------------------------

[ ! -e "$installed" ] || die "$installed exists but does not work (log below); move it aside first
$(tail -n 5 "$work/probe.log")"
case $release in
    *-*) die "rustc $release is not a stable release; Debian has no source for it" ;;
esac
for tool in apt-get apt-cache dpkg-deb; do
    command -v $tool >/dev/null || die "$tool not found; this step needs Debian or a derivative"
done
[ -x "$sysroot/bin/cargo" ] || die "no cargo in $sysroot/bin"
for linker in rust-lld wasm-component-ld; do
    [ -x "$sysroot/lib/rustlib/$host/bin/$linker" ] || die "this toolchain lacks $linker"
done
[ -w "$sysroot/lib/rustlib" ] || die "$sysroot/lib/rustlib is not writable"

keyring=
for file in /usr/share/keyrings/debian-archive-keyring.{pgp,gpg}; do
    if [ -r "$file" ]; then keyring=$file; break; fi
done
[ -n "$keyring" ] || die "no Debian archive keyring; install debian-archive-keyring"

# The mirrors configured here for the running release. One that is not Debian's
# own archive is harmless: its signature does not check against the keyring.
# shellcheck disable=SC1091
codename=$(. /etc/os-release && printf %s "${VERSION_CODENAME:-}")
mirrors=$(apt-get update --print-uris 2>/dev/null \
    | sed -n "s|^'\(.*\)/dists/$codename/InRelease' .*|\1|p" | sort -u)
[ -n "$mirrors" ] || die "apt has no source for '$codename' to take the mirror from"

# apt on private state. apt.conf.d still applies, so a proxy set there is used;
# the checks that such a file could have turned off are turned on again.
mkdir -p "$work/apt/lists/partial" "$work/apt/cache/archives/partial" "$work/debs"
: >"$work/apt/status"
private=(
    -o Dir::Etc::SourceList="$work/apt/sources.list"
    -o Dir::Etc::SourceParts=/dev/null
    -o Dir::Etc::Preferences=/dev/null
    -o Dir::Etc::PreferencesParts=/dev/null
    -o Dir::State::Lists="$work/apt/lists"
    -o Dir::State::Status="$work/apt/status"
    -o Dir::Cache="$work/apt/cache"
    -o Acquire::AllowInsecureRepositories=false
    -o Acquire::AllowWeakRepositories=false
    -o Acquire::AllowDowngradeToInsecureRepositories=false
    -o APT::Get::AllowUnauthenticated=false
    -o APT::Update::Error-Mode=any
    -o APT::Sandbox::User=root
    -o Acquire::Retries=3
    -o Acquire::Languages=none
)

# Sets source_version to the newest rust-src of this very release, in the
# current private sources.
find_source() {
    local pattern=${release//./\\.}
    source_version=$(apt-cache "${private[@]}" madison rust-src 2>/dev/null \
        | sed 's/^[^|]*| *\([^ |]*\).*/\1/' | grep -E "^([0-9]+:)?${pattern}[+-]" | head -n 1) || true
    [ -n "$source_version" ]
}

fetched=
for mirror in $mirrors; do
    for suite in stable-backports stable testing unstable "$codename-backports" "$codename"; do
        printf 'deb [signed-by=%s lang=none target=Packages] %s %s main\n' \
            "$keyring" "$mirror" "$suite" >"$work/apt/sources.list"
        apt-get "${private[@]}" -qq update >"$work/apt.log" 2>&1 || continue
        find_source || continue
        say "fetching rust-src $source_version from $suite"
        (cd "$work/debs" && apt-get "${private[@]}" -qq download \
            "${packages[@]/%rust-src/rust-src=$source_version}" >"$work/apt.log" 2>&1) || continue
        fetched=yes
        break 2
    done
done
[ -n "$fetched" ] || die "Debian's current suites have no rust-src $release; last messages from apt, if any:
$(tail -n 5 "$work/apt.log")"

source=$work/root/usr/src/rustc-$release/library
dpkg-deb --fsys-tarfile "$work"/debs/rust-src_*.deb \
    | tar -x --one-top-level="$work/root" --no-same-owner "./usr/src/rustc-$release/library"

# A sysroot to build in: the real toolchain, plus the sources, plus the C
# library. A wrapper tells rustc of it, so the toolchain itself stays untouched.
shadow=$work/sysroot
mkdir -p "$shadow/lib/rustlib/src/rust" "$shadow/lib/rustlib/$target/lib/self-contained"
ln -s "$sysroot/lib/rustlib/$host" "$shadow/lib/rustlib/$host"
ln -s "$source" "$shadow/lib/rustlib/src/rust/library"
if [ "$target" = wasm32-wasip2 ]; then
    dpkg-deb --fsys-tarfile "$work"/debs/wasi-libc_*.deb \
        | tar -x --one-top-level="$work/root" --no-same-owner "./usr/lib/$target"
    cp "$work/root/usr/lib/$target"/{*.a,crt*.o} "$shadow/lib/rustlib/$target/lib/self-contained/"
fi
printf '#!/bin/sh\nexec "%s" --sysroot "%s" "$@"\n' "$sysroot/bin/rustc" "$shadow" >"$work/rustc"
chmod +x "$work/rustc"

# Any crate will do: what is wanted is what it depends on.
mkdir -p "$work/crate/src"
: >"$work/crate/src/lib.rs"
cat >"$work/crate/Cargo.toml" <<'TOML'
[package]
name = "only_for_its_std"
version = "0.0.0"
edition = "2021"

[profile.release]
opt-level = 3
codegen-units = 1
debug = false
TOML

say "building std for $target"
# embed-bitcode: without it no guest can use `lto`.
# remap-path-prefix: no path of this machine in panic messages; they name
# /rustc/<commit>/library, as upstream's do.
flags=(
    -Cembed-bitcode=yes
    --remap-path-prefix="$source=/rustc/$commit/library"
    --remap-path-prefix="$shadow/lib/rustlib/src/rust=/rustc/$commit"
    --remap-path-prefix="${CARGO_HOME:-$HOME/.cargo}/registry/src=/rust/deps"
)
(
    cd "$work/crate"
    IFS=$'\x1f'
    RUSTC=$work/rustc RUSTC_WRAPPER='' RUSTC_BOOTSTRAP=1 CARGO_ENCODED_RUSTFLAGS="${flags[*]}" \
        CARGO_BUILD_BUILD_DIR=$work/target \
        "$sysroot/bin/cargo" build --release --quiet --target "$target" --target-dir "$work/target" \
        -Zbuild-std=std,panic_abort,panic_unwind,test
) >"$work/build.log" 2>&1 || die "the build failed:
$(tail -n 20 "$work/build.log")"

rm -f "$work/target/$target/release/deps/"libonly_for_its_std-*
cp "$work/target/$target/release/deps/"*.rlib "$shadow/lib/rustlib/$target/lib/"
(cd "$work/debs" && sha256sum -- *.deb) >"$shadow/lib/rustlib/$target/BUILT-FROM"

links "$work/rustc" || die "built, but a program does not link:
$(tail -n 20 "$work/probe.log")"

# If another run got there first, its directory stays and is tested instead.
cp -R "$shadow/lib/rustlib/$target" "$staged"
mv -T "$staged" "$installed" 2>/dev/null || true
links "$sysroot/bin/rustc" || die "installed, but a program does not link:
$(tail -n 20 "$work/probe.log")"
say "$target built and added to $sysroot (rustc $release)"
