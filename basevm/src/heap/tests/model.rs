//! Random programs: what the heap holds equals what the model says, after every collection.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use compiler::abi::{FROZEN, KIND_STR};

use super::world::{World, object};
use super::*;
use crate::heap::object::LARGE;

/// Roots of a world.
const ROOTS: usize = 24;

/// What a word holds, or should.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Word {
    /// As it is: null, a capability, a number, a buf.
    Raw(u64),
    /// The object of this index.
    To(usize),
}

#[derive(Clone, Debug)]
struct Thing {
    /// `None`: a `str`.
    id: Option<TypeId>,
    len: u32,
    /// All its words after the header.
    words: Vec<Word>,
    frozen: bool,
}

struct Model {
    world: World,
    random: Random,
    things: Vec<Thing>,
    roots: Vec<Word>,
}

/// Indices of the words that hold references; `LINK`'s id is the last word.
fn reference_words(thing: &Thing) -> Vec<usize> {
    match thing.id {
        Some(NODE) => vec![0, 1],
        Some(HOLDER) => vec![2],
        Some(LINK) => vec![0, 1, 2],
        Some(ANYS | LINKS) => (0..thing.len as usize).collect(),
        _ => Vec::new(),
    }
}

impl Model {
    fn new(seed: u64, stress: bool) -> Model {
        let roots = vec![Word::Raw(0); ROOTS];
        Model { world: World::new(1 << 30, ROOTS, stress), random: Random(seed | 1), things: Vec::new(), roots }
    }

    fn step(&mut self) {
        match self.random.below(32) {
            0..12 => self.make(),
            12..22 => self.store(),
            22..24 => self.drop_root(),
            24..26 => self.freeze(),
            26 => self.take_buf(),
            27..29 => self.copy_root(),
            29 | 30 => self.collect(false),
            _ => {
                if self.random.one_in(3) {
                    self.collect(true);
                }
            }
        }
    }

    fn root(&mut self) -> usize {
        self.random.below(ROOTS)
    }

    /// A root that holds one of these types, or null.
    fn root_of(&mut self, ids: &[TypeId]) -> Option<usize> {
        let start = self.root();
        let mut all = (0..ROOTS).map(|at| (start + at) % ROOTS);
        all.find(|at| match self.roots[*at] {
            Word::Raw(_) => false,
            Word::To(thing) => self.things[thing].id.is_some_and(|id| ids.contains(&id)),
        })
    }

    fn text_root(&mut self) -> Option<usize> {
        (0..ROOTS).find(|at| matches!(self.roots[*at], Word::To(thing) if self.things[thing].id.is_none()))
    }

    fn make(&mut self) {
        let root = self.root();
        let id = [NODE, NODE, NODE, HOLDER, ANYS, INTS, LINK, LINK, LINKS, BUFS][self.random.below(10)];
        if self.random.one_in(8) {
            return self.make_text(root);
        }
        let len = match id {
            ANYS | INTS | LINKS | BUFS if self.random.one_in(10) => 2000 + self.random.below(3000) as u32,
            ANYS | INTS | LINKS | BUFS => self.random.below(12) as u32,
            _ => 0,
        };
        let made = self.world.make(root, id, len).unwrap();
        let bytes = self.world.types.bytes(kind(&self.world.types, id), len);
        assert_eq!(made.header().has(LARGE), bytes > super::super::space::MOST_MOVED);
        let words = vec![Word::Raw(0); (bytes / 8 - 1) as usize];
        self.things.push(Thing { id: Some(id), len, words, frozen: false });
        let thing = self.things.len() - 1;
        self.roots[root] = Word::To(thing);
        self.initialise(root, thing);
    }

    /// What machine code writes at once into a new object: no barrier.
    fn initialise(&mut self, root: usize, thing: usize) {
        let id = self.things[thing].id;
        let mark = Word::Raw(0x1234_0000 + thing as u64 * 2 + 1);
        match id {
            Some(NODE) => self.set(root, thing, 2, mark),
            Some(HOLDER) => {
                let buf = self.world.buf();
                self.set(root, thing, 0, Word::Raw(7));
                self.set(root, thing, 1, Word::Raw(buf));
                self.set(root, thing, 3, mark);
            }
            Some(LINK) => {
                self.set(root, thing, 3, mark);
                for (word, from) in [(0, self.root_of(&[LINK])), (1, self.text_root()), (2, self.root_of(&[LINKS]))] {
                    self.set_from(root, thing, word, from);
                }
            }
            Some(LINKS) => {
                for word in 0..self.things[thing].len.min(6) as usize {
                    let from = self.root_of(&[LINK]);
                    self.set_from(root, thing, word, from);
                }
            }
            Some(ANYS) => {
                for word in 0..self.things[thing].len as usize {
                    let from = Some(self.root());
                    self.set_from(root, thing, word, from);
                }
            }
            Some(BUFS) => {
                for word in (0..self.things[thing].len as usize).step_by(5) {
                    let buf = self.world.buf();
                    self.set(root, thing, word, Word::Raw(buf));
                }
            }
            _ => {}
        }
    }

    fn make_text(&mut self, root: usize) {
        let text = format!("text {}", self.things.len());
        self.world.text(root, &text).unwrap();
        let made = object(self.world.roots.words[root]);
        let words = (0..text.len().div_ceil(8)).map(|at| Word::Raw(made.word(8 + 8 * at as u64)));
        self.things.push(Thing { id: None, len: text.len() as u32, words: words.collect(), frozen: false });
        self.roots[root] = Word::To(self.things.len() - 1);
    }

    fn set(&mut self, root: usize, thing: usize, word: usize, value: Word) {
        let Word::Raw(raw) = value else { panic!("a reference comes from a root") };
        object(self.world.roots.words[root]).set_word(8 + 8 * word as u64, raw);
        self.things[thing].words[word] = value;
    }

    fn set_from(&mut self, root: usize, thing: usize, word: usize, from: Option<usize>) {
        let Some(from) = from else { return };
        object(self.world.roots.words[root]).set_word(8 + 8 * word as u64, self.world.roots.words[from]);
        self.things[thing].words[word] = self.roots[from];
    }

    /// Assigns a random reference to a mutable word.
    fn store(&mut self) {
        let Some(root) = self.root_of(&[NODE, HOLDER, ANYS]) else { return };
        let Word::To(thing) = self.roots[root] else { return };
        let places = reference_words(&self.things[thing]);
        if places.is_empty() {
            return;
        }
        let word = places[self.random.below(places.len())];
        let typed = self.things[thing].id == Some(NODE) && word == 0;
        let from = if typed { self.root_of(&[NODE]) } else { Some(self.root()) };
        self.world.barrier(root);
        self.set_from(root, thing, word, from);
    }

    fn drop_root(&mut self) {
        let root = self.root();
        let word = if self.random.one_in(2) { 0 } else { self.random.below(64) as u64 * 2 + 1 };
        self.world.roots.words[root] = word;
        self.roots[root] = Word::Raw(word);
    }

    fn copy_root(&mut self) {
        let (to, from) = (self.root(), self.root());
        // Through an object, if there is one: so that depths are reached too.
        let inside = match self.roots[from] {
            Word::To(thing) => {
                let places = reference_words(&self.things[thing]);
                (!places.is_empty()).then(|| (thing, places[self.random.below(places.len())]))
            }
            Word::Raw(_) => None,
        };
        match inside {
            Some((thing, word)) => {
                let address = self.world.roots.words[from];
                self.world.roots.words[to] = object(address).word(8 + 8 * word as u64);
                self.roots[to] = self.things[thing].words[word];
            }
            None => {
                self.world.roots.words[to] = self.world.roots.words[from];
                self.roots[to] = self.roots[from];
            }
        }
    }

    fn take_buf(&mut self) {
        let Some(root) = self.root_of(&[HOLDER]) else { return };
        let Word::To(thing) = self.roots[root] else { return };
        if let Word::Raw(buf) = self.things[thing].words[1]
            && buf != 0
        {
            assert!(self.world.roots.bufs.remove(&buf), "a live holder's buf was freed");
            self.set(root, thing, 1, Word::Raw(0));
        }
    }

    fn freeze(&mut self) {
        let Some(root) = self.root_of(&[LINK, LINKS]) else { return };
        let Word::To(thing) = self.roots[root] else { return };
        self.world.freeze(root);
        let mut copies = BTreeMap::new();
        let mut rest = Vec::new();
        self.roots[root] = self.frozen(Word::To(thing), &mut copies, &mut rest);
        while let Some((from, copy)) = rest.pop() {
            for at in 0..self.things[from].words.len() {
                self.things[copy].words[at] = self.frozen(self.things[from].words[at], &mut copies, &mut rest);
            }
        }
        self.check();
    }

    /// What a word becomes in a frozen graph; what has to be copied for that goes to `rest`.
    fn frozen(&mut self, word: Word, copies: &mut BTreeMap<usize, usize>, rest: &mut Vec<(usize, usize)>) -> Word {
        let Word::To(thing) = word else { return word };
        if self.things[thing].frozen {
            return word;
        }
        let copy = *copies.entry(thing).or_insert_with(|| {
            let copy = Thing { frozen: true, ..self.things[thing].clone() };
            self.things.push(copy);
            rest.push((thing, self.things.len() - 1));
            self.things.len() - 1
        });
        Word::To(copy)
    }

    fn collect(&mut self, full: bool) {
        self.world.collect(full);
        let alive = self.check();
        let held = |thing: &usize| {
            let Thing { id, words, .. } = &self.things[*thing];
            let words = match id {
                Some(HOLDER) => &words[1..2],
                Some(BUFS) => &words[..],
                _ => &[],
            };
            words.iter().filter_map(|word| if let Word::Raw(buf @ 1..) = word { Some(*buf) } else { None }).collect()
        };
        let live: BTreeSet<u64> = alive.iter().flat_map(|thing| -> Vec<u64> { held(thing) }).collect();
        let bufs = &self.world.roots.bufs;
        assert!(live.is_subset(bufs), "a live holder's buf was freed");
        assert!(!full || live == *bufs, "a dead holder's buf was not freed");
    }

    /// Walks heap and model side by side; the things that are alive.
    fn check(&self) -> BTreeSet<usize> {
        let mut places = BTreeMap::new();
        let mut rest: Vec<(u64, Word)> = Vec::new();
        let roots = self.world.roots.words.iter().copied().zip(self.roots.iter().copied());
        rest.extend(roots);
        while let Some((found, wanted)) = rest.pop() {
            let thing = match wanted {
                Word::Raw(raw) => {
                    assert_eq!(found, raw);
                    continue;
                }
                Word::To(thing) => thing,
            };
            match places.insert(thing, found) {
                Some(before) => assert_eq!(found, before, "sharing is kept"),
                None => self.check_thing(found, &self.things[thing], &mut rest),
            }
        }
        let distinct: BTreeSet<_> = places.values().collect();
        assert_eq!(distinct.len(), places.len(), "different objects stay so");
        places.into_keys().collect()
    }

    fn check_thing(&self, found: u64, thing: &Thing, rest: &mut Vec<(u64, Word)>) {
        let header = object(found).header();
        assert_eq!(header.has(FROZEN), thing.frozen);
        let types = &self.world.types;
        let found_kind = if thing.frozen { types.kind_of_registered(header.kind()) } else { Some(header.kind()) };
        assert_eq!(found_kind, Some(thing.id.map_or(KIND_STR, |id| kind(types, id))));
        assert_eq!(header.len(), thing.len);
        let words = thing.words.iter().enumerate();
        rest.extend(words.map(|(at, word)| (object(found).word(8 + 8 * at as u64), *word)));
    }

    fn run(mut self, steps: usize) {
        for _ in 0..steps {
            self.step();
        }
        self.collect(false);
        self.collect(true);
        self.roots.fill(Word::Raw(0));
        self.world.roots.words.fill(0);
        self.collect(true);
        assert_eq!(self.world.heap.statistics().live_bytes, 0);
        assert_eq!(self.world.heap.statistics().regions, 0, "regions that nothing refers to are dropped");
        self.world.end();
    }
}

#[test]
fn the_heap_is_what_the_model_says() {
    for seed in 1..=16u64 {
        Model::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15), false).run(1500);
    }
}

#[test]
fn under_stress_too() {
    for seed in 1..=6u64 {
        Model::new(seed.wrapping_mul(0x2545_f491_4f6c_dd1d), true).run(400);
    }
}
