//! The folders that programs are granted: opened, for a run on this computer, or read, to be sent along to a machine.

use std::fs;
use std::path::Path;

use anyhow::{Context, bail};
use bootstrapper::plan::Plan;
use bootstrapper::wasi::{Contents, DEFAULT_QUOTA_BYTES, File, MAX_FILE_BYTES, MAX_FILES, Place, host_dirs};
use vm_hosted::{HostFiles, ThreadedFiles};
use vm_wasi::Tree;

/// Deepest folder that is sent along.
const MAX_DEPTH: usize = 32;

/// The folders of a plan, opened; nothing if there are none.
///
/// # Errors
/// One that cannot be opened.
pub fn hosted(plan: &Plan) -> anyhow::Result<Option<Box<dyn Tree>>> {
    let mut files = HostFiles::new();
    let mut any = false;
    for dir in host_dirs(plan) {
        let Place::Host(folder) = &dir.place else { continue };
        files.add_root(Path::new(folder)).with_context(|| format!("--dir {folder}"))?;
        any = true;
    }
    match any {
        true => Ok(Some(Box::new(ThreadedFiles::new(files)?))),
        false => Ok(None),
    }
}

/// Replaces folders of this computer by what is in them now.
///
/// # Errors
/// One that cannot be read, or has more than a machine is sent.
pub fn send_along(plan: &mut Plan) -> anyhow::Result<()> {
    for dir in plan.vms.iter_mut().flat_map(|vm| &mut vm.wasi.dirs) {
        let Place::Host(folder) = &dir.place else { continue };
        let mut read = Reading::default();
        read.folder(Path::new(folder), "", 0).with_context(|| format!("--dir {folder}"))?;
        let quota_bytes = DEFAULT_QUOTA_BYTES + read.bytes as u64;
        dir.place = Place::Memory(Contents { quota_bytes, files: read.files, is_copy: true });
    }
    Ok(())
}

/// What has been read of a folder.
#[derive(Default)]
struct Reading {
    files: Vec<File>,
    bytes: usize,
}

impl Reading {
    fn folder(&mut self, folder: &Path, above: &str, depth: usize) -> anyhow::Result<()> {
        let entries = fs::read_dir(folder).with_context(|| format!("cannot read the folder `{}`", folder.display()))?;
        let mut entries = entries.collect::<Result<Vec<_>, _>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let (at, kind) = (entry.path(), entry.file_type()?);
            let Some(name) = entry.file_name().to_str().map(str::to_string) else {
                bail!("`{}` has a name that is not UTF-8, which programs cannot use", at.display());
            };
            let path = if above.is_empty() { name } else { format!("{above}/{name}") };
            if kind.is_dir() && depth < MAX_DEPTH {
                self.add(path.clone(), None)?;
                self.folder(&at, &path, depth + 1)?;
            } else if kind.is_file() {
                self.check(entry.metadata()?.len())?;
                let bytes = fs::read(&at).with_context(|| format!("cannot read `{}`", at.display()))?;
                self.add(path, Some(bytes))?;
            } else {
                bail!(
                    "`{}` is neither a file nor a folder (or too deep), and cannot be sent to a machine",
                    at.display()
                );
            }
        }
        Ok(())
    }

    fn add(&mut self, path: String, bytes: Option<Vec<u8>>) -> anyhow::Result<()> {
        self.check(bytes.as_ref().map_or(0, Vec::len) as u64)?;
        self.bytes += bytes.as_ref().map_or(0, Vec::len);
        self.files.push(File { path, bytes });
        Ok(())
    }

    /// Whether so many further bytes may be sent.
    fn check(&self, more: u64) -> anyhow::Result<()> {
        if self.files.len() >= MAX_FILES || self.bytes as u64 + more > MAX_FILE_BYTES as u64 {
            bail!(
                "it has more than a machine is sent ({MAX_FILES} files, {} MiB)\n  give a smaller folder, or :memory:=NAME for an empty one",
                MAX_FILE_BYTES >> 20
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bootstrapper::plan;
    use bootstrapper::wasi::Dir;

    fn plan_of(folder: &Path) -> Plan {
        let mut plan = plan::default_plan("app", &[]);
        let place = Place::Host(folder.display().to_string());
        plan.vms.last_mut().unwrap().wasi.dirs.push(Dir { guest: "/d".into(), place, read_only: false });
        plan
    }

    #[test]
    fn a_small_folder_is_sent_along_whole() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("b")).unwrap();
        fs::write(folder.path().join("b/inner"), "x").unwrap();
        fs::write(folder.path().join("a"), "text").unwrap();
        let mut plan = plan_of(folder.path());
        send_along(&mut plan).unwrap();
        plan.validate(1).unwrap();
        let Place::Memory(contents) = &plan.vms.last().unwrap().wasi.dirs[0].place else { panic!("it is in memory") };
        let files: Vec<_> = contents.files.iter().map(|file| (file.path.as_str(), file.bytes.as_deref())).collect();
        assert_eq!(files, [("a", Some(&b"text"[..])), ("b", None), ("b/inner", Some(b"x"))]);
    }

    #[test]
    fn what_a_machine_cannot_have_is_refused_with_a_reason() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("link")).unwrap();
        let refused = |folder: &Path| format!("{:#}", send_along(&mut plan_of(folder)).unwrap_err());
        assert!(refused(folder.path()).contains("link` is neither a file nor a folder"), "{}", refused(folder.path()));
        let large = tempfile::tempdir().unwrap();
        let file = fs::File::create(large.path().join("large")).unwrap();
        file.set_len(MAX_FILE_BYTES as u64 + 1).unwrap();
        assert!(refused(large.path()).contains("give a smaller folder"), "{}", refused(large.path()));
        assert!(refused(&large.path().join("none")).contains("cannot read the folder"));
        let absent = hosted(&plan_of(&large.path().join("none"))).err().unwrap();
        assert!(format!("{absent:#}").contains("mkdir -p"), "{absent:#}");
        assert!(hosted(&plan::default_plan("app", &[])).unwrap().is_none());
    }
}
