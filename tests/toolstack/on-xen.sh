#!/bin/bash
# SPDX-License-Identifier: MIT
# on-xen.sh IMAGES - the tenue command with our backends, on Debian's Xen or on any hypervisor of its ABI.
#
# Contract: what tenue(1) says of create, list, console, pause, suspend, reboot, shutdown, destroy and of on_reboot and on_crash
# holds on real domains; what is refused leaves nothing behind; after a guest's end its nodes, devices, processes and
# memory are gone. Could break through the order of the end (a backend that still maps a page keeps the domain dying),
# through page tables that the hypervisor refuses, and through a supervisor that misses the guest's end.
#
# IMAGES holds  xen         the hypervisor (Debian's Xen 4.17, or another multiboot image)
#               vmlinux     Debian's kernel, uncompressed, for control domain and guest
#               vmlinuz     the same as a bzImage
#               dom0.cpio   control domain: busybox, xenstore tools, modules for gntdev, evtchn, privcmd, tun, bridge
#               domu.cpio   guest: busybox; modules xen-blkfront and xen-netfront, for modprobe or as /lib/*.ko
# Environment:  BUILD     build directory (build)
#               STORE     lite: our xenstore-lite; else the path of a daemon in dom0 (Xen's xenstored)
#               CPU       the emulator's CPU (max,-smap)
#               LOG       console log (a temporary file; its path is printed on failure)
#               SANITIZED not empty: BUILD holds a build with sanitizers, which must not have reported anything
#               TIMEOUT   seconds (600)
# Prints one PASS or FAIL line a check; the last line is "NAME: N passed, N failed".
#
# Sabotage: in supervise.c take_apart(), dropping domain_forget() fails "its nodes are gone"; in action_for(), taking
# on_poweroff for every reason fails "reboot gives a new domain"; in device.c devices_stop(), not freeing devices
# fails "destroy".
set -eu
HERE=$(cd "$(dirname "$0")" && pwd)
IMAGES=${1:?usage: on-xen.sh IMAGES (see the head of this file)}
BUILD=${BUILD:-build} TIMEOUT=${TIMEOUT:-600} STORE=${STORE:-/usr/lib/xen-4.17/bin/xenstored}
for f in xen vmlinux vmlinuz dom0.cpio domu.cpio; do
	[ -r "$IMAGES/$f" ] || { echo "on-xen: $IMAGES/$f is missing" >&2; exit 2; }
done
W=$(mktemp -d /tmp/on-xen.XXXXXX)
LOG=${LOG:-$W/console.log}
trap '[ -n "${KEEP:-}" ] || rm -rf "$W"' EXIT

pack() { (cd "$1" && find . -mindepth 1 -print0 | cpio -0 --quiet -H newc -o --owner 0:0); }

mkdir -p "$W/guest"
install -m 755 "$HERE/on-xen/guest-init" "$W/guest/init"
D=$W/control; mkdir -p "$D"/{usr/lib/tenue,usr/sbin,usr/lib/x86_64-linux-gnu,boot}
{ cat "$IMAGES/domu.cpio"; pack "$W/guest"; } >"$D/boot/guest.cpio"
cp "$IMAGES/vmlinux" "$IMAGES/vmlinuz" "$D/boot/"
cp "$BUILD"/backends/{blkback,netback,conback} "$D/usr/lib/tenue/"
cp "$BUILD/toolstack/tenue" "$D/usr/sbin/"
[ "$STORE" != lite ] || { cp "$BUILD/xenstore-lite/xenstore-lite" "$D/usr/sbin/"; mkdir -p "$D/usr/lib/tenue"; cp "$BUILD/xenstore-lite/store-guard" "$D/usr/lib/tenue/"; }
for b in "$D"/usr/lib/tenue/* "$D"/usr/sbin/*; do ldd "$b"; done | awk '$3 ~ /^\// {print $3}' |
	sort -u | while read -r l; do cp -L "$l" "$D/usr/lib/x86_64-linux-gnu/"; done
install -m 755 "$HERE/on-xen/control-init" "$D/init"
{ cat "$IMAGES/dom0.cpio"; pack "$D"; } >"$W/control.cpio"

timeout "$TIMEOUT" qemu-system-x86_64 -accel tcg -cpu "${CPU:-max,-smap,-xsave}" -smp 1 -m 2048 -display none -monitor none \
	-nodefaults -no-user-config -serial "file:$LOG" -no-reboot \
	-kernel "$IMAGES/xen" -append "console=com1 com1=115200,8n1 dom0_mem=1024M,max:1024M dom0_max_vcpus=1 bootscrub=0 loglvl=warning" \
	-initrd "$IMAGES/vmlinux console=hvc0 quiet panic=-1 random.trust_cpu=on store=$STORE${SANITIZED:+ sanitized},$W/control.cpio" ||
	echo "on-xen: emulator ended with status $?"
tr -d '\r' <"$LOG" | grep -aoE '^(PASS|FAIL) .*' || true
P=$(grep -ac '^PASS ' "$LOG" || true) F=$(grep -ac '^FAIL ' "$LOG" || true)
if ! grep -aq 'ON-XEN END' "$LOG"; then
	echo "FAIL the run did not reach its end"
	F=$((F + 1))
fi
[ "$F" = 0 ] || { KEEP=1; echo "console: $LOG"; }
echo "${NAME:-toolstack-on-xen}: $P passed, $F failed"
[ "$F" = 0 ]
