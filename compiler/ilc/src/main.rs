//! See docs.
fn main() {}
