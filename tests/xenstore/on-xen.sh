#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs xenstore-lite in place of xenstored on Debian's Xen 4.17 in the emulator, and a guest with disk
# and NIC under xl on it.  Usage: tests/xenstore/on-xen.sh DAEMON [LOG]
#
#   XEN_KIT   directory with  xen         the hypervisor (multiboot)
#                             vmlinux     a PV kernel, uncompressed
#                             dom0.cpio   control-domain RAM image: busybox, xl, xenconsoled, xenstore
#                                         utilities, their libraries, modules, /boot/vmlinux
#                             domu.cpio   guest RAM image: busybox, xsbench, /lib/xen-{blk,net}front.ko
#   T         time limit in host seconds (default 600)
#   CPU       emulated processor (default max,-smap,-xsave: with XSAVE, programs of the control domain
#             crash at random under Xen in this emulator as soon as a guest is busy as well)
#   BENCH=1   also run xsbench in the control domain
#
# Sabotage: drop life_check_deaths() from the event handler in main.c ("guest powers off" fails);
# leave out the notification in finish_open() of ring.c ("kernel's own ring" fails).
set -eu
HERE=$(cd "$(dirname "$0")" && pwd)
DAEMON=${1:?usage: on-xen.sh DAEMON [LOG]}
: "${XEN_KIT:?set XEN_KIT to a directory with xen, vmlinux, dom0.cpio and domu.cpio}"
for f in xen vmlinux dom0.cpio domu.cpio; do
	[ -s "$XEN_KIT/$f" ] || { echo "on-xen: $XEN_KIT/$f is missing" >&2; exit 2; }
done
W=$(mktemp -d)
trap 'rm -rf "$W"' EXIT
LOG=${2:-$W/log}

# RAM images are several archives one behind the other; later files win.
pack() { (cd "$1" && find . -mindepth 1 | cpio --quiet -H newc -o --owner 0:0); }
mkdir -p "$W/guest" "$W/dom0"/{boot,usr/sbin,lib/x86_64-linux-gnu}
install -m 755 "$HERE/on-xen/guest-init" "$W/guest/init"
install -m 755 "$HERE/on-xen/init" "$W/dom0/init"
install -m 755 "$DAEMON" "$W/dom0/usr/sbin/xenstore-lite"
{ cat "$XEN_KIT/domu.cpio"; pack "$W/guest"; } >"$W/dom0/boot/guest.cpio"
ldd "$DAEMON" | awk '$3 ~ /^\// {print $3}' | while read -r l; do
	cp -L "$l" "$W/dom0/lib/x86_64-linux-gnu/"
done
{ cat "$XEN_KIT/dom0.cpio"; pack "$W/dom0"; } >"$W/dom0.cpio"

XEN_ARGS="console=com1 com1=115200,8n1 dom0_mem=1024M,max:1024M dom0_max_vcpus=1 bootscrub=0 loglvl=warning"
LINUX_ARGS="console=hvc0 nokaslr random.trust_cpu=off quiet panic=-1 ${BENCH:+BENCH=1}"
timeout "${T:-600}" qemu-system-x86_64 -accel tcg -cpu "${CPU:-max,-smap,-xsave}" -smp 1 -m 2048 -display none \
	-monitor none -nodefaults -no-user-config -no-reboot -serial "file:$LOG" ${QEMU_ARGS:-} \
	-kernel "$XEN_KIT/xen" -append "$XEN_ARGS" \
	-initrd "$XEN_KIT/vmlinux $LINUX_ARGS,$W/dom0.cpio" || echo "emulator ended with status $?"

pass=$(grep -ac '^ON-XEN PASS' "$LOG" || true)
fail=$(grep -ac '^ON-XEN FAIL' "$LOG" || true)
tr -d '\r' <"$LOG" | grep -a '^ON-XEN FAIL' || true
if ! grep -aq '^ON-XEN END' "$LOG"; then
	fail=$((fail + 1))
	echo "the control domain did not come to its end; last lines:"
	tail -n 20 "$LOG"
fi
echo "xenstore-on-xen: $pass passed, $fail failed"
[ "$fail" = 0 ]
