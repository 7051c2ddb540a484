//! Words of the text.

use alloc::vec::Vec;

use super::diag::Span;

macro_rules! tokens {
    (punctuation { $($p:ident $ptext:literal;)* } keywords { $($k:ident $ktext:literal;)* }) => {
        /// The kind of a word.
        #[derive(Clone, PartialEq, Debug)]
        pub(super) enum Kind {
            /// A name that is not reserved.
            Name,
            /// `'label`
            Label,
            /// An integer; `hex` may fill the width.
            Int { value: u64, hex: bool },
            /// Rounded to either width from the digits.
            Float(f64, f32),
            /// A string's bytes, escapes resolved.
            Str(Vec<u8>),
            Char(u32),
            End,
            $($p,)*
            $($k,)*
        }

        /// Punctuation, longest first.
        pub(super) const PUNCTUATION: &[(&str, Kind)] = &[$(($ptext, Kind::$p),)*];
        /// Reserved words.
        pub(super) const KEYWORDS: &[(&str, Kind)] = &[$(($ktext, Kind::$k),)*];

        impl Kind {
            /// For messages: "expected `(`".
            pub fn describe(&self) -> &'static str {
                match self {
                    Kind::Name => "a name",
                    Kind::Label => "a label",
                    Kind::Int { .. } => "an integer",
                    Kind::Float(..) => "a float",
                    Kind::Str(_) => "a string",
                    Kind::Char(_) => "a character",
                    Kind::End => "the end of the file",
                    $(Kind::$p => concat!("`", $ptext, "`"),)*
                    $(Kind::$k => concat!("`", $ktext, "`"),)*
                }
            }
        }
    };
}

tokens! {
    punctuation {
        ShlEq "<<="; ShrEq ">>=";
        FatArrow "=>"; Arrow "->"; DotDot ".."; EqEq "=="; NotEq "!="; LessEq "<="; GreaterEq ">=";
        Shl "<<"; Shr ">>"; AndAnd "&&"; OrOr "||";
        PlusEq "+="; MinusEq "-="; StarEq "*="; SlashEq "/="; PercentEq "%="; AndEq "&="; OrEq "|="; XorEq "^=";
        Open "("; Close ")"; OpenBracket "["; CloseBracket "]"; OpenBrace "{"; CloseBrace "}";
        Comma ","; Semi ";"; Colon ":"; Dot "."; At "@"; Question "?"; Eq "="; Less "<"; Greater ">";
        Plus "+"; Minus "-"; Star "*"; Slash "/"; Percent "%"; And "&"; Or "|"; Xor "^"; Not "!"; Tilde "~";
    }
    keywords {
        Let "let"; Var "var"; Else "else"; While "while"; Loop "loop"; For "for"; In "in"; If "if"; Match "match";
        Break "break"; Continue "continue"; Return "return"; Tail "tail"; TrapWord "trap"; Assert "assert";
        Emit "emit"; Fail "fail"; True "true"; False "false"; Null "null"; New "new"; Try "try"; As "as"; Is "is";
        Ref "ref"; Mut "mut"; Func "func"; Any "any"; StrType "str"; BufType "buf"; Bool "bool"; I8 "i8"; I16 "i16";
        U8 "u8"; U16 "u16"; I32 "i32"; I64 "i64"; F32 "f32"; F64 "f64"; V128 "v128";
    }
}

impl Kind {
    /// Whether an expression may end with this word (rule 1, understood semicolons).
    pub fn ends_expression(&self) -> bool {
        match self {
            Kind::Name | Kind::Int { .. } | Kind::Float(..) | Kind::Str(_) | Kind::Char(_) => true,
            Kind::Close | Kind::CloseBracket | Kind::CloseBrace | Kind::True | Kind::False | Kind::Null => true,
            _ => self.is_type_word(),
        }
    }

    /// `i32`, `str`, ..: words that name a type.
    pub fn is_type_word(&self) -> bool {
        self.is_prim() || matches!(self, Kind::StrType | Kind::BufType | Kind::Any)
    }

    /// The grammar's `PRIM`.
    pub fn is_prim(&self) -> bool {
        matches!(
            self,
            Kind::I8
                | Kind::I16
                | Kind::U8
                | Kind::U16
                | Kind::I32
                | Kind::I64
                | Kind::F32
                | Kind::F64
                | Kind::V128
                | Kind::Bool
        )
    }

    /// Whether this is a reserved word.
    pub fn is_keyword(&self) -> bool {
        KEYWORDS.iter().any(|(_, word)| word == self)
    }
}

/// A word and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub kind: Kind,
    pub span: Span,
    /// Whether it is the first on its line.
    pub first: bool,
    /// The `///` lines right before it; empty if there are none.
    pub doc: Span,
}
