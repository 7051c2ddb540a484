//! Holds only the names of packages; see `Cargo.toml`.
