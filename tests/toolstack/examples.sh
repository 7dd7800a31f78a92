#!/bin/bash
# SPDX-License-Identifier: MIT
# examples.sh TENUE MKKERNEL - the guest files that are shipped are right, and the manual pages' examples run. Needs root, for
# namespaces: the files' paths, bridge and NBD server are made there.
#
# Contract: `tenue create --dry-run` takes every images/control/*.cfg as it stands; there is one for each kind of disk and of
# network, and each word for a disk and a vif that the complaint about an unknown one lists is in one of them. What stands between .nf and
# .fi under EXAMPLE in tenue-net(8), and what of tenue-lab(8)'s needs no machine, runs as it is printed.
#
# Sabotage: leave mirror= out of vif.cfg; call it miror= there; in create.c's dry_run() leave out check_choose_macs(), as it once was.
set -eu
TENUE=$(realpath "${1:?usage: examples.sh TENUE MKKERNEL}") MK=$(realpath "$2")
if [ -z "${EXAMPLES_INSIDE:-}" ]; then
	[ "$(id -u)" = 0 ] || { echo "examples.sh: needs root, for namespaces"; exit 1; }
	EXAMPLES_INSIDE=1 exec unshare -n -m --kill-child -f -p --mount-proc "$0" "$TENUE" "$MK"
fi
TOP=$(realpath "$(dirname "$0")/../..")
P=0 F=0
pass() { echo "PASS $1"; P=$((P + 1)); }
fail() { echo "FAIL $1"; F=$((F + 1)); sed 's/^/    /' "$OUT"; }
mount -t tmpfs run /run; mount -t sysfs sysfs /sys
mount -t tmpfs lib /var/lib; mount -t tmpfs logs /var/log; mkdir -p /var/lib/tenue/images /var/log/tenue
mount -t tmpfs bus /sys/bus; mkdir -p /sys/bus/xen-backend/drivers/vbd /sys/bus/xen-backend/drivers/vif	# as if loaded
OUT=/run/out
cd /var/lib/tenue/images
"$MK" linux vmlinuz; printf x >guest.cpio
truncate -s 1M demo.img debian.img base.img
qemu-img create -q -f qcow2 -F raw -b base.img web.qcow2
ip link set lo up; ip link add xenbr0 type bridge; ip link set xenbr0 up
nc() { busybox nc "$@"; }
busybox nc -ll -p 10809 -e true </dev/null >/dev/null 2>&1 &
for _ in $(seq 100); do ! nc -w 1 127.0.0.1 10809 </dev/null >/dev/null 2>&1 || break; sleep 0.1; done

for cfg in "$TOP"/images/control/*.cfg; do
	if "$TENUE" create --dry-run "$cfg" >"$OUT" 2>&1; then pass "${cfg##*/}"; else fail "${cfg##*/}"; fi
done
words() { "$TENUE" create --dry-run /run/bad.cfg 2>&1 | grep -o "known are .*" | grep -oE '\b[a-z-]+='; }
for what in disk:nosuch=1,vdev=xvda,target=/x vif:nosuch=1; do
	printf 'name="x"\nkernel="%s"\n%s=["%s"]\n' /var/lib/tenue/images/vmlinuz "${what%%:*}" "${what#*:}" >/run/bad.cfg
	list=$(words) || { fail "the words of a ${what%%:*}"; continue; }
	missing=
	for word in $list; do grep -qE "[^a-z-]$word" "$TOP"/images/control/*.cfg || missing="$missing $word"; done
	echo "of a ${what%%:*} no example has$missing" >"$OUT"
	if [ -z "$missing" ]; then pass "each word of a ${what%%:*}"; else fail "each word of a ${what%%:*}"; fi
done

example() { sed -n '/^\.SH EXAMPLE/,/^\.SH [^E]/{/^\.nf/,/^\.fi/p}' "$TOP/docs/man/$1" | grep -v '^\.' | sed 's/\\-/-/g'; }
# As installed: the lab is found from there.
mkdir -p /run/installed/sbin /run/installed/lib/tenue
cp "$TENUE" /run/installed/sbin/tenue; cp -r "$TOP/toolstack/lab" /run/installed/lib/tenue/lab
tenue() { timeout 120 /run/installed/sbin/tenue "$@"; }
runs() {	# PAGE LINE
	if (eval "$2") >"$OUT" 2>&1; then pass "$1: $2"; else fail "$1: $2"; fi
}
while read -r line; do runs "tenue-net(8)" "$line"; done < <(example tenue-net.8)
while read -r line; do
	case $line in *" run "* | *.tar.gz* | *.capture*) ;; *) runs "tenue-lab(8)" "$line" ;; esac
done < <(example tenue-lab.8)
echo "example-files: $P passed, $F failed"
[ $F = 0 ]
