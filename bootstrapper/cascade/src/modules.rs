//! Getting modules: IL text is compiled in memory, a binary is read and checked.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use bootstrapper::control::Hash;
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

/// Loads IL text or a binary module, whichever the file holds.
///
/// # Errors
/// A missing file, text that does not compile, a damaged or unsound module: each with a way out.
pub fn load(path: &Path) -> anyhow::Result<Loaded> {
    let bytes = std::fs::read(path).map_err(|why| anyhow::anyhow!("{}", unreadable(path, &why)))?;
    let bytes = if is_text(path, &bytes) { compile(path, bytes)? } else { bytes };
    let module = il::binary::decode(&bytes).map_err(|why| {
        anyhow::anyhow!("`{}` is not a usable module: {why}\n  compile it again: ilc build FILE.il -o FILE.ilb", path.display())
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
    bail!("{text}")
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

/// A file of almost that name: another extension, or among the samples.
fn near_miss(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?;
    let candidates = ["il", "ilb"]
        .into_iter()
        .flat_map(|extension| [path.with_extension(extension), Path::new("samples").join(name).with_extension(extension)]);
    candidates.into_iter().find(|candidate| candidate.is_file())
}
