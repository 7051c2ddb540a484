//! The rules of the house that no compiler checks.

mod layers;
mod unsafety;

use crate::docs;

type Check = (&'static str, fn() -> anyhow::Result<()>);

const CHECKS: [Check; 3] =
    [("layers", layers::check), ("unsafe files", unsafety::check), ("generated pages", docs::check)];

/// Checks them all, and names every one that is broken.
///
/// # Errors
/// What is broken.
pub fn all() -> anyhow::Result<()> {
    let mut broken = Vec::new();
    for (name, check) in CHECKS {
        match check() {
            Ok(()) => println!("  {name}: ok"),
            Err(why) => broken.push(format!("{name}: {why:#}")),
        }
    }
    if broken.is_empty() { Ok(()) } else { anyhow::bail!("{}", broken.join("\n")) }
}
