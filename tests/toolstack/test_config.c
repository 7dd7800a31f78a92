/* SPDX-License-Identifier: MIT */
/*
 * Contract: a guest file in xl.cfg syntax means what xl.cfg(5) says, and what is wrong with it is
 * said with file and line. Could break through the two disk syntaxes (positions shift after a
 * legacy prefix), through line counting over multi-line lists, or by ignoring what is not known.
 *
 * Sabotage tried and seen to fail: in config.c unknown_key(), `return 0;` instead of the
 * complaint; in devspec.c disk_positional(), dropping `*pos += *legacy;`; in diskserve.c
 * take_number(), not looking at r->max; in devspec.c disk_kernel_agrees(), `return 0;` at its top.
 */
#include "tests.h"

#include "../../toolstack/config.h"

#include <CUnit/CUnit.h>
#include <stdlib.h>
#include <string.h>

static int parse(const char *text, struct guest_config *cfg, struct diag *d)
{
    d->text[0] = 0;
    return config_parse("g.cfg", text, strlen(text), cfg, d);
}

static void refuse(const char *text, const char *want)
{
    struct guest_config cfg;
    struct diag d;

    CU_ASSERT_FATAL(parse(text, &cfg, &d) != 0);
    if (!strstr(d.text, want))
        test_note("expected \"%s\" in: %s", want, d.text);
    CU_ASSERT(strstr(d.text, want) != NULL);
}

static void test_whole_file(void)
{
    struct guest_config cfg;
    struct diag d;

    CU_ASSERT_FATAL(parse("# a guest\n"
                          "name = \"web-1\"; type='pv'\n"
                          "kernel = '/boot/vmlinuz'  # stock\n"
                          "ramdisk=\"/boot/initrd.img\"\n"
                          "root=\"/dev/xvda1\"\n"
                          "extra='console=hvc0 \\x41\\\\'\n"
                          "memory = \"256\"\n"
                          "maxmem = 0x200\n"
                          "vcpus=2\n"
                          "maxvcpus=4\n"
                          "max_maptrack_frames=8\n"
                          "cpus=['2', '0-3,^2']\n"
                          "cpu_weight=512; cap=150\n"
                          "disk = [ 'phy:/dev/sdb,xvda,w',\n"
                          "   'format=raw, vdev=xvdb, access=r, target=/srv/a,b.img', # last\n"
                          "]\n"
                          "vif = [ 'mac=00:16:3e:01:02:03,bridge=br0', '', ]\n"
                          "on_crash='preserve'\n"
                          "on_reboot=\"rename-restart\"\n"
                          "uuid='6f1c2a34-0d1e-4b5f-8a9b-0c1d2e3f4a5b'\n",
                          &cfg, &d) == 0);
    CU_ASSERT_STRING_EQUAL(cfg.name, "web-1");
    CU_ASSERT_STRING_EQUAL(cfg.cmdline, "root=/dev/xvda1 console=hvc0 A\\");
    CU_ASSERT_EQUAL(cfg.memory_mib, 256);
    CU_ASSERT_EQUAL(cfg.maxmem_mib, 512);
    CU_ASSERT_EQUAL(cfg.vcpus, 2);
    CU_ASSERT_EQUAL(cfg.maxvcpus, 4);
    CU_ASSERT_EQUAL(cfg.cpus[0], 4);
    CU_ASSERT_EQUAL(cfg.cpus[1], 0xb);
    CU_ASSERT_EQUAL(cfg.cpus[2], ~0ull);
    CU_ASSERT_EQUAL(cfg.cpu_weight, 512);
    CU_ASSERT_EQUAL(cfg.cap, 150);
    CU_ASSERT_EQUAL_FATAL(cfg.nr_disks, 2);
    CU_ASSERT_STRING_EQUAL(cfg.disks[0].target, "/dev/sdb");
    CU_ASSERT_EQUAL(cfg.disks[0].vdev_id, 51712);
    CU_ASSERT_FALSE(cfg.disks[0].read_only);
    CU_ASSERT_EQUAL(cfg.maptrack_frames, 8);
    CU_ASSERT_EQUAL(cfg.disks[0].line, 14);
    CU_ASSERT_STRING_EQUAL(cfg.disks[1].target, "/srv/a,b.img");
    CU_ASSERT_EQUAL(cfg.disks[1].vdev_id, 51728);
    CU_ASSERT_TRUE(cfg.disks[1].read_only);
    CU_ASSERT_EQUAL(cfg.disks[1].line, 15);
    CU_ASSERT_EQUAL_FATAL(cfg.nr_vifs, 2);
    CU_ASSERT_EQUAL(cfg.vifs[0].mac[5], 3);
    CU_ASSERT_STRING_EQUAL(cfg.vifs[0].bridge, "br0");
    CU_ASSERT_FALSE(cfg.vifs[1].mac_given);
    CU_ASSERT_STRING_EQUAL(cfg.vifs[1].bridge, "xenbr0");
    CU_ASSERT_EQUAL(cfg.on_crash, ACTION_PRESERVE);
    CU_ASSERT_EQUAL(cfg.on_reboot, ACTION_RENAME_RESTART);
    CU_ASSERT_EQUAL(cfg.on_poweroff, ACTION_DESTROY);
    CU_ASSERT_EQUAL(cfg.uuid[0], 0x6f);
    CU_ASSERT_EQUAL(cfg.uuid[15], 0x5b);
    config_free(&cfg);
}

#define MINIMAL "name='a'\nkernel='/k'\n"

static void test_defaults(void)
{
    struct guest_config cfg;
    struct diag d;

    CU_ASSERT_FATAL(parse(MINIMAL, &cfg, &d) == 0);
    CU_ASSERT_EQUAL(cfg.memory_mib, 128);
    CU_ASSERT_EQUAL(cfg.maxmem_mib, 128);
    CU_ASSERT_EQUAL(cfg.vcpus, 1);
    CU_ASSERT_EQUAL(cfg.maxvcpus, 1);
    CU_ASSERT_EQUAL(cfg.maptrack_frames, 0);
    CU_ASSERT_STRING_EQUAL(cfg.cmdline, "");
    CU_ASSERT_EQUAL(cfg.on_reboot, ACTION_RESTART);
    CU_ASSERT_PTR_NULL(cfg.ramdisk);
    config_free(&cfg);
}

static void test_syntax_errors(void)
{
    refuse("name='a\nkernel='/k'\n", "g.cfg:1: this string is not closed");
    refuse("name 'a'\n", "g.cfg:1: expected = after \"name\"");
    refuse("name='a' kernel='/k'\n", "g.cfg:1: there is something behind the value");
    refuse("name=a\n", "put it in quotes");
    refuse("\n\ndisk=['x' 'y']\n", "g.cfg:3: expected , or ]");
    refuse("disk=[['x']]\n", "a list inside a list");
    refuse("disk=[\n'x',\n", "g.cfg:3: a value is expected");
    refuse("name='\\q'\n", "unknown escape");
    refuse("name='\\x00'\n", "\\x in a string");
    refuse("= 3\n", "expected key = value");
    refuse(MINIMAL "name='b'\n", "g.cfg:3: name is set on line 1 already");
}

static void test_key_errors(void)
{
    refuse(MINIMAL "memry=3\n", "g.cfg:3: unknown key \"memry\"; did you mean \"memory\"?");
    refuse(MINIMAL "xyzzyplugh=3\n", "tenue.cfg(5) lists");
    refuse(MINIMAL "bogus=3\n", "tenue.cfg(5) lists"); /* no key is as near as a typing error */
    refuse(MINIMAL "bootloader='pygrub'\n", "g.cfg:3: the key \"bootloader\" is not offered");
    refuse("kernel='/k'\n", "no name; add name");
    refuse("name='a'\n", "no kernel; add kernel");
    refuse("name='a/b'\n", "will not do");
    refuse("name='12'\n", "taken for a domain id");
    refuse("name='Domain-0'\n", "belongs to the control domain");
    refuse(MINIMAL "memory=-1\n", "is not a number");
    refuse(MINIMAL "memory='12x'\n", "is not a number");
    refuse(MINIMAL "memory=[1]\n", "not a list");
    refuse(MINIMAL "memory=0\n", "out of range");
    refuse(MINIMAL "memory=256\nmaxmem=128\n", "maxmem is below memory");
    refuse(MINIMAL "cpu_weight=0\n", "out of range; 1 to 65535");
    refuse(MINIMAL "cpu_weight=65536\n", "out of range; 1 to 65535");
    refuse(MINIMAL "cap=3201\n", "out of range; 0 to 3200");
    refuse(MINIMAL "vcpus=2; cap=201\n", "cap is 201, but 2 vCPUs have at most 200 percent");
    refuse(MINIMAL "cap=-1\n", "not a number");
    refuse(MINIMAL "cpus=\"0-\"\n", "g.cfg:3: cpus: \"0-\" is no list of CPUs");
    refuse(MINIMAL "cpus=[]\n", "cpus is a set of CPUs");
    refuse(MINIMAL "cpus=\"1,^1\"\n", "leaves no CPU");
    refuse(MINIMAL "vcpus=33\n", "out of range; 1 to 32");
    refuse(MINIMAL "vcpus=2\nmaxvcpus=1\n", "maxvcpus is below vcpus");
    refuse(MINIMAL "max_maptrack_frames=1025\n", "out of range");
    refuse(MINIMAL "on_crash='coredump-destroy'\n", "core dumps are not offered");
    refuse(MINIMAL "on_crash='explode'\n", "on_crash is \"destroy\"");
    refuse(MINIMAL "type='hvm'\n", "only type=\"pv\"");
    refuse(MINIMAL "uuid='xyz'\n", "uuid is 32");
    refuse(MINIMAL "cmdline='a'\nextra='b'\n", "drop root= and extra=");
}

static void disk_is(const char *text, const char *target, uint32_t id, bool ro)
{
    struct disk_spec disk;
    struct diag d = {0};

    CU_ASSERT_FATAL(disk_parse((struct place){"g", 1}, text, &disk, &d) == 0);
    CU_ASSERT_STRING_EQUAL(disk.target, target);
    CU_ASSERT_EQUAL(disk.vdev_id, id);
    CU_ASSERT_EQUAL(disk.read_only, ro);
    disk_free(&disk);
}

static void test_disk_forms(void)
{
    disk_is("file:/a.img,xvda,w", "/a.img", 51712, false);
    disk_is("phy:/dev/x,xvdb1,r", "/dev/x", 51729, true);
    disk_is("/a.img,raw,xvda,rw", "/a.img", 51712, false);
    disk_is("/a.img,,hda", "/a.img", 768, false);
    disk_is("format=raw,vdev=sda2,access=ro,target=/x y,z", "/x y,z", 2050, true);
    disk_is("format=qcow2,base=/b,timeout=5,vdev=xvda,target=/o.qcow2", "/o.qcow2", 51712, false);
    disk_is("vdev=xvda,timeout=5,target=nbd://[::1]:9/e,x", "nbd://[::1]:9/e,x", 51712, false);
    disk_is("vdev=xvda,target=nbd+unix:///e?socket=/s", "nbd+unix:///e?socket=/s", 51712, false);
    disk_is("vdev=xvdq,target=/q", "/q", 1u << 28 | 16 << 8, false);
    disk_is("vdev=d3p2,target=/q", "/q", 202 << 8 | 3 << 4 | 2, false);
    disk_is("/iso,,xvdc,cdrom", "/iso", 51744, true);
    disk_is("file:/iso,xvdc:cdrom,r", "/iso", 51744, true);
}

static void test_disk_serving(void)
{
    struct disk_spec disk;
    struct diag d;

    CU_ASSERT_FATAL(
        disk_parse((struct place){"g", 1},
                   "vdev=xvda,queues=2,ring-order=0,indirect=32,grants=map,batch=8,"
                   "batch-us=50,gather-us=7,poll-us=20,sector-size=4096,cache=writeback,"
                   "capture=/var/log/web.capture,target=/q",
                   &disk, &d) == 0);
    CU_ASSERT_EQUAL(disk.serving.set, (1u << DEVHOST_NR_KNOBS) - 1);
    CU_ASSERT_EQUAL(disk.serving.value[DEVHOST_QUEUES], 2);
    CU_ASSERT_EQUAL(disk.serving.value[DEVHOST_RING_ORDER], 0);
    CU_ASSERT_EQUAL(disk.serving.value[DEVHOST_INDIRECT], 32);
    CU_ASSERT_EQUAL(disk.serving.value[DEVHOST_BATCH], 8);
    CU_ASSERT_EQUAL(disk.serving.value[DEVHOST_BATCH_US], 50);
    CU_ASSERT_EQUAL(disk.serving.value[DEVHOST_GATHER_US], 7);
    CU_ASSERT_EQUAL(disk.serving.value[DEVHOST_POLL_US], 20);
    CU_ASSERT_EQUAL(disk.serving.value[DEVHOST_SECTOR_SIZE], 4096);
    CU_ASSERT_EQUAL(disk.serving.grants, DEVHOST_GRANTS_MAP);
    CU_ASSERT_TRUE(disk.buffered);
    free(disk.target);
    CU_ASSERT_STRING_EQUAL(disk.capture, "/var/log/web.capture");
    CU_ASSERT_FATAL(
        disk_parse((struct place){"g", 1}, "cache=direct,vdev=xvda,target=/q", &disk, &d) == 0);
    CU_ASSERT_EQUAL(disk.serving.set, 0);
    CU_ASSERT_FALSE(disk.buffered);
    free(disk.target);
#define SERVED(words) MINIMAL "disk=[\n'vdev=xvda," words ",target=/a']\n"
    refuse(SERVED("queues=9"), "g.cfg:4: disk queues \"9\"; write a number from 1 to 8");
    refuse(SERVED("queues=0"), "from 1 to 8");
    refuse(SERVED("ring-order=5"), "from 0 to 4");
    refuse(SERVED("indirect=257"), "from 0 to 256");
    refuse(SERVED("batch=x"), "disk batch \"x\"; write a number from 1 to 512");
    refuse(SERVED("batch-us=-1"), "disk batch-us \"-1\"");
    refuse(SERVED("poll-us=1000001"), "from 0 to 1000000");
    refuse(SERVED("sector-size=1024"), "write 512 or 4096");
    refuse(SERVED("grants=maybe"), "write persistent, map or copy");
    refuse(SERVED("cache=unsafe"), "write direct or writeback");
    refuse(SERVED("capture=web.capture"), "write a file's whole path");
    refuse(SERVED("queues=1,queues=2"), "it is there twice");
}

static void test_limits(void)
{
    struct guest_config cfg;
    struct diag d;

    CU_ASSERT_FATAL(parse(MINIMAL
                          "limit_groups=['gold=2000iops+100MB/s', 'tin=5iops']\n"
                          "disk=['vdev=xvda,limit=100iops@20+1MB/s,limit-group=gold,"
                          "target=/a']\nvif=['rate=10Mb/s@50ms,rate-in=70iops,limit-group=tin']\n",
                          &cfg, &d) == 0);
    CU_ASSERT_EQUAL(cfg.disks[0].limit.rates.ops, 100);
    CU_ASSERT_EQUAL(cfg.disks[0].limit.rates.ops_burst, 20);
    CU_ASSERT_EQUAL(cfg.disks[0].limit.rates.bytes, 1000000);
    CU_ASSERT_STRING_EQUAL(cfg.disks[0].limit.group, "gold");
    CU_ASSERT_EQUAL(cfg.vifs[0].limit.rates.bytes, 1250000);
    CU_ASSERT_EQUAL(cfg.vifs[0].limit.rates.bytes_burst, 62500);
    CU_ASSERT_EQUAL(cfg.vifs[0].limit.in.ops, 70);
    CU_ASSERT_STRING_EQUAL(cfg.vifs[0].limit.group, "tin");
    CU_ASSERT_EQUAL_FATAL(cfg.nr_groups, 2);
    CU_ASSERT_STRING_EQUAL(cfg.groups[0].name, "gold");
    CU_ASSERT_EQUAL(cfg.groups[0].rates.bytes, 100000000);
    CU_ASSERT_EQUAL(cfg.groups[1].rates.ops, 5);
    config_free(&cfg);
    refuse(SERVED("limit=0iops"), "g.cfg:4: disk limit: \"0iops\": a limit of zero");
    refuse(SERVED("limit=10000001iops"), "above what can be counted, 10000000");
    refuse(SERVED("limit=fast"), "is no limit");
    refuse(SERVED("limit-group=a/b"), "g.cfg:4: disk limit-group \"a/b\"");
    refuse(MINIMAL "vif=['rate=0MB/s']\n", "g.cfg:3: vif rate: \"0MB/s\": a limit of zero");
    refuse(MINIMAL "vif=['rate-in=0iops']\n", "g.cfg:3: vif rate-in: \"0iops\": a limit of zero");
    refuse(MINIMAL "limit_groups='x'\n", "g.cfg:3: limit_groups is a list");
    refuse(MINIMAL "limit_groups=['x']\n", "write NAME=LIMIT");
    refuse(MINIMAL "limit_groups=['x=1iops','x=2iops']\n", "x is there twice");
    refuse(MINIMAL "limit_groups=['x=0iops']\n", "g.cfg:3: limit_groups: \"0iops\"");
}

/* Whose driver serves a device; what only ours can do is refused by its name beside the kernel's.
 */
static void test_kernel_backends(void)
{
    static const char *const disks[] = {"queues=2",  "grants=copy",   "poll-us=5", "limit=5iops",
                                        "removable", "limit-group=x", "cdrom",     "ring-order=1"};
    static const char *const vifs[] = {"queues=2",       "coalesce-us=0", "poll-us=1",
                                       "rate=1MB/s",     "limit-group=x", "vifname=web",
                                       "mirror=/x.pcap", "capture=/x"};
    struct guest_config cfg;
    struct diag d;
    char text[256], want[96];

    CU_ASSERT_FATAL(parse(MINIMAL
                          "disk=['backend=kernel,vdev=xvda,no-discard,target=/a',"
                          "'backend=tenue,vdev=xvdb,target=/b', '/c,raw,xvdc,w,backend=0']\n"
                          "vif=['backend=kernel,mtu=9000,ip=10.0.0.5,network=nat', '']\n",
                          &cfg, &d) == 0);
    CU_ASSERT(cfg.disks[0].kernel && !cfg.disks[1].kernel && !cfg.disks[2].kernel);
    CU_ASSERT(cfg.vifs[0].kernel && !cfg.vifs[1].kernel);
    config_free(&cfg);
    for (size_t i = 0; i < sizeof(disks) / sizeof(*disks); i++) {
        snprintf(text, sizeof(text), MINIMAL "disk=['/c,raw,xvda,w,backend=kernel,%s']\n",
                 disks[i]);
        snprintf(want, sizeof(want), "g.cfg:3: disk %.*s", (int)strcspn(disks[i], "="),
                 strcmp(disks[i], "cdrom") ? disks[i] : "devtype=cdrom");
        refuse(text, want);
    }
    for (size_t i = 0; i < sizeof(vifs) / sizeof(*vifs); i++) {
        snprintf(text, sizeof(text), MINIMAL "vif=['%s,backend=kernel']\n", vifs[i]);
        snprintf(want, sizeof(want), "g.cfg:3: vif %.*s=: the kernel's backend has no such thing",
                 (int)strcspn(vifs[i], "="), vifs[i]);
        refuse(text, want);
    }
    refuse(MINIMAL "disk=['backend=kernel,format=qcow2,vdev=xvda,target=/a']\n",
           "disk format=qcow2");
    refuse(MINIMAL "disk=['backend=kernel,vdev=xvda,target=nbd://h/e']\n", "disk an NBD server");
    refuse(MINIMAL "disk=['backend=kernel,vdev=xvda,cache=writeback,target=/a']\n",
           "disk cache=writeback");
    refuse(MINIMAL "disk=['backend=7,vdev=xvda,target=/a']\n", "write tenue, or kernel");
    refuse(MINIMAL "vif=['backend=other']\n", "write tenue, or kernel");
}

static void test_disk_errors(void)
{
    refuse(MINIMAL "disk=['format=vhd,vdev=xvda,target=/a']\n", "g.cfg:3: disk format \"vhd\"");
    refuse(MINIMAL "disk=['format=qcow2,vdev=xvda,target=nbd://h/e']\n", "leave format= out");
    refuse(MINIMAL "disk=['base=/b,vdev=xvda,target=/a']\n", "g.cfg:3: disk base \"/b\"");
    refuse(MINIMAL "disk=['format=qcow2,base=b,vdev=xvda,target=/a']\n", "whole path");
    refuse(MINIMAL "disk=['timeout=9,vdev=xvda,target=/a']\n", "disk timeout of \"/a\"");
    refuse(MINIMAL "disk=['format=qcow2,timeout=0,vdev=xvda,target=/a']\n", "disk timeout \"0\"");
    refuse(MINIMAL "disk=['timeout=86401,vdev=xvda,target=nbd://h/e']\n", "disk timeout \"86401\"");
    refuse(MINIMAL "disk=[\n'vdev=xvda,target=/a',\n'vdev=sdq9x,target=/b']\n",
           "g.cfg:5: disk vdev");
    refuse(MINIMAL "disk=['vdev=xvda']\n", "add target=");
    refuse(MINIMAL "disk=['target=/a']\n", "add vdev=");
    refuse(MINIMAL "disk=['vdev=xvda,target=a']\n", "write the whole path");
    refuse(MINIMAL "disk=['vdev=xvda,script=x,target=/a']\n", "no scripts are run");
    refuse(MINIMAL "disk='x'\n", "disk is a list");
    refuse(MINIMAL "disk=['/a,raw,xvda,x']\n", "disk access \"x\"");
    refuse(MINIMAL "disk=['/a,raw,xvda,r','/b,raw,xvda,r']\n", "vdev=xvda is taken");
    refuse(MINIMAL "disk=['/a,raw,xvda,r',\n'/a,raw,xvdb,w']\n",
           "g.cfg:4: /a is the disk of line 3 already");
}

static void test_same_image_read_only(void)
{
    struct guest_config cfg;
    struct diag d;

    CU_ASSERT_FATAL(parse(MINIMAL "disk=['/a,raw,xvda,r','/a,raw,xvdb,r']\n", &cfg, &d) == 0);
    config_free(&cfg);
}

static void accept_network(const char *text, enum net_kind kind, const char *bridge)
{
    struct place at = {"g.cfg", 3};
    struct diag d = {0};
    struct vif_spec vif;

    CU_ASSERT_EQUAL_FATAL(vif_parse(at, text, &vif, &d), 0);
    CU_ASSERT_TRUE(vif.net.given);
    CU_ASSERT_EQUAL(vif.net.kind, kind);
    CU_ASSERT_STRING_EQUAL(vif.bridge, bridge);
}

static void test_networks(void)
{
    accept_network("network=host-only", NET_HOST_ONLY, "tn-host-only");
    accept_network("network=internal:lab", NET_INTERNAL, "tn-lab");
    accept_network("network=bridged", NET_BRIDGED, "xenbr0");
    accept_network("network=bridged:br7", NET_BRIDGED, "br7");
    accept_network("forward=tcp:2222:22, network=nat", NET_NAT, "tn-nat");
    accept_network("network=nat-network:twelve-chars", NET_NAT_NETWORK, "tn-twelve-chars");
}

/* Sabotage: without net_check_spec() in vif_whole(), a forward= that nobody serves is accepted. */
static void test_network_errors(void)
{
    refuse(MINIMAL "vif=['network=nut']\n", "g.cfg:3: vif network \"nut\"; there is no kind");
    refuse(MINIMAL "vif=['network=nat:thirteen-char']\n", "has 13 characters");
    refuse(MINIMAL "vif=['network=nat:a/b']\n", "will not do");
    refuse(MINIMAL "vif=['network=nat:']\n", "will not do");
    refuse(MINIMAL "vif=['network=nat,bridge=b']\n", "g.cfg:3: vif bridge \"b\"");
    refuse(MINIMAL "vif=['network=nat,network=internal']\n", "written twice");
    refuse(MINIMAL "vif=['network=internal,forward=tcp:1:2']\n",
           "g.cfg:3: vif forward: forward= needs network=nat");
    refuse(MINIMAL "vif=['bridge=b,forward=tcp:1:2']\n", "forward= needs network=nat");
    refuse(MINIMAL "vif=['network=nat,forward=tcp:0:22']\n", "port \"0\" is not a number");
    refuse(MINIMAL "vif=['network=nat,forward=tcp:22:65536']\n", "port \"65536\"");
    refuse(MINIMAL "vif=['network=nat,forward=tcp:22']\n", "the guest's port \"\"");
    refuse(MINIMAL "vif=['network=nat,forward=sctp:1:2']\n", "\"sctp\" is neither");
    refuse(MINIMAL "vif=['network=nat,forward=1.2.3:tcp:1:2']\n", "\"1.2.3\" is neither");
    refuse(MINIMAL "vif=['network=nat,forward=tcp:1:2:3']\n", "\":3\" is too much");
    refuse(MINIMAL "vif=['network=nat,forward=tcp:1:2,forward=1.2.3.4:tcp:1:3']\n",
           "forwarded twice");
}

/* Sabotage: vif_add_ip() that adds nothing, a number's bounds not looked at. */
static void test_vif_serving(void)
{
    struct vif_spec vif;
    struct diag d;

    CU_ASSERT_FATAL(
        vif_parse((struct place){"g", 1},
                  "queues=4,mtu=9000,coalesce-us=0,poll-us=20,ip=10.0.0.5,"
                  "ip=FD00:0::5,antispoof=off,arena=off,mirror=/var/log/web.pcap,capture=/c",
                  &vif, &d) == 0);
    CU_ASSERT_EQUAL(vif.queues, 4);
    CU_ASSERT_EQUAL(vif.mtu, 9000);
    CU_ASSERT_EQUAL(vif.coalesce_us, 0);
    CU_ASSERT_EQUAL(vif.poll_us, 20);
    CU_ASSERT_TRUE(vif.spoofs);
    CU_ASSERT_TRUE(vif.no_arena);
    CU_ASSERT_STRING_EQUAL(vif.mirror, "/var/log/web.pcap");
    CU_ASSERT_STRING_EQUAL(vif.capture, "/c");
    CU_ASSERT_EQUAL_FATAL(vif.nr_ips, 2);
    CU_ASSERT_STRING_EQUAL(vif.ips[0], "10.0.0.5");
    CU_ASSERT_STRING_EQUAL(vif.ips[1], "fd00::5");
    CU_ASSERT_FATAL(vif_parse((struct place){"g", 1}, "antispoof=on", &vif, &d) == 0);
    CU_ASSERT_FALSE(vif.spoofs);
    CU_ASSERT_FALSE(vif.no_arena);
    CU_ASSERT_EQUAL(vif.queues, 0);
    CU_ASSERT_EQUAL(vif.coalesce_us, VIF_COALESCE_US);
    refuse(MINIMAL "vif=['queues=9']\n", "g.cfg:3: vif queues \"9\"; write a number from 1 to 8");
    refuse(MINIMAL "vif=['queues=0']\n", "from 1 to 8");
    refuse(MINIMAL "vif=['mtu=67']\n", "from 68 to 65521");
    refuse(MINIMAL "vif=['mtu=1500,mtu=9000']\n", "it is there twice");
    refuse(MINIMAL "vif=['coalesce-us=1001']\n", "from 0 to 1000");
    refuse(MINIMAL "vif=['poll-us=x']\n", "vif poll-us \"x\"");
    refuse(MINIMAL "vif=['ip=10.0.0']\n", "vif ip \"10.0.0\"; write one address");
    refuse(MINIMAL "vif=['ip=10.0.0.0/8']\n", "write one address");
    refuse(MINIMAL "vif=['antispoof=maybe']\n", "write on or off");
    refuse(MINIMAL "vif=['arena=1']\n", "vif arena \"1\"; write on or off");
    refuse(MINIMAL "vif=['mirror=a/b']\n",
           "g.cfg:3: vif mirror \"a/b\"; write a file's whole path");
    refuse(MINIMAL "vif=['capture=web0']\n", "g.cfg:3: vif capture \"web0\"; write a file's");
    refuse(MINIMAL "vif=['mirror=sixteen-chars-xx']\n", "or an interface's name");
}

static void test_vif_errors(void)
{
    refuse(MINIMAL "vif=['mac=00:16:3e:00:00']\n", "g.cfg:3: vif mac");
    refuse(MINIMAL "vif=['mac=01:16:3e:00:00:00']\n", "multicast");
    refuse(MINIMAL "vif=['bridge=a/b']\n", "vif bridge");
    refuse(MINIMAL "vif=['bridge=aaaaaaaaaaaaaaaa']\n", "1 to 15 characters");
    refuse(MINIMAL "vif=['model=e1000']\n", "known are mac=");
    refuse(MINIMAL "vif=['mac=00:16:3e:00:00:01',\n'mac=00:16:3E:00:00:01']\n",
           "g.cfg:4: the vif of line 3 has this mac already");
}

static void test_vdev_numbers(void)
{
    static const struct {
        const char *name;
        uint32_t id;
    } cases[] = {
        {"xvda", 51712},
        {"xvda15", 51727},
        {"xvda16", 1u << 28 | 16},
        {"xvdp", 51952},
        {"xvdaa", 1u << 28 | 26 << 8},
        {"hdb", 832},
        {"hdc1", 5633},
        {"hde", 0},
        {"sdp15", 2303},
        {"sdq", 0},
        {"sda16", 0},
        {"xvd", 0},
        {"xvdA", 0},
        {"xvda01", 0},
        {"xvda1x", 0},
        {"vda", 0},
        {"", 0},
        {"xvda999", 0},
        {"d0p0", 51712},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        if (vdev_number(cases[i].name) != cases[i].id)
            test_note("vdev %s gave %#x", cases[i].name, vdev_number(cases[i].name));
        CU_ASSERT_EQUAL(vdev_number(cases[i].name), cases[i].id);
    }
}

/* Random edits of a good file: no crash, no leak, and a complaint or success. */
static void test_mutations(void)
{
    static const char seed[] =
        "name='a'\nkernel='/k'\nmemory=12\ndisk=['/a,raw,xvda,w','vdev=xvdb,target=/q,r']\n"
        "vif=['mac=00:16:3e:00:00:01,bridge=b']\nextra=\"\\x41\"; vcpus=2 # c\n";
    static const char alphabet[] = "\0\n'\"[],;=#\\ axv0:/-";
    uint32_t rnd = 1;

    for (unsigned i = 0; i < 20000; i++) {
        char text[sizeof(seed)];
        struct guest_config cfg;
        struct diag d = {0};

        memcpy(text, seed, sizeof(seed));
        for (unsigned j = 0; j < 1 + i % 5; j++) {
            rnd = rnd * 1664525 + 1013904223;
            text[(rnd >> 8) % (sizeof(seed) - 1)] = alphabet[(rnd >> 3) % sizeof(alphabet)];
        }
        if (config_parse("m", text, sizeof(seed) - 1, &cfg, &d) == 0)
            config_free(&cfg);
        else
            CU_ASSERT_FATAL(d.text[0] != 0);
    }
}

const struct test tests_config[] = {
    {"config: a whole file", test_whole_file},
    {"config: defaults", test_defaults},
    {"config: syntax errors name the line", test_syntax_errors},
    {"config: key errors name line and remedy", test_key_errors},
    {"config: disk forms", test_disk_forms},
    {"config: disk serving", test_disk_serving},
    {"config: limits", test_limits},
    {"config: the kernel's backends", test_kernel_backends},
    {"config: disk errors", test_disk_errors},
    {"config: one image twice, read-only", test_same_image_read_only},
    {"config: vif serving", test_vif_serving},
    {"config: vif errors", test_vif_errors},
    {"config: kinds of network", test_networks},
    {"config: errors about networks", test_network_errors},
    {"config: vdev numbers", test_vdev_numbers},
    {"config: 20000 random edits", test_mutations},
    {NULL, NULL},
};
