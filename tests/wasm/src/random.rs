//! Random modules: whole ones, which end whatever they do, and ones with bytes changed.

use anyhow::Result;
use arbitrary::Unstructured;
use wasm_smith::{Config, Module};

/// Bytes of randomness for a module.
const ENTROPY_BYTES: usize = 2048;
/// Turns of loops, and calls, that a module may take in all.
const FUEL: u32 = 2000;

/// Random words, the same for the same seed.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// From a seed.
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// The next word.
    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ word >> 31
    }

    /// Below a bound, which is not 0.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.word() % bound as u64) as usize
    }
}

/// What random modules use: all that the IL carries and the peer has too, in small.
pub fn config() -> Config {
    Config {
        allow_start_export: true,
        bulk_memory_enabled: true,
        canonicalize_nans: true,
        custom_page_sizes_enabled: false,
        exceptions_enabled: false,
        export_everything: true,
        extended_const_enabled: true,
        gc_enabled: false,
        max_data_segments: 6,
        max_element_segments: 6,
        max_elements: 12,
        max_funcs: 8,
        max_globals: 8,
        max_imports: 0,
        max_instructions: 120,
        max_memories: 3,
        max_memory32_bytes: 4 << 16,
        max_nesting_depth: 30,
        max_table_elements: 200,
        max_tables: 3,
        memory64_enabled: false,
        memory_max_size_required: true,
        min_funcs: 1,
        multi_value_enabled: true,
        reference_types_enabled: true,
        relaxed_simd_enabled: false,
        simd_enabled: true,
        table_max_size_required: true,
        tail_call_enabled: true,
        threads_enabled: false,
        wide_arithmetic_enabled: false,
        ..Config::default()
    }
}

/// The same with structs, arrays, casts and all that belongs to them, which the peer does not have, and with exceptions.
fn config_of_objects() -> Config {
    Config { gc_enabled: true, exceptions_enabled: true, max_tags: 2, max_types: 20, ..config() }
}

/// What random modules use that throw: what the peer has not is added.
fn throwing_config() -> Config {
    Config { exceptions_enabled: true, min_tags: 1, max_tags: 4, min_funcs: 3, simd_enabled: false, ..config() }
}

/// A module that ends: each turn of a loop and each call costs some of its fuel, at whose end it traps.
///
/// # Errors
/// If the seed gives none.
pub fn module(seed: u64) -> Result<Vec<u8>> {
    module_of(&entropy(seed))
}

/// One that has structs and arrays too, and some have tags.
///
/// # Errors
/// If the seed gives none.
pub fn with_objects(seed: u64) -> Result<Vec<u8>> {
    ending(config_of_objects(), &entropy(seed))
}

/// One that has tags too, and throws.
///
/// # Errors
/// If the seed gives none.
pub fn throwing(seed: u64) -> Result<Vec<u8>> {
    ending(throwing_config(), &entropy(seed))
}

fn entropy(seed: u64) -> Vec<u8> {
    let mut random = Random::new(seed);
    (0..ENTROPY_BYTES / 8).flat_map(|_| random.word().to_le_bytes()).collect()
}

/// The same of other randomness.
///
/// # Errors
/// If it gives none.
pub fn module_of(entropy: &[u8]) -> Result<Vec<u8>> {
    ending(config(), entropy)
}

fn ending(config: Config, entropy: &[u8]) -> Result<Vec<u8>> {
    let mut module = Module::new(config, &mut Unstructured::new(entropy))?;
    module.ensure_termination(FUEL)?;
    Ok(module.to_bytes())
}

/// The bytes with a few of them changed, inserted, removed or repeated.
pub fn mutated(bytes: &[u8], seed: u64) -> Vec<u8> {
    let mut random = Random::new(seed);
    let mut bytes = bytes.to_vec();
    for _ in 0..1 + random.below(3) {
        if bytes.is_empty() {
            break;
        }
        let at = random.below(bytes.len());
        match random.below(20) {
            0 => bytes.truncate(at),
            1 => drop(bytes.remove(at)),
            2 => bytes.insert(at, random.word() as u8),
            3 => {
                let end = bytes.len().min(at + 1 + random.below(16));
                let part = bytes[at..end].to_vec();
                let to = random.below(bytes.len());
                bytes.splice(to..to, part);
            }
            4..8 => bytes[at] ^= 1 << random.below(8),
            8..12 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff, 0x40, 0x0b, 0xfd][random.below(8)],
            12..17 => bytes[at] = bytes[at].wrapping_add(1),
            _ => bytes[at] = random.word() as u8,
        }
    }
    bytes
}
