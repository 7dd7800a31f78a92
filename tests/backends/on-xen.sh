#!/bin/bash
# SPDX-License-Identifier: MIT
# on-xen.sh IMAGES - our backends serve a stock Debian PV guest that xl created on Debian's Xen.
#
# Proves that the block, network and console backends are replaceable parts: hypervisor, store, toolstack,
# control kernel and guest kernel are all stock; only the device processes are ours.
#
# IMAGES holds  xen         Debian's Xen 4.17, uncompressed (or another multiboot hypervisor)
#               vmlinux     Debian's kernel, uncompressed, for both domains
#               dom0.cpio   control domain: busybox, ip, xl and its daemons, modules for gntdev, evtchn, tun,
#                           bridge, brd, loop
#               domu.cpio   guest: busybox, /lib/xen-blkfront.ko, /lib/xen-netfront.ko
# Environment:  KROOT     an extracted linux-image package of the same version (ext4 modules); required
#               BUILD     build directory (build)
#               STORE     store daemon's path inside dom0 (Xen's xenstored)
#               LOG       console log (a temporary file; its path is printed on failure)
#               TIMEOUT   seconds (600)       KEEP=1  keep the scratch directory
#               OVERLAY   a tree laid over the control domain (to add a store, say)
# Prints one PASS or FAIL line a check; the last line is "on-xen: N passed, N failed".
#
# Sabotage: leaving out uring_unmask() in blkback.c fails "disk appears"; leaving out plan.flags (checksum
# blank) in rx.c's respond_packet() fails "tcp to guest", while ping still passes.
set -eu
HERE=$(cd "$(dirname "$0")" && pwd)
IMAGES=${1:?usage: on-xen.sh IMAGES (see the head of this file)}
BUILD=${BUILD:-build} KROOT=${KROOT:?KROOT: an extracted linux-image package} TIMEOUT=${TIMEOUT:-600}
for f in xen vmlinux dom0.cpio domu.cpio; do
	[ -r "$IMAGES/$f" ] || { echo "on-xen: $IMAGES/$f is missing" >&2; exit 2; }
done
W=$(mktemp -d /tmp/on-xen.XXXXXX)
LOG=${LOG:-$W/console.log}
cleanup() { if [ -z "${KEEP:-}" ]; then rm -rf "$W"; else echo "scratch: $W"; fi; }
trap cleanup EXIT

pack() { (cd "$1" && find . -print0 | cpio -0 --quiet -H newc -o --owner 0:0); }
ko() { find "$KROOT/lib/modules" -name "$1.ko" | head -1; }
EXT4="crc16 crc32c_generic mbcache jbd2 ext4"

# Guest ramdisk: the given one, with our init and the ext4 modules in load order.
G=$W/guest; mkdir -p "$G/lib/m"
n=0
for m in $EXT4; do n=$((n + 1)); cp "$(ko $m)" "$G/lib/m/$n-$m.ko"; done
strip --strip-debug "$G"/lib/m/*.ko
install -m 755 "$HERE/on-xen/guest-init" "$G/init"
{ cat "$IMAGES/domu.cpio"; pack "$G"; } >"$W/guest.cpio"

# Control domain: the given one, with our programs, their libraries, a disk image and our init.
D=$W/control; mkdir -p "$D/usr/lib/tenue" "$D/usr/sbin" "$D/lib/x86_64-linux-gnu" "$D/lib/m" "$D/boot" "$D/root"
cp "$BUILD"/backends/{blkback,netback,conback} "$D/usr/lib/tenue/"
cp "$BUILD/backends/tenue-device" "$D/usr/sbin/"
for b in "$D"/usr/lib/tenue/* "$D/usr/sbin/tenue-device"; do ldd "$b"; done | awk '$3 ~ /^\// {print $3}' |
	sort -u | while read -r l; do cp -L "$l" "$D/lib/x86_64-linux-gnu/"; done
cp "$G"/lib/m/* "$D/lib/m/"
cp "$W/guest.cpio" "$D/boot/guest.cpio"
truncate -s 96M "$W/disk.img"
mke2fs -q -t ext4 -L onxen "$W/disk.img"
gzip -c "$W/disk.img" >"$D/root/disk.img.gz"
install -m 755 "$HERE/on-xen/control-init" "$D/init"
[ -z "${OVERLAY:-}" ] || cp -a "$OVERLAY"/. "$D/"
{ cat "$IMAGES/dom0.cpio"; pack "$D"; } >"$W/control.cpio"

timeout "$TIMEOUT" qemu-system-x86_64 -accel tcg -cpu max,-smap -smp 1 -m 2048 -display none -monitor none \
	-nodefaults -no-user-config -serial "file:$LOG" -no-reboot \
	-kernel "$IMAGES/xen" -append "console=com1 com1=115200,8n1 dom0_mem=1024M,max:1024M dom0_max_vcpus=1 bootscrub=0 loglvl=warning" \
	-initrd "$IMAGES/vmlinux console=hvc0 quiet panic=-1 random.trust_cpu=on store=${STORE:-} scenario=${SCENARIO:-all},$W/control.cpio" ||
	echo "on-xen: emulator ended with status $?"
tr -d '\r' <"$LOG" | grep -aoE '(PASS|FAIL) [a-z].*' || true
P=$(grep -acE 'PASS [a-z]' "$LOG" || true) F=$(grep -acE 'FAIL [a-z]' "$LOG" || true)
if ! grep -aq 'ON-XEN END' "$LOG"; then
	echo "FAIL the run did not reach its end"
	F=$((F + 1))
fi
[ "$F" = 0 ] || { KEEP=1; echo "console: $LOG"; }
echo "on-xen: $P passed, $F failed"
[ "$F" = 0 ]
