//! How many blanks stand between two words of a line.

use super::super::token::{Kind, PUNCTUATION};
use super::pieces::Piece;

/// What the layout knows of a word beyond its kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Role {
    /// Before its only operand: `-x`, `&f`, `!b`.
    Prefix,
    /// Between its operands.
    Infix,
    Other,
}

/// The role of `word` after `before`.
pub(super) fn role(before: Option<&Kind>, word: &Piece<'_>) -> Role {
    let Some(kind) = word.kind else { return Role::Other };
    match kind {
        Kind::Not | Kind::Tilde | Kind::Question => Role::Prefix,
        Kind::Minus | Kind::And => {
            let operand = before.is_some_and(Kind::ends_expression) && !word.after_semicolon;
            if operand { Role::Infix } else { Role::Prefix }
        }
        Kind::Star | Kind::Slash | Kind::Percent | Kind::Plus | Kind::Shl | Kind::Shr | Kind::Xor | Kind::Or => {
            Role::Infix
        }
        Kind::EqEq | Kind::NotEq | Kind::Less | Kind::LessEq | Kind::Greater | Kind::GreaterEq => Role::Infix,
        Kind::AndAnd | Kind::OrOr | Kind::As | Kind::Is | Kind::In | Kind::Arrow | Kind::FatArrow => Role::Infix,
        kind if assigns(kind) => Role::Infix,
        _ => Role::Other,
    }
}

fn assigns(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::Eq
            | Kind::PlusEq
            | Kind::MinusEq
            | Kind::StarEq
            | Kind::SlashEq
            | Kind::PercentEq
            | Kind::AndEq
            | Kind::OrEq
            | Kind::XorEq
            | Kind::ShlEq
            | Kind::ShrEq
    )
}

/// Whether `word`, after `before` in a block, starts a statement or a `match` arm.
pub(super) fn starts_statement(before: &Kind, word: &Kind) -> bool {
    let ended = before.ends_expression() || matches!(before, Kind::Label | Kind::Break | Kind::Continue);
    let starts = match word {
        Kind::Name | Kind::Label | Kind::Int { .. } | Kind::Float(..) | Kind::Str(_) | Kind::Char(_) => true,
        Kind::Not | Kind::Tilde => true,
        Kind::Else | Kind::As | Kind::Is | Kind::In | Kind::Tail | Kind::Ref | Kind::Mut => false,
        // `break 'rows`
        _ => word.is_keyword(),
    };
    let labelled = *word == Kind::Label && matches!(before, Kind::Break | Kind::Continue);
    ended && starts && !labelled
}

/// Whether a statement that began on the line of `before` goes on with `word` on the next.
pub(super) fn continues(before: &Kind, before_role: Role, word: &Piece<'_>, word_role: Role) -> bool {
    let Some(kind) = word.kind else { return false };
    if word.after_semicolon {
        return false;
    }
    let begun = match before {
        Kind::Open | Kind::OpenBracket | Kind::OpenBrace | Kind::Close | Kind::CloseBracket | Kind::CloseBrace => false,
        Kind::Comma | Kind::Semi | Kind::Label => false,
        Kind::Break | Kind::Continue | Kind::Return => false,
        Kind::Colon | Kind::Dot | Kind::DotDot | Kind::At | Kind::Else => true,
        before if before.ends_expression() => false,
        before => before_role != Role::Other || before.is_keyword(),
    };
    let goes_on = match kind {
        Kind::Dot | Kind::DotDot | Kind::At | Kind::Colon | Kind::Else => true,
        Kind::Open | Kind::OpenBracket => before.ends_expression(),
        _ => word_role == Role::Infix,
    };
    begun || goes_on
}

/// Blanks between two words of one line, if they do not start a statement or stand apart otherwise.
pub(super) fn between(before: &Piece<'_>, before_role: Role, word: &Piece<'_>) -> usize {
    let (Some(left), Some(right)) = (before.kind, word.kind) else { return 1 };
    usize::from(apart(left, before_role, right) || fuses(before.text, word.text))
}

fn apart(left: &Kind, left_role: Role, right: &Kind) -> bool {
    match (left, right) {
        (Kind::OpenBrace, Kind::CloseBrace) => false,
        (Kind::OpenBrace, _) | (_, Kind::CloseBrace) => true,
        (_, Kind::Comma | Kind::Semi | Kind::Colon | Kind::Close | Kind::CloseBracket) => false,
        (Kind::Open | Kind::OpenBracket, _) => false,
        (Kind::Dot | Kind::DotDot | Kind::At, _) | (_, Kind::Dot | Kind::DotDot | Kind::At) => false,
        _ if left_role == Role::Prefix => false,
        (Kind::CloseBrace, _) => true,
        (Kind::Func, Kind::Open) => false,
        (_, Kind::Open | Kind::OpenBracket) => !left.ends_expression(),
        _ => true,
    }
}

/// Whether two words without a blank between them would be read as others.
fn fuses(left: &str, right: &str) -> bool {
    let name_part = |char: char| char.is_alphanumeric() || char == '_';
    let (Some(last), Some(first)) = (left.chars().next_back(), right.chars().next()) else { return false };
    if name_part(last) && name_part(first) || last == '/' && first == '/' {
        return true;
    }
    // `1 . 5` is not a float.
    if left == "." && first.is_ascii_digit() {
        return true;
    }
    let longest =
        |text: &dyn Fn(&str) -> bool| PUNCTUATION.iter().map(|(punctuation, _)| *punctuation).find(|p| text(p));
    longest(&|p| p.starts_with(left) && p.len() > left.len() && right.starts_with(&p[left.len()..])).is_some()
}
