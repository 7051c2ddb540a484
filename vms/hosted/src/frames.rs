//! Screens without a window: the last frame in memory, for PNG files and hashes, and all frames in
//! a raw file.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use il::trap::Status;
use vm_display::{Frame, Screen, frame_hash};

use crate::ring::{Ring, locked};

/// Frames that wait for the raw file; then `present` waits, since no frame may be missing.
const RAW_FRAMES: usize = 3;

#[derive(Default, Debug)]
struct Kept {
    pixels: Vec<u32>,
    width: u32,
    height: u32,
    number: u64,
}

/// A screen that nobody sees: it keeps the last frame presented.
#[derive(Debug)]
pub struct Headless(Arc<Mutex<Kept>>);

/// The last frame of a [`Headless`] screen; also after the VM has ended.
#[derive(Clone, Debug)]
pub struct KeptFrame(Arc<Mutex<Kept>>);

impl Headless {
    /// A screen for frames of this size (others cost a fresh copy), and the frame that it keeps.
    pub fn new(width: u32, height: u32) -> (Headless, KeptFrame) {
        let pixels = Vec::with_capacity(width as usize * height as usize);
        let kept = Arc::new(Mutex::new(Kept { pixels, ..Kept::default() }));
        (Headless(kept.clone()), KeptFrame(kept))
    }
}

impl Screen for Headless {
    fn present(&mut self, frame: &Frame<'_>) -> Result<(), Status> {
        let mut kept = locked(&self.0);
        kept.pixels.clear();
        kept.pixels.extend_from_slice(frame.pixels);
        (kept.width, kept.height, kept.number) = (frame.width, frame.height, frame.number);
        Ok(())
    }
}

impl KeptFrame {
    /// Its number; 0 if none was presented.
    pub fn number(&self) -> u64 {
        locked(&self.0).number
    }

    /// Its hash, if there is one.
    pub fn hash(&self) -> Option<[u8; 32]> {
        let kept = locked(&self.0);
        (kept.number > 0).then(|| frame_hash(kept.width, kept.height, &kept.pixels))
    }

    /// Writes it as a PNG file, which appears whole or not at all; false if there is none.
    ///
    /// # Errors
    /// If the file cannot be written; what was there before is then still there.
    pub fn write_png(&self, path: &Path) -> io::Result<bool> {
        let kept = locked(&self.0);
        if kept.number == 0 {
            return Ok(false);
        }
        let part = part_of(path);
        let written = write_png(&part, &kept).and_then(|()| std::fs::rename(&part, path));
        if written.is_err() {
            // The error of the write is what counts.
            let _ = std::fs::remove_file(&part);
        }
        written.map(|()| true)
    }
}

/// The name under which a file is written before it is whole: beside it, on the same file system.
fn part_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.part", std::process::id()));
    path.with_file_name(name)
}

fn write_png(path: &Path, kept: &Kept) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    let mut encoder = png::Encoder::new(&mut file, kept.width, kept.height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let rgb: Vec<u8> = kept.pixels.iter().flat_map(|pixel| pixel.to_be_bytes().into_iter().skip(1)).collect();
    encoder.write_header().and_then(|mut writer| writer.write_image_data(&rgb)).map_err(io::Error::other)?;
    file.flush()
}

/// A screen that appends every frame to a file: rows from the top, four bytes a pixel (blue, green,
/// red, 0), as `blit` takes them.
#[derive(Debug)]
pub struct RawFrames {
    shared: Arc<Raw>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Raw {
    full: Ring<Vec<u8>>,
    empty: Ring<Vec<u8>>,
    error: Mutex<Option<io::Error>>,
}

impl RawFrames {
    /// Creates the file, or empties it; `width` and `height` are those of the frames to come.
    ///
    /// # Errors
    /// If the file cannot be created.
    pub fn create(path: &Path, width: u32, height: u32) -> io::Result<RawFrames> {
        let file = File::create(path)?;
        let shared =
            Arc::new(Raw { full: Ring::new(RAW_FRAMES), empty: Ring::new(RAW_FRAMES), error: Mutex::new(None) });
        for _ in 0..RAW_FRAMES {
            let _ = shared.empty.try_push(Vec::with_capacity(width as usize * height as usize * 4));
        }
        let thread = std::thread::Builder::new().name("raw-frames".into()).spawn({
            let shared = shared.clone();
            move || shared.write_all(file)
        })?;
        Ok(RawFrames { shared, thread: Some(thread) })
    }
}

impl Raw {
    fn write_all(&self, mut file: File) {
        while let Some(frame) = self.full.pop() {
            if let Err(why) = file.write_all(&frame) {
                *locked(&self.error) = Some(why);
                self.empty.close();
                return;
            }
            let _ = self.empty.try_push(frame);
        }
    }
}

impl Screen for RawFrames {
    fn present(&mut self, frame: &Frame<'_>) -> Result<(), Status> {
        let mut bytes = self.shared.empty.pop().ok_or(Status::DeviceError)?;
        bytes.clear();
        bytes.extend(frame.pixels.iter().flat_map(|pixel| pixel.to_le_bytes()));
        self.shared.full.push(bytes).map_err(|_| Status::DeviceError)
    }
}

impl Drop for RawFrames {
    /// Waits until every frame is in the file.
    fn drop(&mut self) {
        self.shared.full.close();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
