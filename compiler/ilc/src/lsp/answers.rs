//! What the server says about a document.

use std::collections::HashMap;

use il::text::{Item, ItemKind, Meaning, Place, Span};
use lsp_types::{
    CodeAction, CodeActionKind, CodeActionOrCommand, Diagnostic, DiagnosticRelatedInformation, DiagnosticSeverity,
    DocumentHighlight, DocumentSymbol, DocumentSymbolResponse, GotoDefinitionResponse, Hover, HoverContents, Location,
    MarkupContent, MarkupKind, NumberOrString, Position, PrepareRenameResponse, Range, SymbolKind, TextEdit,
    WorkspaceEdit,
};

use super::document::{Document, range};
use crate::lines::Lines;

impl Document {
    /// What is wrong with the text.
    pub fn diagnostics(&self) -> Vec<Diagnostic> {
        self.errors().map(|error| self.diagnostic(error)).collect()
    }

    /// The errors of this text, without those of what it imports.
    fn errors(&self) -> impl Iterator<Item = &il::text::Diagnostic> {
        self.index.errors.iter().flat_map(|errors| errors.iter().filter(|error| errors.is_own(error)))
    }

    fn diagnostic(&self, error: &il::text::Diagnostic) -> Diagnostic {
        let message = match &error.hint {
            Some(hint) => format!("{}\n{hint}", error.message),
            None => error.message.clone(),
        };
        let lines = self.lines();
        let others = error.others.iter().map(|(span, label)| DiagnosticRelatedInformation {
            location: self.own_location(&lines, *span),
            message: label.clone(),
        });
        Diagnostic {
            range: range(&lines, error.span),
            severity: Some(DiagnosticSeverity::ERROR),
            code: Some(NumberOrString::String(error.code.name().into())),
            source: Some("ilc".into()),
            message,
            related_information: Some(others.collect()),
            ..Diagnostic::default()
        }
    }

    /// Declaration and documentation of a name.
    pub fn hover(&self, position: Position) -> Option<Hover> {
        let (span, symbol) = self.symbol_at(position)?;
        let mut value = format!("```il\n{}\n```", symbol.declaration);
        if !symbol.doc.is_empty() {
            value.push_str("\n\n");
            value.push_str(&symbol.doc);
        }
        let contents = HoverContents::Markup(MarkupContent { kind: MarkupKind::Markdown, value });
        Some(Hover { contents, range: Some(range(&self.lines(), span)) })
    }

    /// Where a name is declared.
    pub fn definition(&self, position: Position) -> Option<GotoDefinitionResponse> {
        let (_, symbol) = self.symbol_at(position)?;
        Some(GotoDefinitionResponse::Scalar(self.location(symbol.definition?)?))
    }

    /// Every use of a name, with its declaration if that is wanted.
    pub fn references(&self, position: Position, declaration: bool) -> Option<Vec<Location>> {
        let (_, symbol) = self.symbol_at(position)?;
        let names = self.same_names(position)?.into_iter();
        let declared = |span: &Span| symbol.definition == Some(Place { text: 0, span: *span });
        let wanted = names.filter(|span| declaration || !declared(span));
        let lines = self.lines();
        Some(wanted.map(|span| self.own_location(&lines, span)).collect())
    }

    fn own_location(&self, lines: &Lines<'_>, span: Span) -> Location {
        Location { uri: self.uri.clone(), range: range(lines, span) }
    }

    /// The same names, to be marked.
    pub fn highlights(&self, position: Position) -> Option<Vec<DocumentHighlight>> {
        let lines = self.lines();
        let mark = |span: Span| DocumentHighlight { range: range(&lines, span), kind: None };
        Some(self.same_names(position)?.into_iter().map(mark).collect())
    }

    /// The name at a position, if it can be renamed.
    pub fn renamable(&self, position: Position) -> Option<PrepareRenameResponse> {
        let (span, symbol) = self.symbol_at(position)?;
        // Names of instructions and sets are promises to others, and so are those that are exported.
        let exported = |item: &Item| item.exported && symbol.definition.is_some_and(|at| at.span == item.name_span);
        if self.index.items.iter().any(exported) {
            return None;
        }
        let own = !matches!(symbol.meaning, Meaning::Instruction | Meaning::Event | Meaning::InstructionSet);
        (own && symbol.definition.is_some_and(|place| place.text == 0))
            .then(|| PrepareRenameResponse::Range(range(&self.lines(), span)))
    }

    /// The edits that give what a name stands for another name.
    pub fn rename(&self, position: Position, name: &str) -> Result<WorkspaceEdit, String> {
        let mut chars = name.chars();
        let plain = chars.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
            && chars.all(|char| char.is_ascii_alphanumeric() || char == '_');
        if !plain || name == "_" || il::text::reserved_words().any(|word| word == name) {
            return Err(format!("`{name}` is not a name"));
        }
        if self.renamable(position).is_none() {
            return Err("this is not declared here, or others rely on its name".into());
        }
        let lines = self.lines();
        let edit = |span: Span| TextEdit { range: range(&lines, span), new_text: name.to_owned() };
        let edits = self.same_names(position).unwrap_or_default().into_iter().map(edit).collect();
        Ok(self.changes(edits))
    }

    // A map by address is what the protocol wants.
    #[allow(clippy::mutable_key_type)]
    fn changes(&self, edits: Vec<TextEdit>) -> WorkspaceEdit {
        let changes = HashMap::from([(self.uri.clone(), edits)]);
        WorkspaceEdit { changes: Some(changes), ..WorkspaceEdit::default() }
    }

    /// The items.
    pub fn symbols(&self) -> DocumentSymbolResponse {
        let lines = self.lines();
        DocumentSymbolResponse::Nested(self.index.items.iter().map(|item| symbol(&lines, item)).collect())
    }

    /// The formatted text, if it is another.
    pub fn formatting(&self) -> Option<Vec<TextEdit>> {
        let new_text = il::text::format("", &self.text).ok()?;
        if new_text == self.text {
            return Some(Vec::new());
        }
        let whole = Span { start: 0, end: self.text.len() as u32 };
        Some(vec![TextEdit { range: range(&self.lines(), whole), new_text }])
    }

    /// What mends the errors within a range.
    pub fn actions(&self, wanted: Range) -> Vec<CodeActionOrCommand> {
        let lines = self.lines();
        let touched = self.errors().filter(|error| {
            let place = range(&lines, error.span);
            place.start <= wanted.end && wanted.start <= place.end
        });
        let mended = touched.filter_map(|error| {
            let suggestion = error.suggestion.as_ref()?;
            let edit = TextEdit { range: range(&lines, suggestion.span), new_text: suggestion.text.clone() };
            Some(CodeActionOrCommand::CodeAction(CodeAction {
                title: format!("replace by `{}`", suggestion.text),
                kind: Some(CodeActionKind::QUICKFIX),
                diagnostics: Some(vec![self.diagnostic(error)]),
                edit: Some(self.changes(vec![edit])),
                is_preferred: Some(true),
                ..CodeAction::default()
            }))
        });
        mended.collect()
    }
}

fn symbol(lines: &Lines<'_>, item: &Item) -> DocumentSymbol {
    let name = match item.name.as_str() {
        "" => item.kind.word().to_owned(),
        name => name.to_owned(),
    };
    // Parts of items have no parts.
    let children = item.children.iter().map(|part| symbol(lines, part)).collect();
    #[allow(deprecated)] // a field that the type has
    DocumentSymbol {
        name,
        detail: Some(item.signature.split_whitespace().collect::<Vec<_>>().join(" ")),
        kind: symbol_kind(item.kind),
        tags: None,
        deprecated: None,
        range: range(lines, item.span),
        selection_range: range(lines, item.name_span),
        children: Some(children),
    }
}

fn symbol_kind(kind: ItemKind) -> SymbolKind {
    match kind {
        ItemKind::Module => SymbolKind::MODULE,
        ItemKind::Use | ItemKind::Import => SymbolKind::VARIABLE,
        ItemKind::Const => SymbolKind::CONSTANT,
        ItemKind::Enum => SymbolKind::ENUM,
        ItemKind::Struct => SymbolKind::STRUCT,
        ItemKind::Global | ItemKind::Memory | ItemKind::Data => SymbolKind::VARIABLE,
        ItemKind::Isa | ItemKind::Provides => SymbolKind::INTERFACE,
        ItemKind::Program | ItemKind::Func | ItemKind::Test => SymbolKind::FUNCTION,
        ItemKind::Handler | ItemKind::Event => SymbolKind::EVENT,
        ItemKind::Op | ItemKind::Instruction => SymbolKind::METHOD,
        ItemKind::Member => SymbolKind::ENUM_MEMBER,
        ItemKind::Field => SymbolKind::FIELD,
    }
}
