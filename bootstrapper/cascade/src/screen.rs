//! Frames as files: reading what QEMU's screen dump wrote, writing PNG.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use anyhow::{Context, bail};
use bootstrapper::control::Hash;

/// Widest and highest picture that is read.
const MAX_SIDE: u32 = 16384;

/// A frame as red, green, blue bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Picture {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Three bytes a pixel, row by row.
    pub rgb: Vec<u8>,
}

impl Picture {
    /// Reads a binary PPM (`P6`, 8 bits).
    ///
    /// # Errors
    /// Anything else.
    pub fn from_ppm(bytes: &[u8]) -> anyhow::Result<Picture> {
        let mut rest = bytes;
        let magic = token(&mut rest);
        let mut number = || -> Option<u32> { std::str::from_utf8(token(&mut rest)?).ok()?.parse().ok() };
        let sizes = (number(), number(), number());
        let (Some(b"P6"), (Some(width), Some(height), Some(255))) = (magic, sizes) else {
            bail!("the screen dump is not a PPM picture of 8 bits a colour");
        };
        if width > MAX_SIDE || height > MAX_SIDE {
            bail!("the screen dump claims to be {width} x {height} pixels");
        }
        let length = width as usize * height as usize * 3;
        let rgb = rest.get(1..).and_then(|pixels| pixels.get(..length)).context("the screen dump is cut short")?;
        Ok(Picture { width, height, rgb: rgb.to_vec() })
    }

    /// Its hash, as the display VM's own frames are hashed.
    pub fn hash(&self) -> Hash {
        let pixel = |rgb: &[u8; 3]| u32::from_be_bytes([0, rgb[0], rgb[1], rgb[2]]);
        let pixels: Vec<u32> = self.rgb.as_chunks().0.iter().map(pixel).collect();
        Hash(vm_display::frame_hash(self.width, self.height, &pixels))
    }

    /// Writes it as a PNG file.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write_png(&self, file: &Path) -> anyhow::Result<()> {
        let cannot = || format!("cannot write `{}`", file.display());
        let mut encoder =
            png::Encoder::new(BufWriter::new(File::create(file).with_context(cannot)?), self.width, self.height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.write_header().and_then(|mut writer| writer.write_image_data(&self.rgb)).with_context(cannot)
    }
}

/// The next word of a PPM header; comments are skipped.
fn token<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    loop {
        *rest = rest.trim_ascii_start();
        if rest.first() != Some(&b'#') {
            break;
        }
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        *rest = rest.get(end..)?;
    }
    let end = rest.iter().position(u8::is_ascii_whitespace)?;
    let (word, after) = rest.split_at_checked(end)?;
    *rest = after;
    Some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_screen_dump_is_read_whole_or_not_at_all() {
        let dump = b"P6\n# QEMU\n2 1\n255\n\x0a\x20\x0d\x01\x02\x03";
        let picture = Picture::from_ppm(dump).unwrap();
        assert_eq!((picture.width, picture.height, picture.rgb.as_slice()), (2, 1, &dump[18..]));
        for end in 0..dump.len() {
            assert!(Picture::from_ppm(&dump[..end]).is_err(), "{end} bytes");
        }
        assert!(Picture::from_ppm(b"P6 99999 99999 255 ").is_err());
        assert!(Picture::from_ppm(b"P5 1 1 255 .").is_err());
    }
}
