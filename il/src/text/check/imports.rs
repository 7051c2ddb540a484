//! `import`: names that another text of the build declares with `export`.

use alloc::format;
use alloc::vec::Vec;

use super::super::ast::{Item, Name, Path};
use super::super::diag::{Code, Report, Span, nearest};
use super::{Context, Entry};

impl<'f> Context<'_, 'f, '_> {
    /// Brings in what an `import` names; refuses what an imported module must not have.
    pub(super) fn resolve_import(&mut self, item: &'f Item<'f>) {
        if let Item::Import { path, names } = item {
            return self.import(path, names);
        }
        if self.module == 0 {
            return;
        }
        let (span, what) = match item {
            Item::Memory { span, .. } => (*span, "memory"),
            Item::Data { span, .. } => (*span, "data"),
            Item::Provides { span, .. } => (*span, "provides"),
            Item::On { source, .. } => (source.span, "on"),
            _ => return,
        };
        let report = Report::new(Code::Import, span, format!("an imported module has no `{what}`"));
        self.report(report.hint("it belongs to the module that is built: move it there"));
    }

    fn import(&mut self, path: &'f Path<'f>, names: &'f [Name<'f>]) {
        let text = path.text();
        let found = self.build.units.iter().position(|unit| unit.path == text);
        let Some(target) = found else {
            let report = Report::new(Code::Import, path.span, format!("there is no module `{text}`"));
            self.report(report.hint("modules are found by their paths: `import a.b { .. }` looks for `a/b.il`"));
            for name in names {
                self.declare_name(*name, Entry::Unknown);
            }
            return;
        };
        if target == self.module {
            return self.error(Code::Import, path.span, "a module does not import itself");
        }
        for name in names {
            let entry = self.imported(target, *name, path.span);
            self.declare_name(*name, entry);
        }
    }

    fn imported(&mut self, target: usize, name: Name<'f>, path: Span) -> Entry {
        let declared = self.scopes[target].get(name.text).copied();
        if self.exported[target].contains(name.text)
            && let Some((entry, _)) = declared
        {
            return entry;
        }
        let module = path.text(self.source);
        let report = if declared.is_some() {
            Report::new(Code::Import, name.span, format!("`{}` is not exported by `{module}`", name.text))
                .hint("declare it there with `export`: functions, constants, enums and structs can be")
        } else {
            let exported: Vec<&str> = self.exported[target].iter().copied().collect();
            let report = Report::new(Code::Import, name.span, format!("`{module}` has no `{}`", name.text));
            match nearest(name.text, exported.iter().copied()) {
                Some(near) => report.did_you_mean(near),
                None if exported.is_empty() => report.hint("it exports nothing"),
                None => report.hint(format!("it exports: {}", exported.join(", "))),
            }
        };
        self.report(report);
        Entry::Unknown
    }
}
