//! What may be written next.
//!
//! Names are offered by the words before the cursor, from the outline and the index: both know a text in which the line
//! under the cursor is not finished.

use std::collections::BTreeMap;

use il::isa::InstructionSet;
use il::text::{Item, ItemKind, Meaning, Span};
use lsp_types::{CompletionItem, CompletionItemKind, Documentation, MarkupContent, MarkupKind, Position};

use super::document::Document;

/// What is offered, each name once.
#[derive(Default)]
struct Offers {
    list: BTreeMap<String, CompletionItem>,
}

impl Offers {
    fn add(&mut self, name: &str, kind: CompletionItemKind, detail: &str, doc: &str) {
        if name.is_empty() || self.list.contains_key(name) {
            return;
        }
        let documentation = (!doc.is_empty())
            .then(|| Documentation::MarkupContent(MarkupContent { kind: MarkupKind::Markdown, value: doc.to_owned() }));
        let detail = Some(detail.split_whitespace().collect::<Vec<_>>().join(" "));
        let label = name.to_owned();
        let item = CompletionItem { label, kind: Some(kind), detail, documentation, ..CompletionItem::default() };
        self.list.insert(name.to_owned(), item);
    }

    fn item(&mut self, item: &Item, kind: CompletionItemKind) {
        self.add(&item.name, kind, &item.signature, &item.doc);
    }
}

impl Document {
    /// What may stand at a position.
    pub fn completions(&self, position: Position) -> Vec<CompletionItem> {
        let at = self.lines().offset(position.line, position.character) as usize;
        let before = self.text.get(..at).unwrap_or("");
        let stem = before.trim_end_matches(|char: char| char.is_ascii_alphanumeric() || char == '_');
        let line = before.rsplit('\n').next().unwrap_or("").trim_start();
        let mut offers = Offers::default();
        if line.contains("//") {
            // Comments are prose.
        } else if let Some(import) = line.strip_prefix("import ") {
            self.offer_imports(import, &mut offers);
        } else if let Some(owner) = stem.strip_suffix('.') {
            self.offer_parts(owner, line, &mut offers);
        } else if line.starts_with("use ") && line.contains(':') || line.starts_with("provides ") {
            self.offer_sets(&mut offers);
        } else {
            self.offer_names(at as u32, &mut offers);
        }
        offers.list.into_values().collect()
    }

    fn named(&self, kind: ItemKind, name: &str) -> Option<&Item> {
        self.index.items.iter().find(|item| item.kind == kind && item.name == name)
    }

    /// Modules of the library, or what the module before a `{` exports.
    fn offer_imports(&self, import: &str, offers: &mut Offers) {
        let Some((path, _)) = import.split_once('{') else {
            for (path, ..) in il::library::MODULES {
                offers.add(path, CompletionItemKind::MODULE, "", "");
            }
            return;
        };
        let path: String = path.split_whitespace().collect();
        let file = format!("{}.il", path.replace('.', "/"));
        let imported = || self.index.imported.iter().find(|source| source.file.ends_with(&file));
        let text = il::library::module(&path).map(|(_, text)| text).or_else(|| imported().map(|source| &*source.text));
        for item in text.map(il::text::outline).iter().flatten().filter(|item| item.exported) {
            offers.item(item, CompletionItemKind::REFERENCE);
        }
    }

    /// What may follow the `.` of `OWNER.`
    fn offer_parts(&self, owner: &str, line: &str, offers: &mut Offers) {
        let name = owner.rsplit(|char: char| !(char.is_ascii_alphanumeric() || char == '_')).next().unwrap_or("");
        if let Some(item) = self.named(ItemKind::Use, name) {
            return self.offer_instructions(item, line.starts_with("on "), offers);
        }
        if let Some(item) = self.named(ItemKind::Enum, name) {
            for member in &item.children {
                offers.item(member, CompletionItemKind::ENUM_MEMBER);
            }
            return;
        }
        if let Some((_, symbol)) = self.index.at(owner.len() as u32)
            && let Some((_, ty)) = symbol.declaration.rsplit_once(": ")
        {
            self.offer_fields(ty.trim_start_matches('?'), offers);
        }
        let prefix = format!("{name}.");
        for info in il::op::Op::TABLE {
            if let Some(operation) = info.text.strip_prefix(&prefix) {
                offers.add(operation, CompletionItemKind::FUNCTION, info.text, "");
            }
        }
    }

    fn offer_instructions(&self, wanted: &Item, events: bool, offers: &mut Offers) {
        let path = wanted.signature.split(':').nth(1).unwrap_or("").split('{').next().unwrap_or("");
        let path: String = path.split_whitespace().collect();
        if let Some(isa) = self.named(ItemKind::Isa, &path) {
            let wanted = if events { ItemKind::Event } else { ItemKind::Instruction };
            for part in isa.children.iter().filter(|part| part.kind == wanted) {
                offers.item(part, if events { CompletionItemKind::EVENT } else { CompletionItemKind::METHOD });
            }
        } else if let Some(set) = isa::ALL.iter().find(|set| set.path() == path) {
            offer_set(set, events, offers);
        }
    }

    /// Fields of a struct, inherited ones too.
    fn offer_fields(&self, ty: &str, offers: &mut Offers) {
        let mut next = self.named(ItemKind::Struct, ty);
        // Structs that extend each other in a circle are an error, but not one of ours.
        for _ in 0..self.index.items.len() {
            let Some(item) = next else { return };
            for field in &item.children {
                offers.item(field, CompletionItemKind::FIELD);
            }
            let head = item.signature.split('{').next().unwrap_or("");
            next = head.split(':').nth(1).and_then(|parent| self.named(ItemKind::Struct, parent.trim()));
        }
    }

    fn offer_sets(&self, offers: &mut Offers) {
        for item in self.index.items.iter().filter(|item| item.kind == ItemKind::Isa) {
            offers.item(item, CompletionItemKind::INTERFACE);
        }
        for set in isa::ALL {
            offers.add(&set.path(), CompletionItemKind::INTERFACE, "", set.doc.trim());
        }
    }

    /// Names that stand alone: locals of the function, items, what is built in, reserved words.
    fn offer_names(&self, at: u32, offers: &mut Offers) {
        let inside = |span: Span| span.start <= at && at <= span.end;
        if let Some(function) = self.index.items.iter().find(|item| inside(item.span)) {
            for (span, symbol) in &self.index.occurrences {
                let Some(symbol) = self.index.symbols.get(*symbol) else { continue };
                let local = matches!(symbol.meaning, Meaning::Local | Meaning::Parameter);
                if local && span.start < at && span.start >= function.span.start && span.end < at {
                    offers.add(span.text(&self.text), CompletionItemKind::VARIABLE, &symbol.declaration, "");
                }
            }
        }
        for (span, symbol) in &self.index.occurrences {
            let Some(symbol) = self.index.symbols.get(*symbol) else { continue };
            let whole = !matches!(symbol.meaning, Meaning::Field | Meaning::Member);
            if whole && symbol.definition.is_some_and(|place| place.text > 0) {
                offers.add(span.text(&self.text), CompletionItemKind::REFERENCE, &symbol.declaration, &symbol.doc);
            }
        }
        for item in &self.index.items {
            match item.kind {
                ItemKind::Func => offers.item(item, CompletionItemKind::FUNCTION),
                ItemKind::Const => offers.item(item, CompletionItemKind::CONSTANT),
                ItemKind::Enum => offers.item(item, CompletionItemKind::ENUM),
                ItemKind::Struct => offers.item(item, CompletionItemKind::STRUCT),
                ItemKind::Use | ItemKind::Global | ItemKind::Program => offers.item(item, CompletionItemKind::VARIABLE),
                ItemKind::Memory | ItemKind::Data if !item.name.is_empty() => {
                    offers.item(item, CompletionItemKind::VARIABLE);
                }
                ItemKind::Module | ItemKind::Import | ItemKind::Memory | ItemKind::Data | ItemKind::Test => {}
                ItemKind::Isa | ItemKind::Provides | ItemKind::Handler | ItemKind::Op => {}
                ItemKind::Instruction | ItemKind::Event | ItemKind::Member | ItemKind::Field => {}
            }
        }
        for name in il::text::built_ins() {
            offers.add(name, CompletionItemKind::FUNCTION, "built in", "");
        }
        for word in il::text::reserved_words() {
            offers.add(word, CompletionItemKind::KEYWORD, "", "");
        }
    }
}

fn offer_set(set: &InstructionSet, events: bool, offers: &mut Offers) {
    let fields = |fields: &[il::isa::Field]| {
        fields.iter().map(|field| format!("{}: {}", field.name, field.ty)).collect::<Vec<_>>().join(", ")
    };
    // Their lines start with the blank behind `///`.
    let doc = |doc: &str| doc.lines().map(str::trim).collect::<Vec<_>>().join("\n");
    if events {
        for event in set.events.iter() {
            let detail = format!("{}({})", event.name, fields(&event.params));
            offers.add(&event.name, CompletionItemKind::EVENT, &detail, &doc(&event.doc));
        }
        return;
    }
    for one in set.instructions.iter() {
        let results = one.results.as_deref().map(|results| format!(" -> ({})", fields(results))).unwrap_or_default();
        let detail = format!("{}({}){results}", one.name, fields(&one.params));
        offers.add(&one.name, CompletionItemKind::METHOD, &detail, &doc(&one.doc));
    }
}
