//! Text on the canvas: one bitmap font of fixed width, the same glyphs on every platform.

use noto_sans_mono_bitmap::{FontWeight, RasterHeight, RasterizedChar, get_raster, get_raster_width};

use crate::canvas::{Canvas, rgb};

const WEIGHT: FontWeight = FontWeight::Regular;
const HEIGHT: RasterHeight = RasterHeight::Size16;

/// Pixels from one character to the next.
pub const GLYPH_WIDTH: usize = get_raster_width(WEIGHT, HEIGHT);
/// Pixels from one line to the next.
pub const GLYPH_HEIGHT: usize = HEIGHT.val();

impl Canvas {
    /// Draws text with its left top corner at (x, y). A `\n` starts a new line below, at `x`;
    /// characters that the font does not have are drawn as U+FFFD.
    pub fn text(&mut self, x: i32, y: i32, text: &str, color: i32) {
        let color = rgb(color);
        let (mut left, mut top) = (i64::from(x), i64::from(y));
        for char in text.chars() {
            if char == '\n' {
                left = i64::from(x);
                top += GLYPH_HEIGHT as i64;
                continue;
            }
            if self.may_show(left, top)
                && let Some(glyph) = raster(char)
            {
                self.mix((left, top), glyph.width(), glyph.rows(), color);
            }
            left += GLYPH_WIDTH as i64;
        }
    }

    fn may_show(&self, left: i64, top: i64) -> bool {
        let columns = -(GLYPH_WIDTH as i64)..self.width() as i64;
        let rows = -(GLYPH_HEIGHT as i64)..self.height() as i64;
        columns.contains(&left) && rows.contains(&top)
    }
}

fn raster(char: char) -> Option<RasterizedChar> {
    get_raster(char, WEIGHT, HEIGHT).or_else(|| get_raster(char::REPLACEMENT_CHARACTER, WEIGHT, HEIGHT))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ink(canvas: &Canvas) -> usize {
        canvas.pixels().iter().filter(|pixel| **pixel != 0).count()
    }

    #[test]
    fn characters_have_one_width_and_lines_one_height() {
        let mut one = Canvas::new(100, 40);
        one.text(GLYPH_WIDTH as i32, GLYPH_HEIGHT as i32, "g", 0xff_ffff);
        let mut two = Canvas::new(100, 40);
        two.text(0, 0, " \n g", 0xff_ffff);
        assert!(ink(&one) > 10);
        assert_eq!(one.pixels(), two.pixels());
    }

    #[test]
    fn text_is_clipped_and_every_character_is_drawn() {
        let mut canvas = Canvas::new(10, 10);
        for (x, y) in [(i32::MIN, i32::MIN), (i32::MAX, i32::MAX), (i32::MIN, 0), (0, i32::MAX), (10, 0), (0, 10)] {
            canvas.text(x, y, "clip\nped", 1);
        }
        assert_eq!(ink(&canvas), 0);
        canvas.text(-3, -4, "W", 1);
        assert!(ink(&canvas) > 0);
        for char in ["A", "ß", "\u{1F600}", "\t", "\u{fffd}"] {
            let mut canvas = Canvas::new(10, 20);
            canvas.text(0, 0, char, 0xffffff);
            assert!(ink(&canvas) > 5, "{char:?}");
        }
    }
}
