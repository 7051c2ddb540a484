//! Writing results: whole files only, never over the input.

use std::fs;
use std::io::Write;
use std::path::Path;

use crate::input::Failure;

/// Writes to a file, `-` being standard output.
pub fn write_file(input: &Path, path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    if path == Path::new("-") {
        return to_stdout(bytes);
    }
    if path == input {
        return Err(Failure::message(path, "this is the input; name another file with `-o`"));
    }
    fs::write(path, bytes).map_err(|error| {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.exists());
        Failure::message(
            path,
            &match folder {
                Some(folder) => format!("cannot be written: there is no folder {}", folder.display()),
                None => format!("cannot be written: {error}"),
            },
        )
    })
}

/// Writes a file anew.
pub fn write_over(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    fs::write(path, bytes).map_err(|error| Failure::message(path, &format!("cannot be written: {error}")))
}

/// Prints text on standard output.
pub fn print(text: &str) -> Result<(), Failure> {
    to_stdout(text.as_bytes())
}

fn to_stdout(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        // The reader has seen enough: `ilc dis x.ilb | head`.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Failure::Plain(format!("standard output: {error}"))),
        Ok(()) => Ok(()),
    }
}
