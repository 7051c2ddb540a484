// The collector's programs for mono: reads lines `NAME N`, answers `NS CHECKSUM`.
using System;
using System.Diagnostics;

class Tree {
    public readonly Tree Left, Right;

    public Tree(Tree left, Tree right) {
        Left = left;
        Right = right;
    }
}

class Small {
    public readonly int A, B;
    public readonly Small Other;

    public Small(int a, int b, Small other) {
        A = a;
        B = b;
        Other = other;
    }
}

static class Collector {
    static Tree Build(int depth) {
        if (depth == 0) return new Tree(null, null);
        return new Tree(Build(depth - 1), Build(depth - 1));
    }

    static int Nodes(Tree tree) {
        int count = 1;
        if (tree.Left != null) count += Nodes(tree.Left);
        if (tree.Right != null) count += Nodes(tree.Right);
        return count;
    }

    static long BinaryTrees(int n) {
        long checksum = Nodes(Build(n + 1));
        Tree kept = Build(n);
        for (int depth = 4; depth <= n; depth += 2) {
            long count = 0;
            for (int turn = 0; turn < 1 << (n - depth + 4); turn++) count += Nodes(Build(depth));
            checksum = unchecked(checksum * 31 + count);
        }
        return checksum + Nodes(kept);
    }

    static long Allocation(int n) {
        var ring = new Small[64];
        for (int i = 0; i < n; i++) ring[i & 63] = new Small(i, i ^ 5, null);
        long checksum = 0;
        foreach (Small small in ring) checksum = unchecked(checksum * 31 + (small.A + small.B));
        return checksum;
    }

    static long Run(string name, int n) {
        switch (name) {
            case "binary-trees": return BinaryTrees(n);
            case "allocation": return Allocation(n);
            default: throw new ArgumentException("no program " + name);
        }
    }

    static void Main() {
        string line;
        while ((line = Console.ReadLine()) != null) {
            string[] words = line.Split(' ');
            var watch = Stopwatch.StartNew();
            long checksum = Run(words[0], int.Parse(words[1]));
            long ns = (long)(watch.Elapsed.TotalMilliseconds * 1e6);
            Console.WriteLine(ns + " " + checksum);
        }
    }
}
