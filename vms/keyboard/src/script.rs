//! Key scripts: a text file of what to press, and when.
//!
//! ```text
//! # a comment
//! down right        # a key by QEMU's name for it (qcode), until
//! up right
//! text "Hi!\n"      # every character typed on a US layout; escapes \n \t \\ \"
//! wait 100          # milliseconds; a comment may follow any line
//! ```
//!
//! Time begins at 0. Each key event comes [`KEY_GAP`] after what is before it, so that no two share
//! a moment; `wait` adds to that.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use basevm::platform::Nanos;

use crate::source::KeyEvent;
use crate::table::{Key, SHIFT};

/// Time before each key event.
pub const KEY_GAP: Nanos = 10_000_000;
/// The longest single `wait`: a day.
pub const MAX_WAIT_MS: u64 = 86_400_000;
/// Most lines of a script.
pub const MAX_LINES: usize = 100_000;
/// Most characters of one `text`.
pub const MAX_TEXT_CHARS: usize = 10_000;

const NANOS_PER_MS: Nanos = 1_000_000;

/// One line that does something.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// Its number in the file, from 1.
    pub number: usize,
    /// What it does.
    pub action: Action,
}

/// What a line of a script does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// The key goes down or up.
    Key(KeyEvent),
    /// The characters are typed; all of them are on the US layout.
    Text(String),
    /// Nothing happens for so many milliseconds.
    Wait(u64),
}

/// Why a script cannot be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScriptError {
    /// The line's number, from 1.
    pub line: usize,
    /// What is wrong with it and what to write instead.
    pub message: String,
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key script, line {}: {}", self.line, self.message)
    }
}

impl core::error::Error for ScriptError {}

/// Reads a script.
///
/// # Errors
/// The first line that is not as the module's page says.
pub fn parse(text: &str) -> Result<Vec<Line>, ScriptError> {
    let mut lines = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let number = at + 1;
        let line = without_comment(line).trim();
        if line.is_empty() {
            continue;
        }
        if number > MAX_LINES {
            let message = format!("a script has at most {MAX_LINES} lines");
            return Err(ScriptError { line: number, message });
        }
        let action = action(line).map_err(|message| ScriptError { line: number, message })?;
        lines.push(Line { number, action });
    }
    Ok(lines)
}

/// When each key event of a script comes, ascending.
pub fn timed(lines: &[Line]) -> Vec<(Nanos, KeyEvent)> {
    let mut now: Nanos = 0;
    let mut events = Vec::new();
    for line in lines {
        match &line.action {
            Action::Wait(ms) => now = now.saturating_add(ms.saturating_mul(NANOS_PER_MS)),
            Action::Key(event) => press(&mut events, &mut now, *event),
            Action::Text(text) => {
                for (key, shift) in text.chars().filter_map(Key::by_char) {
                    strike(&mut events, &mut now, key, shift);
                }
            }
        }
    }
    events
}

fn press(events: &mut Vec<(Nanos, KeyEvent)>, now: &mut Nanos, event: KeyEvent) {
    *now = now.saturating_add(KEY_GAP);
    events.push((*now, event));
}

fn strike(events: &mut Vec<(Nanos, KeyEvent)>, now: &mut Nanos, key: &Key, shift: bool) {
    let shift = shift.then_some(SHIFT);
    for usage in shift.into_iter().chain([key.usage]) {
        press(events, now, KeyEvent { usage, down: true });
    }
    for usage in [key.usage].into_iter().chain(shift) {
        press(events, now, KeyEvent { usage, down: false });
    }
}

/// The line up to the first `#` that is not inside quotes.
fn without_comment(line: &str) -> &str {
    let (mut quoted, mut escaped) = (false, false);
    for (at, char) in line.char_indices() {
        match char {
            '#' if !quoted => return line.get(..at).unwrap_or(line),
            '"' if !escaped => quoted = !quoted,
            _ => {}
        }
        escaped = quoted && char == '\\' && !escaped;
    }
    line
}

fn action(line: &str) -> Result<Action, String> {
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = rest.trim();
    match word {
        "down" => key(rest).map(|usage| Action::Key(KeyEvent { usage, down: true })),
        "up" => key(rest).map(|usage| Action::Key(KeyEvent { usage, down: false })),
        "text" => typed(rest).map(Action::Text),
        "wait" => wait(rest).map(Action::Wait),
        _ => Err(format!("`{}` is not known; lines begin with down, up, text, wait or #", shown(word))),
    }
}

fn key(name: &str) -> Result<u16, String> {
    let known = Key::by_qcode(name).map(|key| key.usage);
    known.ok_or_else(|| match name {
        "" => "a key's name is missing, as in `down left`".to_string(),
        _ => format!(
            "no key is called `{}`; the names are QEMU's: a, 1, ret, spc, esc, left, shift, f1, ..",
            shown(name)
        ),
    })
}

fn wait(text: &str) -> Result<u64, String> {
    let ms = text.parse::<u64>().ok().filter(|ms| *ms <= MAX_WAIT_MS);
    ms.ok_or_else(|| format!("`wait` takes milliseconds from 0 to {MAX_WAIT_MS}, as in `wait 100`"))
}

fn typed(quoted: &str) -> Result<String, String> {
    let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let inner = inner.ok_or("`text` takes a text in double quotes, as in `text \"hello\"`")?;
    let mut out = String::new();
    let mut chars = inner.chars();
    while let Some(char) = chars.next() {
        let char = match char {
            '\\' => escaped(chars.next())?,
            '"' => return Err("write a double quote inside the text as \\\"".to_string()),
            char => char,
        };
        if Key::by_char(char).is_none() {
            return Err(format!("no key of the US layout types `{}`", char.escape_default()));
        }
        out.push(char);
    }
    match out.chars().count() {
        0..=MAX_TEXT_CHARS => Ok(out),
        _ => Err(format!("a text has at most {MAX_TEXT_CHARS} characters")),
    }
}

fn escaped(char: Option<char>) -> Result<char, String> {
    match char {
        Some('n') => Ok('\n'),
        Some('t') => Ok('\t'),
        Some(char @ ('\\' | '"')) => Ok(char),
        _ => Err("the escapes are \\n, \\t, \\\\ and \\\"".to_string()),
    }
}

/// At most the first 40 characters, made visible.
fn shown(text: &str) -> String {
    text.chars().take(40).flat_map(char::escape_default).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_timed_events() {
        let lines = parse("# house\n\n  down left\nup left\nwait 100\ntext \"aB\\n\"\n").expect("parses");
        assert_eq!(lines.len(), 4);
        assert_eq!(lines[0].number, 3);
        let events = timed(&lines);
        let ms: Vec<u64> = events.iter().map(|(at, _)| at / NANOS_PER_MS).collect();
        assert_eq!(ms, [10, 20, 130, 140, 150, 160, 170, 180, 190, 200]);
        let keys: Vec<(u16, bool)> = events.iter().map(|(_, event)| (event.usage, event.down)).collect();
        let typed =
            [(4, true), (4, false), (0xe1, true), (5, true), (5, false), (0xe1, false), (0x28, true), (0x28, false)];
        assert_eq!(keys[..2], [(0x50, true), (0x50, false)]);
        assert_eq!(keys[2..], typed);
    }

    #[test]
    fn comments_may_follow_and_quotes_may_hold_a_hash() {
        let lines = parse("down a # x \"y\ntext \"# \\\" #\" # z\nwait 5#\n#").expect("parses");
        let text = Action::Text("# \" #".to_string());
        assert_eq!(lines.len(), 3);
        assert_eq!((&lines[1].action, &lines[2].action), (&text, &Action::Wait(5)));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let long = format!("text \"{}\"", "a".repeat(MAX_TEXT_CHARS + 1));
        for (script, line, part) in [
            ("wait 1\npress a", 2, "`press` is not known"),
            ("down", 1, "missing"),
            ("down Left", 1, "no key is called `Left`"),
            ("up \u{202e}x", 1, "\\u{202e}x"),
            ("wait -1", 1, "milliseconds"),
            ("wait 99999999999999999999999", 1, "milliseconds"),
            ("text hello", 1, "double quotes"),
            ("text \"", 1, "double quotes"),
            ("text \"a\\\"", 1, "escapes"),
            ("text \"a\"b\"", 1, "\\\""),
            ("text \"\\x\"", 1, "escapes"),
            ("text \"ä\"", 1, "US layout"),
            (&long, 1, "at most"),
        ] {
            let error = parse(script).expect_err(script);
            assert_eq!(error.line, line, "{script}");
            assert!(error.to_string().contains(part), "{error}");
        }
    }
}
