#!/bin/bash
# SPDX-License-Identifier: MIT
# dry-run.sh TENUE MKKERNEL - tenue create --dry-run and the command's manners, without any hypervisor.
#
# Contract: a plan is printed for a good guest file, and each kind of bad one is refused with exit status 1 and one line
# that names file, line and remedy; wrong usage is 2. Could break through a check that moves behind the making.
#
# Sabotage: in create.c dry_run(), dropping devices_check() fails "a missing image"; in main.c, returning 1 for an
# unknown verb fails "an unknown verb".
set -eu
TENUE=$(realpath "${1:?usage: dry-run.sh TENUE MKKERNEL}") MK=$(realpath "$2")
W=$(mktemp -d); trap 'rm -rf "$W"' EXIT; cd "$W"
P=0 F=0
pass() { echo "PASS $1"; P=$((P + 1)); }
fail() { echo "FAIL $1"; F=$((F + 1)); sed 's/^/    /' out err; }
for k in linux low legacy program bzimage; do "$MK" $k $k; done
head -c 9000 linux >cut; head -c 5000 /dev/zero >zeros; printf x >rd; truncate -s 1M disk

base='name="g"; kernel="linux"; memory=16'
expect() {	# NAME STATUS TEXT GUESTFILE: on status 0 TEXT is looked for in the plan, else in the complaint
	printf '%s\n' "$4" >g.cfg
	rc=0; "$TENUE" create -n g.cfg >out 2>err || rc=$?
	if [ $rc = 0 ]; then tr -d '\n\t ' <out >said; else cp err said; [ ! -s out ] || echo "and a plan" >>said; fi
	if [ $rc = "$2" ] && [ "$(wc -l <said)" = $(($2 != 0)) ] && grep -qF "$3" said; then pass "$1"
	else fail "$1 (status $rc)"; fi
}
expect "a plan" 0 '"cmdline":"root=/dev/xvdaquiet"' "$base; root=\"/dev/xvda\"; extra=\"quiet\""
expect "a plan has its layout" 0 '"virt_base":"0xffffffff80000000","entry":"0xffffffff80100040"' "$base"
expect "neighbours are not claimed to be checked" 0 '"checked_against_running_guests":false' "$base"
expect "a bzImage" 0 '"entry":"0xffffffff80100040"' 'name="g"; kernel="bzimage"'
expect "a kernel in the lower half" 0 '"virt_base":"0"' 'name="g"; kernel="low"; memory=8'
expect "a legacy kernel" 0 '"guest_os":"Mini-OS"' 'name="g"; kernel="legacy"; memory=8'
expect "a ramdisk" 0 '"ramdisk_pfn":' "$base; ramdisk=\"rd\""
expect "a disk" 0 '"vdev":"xvdb","devid":51728,"target":"'"$W/disk"'","format":"raw","access":"r"' "$base; disk=['file:$W/disk,xvdb,r']"
expect "an unknown key" 1 'g.cfg:2: unknown key "dsk"; did you mean "disk"?' "$base
dsk = []"
expect "a syntax error" 1 'g.cfg:1: this string is not closed' 'name="g'
expect "a missing kernel" 1 'g.cfg:1: kernel "nothing" cannot be opened: No such file' 'name="g"; kernel="nothing"'
expect "a directory as kernel" 1 'is not a file' 'name="g"; kernel="/"'
expect "an empty kernel" 1 'is empty' 'name="g"; kernel="/proc/self/status"'
expect "zeros as kernel" 1 'neither a bzImage nor an ELF image' 'name="g"; kernel="zeros"'
expect "a program as kernel" 1 'no PV support' 'name="g"; kernel="program"'
expect "a truncated kernel" 1 'truncated or lying ELF' 'name="g"; kernel="cut"'
expect "a missing ramdisk" 1 'g.cfg:1: ramdisk "nothing" cannot be opened' "$base; ramdisk=\"nothing\""
expect "too little memory" 1 'g.cfg:1: ' 'name="g"; kernel="linux"; memory=1'
expect "and what helps" 1 'raise memory=' 'name="g"; kernel="linux"; memory=1'
expect "a missing image" 1 'g.cfg:2: ' "$base
disk=['/nothing,raw,xvda,w']"
expect "a missing bridge" 1 'g.cfg:2: ' "$base
vif=['bridge=nosuchbr']"

manners() {	# NAME STATUS TEXT COMMAND...: TEXT in either output
	n=$1 s=$2 t=$3; shift 3
	rc=0; "$@" >out 2>err || rc=$?
	if [ $rc = "$s" ] && cat out err | grep -qF -- "$t"; then pass "$n"; else fail "$n (status $rc)"; fi
}
manners "no verb" 2 'Usage: tenue VERB' "$TENUE"
manners "help" 0 'block-list' "$TENUE" help
manners "help for a verb" 0 'Usage: tenue create [-c] [-p] [-q] [-n|--dry-run] FILE' "$TENUE" help create
manners "--help behind a verb" 0 'Usage: tenue list' "$TENUE" list --help
manners "--help behind a verb of a verb" 0 'Usage: tenue net list' "$TENUE" net verify --help
manners "an unknown option of a verb of a verb" 2 'Usage: tenue net list' "$TENUE" net verify --jsn
manners "an unknown verb" 2 'there is no verb "lst"' "$TENUE" lst
manners "a missing word" 2 'Usage: tenue destroy' "$TENUE" destroy
manners "an unknown option" 2 'Usage: tenue create' "$TENUE" create -z g.cfg
manners "a missing guest file" 1 'nothing.cfg: cannot read the guest file' "$TENUE" create nothing.cfg
if [ ! -e /dev/xen/privcmd ]; then
	manners "no hypervisor" 1 'no hypervisor here' "$TENUE" list
	printf '%s\n' "$base" >g.cfg
	manners "no hypervisor to create on" 1 'no hypervisor here' "$TENUE" create -q g.cfg
fi
echo "toolstack-dry-run: $P passed, $F failed"
[ $F = 0 ]
