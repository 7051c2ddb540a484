//! The software renderer: a back buffer, and the clipped operations on it.
//!
//! All coordinates are widened to 64 bits before they are added, and clipped to the canvas before
//! anything is touched, so work is bounded by the canvas and not by what the operands say.

use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use il::trap::Status;

/// The bits of a colour that count.
const RGB: u32 = 0x00ff_ffff;

/// A rectangle as a program gives it: it may lie anywhere, and its size may be negative.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rect {
    /// Left edge.
    pub x: i32,
    /// Top edge.
    pub y: i32,
    /// Width; nothing if it is not positive.
    pub w: i32,
    /// Height; nothing if it is not positive.
    pub h: i32,
}

/// A back buffer of 0x00RRGGBB pixels.
#[derive(Clone, Debug)]
pub struct Canvas {
    pixels: Vec<u32>,
    width: usize,
    height: usize,
}

impl Canvas {
    /// A black canvas.
    pub fn new(width: usize, height: usize) -> Canvas {
        Canvas { pixels: vec![0; width.saturating_mul(height)], width, height }
    }

    /// Pixels a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// All pixels, row by row.
    pub fn pixels(&self) -> &[u32] {
        &self.pixels
    }

    /// The same, to be written: colours without their top byte.
    pub(crate) fn pixels_mut(&mut self) -> &mut [u32] {
        &mut self.pixels
    }

    /// Fills everything.
    pub fn clear(&mut self, color: i32) {
        self.pixels.fill(rgb(color));
    }

    /// Sets one pixel.
    pub fn set_pixel(&mut self, x: i32, y: i32, color: i32) {
        self.put(i64::from(x), i64::from(y), rgb(color));
    }

    /// The colour of a pixel; `None` outside.
    pub fn pixel(&self, x: i32, y: i32) -> Option<i32> {
        let at = self.index(i64::from(x), i64::from(y))?;
        self.pixels.get(at).map(|pixel| *pixel as i32)
    }

    /// Fills a rectangle.
    pub fn fill_rect(&mut self, rect: Rect, color: i32) {
        let columns = clip(rect.x, rect.w, self.width);
        let rows = clip(rect.y, rect.h, self.height);
        let color = rgb(color);
        if columns.len() == self.width {
            self.pixels[rows.start * self.width..rows.end * self.width].fill(color);
        } else if !columns.is_empty() {
            for row in self.rows(rows) {
                row[columns.clone()].fill(color);
            }
        }
    }

    /// Draws a line, both ends included. Step `i` of the longer axis lies at the rounded place of the
    /// shorter one (Bresenham); the steps outside the canvas are skipped at once, not walked.
    pub fn line(&mut self, from: (i32, i32), to: (i32, i32), color: i32) {
        let (x0, y0) = (i64::from(from.0), i64::from(from.1));
        let (dx, dy) = (i64::from(to.0) - x0, i64::from(to.1) - y0);
        let color = rgb(color);
        if dx.abs() >= dy.abs() {
            for (x, y) in steps((x0, dx), (y0, dy), self.width) {
                self.put(x, y, color);
            }
        } else {
            for (y, x) in steps((y0, dy), (x0, dx), self.height) {
                self.put(x, y, color);
            }
        }
    }

    /// Copies `w * h` little-endian pixels to a rectangle.
    ///
    /// # Errors
    /// `BadOperand` if `bytes` has another length.
    pub fn blit(&mut self, rect: Rect, bytes: &[u8]) -> Result<(), Status> {
        let (w, h) = (i64::from(rect.w.max(0)), i64::from(rect.h.max(0)));
        if (w * h).checked_mul(4) != i64::try_from(bytes.len()).ok() {
            return Err(Status::BadOperand);
        }
        let columns = clip(rect.x, rect.w, self.width);
        let rows = clip(rect.y, rect.h, self.height);
        if columns.is_empty() || rows.is_empty() {
            return Ok(());
        }
        let skipped_columns = (columns.start as i64 - i64::from(rect.x)) as usize;
        let skipped_rows = (rows.start as i64 - i64::from(rect.y)) as usize;
        let sources = bytes.chunks_exact(w as usize * 4).skip(skipped_rows);
        for (row, source) in self.rows(rows).zip(sources) {
            copy_row(&mut row[columns.clone()], &source[skipped_columns * 4..]);
        }
        Ok(())
    }

    /// Mixes a colour into a rectangle of `width` columns whose rows are given as coverage: 0 leaves
    /// a pixel, 255 replaces it.
    pub(crate) fn mix<'a>(
        &mut self,
        (left, top): (i64, i64),
        width: usize,
        coverage: impl ExactSizeIterator<Item = &'a [u8]>,
        color: u32,
    ) {
        let columns = clip(left, width as i64, self.width);
        let rows = clip(top, coverage.len() as i64, self.height);
        if columns.is_empty() || rows.is_empty() {
            return;
        }
        let skipped_columns = (columns.start as i64 - left) as usize;
        let skipped_rows = (rows.start as i64 - top) as usize;
        for (row, coverage) in self.rows(rows).zip(coverage.skip(skipped_rows)) {
            let coverage = coverage.get(skipped_columns..).unwrap_or_default();
            for (pixel, coverage) in row[columns.clone()].iter_mut().zip(coverage) {
                *pixel = mixed(*pixel, color, u32::from(*coverage));
            }
        }
    }

    fn put(&mut self, x: i64, y: i64, color: u32) {
        if let Some(pixel) = self.index(x, y).and_then(|at| self.pixels.get_mut(at)) {
            *pixel = color;
        }
    }

    fn index(&self, x: i64, y: i64) -> Option<usize> {
        let x = usize::try_from(x).ok().filter(|x| *x < self.width)?;
        let y = usize::try_from(y).ok().filter(|y| *y < self.height)?;
        Some(y * self.width + x)
    }

    fn rows(&mut self, rows: Range<usize>) -> core::slice::ChunksExactMut<'_, u32> {
        self.pixels[rows.start * self.width..rows.end * self.width].chunks_exact_mut(self.width)
    }
}

/// A colour without its top byte.
pub(crate) fn rgb(color: i32) -> u32 {
    color as u32 & RGB
}

/// The part of `start..start + length` that lies in `0..limit`; empty ranges are `0..0`.
fn clip(start: impl Into<i64>, length: impl Into<i64>, limit: usize) -> Range<usize> {
    let (start, limit) = (start.into(), limit as i64);
    let end = start.saturating_add(length.into()).clamp(0, limit);
    let start = start.clamp(0, limit);
    if start < end { start as usize..end as usize } else { 0..0 }
}

/// The points (along the major axis, along the minor axis) of a line whose major coordinate lies in
/// `0..limit`. Each axis is (start, signed length); the major one is at least as long.
fn steps(major: (i64, i64), minor: (i64, i64), limit: usize) -> impl Iterator<Item = (i64, i64)> {
    let (length, rise) = (major.1.abs(), minor.1.abs());
    let (along, across) = (major.1.signum(), minor.1.signum());
    let last_inside = limit as i64 - 1;
    // Step i lies at major.0 + along * i: the first and last i inside.
    let (first, last) = match along {
        0 if (0..=last_inside).contains(&major.0) => (0, 0),
        0 => (0, -1),
        1 => ((-major.0).max(0), length.min(last_inside - major.0)),
        _ => ((major.0 - last_inside).max(0), length.min(major.0)),
    };
    // Step i lies (2 * rise * i + length) / (2 * length) across: exact at the first, then carried on.
    let whole = 2 * length.max(1);
    let start = 2 * i128::from(rise) * i128::from(first) + i128::from(length);
    let mut offset = (start / i128::from(whole)) as i64;
    let mut rest = (start % i128::from(whole)) as i64;
    (first..=last).map(move |i| {
        let point = (major.0 + along * i, minor.0 + across * offset);
        rest += 2 * rise;
        if rest >= whole {
            rest -= whole;
            offset += 1;
        }
        point
    })
}

fn copy_row(row: &mut [u32], bytes: &[u8]) {
    for (pixel, word) in row.iter_mut().zip(bytes.as_chunks::<4>().0) {
        *pixel = u32::from_le_bytes(*word) & RGB;
    }
}

/// Each channel `old + (new - old) * coverage / 255`, rounded.
fn mixed(old: u32, new: u32, coverage: u32) -> u32 {
    match coverage {
        0 => return old,
        255 => return new,
        _ => {}
    }
    let channel = |shift: u32| {
        let (old, new) = (old >> shift & 0xff, new >> shift & 0xff);
        ((old * (255 - coverage) + new * coverage + 127) / 255) << shift
    };
    channel(16) | channel(8) | channel(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pixels that are not black, as (x, y).
    fn drawn(canvas: &Canvas) -> Vec<(usize, usize)> {
        let all = (0..canvas.height).flat_map(|y| (0..canvas.width).map(move |x| (x, y)));
        all.filter(|(x, y)| canvas.pixels[y * canvas.width + x] != 0).collect()
    }

    #[test]
    fn rectangles_are_clipped_on_every_side() {
        let mut canvas = Canvas::new(4, 3);
        canvas.fill_rect(Rect { x: -5, y: -5, w: 7, h: 7 }, 1);
        assert_eq!(drawn(&canvas), [(0, 0), (1, 0), (0, 1), (1, 1)]);
        let mut canvas = Canvas::new(4, 3);
        canvas.fill_rect(Rect { x: 3, y: 2, w: i32::MAX, h: i32::MAX }, 1);
        assert_eq!(drawn(&canvas), [(3, 2)]);
        for rect in [
            Rect { x: 0, y: 0, w: 0, h: 3 },
            Rect { x: 2, y: 2, w: -2, h: -2 },
            Rect { x: i32::MAX, y: 0, w: i32::MAX, h: 1 },
            Rect { x: i32::MIN, y: i32::MIN, w: i32::MIN, h: i32::MAX },
        ] {
            let mut canvas = Canvas::new(4, 3);
            canvas.fill_rect(rect, 1);
            assert_eq!(drawn(&canvas), [], "{rect:?}");
        }
        let mut canvas = Canvas::new(4, 3);
        canvas.fill_rect(Rect { x: i32::MIN, y: 0, w: i32::MAX, h: 3 }, 1);
        assert_eq!(drawn(&canvas), []);
    }

    #[test]
    fn lines_have_both_ends_and_one_pixel_a_step() {
        let mut canvas = Canvas::new(8, 8);
        canvas.line((1, 1), (6, 3), 1);
        assert_eq!(drawn(&canvas), [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3), (6, 3)]);
        let mut canvas = Canvas::new(8, 8);
        canvas.line((2, 6), (2, 4), 1);
        assert_eq!(drawn(&canvas), [(2, 4), (2, 5), (2, 6)]);
        let mut canvas = Canvas::new(8, 8);
        canvas.line((5, 5), (5, 5), 1);
        assert_eq!(drawn(&canvas), [(5, 5)]);
    }

    /// A clipped line has exactly the pixels that the whole line has there, and is drawn at once.
    #[test]
    fn clipping_does_not_bend_lines() {
        let shifted = |from: (i32, i32), to: (i32, i32), by: i32| {
            let mut large = Canvas::new(200, 200);
            large.line((from.0 + by, from.1 + by), (to.0 + by, to.1 + by), 1);
            let inside = |(x, y): (usize, usize)| {
                let (x, y) = (x as i32 - by, y as i32 - by);
                ((0..20).contains(&x) && (0..20).contains(&y)).then_some((x as usize, y as usize))
            };
            drawn(&large).into_iter().filter_map(inside).collect::<Vec<_>>()
        };
        for (from, to) in [
            ((-60, -13), (75, 44)),
            ((75, 44), (-60, -13)),
            ((-3, 90), (22, -70)),
            ((19, -80), (1, 99)),
            ((-9, 5), (40, 5)),
        ] {
            let mut small = Canvas::new(20, 20);
            small.line(from, to, 1);
            assert!(!drawn(&small).is_empty());
            assert_eq!(drawn(&small), shifted(from, to, 90), "{from:?} to {to:?}");
        }
        let mut canvas = Canvas::new(640, 480);
        for _ in 0..1000 {
            canvas.line((i32::MIN, i32::MIN), (i32::MAX, i32::MAX), 1);
            canvas.line((i32::MAX, i32::MIN), (i32::MIN, i32::MAX), 1);
            canvas.line((i32::MIN, 0), (i32::MIN, i32::MAX), 1);
        }
        assert_eq!(canvas.pixel(100, 100), Some(1));
        assert_eq!(canvas.pixel(0, 100), Some(0));
    }

    #[test]
    fn blits_are_clipped_and_checked() {
        let bytes: Vec<u8> = (0..6u32).flat_map(|n| (0xff00_0001 + n).to_le_bytes()).collect();
        let mut canvas = Canvas::new(3, 2);
        assert_eq!(canvas.blit(Rect { x: -1, y: -1, w: 3, h: 2 }, &bytes), Ok(()));
        assert_eq!(canvas.pixels(), [5, 6, 0, 0, 0, 0], "the top byte is dropped");
        let mut canvas = Canvas::new(3, 2);
        assert_eq!(canvas.blit(Rect { x: 2, y: 1, w: 2, h: 3 }, &bytes), Ok(()));
        assert_eq!(canvas.pixels(), [0, 0, 0, 0, 0, 1]);
        assert_eq!(canvas.blit(Rect { x: i32::MAX, y: i32::MIN, w: 3, h: 2 }, &bytes), Ok(()));
        for (w, h) in [(2, 2), (-3, -2), (i32::MAX, i32::MAX), (0x4000_0000, 4), (6, 0)] {
            assert_eq!(canvas.blit(Rect { x: 0, y: 0, w, h }, &bytes), Err(Status::BadOperand), "{w} x {h}");
        }
        assert_eq!(canvas.blit(Rect { x: 0, y: 0, w: 0, h: -4 }, &[]), Ok(()));
    }
}
