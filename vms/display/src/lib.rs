//! The display VM: `cascade.display@1` over a [`Screen`].
//!
//! It draws into its own back buffer, in software and in integers only, so that every platform
//! shows the same pixels; `present` hands the whole frame to the screen. Whatever a program asks
//! for is clipped: no coordinate or size can make it panic, and no instruction takes longer than
//! its picture is large.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;

mod canvas;
mod hash;
mod screen;
mod text;

pub use canvas::{Canvas, Rect};
pub use hash::frame_hash;
pub use screen::{Frame, Screen};
pub use text::{GLYPH_HEIGHT, GLYPH_WIDTH};

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use basevm::service::{Grid, Hello, Host, Outcome, Reply, Request, Service};
use il::isa::GridInstruction;
use il::packet::Value;
use il::trap::Status;
use isa::display::{GRID, Op, SET, event, reply};

/// Width of the screen unless asked otherwise.
pub const DEFAULT_WIDTH: u32 = 640;
/// Height of the screen unless asked otherwise.
pub const DEFAULT_HEIGHT: u32 = 480;
/// The longest side that a screen may have.
pub const MAX_SIDE: u32 = 8192;

/// The display VM.
pub struct Display {
    canvas: Canvas,
    screen: Box<dyn Screen>,
    frames: u64,
}

impl Display {
    /// A display of `width` x `height` pixels, black. Sides are limited to 1 to [`MAX_SIDE`].
    pub fn new(screen: Box<dyn Screen>, width: u32, height: u32) -> Display {
        Display { canvas: Canvas::new(side(width), side(height)), screen, frames: 0 }
    }

    fn run(&mut self, request: Request<'_>) -> Result<Reply, Status> {
        match Op::decode(request.opcode, request.words)? {
            Op::Size => {
                return Ok(results(&reply::size(self.canvas.width() as i32, self.canvas.height() as i32)));
            }
            Op::Clear { color } => self.canvas.clear(color),
            Op::SetPixel { x, y, color } => self.canvas.set_pixel(x, y, color),
            Op::FillRect { x, y, w, h, color } => self.canvas.fill_rect(Rect { x, y, w, h }, color),
            Op::Line { x0, y0, x1, y1, color } => self.canvas.line((x0, y0), (x1, y1), color),
            Op::Text { x, y, text, color } => self.canvas.text(x, y, text, color),
            Op::Blit { x, y, w, h, pixels } => {
                let pixels = pixels.take(request.attachments)?.buf()?;
                self.canvas.blit(Rect { x, y, w, h }, &pixels)?;
            }
            Op::Present => return self.present(),
            Op::GetPixel { x, y } => {
                let color = self.canvas.pixel(x, y).ok_or(Status::OutOfRange)?;
                return Ok(results(&reply::get_pixel(color)));
            }
        }
        Ok(Reply::none())
    }

    fn present(&mut self) -> Result<Reply, Status> {
        let number = self.frames + 1;
        self.screen.present(&Frame {
            pixels: self.canvas.pixels(),
            width: self.canvas.width() as u32,
            height: self.canvas.height() as u32,
            number,
        })?;
        self.frames = number;
        Ok(results(&reply::present(number as i64)))
    }
}

impl Service for Display {
    fn hello(&self) -> Hello {
        Hello { name: String::from("display"), provides: &SET }
    }

    fn start(&mut self, host: &mut dyn Host) -> Result<(), Status> {
        self.screen.start(host.waker())?;
        host.set_pending(self.screen.is_live());
        Ok(())
    }

    fn execute(&mut self, _host: &mut dyn Host, request: Request<'_>) -> Outcome {
        match self.run(request) {
            Ok(reply) => Outcome::Done(reply),
            Err(status) => Outcome::Fail(status),
        }
    }

    fn grid_instructions(&self) -> &'static [GridInstruction] {
        GRID
    }

    fn grid(&mut self) -> Option<Grid<'_>> {
        let (width, height) = (self.canvas.width() as u32, self.canvas.height() as u32);
        Grid::new(self.canvas.pixels_mut(), width, height)
    }

    fn wake(&mut self, host: &mut dyn Host) {
        if let Some((width, height)) = self.screen.resized() {
            self.canvas = Canvas::new(side(width), side(height));
            let (w, h) = (self.canvas.width() as i32, self.canvas.height() as i32);
            host.emit(event::RESIZED, &event::resized(w, h));
        }
        host.set_pending(self.screen.is_live());
    }
}

fn side(pixels: u32) -> usize {
    pixels.clamp(1, MAX_SIDE) as usize
}

fn results(values: &[Value<'_>]) -> Reply {
    Reply::new(values, Vec::new())
}
