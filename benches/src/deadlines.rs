//! What the looks at the interrupt word cost: the eight programs with and without them.

use anyhow::Result;
use compiler::{Deadlines, Options};

use crate::eight::PROGRAMS;
use crate::harness::{program_with, run_counting_pauses};
use crate::ours::source;
use crate::table::Table;
use crate::timing::processor_ns;

const ROUNDS: usize = 7;
const CAPTION: &str = "Processor time of the same program compiled with and without deadline checks, the least of 7 runs each \
in turn; the difference in per cent of the time without. Less than 1 is noise.";

/// Adds the rows.
///
/// # Errors
/// If a program fails.
pub fn measure(table: &mut Table) -> Result<()> {
    table.section("Deadline checks", CAPTION);
    for (name, n) in PROGRAMS {
        let text = source(name)?;
        let checked = program_with(&text, &Options::detect())?;
        let unchecked = program_with(&text, &Options { deadlines: Deadlines::Absent, ..Options::detect() })?;
        let mut least = [f64::INFINITY; 2];
        for _ in 0..ROUNDS {
            for (program, least) in [&checked, &unchecked].into_iter().zip(&mut least) {
                let start = processor_ns();
                run_counting_pauses(program, "run", &[n as u64])?;
                *least = least.min(processor_ns() - start);
            }
        }
        let cost = (least[0] / least[1] - 1.0) * 100.0;
        table.add(format!("{name}: what its deadline checks cost (%)"), None, cost, "2.5 or less");
    }
    Ok(())
}
