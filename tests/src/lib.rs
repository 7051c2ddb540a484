//! Whole-system tests through the front door: IL in; console, frame, disk and exit code out.
//!
//! Everything here drives the `cascade` program as a user does, hosted and booted, and compares.
#![forbid(unsafe_code)]

pub mod generate;
mod runner;

pub use runner::*;
