//! Getting modules: IL text and WebAssembly are compiled in memory, a binary is read and checked.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use bootstrapper::control::Hash;
use cascade::wasm::{self, Library};
use il::Module;

/// A module in memory.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Where it came from.
    pub path: PathBuf,
    /// The `.ilb` bytes.
    pub bytes: Vec<u8>,
    /// Decoded and verified.
    pub module: Module,
    /// Its identity: BLAKE3 of header and required sections.
    pub hash: Hash,
}

/// Loads IL text, WebAssembly or a binary module, whichever the file holds.
///
/// # Errors
/// A missing file, text that does not compile, WebAssembly that is refused, a damaged or unsound module: each with a way out.
pub fn load(path: &Path) -> anyhow::Result<Loaded> {
    load_with(path, &[])
}

/// The same, with libraries from which a WebAssembly module imports.
///
/// # Errors
/// As [`load`].
pub fn load_with(path: &Path, libraries: &[Library]) -> anyhow::Result<Loaded> {
    let bytes = std::fs::read(path).map_err(|why| anyhow::anyhow!("{}", unreadable(path, &why)))?;
    let bytes = if wasm::is_wasm(path, &bytes) {
        let module = wasm::translate(path, &bytes, libraries).map_err(|why| anyhow::anyhow!("{why}"))?;
        il::binary::encode(&module)
    } else if !libraries.is_empty() {
        bail!("`{}` is not WebAssembly: --with is for its imports", path.display());
    } else if is_text(path, &bytes) {
        compile(path, bytes)?
    } else {
        bytes
    };
    let module = il::binary::decode(&bytes).map_err(|why| {
        anyhow::anyhow!(
            "`{}` is not a usable module: {why}\n  compile it again: ilc build FILE.il -o FILE.ilb",
            path.display()
        )
    })?;
    let hash = Hash(il::binary::identity(&module));
    let verified = il::verify::verify(module)
        .map_err(|why| anyhow::anyhow!("`{}` is refused by the verifier: {why}", path.display()))?;
    Ok(Loaded { path: path.to_path_buf(), bytes, module: (*verified).clone(), hash })
}

fn is_text(path: &Path, bytes: &[u8]) -> bool {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("il") => true,
        Some("ilb") => false,
        _ => std::str::from_utf8(bytes).is_ok() && !bytes.contains(&0),
    }
}

fn compile(path: &Path, bytes: Vec<u8>) -> anyhow::Result<Vec<u8>> {
    let text = String::from_utf8(bytes)
        .ok()
        .with_context(|| format!("`{}` is not UTF-8 text; a binary module is named .ilb", path.display()))?;
    let file = path.display().to_string();
    let resolve = cascade::source::importer(&file, &text);
    let options = il::text::Options { known: isa::ALL, resolve: &resolve, tests: false };
    match il::text::compile_with(&file, &text, &options) {
        Ok(module) => Ok(il::binary::encode(&module)),
        Err(diagnostics) => {
            let color = std::io::IsTerminal::is_terminal(&std::io::stderr()) && std::env::var_os("NO_COLOR").is_none();
            bail!("{}", diagnostics.render(color).trim_end())
        }
    }
}

/// What to say about a file that cannot be read.
fn unreadable(path: &Path, why: &std::io::Error) -> String {
    let shown = path.display();
    let reason = match why.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_string(),
        std::io::ErrorKind::PermissionDenied => format!("no permission; try: chmod +r {shown}"),
        _ => why.to_string(),
    };
    match near_miss(path) {
        Some(near) => format!("cannot read `{shown}`: {reason}\n  did you mean `{}`?", near.display()),
        None => format!("cannot read `{shown}`: {reason}"),
    }
}

/// How files that hold a program end.
const ENDINGS: [&str; 4] = ["il", "ilb", "wasm", "wat"];

/// A file of almost that name: with another extension, among the samples, or with a slip of the pen.
fn near_miss(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let exact = ENDINGS
        .into_iter()
        .flat_map(|kind| [path.with_extension(kind), Path::new("samples").join(name).with_extension(kind)]);
    exact.into_iter().find(|candidate| candidate.is_file()).or_else(|| {
        let modules = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
        let modules = modules.filter(|file| {
            file.extension().is_some_and(|kind| kind.to_str().is_some_and(|kind| ENDINGS.contains(&kind)))
        });
        let slips = |file: &PathBuf| distance(name, file.file_name().and_then(|name| name.to_str()).unwrap_or(""));
        let near = modules.min_by_key(slips).filter(|file| slips(file) <= 2)?;
        Some(folder.join(near.file_name()?).strip_prefix("./").map_or(near.clone(), Path::to_path_buf))
    })
}

/// How many characters must be put in, left out or changed to turn one text into the other.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (at, from) in left.chars().enumerate() {
        let mut diagonal = at;
        let mut before = at + 1;
        for (to, above) in right.iter().zip(row.iter_mut().skip(1)) {
            let changed = diagonal + usize::from(from != *to);
            diagonal = *above;
            before = changed.min(before + 1).min(*above + 1);
            *above = before;
        }
        if let Some(first) = row.first_mut() {
            *first = at + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::distance;

    #[test]
    fn slips_of_the_pen_are_counted() {
        assert_eq!(distance("helo.il", "hello.il"), 1);
        assert_eq!(distance("pixle.il", "pixel.il"), 2);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("same", "same"), 0);
    }
}
