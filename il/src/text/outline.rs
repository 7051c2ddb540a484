//! The items of a text with their documentation, from its words alone: what an editor lists and
//! what documentation is made of.
//!
//! It accepts every text and never fails: what does not look like an item is part of the one before.
//! Time is linear in the text, nothing recurses.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use super::diag::{Sink, Span};
use super::lexer::lex;
use super::token::{Kind, Token};
use crate::limits::SOURCE_BYTES;

macro_rules! item_kinds {
    ($($(#[$doc:meta])* $name:ident $word:literal;)*) => {
        /// What an [`Item`] is.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        pub enum ItemKind { $($(#[$doc])* $name,)* }
        impl ItemKind {
            /// The word that such an item starts with; of parts of items, what they are.
            pub const fn word(self) -> &'static str {
                match self { $(ItemKind::$name => $word,)* }
            }
        }
    };
}

item_kinds! {
    /// `module a.b`
    Module "module";
    /// A wanted capability.
    Use "use";
    /// Names of another module.
    Import "import";
    /// A constant.
    Const "const";
    /// An enum.
    Enum "enum";
    /// A struct.
    Struct "struct";
    /// A global.
    Global "global";
    /// A linear memory.
    Memory "memory";
    /// Bytes for a memory.
    Data "data";
    /// An instruction set.
    Isa "isa";
    /// What this module provides.
    Provides "provides";
    /// A device program.
    Program "program";
    /// A handler of an event.
    Handler "on";
    /// A function.
    Func "func";
    /// A test.
    Test "test";
    /// An `op` of `provides`.
    Op "op";
    /// An instruction of an `isa`.
    Instruction "instruction";
    /// An event of an `isa`.
    Event "event";
    /// A member of an `enum`.
    Member "member";
    /// A field of a `struct`.
    Field "field";
}

/// Kinds that stand at the top of a text.
const ITEMS: &[ItemKind] = &[
    ItemKind::Module,
    ItemKind::Use,
    ItemKind::Import,
    ItemKind::Const,
    ItemKind::Enum,
    ItemKind::Struct,
    ItemKind::Global,
    ItemKind::Memory,
    ItemKind::Data,
    ItemKind::Isa,
    ItemKind::Provides,
    ItemKind::Program,
    ItemKind::Handler,
    ItemKind::Func,
    ItemKind::Test,
];

/// Words that may stand in front of an item.
const MODIFIERS: &[&str] = &["export", "pure", "frozen"];

/// Words that items start with, modifiers included.
pub fn item_words() -> impl Iterator<Item = &'static str> {
    let kinds = ITEMS.iter().map(|kind| kind.word());
    kinds.chain(MODIFIERS.iter().copied()).chain([ItemKind::Op.word(), ItemKind::Event.word(), "coalesced"])
}

/// An item, or a part of one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Item {
    /// What it is.
    pub kind: ItemKind,
    /// Its name: dotted of a module, `set@version` of an `isa`, `capability.event` of a handler; empty of what has none.
    pub name: String,
    /// Where the name stands; the first word of what has none.
    pub name_span: Span,
    /// From its first word to its last.
    pub span: Span,
    /// Whether it is exported.
    pub exported: bool,
    /// How it is declared: without the block of what has code or instructions, as written.
    pub signature: String,
    /// Its `///` comments, without the slashes.
    pub doc: String,
    /// Members, fields, instructions, events, `op`s.
    pub children: Vec<Item>,
}

/// The items of a text, in their order; of one beyond the limit, none.
pub fn outline(source: &str) -> Vec<Item> {
    if source.len() > SOURCE_BYTES {
        return Vec::new();
    }
    let tokens = lex(source, 0, &mut Sink::new("", source));
    let outliner = Outliner { source, tokens: &tokens };
    let starts = outliner.starts();
    let ends = starts.iter().skip(1).copied().chain([tokens.len().saturating_sub(1)]);
    starts.iter().zip(ends).filter_map(|(start, end)| outliner.item(*start, end)).collect()
}

struct Outliner<'t> {
    source: &'t str,
    tokens: &'t [Token],
}

/// How brackets change the depth.
fn nests(kind: &Kind) -> isize {
    match kind {
        Kind::Open | Kind::OpenBracket | Kind::OpenBrace => 1,
        Kind::Close | Kind::CloseBracket | Kind::CloseBrace => -1,
        _ => 0,
    }
}

impl Outliner<'_> {
    fn text(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| token.span.text(self.source))
    }

    fn kind(&self, at: usize) -> &Kind {
        self.tokens.get(at).map_or(&Kind::End, |token| &token.kind)
    }

    fn span(&self, from: usize, to: usize) -> Span {
        let at = |at: usize| self.tokens.get(at).map_or(Span::default(), |token| token.span);
        at(from).to(at(to.max(from)))
    }

    /// The words that items start with.
    fn starts(&self) -> Vec<usize> {
        let mut starts = Vec::new();
        let mut depth = 0isize;
        for (at, token) in self.tokens.iter().enumerate() {
            let text = token.span.text(self.source);
            let is_word = MODIFIERS.contains(&text) || ITEMS.iter().any(|kind| kind.word() == text);
            let before = at.checked_sub(1);
            let apart =
                before.is_none_or(|before| token.first || matches!(self.kind(before), Kind::CloseBrace | Kind::Semi));
            let modified = before.is_some_and(|before| MODIFIERS.contains(&self.text(before)));
            if depth == 0 && is_word && apart && !modified {
                starts.push(at);
            }
            // A stray closing bracket must not hide what follows.
            depth = (depth + nests(&token.kind)).max(0);
        }
        starts
    }

    /// The item from word `start` to before word `end`.
    fn item(&self, start: usize, end: usize) -> Option<Item> {
        let mut head = start;
        while head < end && MODIFIERS.contains(&self.text(head)) {
            head += 1;
        }
        let kind = *ITEMS.iter().find(|kind| kind.word() == self.text(head))?;
        let last = self.last(start, end);
        let brace = (head..=last).find(|at| *self.kind(*at) == Kind::OpenBrace).unwrap_or(last + 1);
        let (first_name, last_name) = self.name(kind, head, last);
        let whole = matches!(
            kind,
            ItemKind::Use
                | ItemKind::Import
                | ItemKind::Const
                | ItemKind::Enum
                | ItemKind::Struct
                | ItemKind::Global
                | ItemKind::Memory
                | ItemKind::Data
                | ItemKind::Module
        );
        let signature_end = if whole { last } else { brace.saturating_sub(1).min(last) };
        let mut item = self.made(kind, start, last, (first_name, last_name), signature_end);
        item.exported = (start..head).any(|at| self.text(at) == "export");
        item.children = match kind {
            ItemKind::Enum => self.listed(ItemKind::Member, brace, last),
            ItemKind::Struct => self.listed(ItemKind::Field, brace, last),
            ItemKind::Isa => self.entries(brace, last),
            ItemKind::Provides => self.ops(brace, last),
            _ => Vec::new(),
        };
        Some(item)
    }

    /// The last word before `end` that belongs to what starts at `start`.
    fn last(&self, start: usize, end: usize) -> usize {
        let mut last = end.saturating_sub(1).max(start);
        while last > start && matches!(self.kind(last), Kind::Semi | Kind::Comma | Kind::End) {
            last -= 1;
        }
        last
    }

    /// First and last word of an item's name.
    fn name(&self, kind: ItemKind, head: usize, last: usize) -> (usize, usize) {
        let after = (head + 1).min(last);
        let while_path = |from: usize| {
            let mut to = from;
            while to + 2 <= last && matches!(self.kind(to + 1), Kind::Dot | Kind::At) {
                to += 2;
            }
            to
        };
        match kind {
            ItemKind::Memory if *self.kind(after) == Kind::Name => (after, after),
            ItemKind::Data if *self.kind(after) == Kind::Name && *self.kind(after + 1) == Kind::Eq => (after, after),
            ItemKind::Memory | ItemKind::Data => (head, head),
            ItemKind::Global if *self.kind(after) == Kind::Mut => (after + 1, after + 1),
            ItemKind::Module | ItemKind::Import | ItemKind::Isa | ItemKind::Provides | ItemKind::Handler => {
                (after, while_path(after))
            }
            _ => (after, after),
        }
    }

    fn made(&self, kind: ItemKind, start: usize, last: usize, name: (usize, usize), signature_end: usize) -> Item {
        let name_span = self.span(name.0, name.1);
        let text = name_span.text(self.source);
        let name = match kind {
            ItemKind::Memory | ItemKind::Data if name.0 == start => "",
            ItemKind::Test => text.trim_matches('"'),
            _ => text,
        };
        Item {
            kind,
            name: name.split_whitespace().collect::<Vec<_>>().join(if kind == ItemKind::Test { " " } else { "" }),
            name_span,
            span: self.span(start, last),
            exported: false,
            signature: self.span(start, signature_end).text(self.source).to_owned(),
            doc: self.doc(start),
            children: Vec::new(),
        }
    }

    /// The words of a list in braces, the first brace included, that no brackets inside it hold.
    fn members(&self, brace: usize, last: usize) -> impl Iterator<Item = usize> + '_ {
        let mut depth = 0isize;
        (brace..last).filter(move |at| {
            let change = nests(self.kind(*at));
            let outside = depth == 1 || depth == 0 && change > 0;
            depth += change;
            outside
        })
    }

    /// Members of an enum, or fields of a struct: separated by commas.
    fn listed(&self, kind: ItemKind, brace: usize, last: usize) -> Vec<Item> {
        let starts: Vec<usize> = self
            .members(brace, last)
            .filter(|at| *at == brace || *self.kind(*at) == Kind::Comma)
            .map(|at| at + 1)
            .filter(|at| *at < last && !matches!(self.kind(*at), Kind::Comma))
            .collect();
        self.parts(&starts, last, |start, end| {
            let name = if *self.kind(start) == Kind::Mut { start + 1 } else { start };
            (*self.kind(name) == Kind::Name).then(|| self.made(kind, start, end, (name, name), end))
        })
    }

    /// Instructions and events of an `isa`.
    fn entries(&self, brace: usize, last: usize) -> Vec<Item> {
        let numbers = self.members(brace, last).filter(|at| {
            matches!(self.kind(*at), Kind::Int { .. })
                && *self.kind(at + 1) == Kind::Name
                && *self.kind(at + 2) == Kind::Open
        });
        let starts: Vec<usize> = numbers
            .map(|at| {
                let event = usize::from(self.text(at - 1) == "event");
                let coalesced = usize::from(event == 1 && self.text(at.saturating_sub(2)) == "coalesced");
                at - event - coalesced
            })
            .collect();
        self.parts(&starts, last, |start, end| {
            let number = (start..end).find(|at| matches!(self.kind(*at), Kind::Int { .. }))?;
            let kind = if number == start { ItemKind::Instruction } else { ItemKind::Event };
            Some(self.made(kind, start, end, (number + 1, number + 1), end))
        })
    }

    fn ops(&self, brace: usize, last: usize) -> Vec<Item> {
        let starts: Vec<usize> = self
            .members(brace, last)
            .filter(|at| self.text(*at) == "op" && *self.kind(at + 1) == Kind::Name && *self.kind(at + 2) == Kind::Open)
            .collect();
        self.parts(&starts, last, |start, end| {
            let block = (start..=end).find(|at| *self.kind(*at) == Kind::OpenBrace).unwrap_or(end + 1);
            Some(self.made(ItemKind::Op, start, end, (start + 1, start + 1), block - 1))
        })
    }

    /// Parts of an item that start at these words, the last one ending before word `end`.
    fn parts(&self, starts: &[usize], end: usize, make: impl Fn(usize, usize) -> Option<Item>) -> Vec<Item> {
        let ends = starts.iter().skip(1).copied().chain([end]);
        starts.iter().zip(ends).filter_map(|(start, end)| make(*start, self.last(*start, end))).collect()
    }

    /// The `///` comments on the lines right above a word.
    fn doc(&self, at: usize) -> String {
        let end = self.tokens.get(at).map_or(0, |token| token.span.start as usize);
        let start = at.checked_sub(1).and_then(|at| self.tokens.get(at)).map_or(0, |token| token.span.end as usize);
        let gap = self.source.get(start..end).unwrap_or("");
        let mut lines: Vec<&str> = gap.split('\n').collect();
        // In front of the word there are only blanks, and behind the word before it is another line's end.
        lines.pop();
        let own = lines.iter().enumerate().rev().map_while(|(number, line)| {
            // Four slashes are a line of its own kind.
            let doc = line.trim().strip_prefix("///").filter(|doc| !doc.starts_with('/'))?;
            (number > 0 || start == 0).then_some(doc.strip_prefix(' ').unwrap_or(doc))
        });
        let mut own: Vec<&str> = own.collect();
        own.reverse();
        own.join("\n")
    }
}
