//! Places in a text: bytes, lines and columns.

/// Where the lines of a text start.
pub struct Lines<'s> {
    source: &'s str,
    starts: Vec<usize>,
}

impl<'s> Lines<'s> {
    /// Of this text.
    pub fn new(source: &'s str) -> Lines<'s> {
        let newlines = source.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Lines { source, starts: std::iter::once(0).chain(newlines.map(|(at, _)| at + 1)).collect() }
    }

    /// A byte's line from 0, and what stands before it on that line.
    fn before(&self, at: u32) -> (usize, &'s str) {
        let mut at = (at as usize).min(self.source.len());
        while !self.source.is_char_boundary(at) {
            at -= 1;
        }
        let line = self.starts.partition_point(|start| *start <= at) - 1;
        (line, self.source.get(self.starts[line]..at).unwrap_or(""))
    }

    /// A byte's line and column, from 1, the column in characters.
    pub fn place(&self, at: u32) -> (usize, usize) {
        let (line, before) = self.before(at);
        (line + 1, before.chars().count() + 1)
    }

    /// A byte as the language server protocol counts: from 0, columns in UTF-16 units.
    pub fn position(&self, at: u32) -> (u32, u32) {
        let (line, before) = self.before(at);
        (line as u32, before.encode_utf16().count() as u32)
    }

    /// The byte at such a position; past a line's end, that end.
    pub fn offset(&self, line: u32, column: u32) -> u32 {
        let Some(start) = self.starts.get(line as usize) else { return self.source.len() as u32 };
        let rest = self.source.get(*start..).unwrap_or("");
        let mut left = column as usize;
        let mut at = *start;
        for char in rest.chars().take_while(|char| !matches!(char, '\n' | '\r')) {
            if left < char.len_utf16() {
                break;
            }
            left -= char.len_utf16();
            at += char.len_utf8();
        }
        at as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_and_offsets_are_inverse() {
        let text = "a\u{e4}\u{1f980}b\r\n\nend";
        let lines = Lines::new(text);
        for (at, char) in text.char_indices().filter(|(_, char)| *char != '\n') {
            let (line, column) = lines.position(at as u32);
            assert_eq!(lines.offset(line, column), at as u32, "{char:?}");
        }
        assert_eq!(lines.position(7), (0, 4), "the crab takes two units");
        assert_eq!(lines.place(7), (1, 4), "and is one character");
        assert_eq!(lines.offset(0, 3), 3, "inside of a character is before it");
        assert_eq!((lines.offset(0, 99), lines.offset(9, 0)), (8, text.len() as u32));
        assert_eq!(lines.position(99), (2, 3));
    }
}
