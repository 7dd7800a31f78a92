/* SPDX-License-Identifier: MIT */
/*
 * The tree: order, sharing, counting, depth (XS-5, XS-10).
 *
 * Sabotage: in own_path() leave out the clone of a shared node (snapshots change); in charge()
 * forget the sign; make node_unref() recurse (the deep test overflows the stack under the
 * sanitizer).
 */
#include <stdio.h>
#include <stdlib.h>

#include "harness.h"

static void test_children_are_sorted(void)
{
    struct view v;
    struct perms *p = perms_new(1);
    char path[16];

    CU_ASSERT_EQUAL_FATAL(view_init(&v, p), 0);
    for (int i = 99; i >= 0; i--) {
        snprintf(path, sizeof(path), "/n%02d", i * 37 % 100);
        CU_ASSERT_EQUAL(store_create(&v, path, -1, "v", 1), 0);
    }
    CU_ASSERT_EQUAL(store_create(&v, "/n00", -1, NULL, 0), -EEXIST);
    CU_ASSERT_EQUAL(v.root->child_count, 100);
    for (uint32_t i = 1; i < v.root->child_count; i++)
        CU_ASSERT(strcmp(v.root->child[i - 1]->name, v.root->child[i]->name) < 0);
    perms_unref(p);
    view_fini(&v);
}

static void test_snapshot_is_isolated(void)
{
    struct view v, snapshot;
    struct node *removed;
    struct perms *p = perms_new(1);

    CU_ASSERT_EQUAL_FATAL(view_init(&v, p), 0);
    store_create(&v, "/a/b", -1, "old", 3);
    store_create(&v, "/a/c", -1, NULL, 0);
    view_snapshot(&snapshot, &v);
    CU_ASSERT_EQUAL(store_set_value(&v, "/a/b", "new", 3), 0);
    CU_ASSERT_EQUAL(store_create(&v, "/a/d/e", -1, NULL, 0), 0);
    CU_ASSERT_EQUAL(store_remove(&v, "/a/c", &removed), 0);
    node_unref(removed);
    CU_ASSERT_EQUAL(memcmp(store_find(&snapshot, "/a/b")->value, "old", 3), 0);
    CU_ASSERT_EQUAL(memcmp(store_find(&v, "/a/b")->value, "new", 3), 0);
    CU_ASSERT_PTR_NOT_NULL(store_find(&snapshot, "/a/c"));
    CU_ASSERT_PTR_NULL(store_find(&snapshot, "/a/d"));
    CU_ASSERT_PTR_NULL(store_find(&v, "/a/c"));
    perms_unref(p);
    view_fini(&snapshot);
    view_fini(&v);
}

/* Sharing must not lose or keep memory: all bytes come back, whichever view goes first. */
static void test_bytes_balance(void)
{
    size_t before = node_bytes_total();
    struct perms *p = perms_new(1);

    for (int order = 0; order < 2; order++) {
        struct view v, snapshot;

        CU_ASSERT_EQUAL_FATAL(view_init(&v, p), 0);
        store_create(&v, "/a/b/c", -1, "value", 5);
        view_snapshot(&snapshot, &v);
        store_set_value(&v, "/a/b/c", "other value", 11);
        store_create(&v, "/a/x", -1, "1", 1);
        CU_ASSERT(node_bytes_total() > before);
        view_fini(order ? &v : &snapshot);
        view_fini(order ? &snapshot : &v);
        CU_ASSERT_EQUAL(node_bytes_total(), before);
    }
    perms_unref(p);
}

static void deep_path(char *path, unsigned int depth)
{
    for (unsigned int i = 0; i < depth; i++)
        memcpy(path + 2 * i, "/d", 3);
}

static void test_maximal_depth(void)
{
    static char path[PATH_BYTES];
    struct client *dom0, *watcher;
    struct tree_iter *it = malloc(sizeof(*it));
    unsigned int count = 0;

    harness_reset();
    dom0 = client_new(0);
    watcher = client_new(0);
    deep_path(path, PATH_DEPTH_MAX);
    EXPECT(do_write(dom0, 0, path, "bottom"), "OK");
    EXPECT(do_read(dom0, 0, path), "bottom");
    tree_iter_start(it, store_main.root, "/");
    while (tree_iter_next(it))
        count++;
    CU_ASSERT_EQUAL(count, PATH_DEPTH_MAX + 1);
    free(it);
    EXPECT(do_watch(watcher, path, "t"), "OK");
    EXPECT(do_rm(dom0, 0, "/d"), "OK");
    EXPECT(do_read(dom0, 0, path), "ENOENT");
    CU_ASSERT_EQUAL(domain_of(0)->nodes, 1);
}

static void test_walk_reports_missing(void)
{
    struct walk w;

    harness_reset();
    store_create(&store_main, "/a/b", -1, NULL, 0);
    domains_apply_ledger(&store_main.ledger);
    store_walk(&store_main, "/a/b/c/d", &w);
    CU_ASSERT_PTR_NULL(w.node);
    CU_ASSERT_STRING_EQUAL(w.nearest->name, "b");
    CU_ASSERT_EQUAL(w.nearest_len, 4);
    CU_ASSERT_EQUAL(w.missing, 2);
    store_walk(&store_main, "/x", &w);
    CU_ASSERT_EQUAL(w.nearest_len, 1);
    CU_ASSERT_EQUAL(w.missing, 1);
    store_walk(&store_main, "/", &w);
    CU_ASSERT_PTR_EQUAL(w.node, store_main.root);
}

/* The audit notices each kind of wrong book. */
static void test_audit_notices(void)
{
    harness_reset();
    client_new(1);
    CU_ASSERT_EQUAL(audit_books(), 0);
    domain_of(1)->nodes++;
    CU_ASSERT_EQUAL(audit_books(), 1);
    domain_of(1)->nodes--;
    domain_of(0)->bytes -= 1;
    domain_of(0)->watches++;
    domain_of(0)->transactions++;
    domain_of(0)->acls++;
    CU_ASSERT_EQUAL(audit_books(), 4);
    domain_of(0)->bytes += 1;
    domain_of(0)->watches--;
    domain_of(0)->transactions--;
    domain_of(0)->acls--;
}

void suite_store(void)
{
    CU_pSuite s = CU_add_suite("store", NULL, NULL);

    ADD(s, test_children_are_sorted);
    ADD(s, test_snapshot_is_isolated);
    ADD(s, test_bytes_balance);
    ADD(s, test_maximal_depth);
    ADD(s, test_walk_reports_missing);
    ADD(s, test_audit_notices);
}
