//! Input bytes as lines of text.

use alloc::string::String;
use alloc::vec::Vec;

/// The longest line; what is longer arrives in parts.
pub const MAX_LINE_BYTES: usize = 4096;

/// Cuts bytes into lines. A line ends with `\n`, `\r` (a serial terminal's return key) or `\r\n`.
#[derive(Default, Debug)]
pub(crate) struct Lines {
    bytes: Vec<u8>,
    /// The last line ended with `\r`: a `\n` right after it belongs to it.
    after_return: bool,
    ended: bool,
}

impl Lines {
    /// Adds what was typed. Called only while no line is complete, so little is ever kept.
    pub fn add(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Nothing will be added: what is left is the last line.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// Takes the next line, without its end. Bytes that are not UTF-8 become U+FFFD.
    pub fn next(&mut self) -> Option<String> {
        self.pass_newline();
        match self.bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            Some(length) if length <= MAX_LINE_BYTES => {
                self.after_return = self.bytes.get(length) == Some(&b'\r');
                Some(self.cut(length, 1))
            }
            _ if self.bytes.len() > MAX_LINE_BYTES => Some(self.cut(self.boundary(), 0)),
            _ if self.ended && !self.bytes.is_empty() => Some(self.cut(self.bytes.len(), 0)),
            _ => None,
        }
    }

    /// Passes over a `\n` that belongs to the line before.
    fn pass_newline(&mut self) {
        if self.after_return && !self.bytes.is_empty() {
            self.after_return = false;
            if self.bytes.first() == Some(&b'\n') {
                self.bytes.remove(0);
            }
        }
    }

    /// Takes bytes as they came, and says how many. What a line before has left is first.
    pub fn take_bytes(&mut self, into: &mut [u8]) -> usize {
        self.pass_newline();
        let count = self.bytes.len().min(into.len());
        for (place, byte) in into.iter_mut().zip(self.bytes.drain(..count)) {
            *place = byte;
        }
        count
    }

    /// Bytes that can be taken.
    pub fn len(&mut self) -> usize {
        self.pass_newline();
        self.bytes.len()
    }

    /// The last place in a line that is too long where no character is cut in two.
    fn boundary(&self) -> usize {
        let starts = |at: &usize| self.bytes.get(*at).is_some_and(|byte| byte & 0xc0 != 0x80);
        (MAX_LINE_BYTES - 3..=MAX_LINE_BYTES).rev().find(starts).unwrap_or(MAX_LINE_BYTES)
    }

    fn cut(&mut self, length: usize, end: usize) -> String {
        let line = String::from_utf8_lossy(self.bytes.get(..length).unwrap_or_default()).into_owned();
        self.bytes.drain(..(length + end).min(self.bytes.len()));
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec;

    fn all(parts: &[&[u8]]) -> Vec<String> {
        let mut lines = Lines::default();
        let mut out = Vec::new();
        for part in parts {
            lines.add(part);
            out.extend(core::iter::from_fn(|| lines.next()));
        }
        lines.end();
        out.extend(core::iter::from_fn(|| lines.next()));
        out
    }

    #[test]
    fn every_line_end_is_understood_wherever_it_is_cut() {
        assert_eq!(all(&[b"a\nb\r\nc\rd"]), ["a", "b", "c", "d"]);
        assert_eq!(all(&[b"a\r", b"\nb\n", b"\n"]), ["a", "b", ""]);
        assert_eq!(all(&[b"\r\r\n\n"]), ["", "", ""]);
        assert_eq!(all(&[b"ha", b"lf"]), ["half"]);
        assert_eq!(all(&[]), Vec::<String>::new());
    }

    #[test]
    fn bytes_are_taken_as_they_came_and_lines_go_on_behind_them() {
        let mut lines = Lines::default();
        let mut bytes = [0; 4];
        assert_eq!(lines.take_bytes(&mut bytes), 0);
        lines.add(b"a\r\n\xff\nbc\nd");
        assert_eq!(lines.next().as_deref(), Some("a"));
        assert_eq!((lines.take_bytes(&mut bytes), &bytes), (4, b"\xff\nbc"));
        assert_eq!(lines.next().as_deref(), Some(""));
        lines.add(b"e\r");
        assert_eq!(lines.next().as_deref(), Some("de"));
        assert_eq!(lines.take_bytes(&mut bytes), 0);
        lines.add(b"\nf");
        assert_eq!((lines.take_bytes(&mut bytes), bytes[0]), (1, b'f'), "the end of a line may come later");
    }

    #[test]
    fn long_lines_come_in_parts_and_bad_bytes_are_replaced() {
        assert_eq!(all(&[b"a\xffb\n"]), ["a\u{fffd}b"]);
        let long = "é".repeat(3000);
        let parts = all(&[b"x", long.as_bytes(), b"\n"]);
        assert_eq!(parts.concat(), "x".to_string() + &long);
        assert!(parts.len() == 2 && parts.iter().all(|part| part.len() <= MAX_LINE_BYTES));
        let junk = vec![0x80; 10_000];
        assert_eq!(all(&[&junk]).concat().chars().count(), 10_000);
    }
}
