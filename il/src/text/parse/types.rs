//! Types, signatures and parameters.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::super::ast::{Param, Sig, TypeExpr, TypeKind};
use super::super::diag::{Code, Report};
use super::super::token::Kind;
use super::{Parse, Parser};

impl<'s> Parser<'_, 's> {
    pub(super) fn optional_type(&mut self) -> Parse<Option<TypeExpr<'s>>> {
        if self.eat(&Kind::Colon) { self.ty().map(Some) } else { Ok(None) }
    }

    pub(super) fn sig(&mut self) -> Parse<Sig<'s>> {
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
                TypeKind::Opt(Box::new(self.ty()?))
            }
            Kind::Mut | Kind::OpenBracket => {
                let mutable = self.eat(&Kind::Mut);
                let open = self.expect(&Kind::OpenBracket)?;
                let element = Box::new(self.ty()?);
                self.close(&Kind::CloseBracket, open)?;
                TypeKind::Array { mutable, element }
            }
            Kind::Func => self.func_type()?,
            Kind::Ref => {
                let report = Report::new(Code::Syntax, start, "`ref` stands only before the type of a parameter");
                return self.fail(report);
            }
            _ => return self.expected("a type"),
        };
        Ok(TypeExpr { kind, span: start.to(self.last_span()) })
    }

    fn func_type(&mut self) -> Parse<TypeKind<'s>> {
        self.advance();
        let open = self.expect(&Kind::Open)?;
        let params = self.list(&Kind::Close, open, |parser| {
            // A name in front is documentation.
            if parser.is(&Kind::Name) && *parser.kind_ahead(1) == Kind::Colon {
                parser.advance();
                parser.advance();
            }
            Ok((parser.eat(&Kind::Ref), parser.ty()?))
        })?;
        let results = if self.eat(&Kind::Arrow) { self.results()? } else { Vec::new() };
        Ok(TypeKind::Func { params, results: results.into_iter().map(|result| result.ty).collect() })
    }

    fn named_type(&mut self) -> Parse<TypeKind<'s>> {
        let path = self.path()?;
        if !self.is(&Kind::At) {
            return Ok(TypeKind::Path(path));
        }
        let isa = self.version(path)?;
        let open = self.span();
        let names = if self.eat(&Kind::Open) { Some(self.list(&Kind::Close, open, Self::name)?) } else { None };
        Ok(TypeKind::Cap(isa, names))
    }
}
