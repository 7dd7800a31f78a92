#!/bin/sh
# SPDX-License-Identifier: MIT
# The reference machines, and the only place that describes them: becomes the emulator that runs one. `make run`, the
# demonstration, the system tests and the benches all come through here.
#
#   machine.sh --kernel ELF --ramdisk CPIO [OPTION...] [-- EMULATOR ARGUMENT...]
#
#   --hv IMAGE         hypervisor image (default build/hypervisor/tenue; build/images/xen is Debian's Xen)
#   --hv-append WORDS  more words for the hypervisor
#   --native           no hypervisor: the machine boots the kernel itself
#   --kernel ELF       the control domain's kernel, an ELF file
#   --append WORDS     more words for that kernel
#   --ramdisk CPIO     the control domain's ramdisk
#   --machine NAME     pc (PIIX3, PCI interrupts through link devices; default) or q35 (ICH9)
#   --memory MIB       the machine's memory (default 2048)
#   --dom0-memory MIB  the control domain's share (default 768)
#   --cpu MODEL        the emulated processor (default max,-smap,-xsave,-avx)
#   --cpus N           processors (default 1)
#   --disk FILE        the disk labelled tenue-images, raw
#   --keep             writes to the disk are kept (default: dropped at the end)
#   --disk-device DEV  the emulated disk (default virtio-blk-pci; nvme,serial=1 ...)
#   --net-device DEV   the emulated network card (default virtio-net-pci; e1000e ...)
#   --disk-spec SPEC   the disk's -drive options instead of --disk's
#   --console SPEC     where the first serial port goes: stdio (default), file:PATH, ...
#   --agent PATH       the second serial port, as a UNIX socket here: the test channel
#   --forward H:A:G    host TCP port H leads to port G of address A on the bridge
#   --icount           count instructions as time (the benches' clock); one processor
#   --icount-shift N   as --icount, an instruction taking 2^N ns: N more makes seconds pass twice as fast
#   --print            prints the arguments, one a line, instead of running the emulator
#
# Software emulation, so nothing of the host is needed. Two features of the emulated processor are masked: SMAP, since the
# emulator does a PV kernel's ring-3 far returns as supervisor accesses and would fault them; and XSAVE with AVX, since
# QEMU 7.2 loses vector registers there when domains switch (under Debian's Xen, programs of the control domain then die
# in ld.so or malloc within seconds of a second domain running; with FXSAVE they do not). The network is the emulator's
# user mode: 10.0.2.0/24, gateway .2; the control domain's bridge has .15. A reset ends the emulator.
set -eu

hv=build/hypervisor/tenue hv_append= kernel= append= ramdisk= machine=pc memory=2048 dom0=768 cpus=1 disk= drive=
disk_device=virtio-blk-pci net_device=virtio-net-pci
console=stdio agent= forward= icount= icount_shift=0 print= native= snapshot=on cpu=max,-smap,-xsave,-avx

while [ $# -gt 0 ]; do
	case $1 in
	--hv) hv=$2 ;;
	--hv-append) hv_append=$2 ;;
	--kernel) kernel=$2 ;;
	--append) append=$2 ;;
	--ramdisk) ramdisk=$2 ;;
	--machine) machine=$2 ;;
	--memory) memory=$2 ;;
	--dom0-memory) dom0=$2 ;;
	--cpu) cpu=$2 ;;
	--cpus) cpus=$2 ;;
	--disk) disk=$2 ;;
	--disk-spec) drive=$2 ;;
	--disk-device) disk_device=$2 ;;
	--net-device) net_device=$2 ;;
	--console) console=$2 ;;
	--agent) agent=$2 ;;
	--forward) forward="$forward,hostfwd=tcp:127.0.0.1:${2%%:*}-${2#*:}" ;;
	--keep) snapshot=off; shift; continue ;;
	--icount) icount=1; shift; continue ;;
	--icount-shift) icount=1 icount_shift=$2 ;;
	--native) native=1; shift; continue ;;
	--print) print=1; shift; continue ;;
	--) shift; break ;;
	*) echo "machine.sh: $1: unknown option; the opening comment lists them" >&2; exit 2 ;;
	esac
	shift 2
done
[ -n "$kernel" ] || { echo "machine.sh: --kernel is needed: 'make images' makes build/images/vmlinux-control" >&2; exit 2; }

# Within -initrd a comma separates modules, so commas in words are doubled.
double() { printf %s "$1" | sed 's/,/,,/g'; }
modules="$kernel $(double "console=hvc0 tenue.ip=10.0.2.15/24,10.0.2.2${agent:+ tenue.agent} $append")"
[ -z "$ramdisk" ] || modules="$modules,$ramdisk"

if [ -n "$native" ]; then
	set -- "$@" -kernel "$kernel" -append "console=ttyS0 mem=${dom0}M $append"
	[ -z "$ramdisk" ] || set -- "$@" -initrd "$ramdisk"
else
	set -- "$@" -kernel "$hv" -initrd "$modules" \
		-append "console=com1 com1=115200,8n1 dom0_mem=${dom0}M,max:${dom0}M dom0_max_vcpus=$cpus $hv_append"
fi
if [ -n "$icount" ]; then
	cpu=$cpu,-rdrand,-rdseed,-erms,-fsrm
	set -- "$@" -icount shift=$icount_shift,sleep=off -rtc base=2026-01-01,clock=vm
fi
case $machine in
pc | q35) ;;
*) echo "machine.sh: --machine $machine: pc or q35" >&2; exit 2 ;;
esac
set -- qemu-system-x86_64 -accel tcg -machine "$machine" -cpu "$cpu" -smp "$cpus" -m "$memory" \
	-nodefaults -no-user-config -no-reboot -display none "$@"
if [ "$console" = stdio ]; then
	set -- "$@" -chardev stdio,id=console,signal=off,mux=off -serial chardev:console
else
	set -- "$@" -serial "$console"
fi
[ -z "$agent" ] || set -- "$@" -chardev "socket,id=agent,path=$agent,server=on,wait=off" -serial chardev:agent
[ -z "$disk" ] || drive="file=$disk,format=raw,snapshot=$snapshot,discard=unmap"
[ -z "$drive" ] || set -- "$@" -drive "if=none,id=disk,$drive" -device "$disk_device,drive=disk"
set -- "$@" -netdev "user,id=uplink$forward" -device "$net_device,netdev=uplink,romfile="

if [ -n "$print" ]; then
	printf '%s\n' "$@"
else
	exec "$@"
fi
