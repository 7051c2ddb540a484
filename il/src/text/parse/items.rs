//! Items: what stands outside functions.

use alloc::vec::Vec;

use super::super::ast::{File, Func, IsaEntry, Item, Name, Param, Sig, TypeExpr, TypeKind};
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
            match self.item() {
                Ok(item) => file.items.push(item),
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
            word @ ("import" | "test" | "program") => {
                self.advance();
                let what = match word {
                    "import" => "`import`",
                    "test" => "`test`",
                    _ => "`program`",
                };
                let name = if word == "program" { self.name().ok() } else { None };
                self.unsupported_item(start, name, what)
            }
            word => {
                let hint = match word {
                    "fn" | "function" | "def" | "fun" => "functions are declared with `func`",
                    "let" | "var" | "static" => {
                        "outside functions, variables are declared with `global` or `global mut`"
                    }
                    "type" | "class" => "there are only `enum` and `struct` declarations",
                    _ => "items start with use, isa, provides, on, export, func, const, enum, global, memory or data",
                };
                let report = self.expected_report("an item").hint(hint);
                self.fail(report)
            }
        }
    }

    /// Reports, and skips the item to where the next one starts.
    fn unsupported_item(&mut self, start: Span, name: Option<Name<'s>>, what: &'static str) -> Parse<Item<'s>> {
        self.sink.report(Report::new(Code::NotSupported, start, alloc::format!("{what} is not supported yet")));
        self.recover_item(usize::MAX);
        Ok(Item::Unsupported { name, what })
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
        let start = self.span();
        let export = self.eat_word("export");
        let word = self.text();
        match word {
            "pure" => {
                self.advance();
                self.advance();
                let name = self.name().ok();
                self.unsupported_item(start, name, "`pure`")
            }
            "frozen" | "struct" => {
                self.advance();
                self.eat_word("struct");
                let name = self.name().ok();
                self.unsupported_item(start, name, "`struct`")
            }
            "const" | "enum" if export => {
                let what = if word == "const" { "`export const`" } else { "`export enum`" };
                self.advance();
                let name = self.name().ok();
                self.unsupported_item(start, name, what)
            }
            "const" => self.constant(),
            "enum" => self.enumeration(),
            "func" => {
                self.advance();
                self.func(export).map(Item::Func)
            }
            _ => self.expected("`func`"),
        }
    }

    fn func(&mut self, export: bool) -> Parse<Func<'s>> {
        let name = self.name()?;
        let sig = self.sig()?;
        let body = self.block()?;
        Ok(Func { export, name, sig, body })
    }

    fn constant(&mut self) -> Parse<Item<'s>> {
        self.advance();
        let name = self.name()?;
        let ty = self.optional_type()?;
        self.expect(&Kind::Eq)?;
        Ok(Item::Const { name, ty, value: self.expr()? })
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

    pub(super) fn optional_type(&mut self) -> Parse<Option<TypeExpr<'s>>> {
        if self.eat(&Kind::Colon) { self.ty().map(Some) } else { Ok(None) }
    }

    fn enumeration(&mut self) -> Parse<Item<'s>> {
        self.advance();
        let name = self.name()?;
        let open = self.expect(&Kind::OpenBrace)?;
        let members = self.list(&Kind::CloseBrace, open, |parser| {
            let name = parser.name()?;
            let value = if parser.eat(&Kind::Eq) { Some(parser.expr()?) } else { None };
            Ok((name, value))
        })?;
        Ok(Item::Enum { name, members })
    }

    fn memory(&mut self, start: Span) -> Parse<Item<'s>> {
        self.advance();
        let min = self.int()?;
        if !self.is(&Kind::DotDot) {
            let report =
                self.expected_report("`..`").hint("as in `memory 1..16`: pages of 64 KiB at start, and at most");
            return self.fail(report);
        }
        self.advance();
        let max = self.int()?;
        Ok(Item::Memory { min, max, span: start.to(max.1) })
    }

    fn data(&mut self, start: Span) -> Parse<Item<'s>> {
        self.advance();
        let offset = self.expr()?;
        let (bytes, span) = self.string()?;
        Ok(Item::Data { offset, bytes, span: start.to(span) })
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
        Ok(IsaEntry { event, coalesced, number, name, sig })
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
            ops.push(self.func(false)?);
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
        Ok(Item::On { source, func: Func { export: false, name, sig, body } })
    }

    fn sig(&mut self) -> Parse<Sig<'s>> {
        let open = self.expect(&Kind::Open)?;
        let params = self.list(&Kind::Close, open, Self::param)?;
        let results = if self.eat(&Kind::Arrow) { Some(self.results()?) } else { None };
        Ok(Sig { params, results, span: open.to(self.last_span()) })
    }

    fn param(&mut self) -> Parse<Param<'s>> {
        let name = self.name()?;
        if !self.is(&Kind::Colon) {
            let report = self.expected_report("`:` and a type").hint(alloc::format!("as in `{}: i32`", name.text));
            return self.fail(report);
        }
        self.advance();
        let borrowed = self.eat(&Kind::Ref);
        let ty = self.ty()?;
        Ok(Param { name: Some(name), borrowed, ty })
    }

    fn results(&mut self) -> Parse<Vec<Param<'s>>> {
        let open = self.span();
        if !self.eat(&Kind::Open) {
            let ty = self.ty()?;
            return Ok(alloc::vec![Param { name: None, borrowed: false, ty }]);
        }
        self.list(&Kind::Close, open, |parser| {
            let named = parser.is(&Kind::Name) && *parser.kind_ahead(1) == Kind::Colon;
            let name = if named { Some(parser.name()?) } else { None };
            if named {
                parser.advance();
            }
            Ok(Param { name, borrowed: false, ty: parser.ty()? })
        })
    }

    pub(super) fn ty(&mut self) -> Parse<TypeExpr<'s>> {
        self.deeper(Self::type_inner)
    }

    fn type_inner(&mut self) -> Parse<TypeExpr<'s>> {
        let start = self.span();
        let text = self.text();
        let kind = match self.kind().clone() {
            kind if kind.is_type_word() => {
                self.advance();
                TypeKind::Word(text)
            }
            Kind::Name => self.named_type()?,
            Kind::Question => {
                self.advance();
                self.ty()?;
                TypeKind::Unsupported("the nullable type `?T`")
            }
            Kind::Mut | Kind::OpenBracket => {
                self.eat(&Kind::Mut);
                let open = self.expect(&Kind::OpenBracket)?;
                self.ty()?;
                self.close(&Kind::CloseBracket, open)?;
                TypeKind::Unsupported("the array type `[T]`")
            }
            Kind::Func => {
                self.advance();
                let open = self.expect(&Kind::Open)?;
                self.list(&Kind::Close, open, |parser| {
                    parser.eat(&Kind::Ref);
                    parser.ty()
                })?;
                if self.eat(&Kind::Arrow) {
                    self.results()?;
                }
                TypeKind::Unsupported("the function type `func(..)`")
            }
            Kind::Ref => {
                let report = Report::new(Code::Syntax, start, "`ref` stands only before the type of a parameter");
                return self.fail(report);
            }
            _ => return self.expected("a type"),
        };
        Ok(TypeExpr { kind, span: start.to(self.last_span()) })
    }

    fn named_type(&mut self) -> Parse<TypeKind<'s>> {
        let path = self.path()?;
        if !self.eat(&Kind::At) {
            return Ok(TypeKind::Path(path));
        }
        self.int()?;
        let open = self.span();
        if self.eat(&Kind::Open) {
            self.list(&Kind::Close, open, Self::name)?;
        }
        Ok(TypeKind::Unsupported("a capability as a value"))
    }
}
