//! Items: what stands outside functions.

use alloc::vec::Vec;

use super::super::ast::{DataPlace, FieldDecl, File, Func, IsaEntry, Item, Name, Sig, Struct};
use super::super::diag::{Code, Report, Span};
use super::super::token::Kind;
use super::{Parse, Parser, Stop};

/// Words that start an item. `func` is reserved; the others are ordinary names elsewhere.
const ITEM_WORDS: &[&str] = &[
    "module", "use", "import", "export", "global", "memory", "data", "test", "isa", "provides", "program", "on",
    "pure", "func", "const", "enum", "frozen", "struct",
];

impl<'s> Parser<'_, 's> {
    pub(super) fn file(&mut self) -> File<'s> {
        let mut file = File::default();
        while self.eat(&Kind::Semi) {}
        if self.eat_word("module") {
            file.module = self.path().ok();
        }
        while !self.is(&Kind::End) && !self.sink.is_full() {
            if self.eat(&Kind::Semi) {
                continue;
            }
            let start = self.at;
            let doc = self.token().doc;
            match self.item() {
                Ok(item) => {
                    file.items.push(item);
                    file.docs.push(doc);
                }
                Err(Stop) => self.recover_item(start),
            }
            // Whatever a broken item did, the next one starts further on.
            if self.at == start {
                self.advance();
            }
        }
        file
    }

    /// Skips to the next word that starts an item at the beginning of a line, outside braces.
    fn recover_item(&mut self, start: usize) {
        if self.at == start {
            self.skip_tree();
        }
        while !(self.is(&Kind::End) || self.token().first && ITEM_WORDS.contains(&self.text())) {
            match self.kind() {
                Kind::OpenBrace => self.skip_tree(),
                _ => self.advance(),
            }
        }
    }

    fn item(&mut self) -> Parse<Item<'s>> {
        let start = self.span();
        match self.text() {
            "use" => self.use_item(),
            "export" | "pure" | "func" | "const" | "enum" | "frozen" | "struct" => self.declaration(),
            "global" => self.global(),
            "memory" => self.memory(start),
            "data" => self.data(start),
            "isa" => self.isa(),
            "provides" => self.provides(),
            "on" => self.on(),
            "module" => {
                let report = Report::new(Code::Syntax, start, "`module` stands once, at the top of the file");
                self.fail(report)
            }
            "import" => self.import(),
            "test" => self.test(start),
            "program" => self.program(),
            word => {
                let hint = match word {
                    "fn" | "function" | "def" | "fun" => "functions are declared with `func`",
                    "let" | "var" | "static" => {
                        "outside functions, variables are declared with `global` or `global mut`"
                    }
                    "type" | "class" | "interface" | "record" => "there are only `enum` and `struct` declarations",
                    _ => {
                        "items start with use, import, isa, provides, program, on, export, func, const, enum, struct, global, memory, data or test"
                    }
                };
                let report = self.expected_report("an item").hint(hint);
                self.fail(report)
            }
        }
    }

    fn import(&mut self) -> Parse<Item<'s>> {
        self.advance();
        let path = self.path()?;
        let open = self.span();
        if !self.eat(&Kind::OpenBrace) {
            let report = self.expected_report("`{` and names").hint("as in `import std.text { parse, pad }`");
            return self.fail(report);
        }
        Ok(Item::Import { path, names: self.list(&Kind::CloseBrace, open, Self::name)? })
    }

    fn test(&mut self, start: Span) -> Parse<Item<'s>> {
        let name = Name { text: self.text(), span: start };
        self.advance();
        if !matches!(self.kind(), Kind::Str(_)) {
            let report = self.expected_report("a string").hint("as in `test \"adds up\" { assert add(1, 2) == 3 }`");
            return self.fail(report);
        }
        let title = self.string()?;
        let sig = Sig { params: Vec::new(), results: None, span: title.1 };
        let body = self.block()?;
        Ok(Item::Test { title, func: Func { export: false, pure: false, name, sig, body } })
    }

    fn program(&mut self) -> Parse<Item<'s>> {
        self.advance();
        let name = self.name()?;
        if !self.eat_word("on") {
            let hint = "as in `program fill on cascade.display@1 (color: i32) { .. }`";
            let report = self.expected_report("`on` and an instruction set").hint(hint);
            return self.fail(report);
        }
        let isa = self.isa_path()?;
        let sig = self.sig()?;
        let body = self.block()?;
        Ok(Item::Program { isa, func: Func { export: false, pure: false, name, sig, body } })
    }

    fn use_item(&mut self) -> Parse<Item<'s>> {
        self.advance();
        let name = self.name()?;
        if !self.is(&Kind::Colon) {
            let report = self.expected_report("`:`").hint("as in `use console: cascade.console@1`");
            return self.fail(report);
        }
        self.advance();
        let isa = self.isa_path()?;
        let open = self.span();
        let wants =
            if self.eat(&Kind::OpenBrace) { Some(self.list(&Kind::CloseBrace, open, Self::name)?) } else { None };
        Ok(Item::Use { name, isa, wants })
    }

    fn declaration(&mut self) -> Parse<Item<'s>> {
        let export = self.eat_word("export");
        match self.text() {
            "pure" => {
                self.advance();
                self.expect(&Kind::Func)?;
                self.func(export, true).map(Item::Func)
            }
            "func" => {
                self.advance();
                self.func(export, false).map(Item::Func)
            }
            "frozen" => {
                self.advance();
                if !self.is_word("struct") {
                    return self.expected("`struct`");
                }
                self.structure(export, true)
            }
            "struct" => self.structure(export, false),
            "const" => self.constant(export),
            "enum" => self.enumeration(export),
            "global" => {
                let report = Report::new(Code::Syntax, self.span(), "a global cannot be exported");
                self.fail(report.hint("export functions that read and write it"))
            }
            _ => self.expected("`func`, `const`, `enum` or `struct`"),
        }
    }

    fn func(&mut self, export: bool, pure: bool) -> Parse<Func<'s>> {
        let name = self.name()?;
        let sig = self.sig()?;
        let body = self.block()?;
        Ok(Func { export, pure, name, sig, body })
    }

    fn structure(&mut self, export: bool, frozen: bool) -> Parse<Item<'s>> {
        self.advance();
        let name = self.name()?;
        let parent = if self.eat(&Kind::Colon) { Some(self.name()?) } else { None };
        let open = self.expect(&Kind::OpenBrace)?;
        let fields = self.list(&Kind::CloseBrace, open, |parser| {
            let mutable = parser.eat(&Kind::Mut);
            let name = parser.name()?;
            if !parser.is(&Kind::Colon) {
                let hint = alloc::format!("as in `{}: i32`", name.text);
                let report = parser.expected_report("`:` and a type").hint(hint);
                return parser.fail(report);
            }
            parser.advance();
            Ok(FieldDecl { mutable, name, ty: parser.ty()? })
        })?;
        Ok(Item::Struct(Struct { export, frozen, name, parent, fields }))
    }

    fn constant(&mut self, export: bool) -> Parse<Item<'s>> {
        self.advance();
        let name = self.name()?;
        let ty = self.optional_type()?;
        self.expect(&Kind::Eq)?;
        Ok(Item::Const { export, name, ty, value: self.expr()? })
    }

    fn global(&mut self) -> Parse<Item<'s>> {
        self.advance();
        let mutable = self.eat(&Kind::Mut);
        let name = self.name()?;
        let ty = self.optional_type()?;
        if !self.is(&Kind::Eq) {
            let report = self.expected_report("`=`").hint("a global always has an initial value");
            return self.fail(report);
        }
        self.advance();
        Ok(Item::Global { name, mutable, ty, value: self.expr()? })
    }

    fn enumeration(&mut self, export: bool) -> Parse<Item<'s>> {
        self.advance();
        let name = self.name()?;
        let open = self.expect(&Kind::OpenBrace)?;
        let members = self.list(&Kind::CloseBrace, open, |parser| {
            let name = parser.name()?;
            let value = if parser.eat(&Kind::Eq) { Some(parser.expr()?) } else { None };
            Ok((name, value))
        })?;
        Ok(Item::Enum { export, name, members })
    }

    fn memory(&mut self, start: Span) -> Parse<Item<'s>> {
        self.advance();
        let name = if self.is(&Kind::Name) { Some(self.name()?) } else { None };
        let min = self.int()?;
        if !self.is(&Kind::DotDot) {
            let report =
                self.expected_report("`..`").hint("as in `memory 1..16`: pages of 64 KiB at start, and at most");
            return self.fail(report);
        }
        self.advance();
        let max = self.int()?;
        Ok(Item::Memory { name, min, max, span: start.to(max.1) })
    }

    fn data(&mut self, start: Span) -> Parse<Item<'s>> {
        self.advance();
        let named = self.is(&Kind::Name) && *self.kind_ahead(1) == Kind::Eq;
        let name = if named { Some(self.name()?) } else { None };
        if named {
            self.advance();
        }
        // No offset starts with a string.
        let place = if matches!(self.kind(), Kind::Str(_)) { None } else { Some(self.data_place()?) };
        if !matches!(self.kind(), Kind::Str(_)) {
            let report = self.expected_report("a string");
            return self.fail(report.hint("as in `data 16 \"bytes\"`, `data NAME = \"bytes\"`"));
        }
        let (bytes, span) = self.string()?;
        Ok(Item::Data { name, place, bytes, span: start.to(span) })
    }

    fn data_place(&mut self) -> Parse<DataPlace<'s>> {
        let offset = self.expr()?;
        let memory = match self.eat(&Kind::In) {
            true if matches!(self.kind(), Kind::Name | Kind::Int { .. }) => Some(self.atom()?),
            true => return self.expected("a memory's name or number"),
            false => None,
        };
        Ok(DataPlace { offset, memory })
    }

    fn isa(&mut self) -> Parse<Item<'s>> {
        self.advance();
        let isa = self.isa_path()?;
        let open = self.expect(&Kind::OpenBrace)?;
        let mut entries = Vec::new();
        while !self.is(&Kind::CloseBrace) && !self.is(&Kind::End) {
            if !self.eat(&Kind::Semi) {
                entries.push(self.isa_entry()?);
            }
        }
        self.close(&Kind::CloseBrace, open)?;
        Ok(Item::Isa { isa, entries })
    }

    fn isa_entry(&mut self) -> Parse<IsaEntry<'s>> {
        let doc = self.token().doc;
        let coalesced = self.eat_word("coalesced");
        let event = self.eat_word("event");
        if coalesced && !event {
            return self.expected("`event`");
        }
        if !matches!(self.kind(), Kind::Int { .. }) {
            let hint = "each line starts with its number: `1 name(x: i32) -> i32`, `event 1 name(x: i32)`";
            let report = self.expected_report("a number").hint(hint);
            return self.fail(report);
        }
        let number = self.int()?;
        let name = self.name()?;
        let sig = self.sig()?;
        Ok(IsaEntry { event, coalesced, number, name, sig, doc })
    }

    fn provides(&mut self) -> Parse<Item<'s>> {
        let start = self.span();
        self.advance();
        let isa = self.isa_path()?;
        let name = if self.eat(&Kind::As) { Some(self.name()?) } else { None };
        let open = self.expect(&Kind::OpenBrace)?;
        let mut ops = Vec::new();
        while !self.is(&Kind::CloseBrace) && !self.is(&Kind::End) {
            if self.eat(&Kind::Semi) {
                continue;
            }
            if !self.is_word("op") {
                let report = self
                    .expected_report("`op`")
                    .hint("as in `op name(x: i32) -> i32 { .. }`")
                    .also(open, "opened here");
                return self.fail(report);
            }
            self.advance();
            ops.push(self.func(false, false)?);
        }
        self.close(&Kind::CloseBrace, open)?;
        Ok(Item::Provides { span: start.to(isa.span), isa, name, ops })
    }

    fn on(&mut self) -> Parse<Item<'s>> {
        self.advance();
        let source = self.name()?;
        if !self.is(&Kind::Dot) {
            let report = self
                .expected_report("`.` and an event")
                .hint("as in `on keyboard.key(code: i32, down: bool, char: i32) { .. }`");
            return self.fail(report);
        }
        self.advance();
        let name = self.name()?;
        let sig = self.sig()?;
        if sig.results.is_some() {
            let report = Report::new(Code::Syntax, sig.span, "a handler has no results").hint("remove the `->` part");
            return self.fail(report);
        }
        let body = self.block()?;
        Ok(Item::On { source, func: Func { export: false, pure: false, name, sig, body } })
    }
}
