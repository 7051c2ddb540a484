//! Cases that random programs seldom reach: long chains, quotas, regions that outlive their makers.

use alloc::vec;
use alloc::vec::Vec;

use super::world::{World, object};
use super::*;
use crate::buf::Account;
use crate::heap::{Config, Heap};

/// Offsets in a `NODE`; a `LINK`'s first field lies there too.
const LEFT: u64 = 8;
const RIGHT: u64 = 16;

/// Puts a new `NODE` in front of the chain in root 0.
fn push(world: &mut World) {
    let node = world.make(1, NODE, 0).unwrap();
    node.set_word(LEFT, world.roots.words[0]);
    world.roots.words[0] = node.address();
    world.roots.words[1] = 0;
}

/// Objects in the chain from root 0 on, each linked by its first field.
fn chain_length(world: &World) -> usize {
    let following = |node: u64| (node != 0).then_some(node);
    let first = following(world.roots.words[0]);
    core::iter::successors(first, |node| following(object(*node).word(LEFT))).count()
}

#[test]
fn an_idle_heap_has_no_memory() {
    let world = World::new(1 << 20, 1, false);
    assert_eq!((world.account.used(), world.heap.window().bytes), (0, 0));
    world.end();
}

#[test]
fn a_long_chain_is_collected_without_recursion() {
    let mut world = World::new(1 << 30, 2, false);
    (0..500_000).for_each(|_| push(&mut world));
    world.collect(true);
    assert_eq!(chain_length(&world), 500_000);
    let live = world.heap.statistics().live_bytes;
    assert_eq!(live, 500_000 * 32);
    world.roots.words[0] = 0;
    world.collect(true);
    assert_eq!(world.heap.statistics().live_bytes, 0);
    world.end();
}

#[test]
fn a_long_chain_is_frozen_without_recursion() {
    let mut world = World::new(1 << 30, 2, false);
    for _ in 0..200_000 {
        let link = world.make(1, LINK, 0).unwrap();
        link.set_word(8, world.roots.words[0]);
        world.roots.words[0] = link.address();
    }
    world.freeze(0);
    assert_eq!(chain_length(&world), 200_000);
    world.end();
}

#[test]
fn a_chain_of_regions_is_dropped_without_recursion() {
    let mut world = World::new(1 << 30, 1, false);
    for _ in 0..100_000 {
        let before = world.roots.words[0];
        let link = world.make(0, LINK, 0).unwrap();
        link.set_word(8, before);
        world.freeze(0);
    }
    world.roots.words[0] = 0;
    world.collect(true);
    assert_eq!(world.heap.statistics().regions, 0);
    world.end();
}

#[test]
fn regions_behind_one_that_is_met_are_kept() {
    let mut world = World::new(1 << 20, 2, false);
    world.make(0, LINK, 0).unwrap().set_word(32, 41);
    world.freeze(0);
    let innermost = world.roots.words[0];
    for _ in 0..3 {
        let before = world.roots.words[0];
        world.make(0, LINK, 0).unwrap().set_word(LEFT, before);
        world.freeze(0);
    }
    world.collect(true);
    world.collect(true);
    assert_eq!(world.heap.statistics().regions, 4);
    // Only now the VM reads its way to the innermost region, and drops the others.
    for _ in 0..3 {
        world.roots.words[0] = object(world.roots.words[0]).word(LEFT);
    }
    assert_eq!(world.roots.words[0], innermost, "frozen objects do not move");
    world.collect(true);
    assert_eq!(world.heap.statistics().regions, 1);
    assert_eq!(object(innermost).word(32), 41);
    world.end();
}

#[test]
fn what_is_frozen_is_not_frozen_again() {
    let mut world = World::new(1 << 20, 1, false);
    world.make(0, LINK, 0).unwrap();
    world.freeze(0);
    let (first, used) = (world.roots.words[0], world.account.used());
    world.freeze(0);
    assert_eq!((world.roots.words[0], world.account.used()), (first, used));
    world.end();
}

#[test]
fn a_region_outlives_the_heap_that_made_it() {
    let mut maker = World::new(1 << 20, 2, false);
    let payer = maker.account.clone();
    maker.text(1, "kept for others").unwrap();
    let link = maker.make(0, LINK, 0).unwrap();
    link.set_word(16, maker.roots.words[1]);
    maker.freeze(0);
    let root = maker.roots.words[0];
    let region = maker.heap.region_of(root).unwrap();
    drop(maker.heap);
    assert!(payer.used() > 0, "the maker still pays");
    let mut taker = World::new(1 << 20, 1, false);
    taker.heap.adopt(region);
    taker.roots.words[0] = root;
    taker.collect(true);
    taker.collect(false);
    let text = object(object(root).word(16));
    assert_eq!(text.header().len(), 15);
    assert_eq!(text.word(8).to_le_bytes(), *b"kept for");
    assert_eq!(taker.account.used(), 0, "another's region costs nothing");
    taker.roots.words[0] = 0;
    taker.collect(true);
    assert_eq!(payer.used(), 0);
    taker.end();
}

#[test]
fn base_wide_numbers_of_two_modules_differ_and_are_found() {
    let [one, two] = [types(), types()];
    let number = one.registered(kind(&one, LINK)).unwrap();
    assert_ne!(number, two.registered(kind(&two, LINK)).unwrap());
    assert_eq!(one.kind_of_registered(number), Some(kind(&one, LINK)));
    assert_eq!(two.kind_of_registered(number), None);
    let (found, kind_found) = crate::heap::registry::find(number).unwrap();
    assert!(Arc::ptr_eq(&found, &one) && kind_found == kind(&one, LINK));
    assert!(crate::heap::registry::find(0).is_none());
}

#[test]
fn live_objects_beyond_the_quota_are_refused_and_dead_ones_are_not_counted() {
    let quota = 256 << 10;
    let mut world = World::new(quota, 2, false);
    for _ in 0..200_000 {
        world.make(0, NODE, 0).unwrap();
    }
    world.roots.words[0] = 0;
    let mut made = 0u64;
    let refused = loop {
        let node = match world.make(1, NODE, 0) {
            Ok(node) => node,
            Err(refused) => break refused,
        };
        node.set_word(LEFT, world.roots.words[0]);
        world.roots.words[0] = node.address();
        made += 1;
    };
    assert_eq!(refused, crate::heap::Exhausted);
    assert!(made * 32 > quota / 2, "only {} bytes fit", made * 32);
    assert!(world.account.used() <= quota + (64 << 10), "{} bytes in use", world.account.used());
    assert_eq!(chain_length(&world) as u64, made, "what is there is whole");
    world.roots.words = vec![0; 2];
    world.collect(true);
    world.make(0, NODE, 0).unwrap();
    world.end();
}

#[test]
fn large_objects_beyond_the_quota_are_refused() {
    let mut world = World::new(1 << 20, 2, false);
    for _ in 0..50 {
        world.make(0, INTS, 150_000).unwrap();
        world.roots.words[0] = 0;
    }
    world.make(0, INTS, 150_000).unwrap();
    assert!(world.make(1, INTS, 150_000).is_err(), "two of 600,000 bytes do not fit 1 MiB");
    assert!(world.make(1, INTS, u32::MAX).is_err());
    assert!(world.make(1, INTS, 50_000).is_ok());
    world.end();
}

#[test]
fn freezing_beyond_the_quota_leaves_the_graph_as_it_was() {
    let mut world = World::new(200 << 10, 3, false);
    let array = world.make(0, LINKS, 1000).unwrap();
    for index in 1..=1000 {
        world.make(1, LINK, 0).unwrap().set_word(32, index);
        let array = if index == 1 { array } else { object(world.roots.words[0]) };
        array.set_word(8 * index, world.roots.words[1]);
        // Array elements are immutable in the language: the test fills it late, so it is a store.
        world.roots.words[2] = world.roots.words[0];
        world.barrier(2);
    }
    // SAFETY: a sendable object.
    while let Some(frozen) = unsafe { world.heap.freeze(world.roots.words[0]) } {
        let head = world.make(1, LINK, 0).unwrap();
        head.set_word(8, world.roots.words[2]);
        world.roots.words[2] = head.address();
        object(head.address()).set_word(24, frozen);
    }
    let array = object(world.roots.words[0]);
    for index in 1..=1000 {
        assert_eq!(object(array.word(8 * index)).word(32), index);
    }
    world.end();
}

#[test]
fn an_old_object_keeps_what_it_was_assigned() {
    let mut world = World::new(1 << 20, 2, false);
    world.make(0, NODE, 0).unwrap();
    world.collect(false);
    for round in 0..10 {
        let young = world.make(1, NODE, 0).unwrap();
        young.set_word(24, round);
        let old = world.barrier(0);
        old.set_word(RIGHT, world.roots.words[1]);
        world.roots.words[1] = 0;
        world.collect(round % 3 == 2);
        let kept = object(object(world.roots.words[0]).word(RIGHT));
        assert_eq!(kept.word(24), round);
    }
    world.end();
}

#[test]
fn the_nursery_grows_with_survival_and_shrinks_when_the_quota_is_short() {
    let mut world = World::new(64 << 20, 2, false);
    (0..200_000).for_each(|_| push(&mut world));
    assert_eq!(world.heap.statistics().nursery_bytes, 4 << 20);
    let mut arrays = Vec::new();
    world.roots.words.resize(200, 0);
    for root in 2..200 {
        match world.make(root, INTS, 250_000) {
            Ok(_) => arrays.push(root),
            Err(_) => break,
        }
    }
    assert!(arrays.len() > 50, "{}", arrays.len());
    assert!(world.heap.statistics().nursery_bytes <= 16 << 10);
    world.end();
}

#[test]
fn a_heap_whose_quota_is_less_than_a_nursery_refuses() {
    let mut world = World::new(1000, 1, false);
    assert!(world.make(0, NODE, 0).is_err());
    assert_eq!(world.account.used(), 0);
    world.end();
}

#[test]
fn pauses_are_counted() {
    let account = Account::new(1 << 20);
    let heap = Heap::new(account, types(), None, Config::default());
    assert_eq!(heap.statistics(), crate::heap::Statistics::default());
    let mut world = World::new(1 << 20, 2, false);
    (0..2000).for_each(|_| push(&mut world));
    world.collect(true);
    let statistics = world.heap.statistics();
    assert!(statistics.minor.count > 0 && statistics.full.count == 1);
    assert_eq!(statistics.allocated_bytes, 2000 * 32);
    assert_eq!(statistics.promoted_bytes, 2000 * 32);
    world.end();
}
