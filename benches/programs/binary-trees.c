// Binary trees up to depth `n`, built and let go: real allocation. The checksum counts nodes.
#include <stdint.h>
#include <stdlib.h>

typedef struct Tree {
    struct Tree *left, *right;
} Tree;

static Tree *build(int32_t depth) {
    Tree *tree = malloc(sizeof *tree);
    if (!tree) abort();
    tree->left = depth > 0 ? build(depth - 1) : 0;
    tree->right = depth > 0 ? build(depth - 1) : 0;
    return tree;
}

static int32_t nodes(const Tree *tree) {
    if (!tree->left) return 1;
    return 1 + nodes(tree->left) + nodes(tree->right);
}

static void drop(Tree *tree) {
    if (tree->left) {
        drop(tree->left);
        drop(tree->right);
    }
    free(tree);
}

static int32_t built(int32_t depth) {
    Tree *tree = build(depth);
    int32_t count = nodes(tree);
    drop(tree);
    return count;
}

int64_t run(int32_t n) {
    int64_t checksum = built(n + 1);
    Tree *kept = build(n);
    for (int32_t depth = 4; depth <= n; depth += 2) {
        int32_t turns = 1 << (n - depth + 4);
        int64_t count = 0;
        for (int32_t turn = 0; turn < turns; turn++) count += built(depth);
        checksum = (int64_t)((uint64_t)checksum * 31 + (uint64_t)count);
    }
    checksum += nodes(kept);
    drop(kept);
    return checksum;
}
