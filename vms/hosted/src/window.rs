//! A window of the parent OS, on its X11 or Wayland server.
//!
//! The window belongs to the main thread, the base's core runs on another. `present` copies the
//! frame aside and returns; the window looks for a new one sixty times a second and shows the
//! newest. Its keys go into the keyboard VM's queue.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use basevm::service::Waker;
use il::trap::Status;
use vm_display::{Frame, Screen};
use vm_keyboard::KeyEvent;
use winit::application::ApplicationHandler;
use winit::dpi::LogicalSize;
use winit::event::{ElementState, StartCause, WindowEvent};
use winit::event_loop::{ActiveEventLoop, ControlFlow, EventLoop};
use winit::keyboard::PhysicalKey;
use winit::window::{Window as OsWindow, WindowId};

use crate::keys::{KeyQueue, ScriptKeys};
use crate::ring::{Bell, locked};
use crate::window_keys::usage;

/// Time between two looks for a new frame.
const TICK: Duration = Duration::from_micros(16_667);
/// The environment variables that name a display server.
const SERVERS: [&str; 3] = ["DISPLAY", "WAYLAND_DISPLAY", "WAYLAND_SOCKET"];
/// The colour around a frame that does not fill the window.
const BORDER: u32 = 0x0020_2020;

/// There is no window: the reason, for people. The caller goes on without one.
#[derive(Debug)]
pub struct WindowError(String);

impl std::fmt::Display for WindowError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "no window: {}", self.0)
    }
}

impl std::error::Error for WindowError {}

/// What a window's life has come to.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Stage {
    /// The system runs.
    Open = 0,
    /// The system has ended; the last frame stays until a person closes the window.
    Ended = 1,
    /// The window is gone or going.
    Closed = 2,
}

/// The newest frame, and how far the window has come.
#[derive(Debug)]
struct Shared {
    shot: Mutex<Shot>,
    stage: AtomicU8,
    bell: Bell,
}

#[derive(Debug)]
struct Shot {
    pixels: Vec<u32>,
    width: u32,
    height: u32,
    fresh: bool,
}

impl Shared {
    fn stage(&self) -> Stage {
        match self.stage.load(Ordering::Acquire) {
            0 => Stage::Open,
            1 => Stage::Ended,
            _ => Stage::Closed,
        }
    }

    fn reach(&self, stage: Stage) {
        self.stage.fetch_max(stage as u8, Ordering::AcqRel);
        self.bell.ring();
    }
}

/// A window that is not shown yet; it belongs to the main thread.
pub struct Window {
    events: EventLoop<()>,
    title: String,
    shared: Arc<Shared>,
    keys: ScriptKeys,
}

/// The window's ends for the device VMs and for whoever runs them.
pub struct WindowBackends {
    /// For the display VM.
    pub screen: WindowScreen,
    /// For the keyboard VM.
    pub keys: KeyQueue,
    /// The same queue's other end: key scripts may type too.
    pub press: ScriptKeys,
    /// To close the window from another thread.
    pub handle: WindowHandle,
}

/// The display VM's end of a window.
#[derive(Debug)]
pub struct WindowScreen(Arc<Shared>);

/// Ends a window, from any thread.
#[derive(Clone, Debug)]
pub struct WindowHandle(Arc<Shared>);

impl WindowHandle {
    /// The system has ended: the window keeps its last frame, says so in its title, and waits to be
    /// closed.
    pub fn linger(&self) {
        self.0.reach(Stage::Ended);
    }

    /// Closes the window; [`Window::run`] returns.
    pub fn close(&self) {
        self.0.reach(Stage::Closed);
    }
}

impl Screen for WindowScreen {
    fn start(&mut self, waker: Waker) -> Result<(), Status> {
        self.0.bell.set(waker);
        Ok(())
    }

    fn present(&mut self, frame: &Frame<'_>) -> Result<(), Status> {
        // The window's thread holds this lock only to swap two buffers.
        let mut shot = locked(&self.0.shot);
        shot.pixels.clear();
        shot.pixels.extend_from_slice(frame.pixels);
        (shot.width, shot.height, shot.fresh) = (frame.width, frame.height, true);
        Ok(())
    }

    fn is_live(&self) -> bool {
        self.0.stage() == Stage::Open
    }
}

impl Window {
    /// Connects to the display server, for frames of `width` x `height`. To be called once, on the
    /// main thread.
    ///
    /// # Errors
    /// If there is no display server, or its libraries are missing.
    pub fn open(title: &str, width: u32, height: u32) -> Result<(Window, WindowBackends), WindowError> {
        if SERVERS.iter().all(|name| std::env::var_os(name).is_none_or(|value| value.is_empty())) {
            return Err(WindowError("there is no display server (DISPLAY and WAYLAND_DISPLAY are not set)".into()));
        }
        // The window library reports some missing libraries by a panic.
        let events = std::panic::catch_unwind(EventLoop::new)
            .map_err(|_| WindowError("the window library does not work here".into()))?
            .map_err(|why| WindowError(format!("the display server cannot be used: {why}")))?;
        let pixels = Vec::with_capacity(width as usize * height as usize);
        let shared = Arc::new(Shared {
            shot: Mutex::new(Shot { pixels, width, height, fresh: false }),
            stage: AtomicU8::new(Stage::Open as u8),
            bell: Bell::default(),
        });
        let (press, keys) = ScriptKeys::new();
        press.set_live(true);
        let backends = WindowBackends {
            screen: WindowScreen(shared.clone()),
            keys,
            press: press.clone(),
            handle: WindowHandle(shared.clone()),
        };
        Ok((Window { events, title: title.to_string(), shared, keys: press }, backends))
    }

    /// Shows the window until it is closed, by a person or by its handle; `closed` is called once,
    /// as soon as a person has closed it.
    ///
    /// # Errors
    /// If the display server refuses the window or goes away.
    pub fn run(self, closed: impl FnOnce()) -> Result<(), WindowError> {
        let pixels = Vec::with_capacity(locked(&self.shared.shot).pixels.capacity());
        let mut app = App {
            title: self.title,
            shared: self.shared.clone(),
            keys: self.keys.clone(),
            closed: Some(closed),
            view: None,
            frame: Shot { pixels, width: 0, height: 0, fresh: false },
            stage: Stage::Open,
            error: None,
        };
        let result = self.events.run_app(&mut app);
        app.gone();
        match app.error.take() {
            Some(error) => Err(error),
            None => result.map_err(|why| WindowError(why.to_string())),
        }
    }
}

type Surface = softbuffer::Surface<Arc<OsWindow>, Arc<OsWindow>>;

struct View {
    window: Arc<OsWindow>,
    surface: Surface,
}

struct App<F> {
    title: String,
    shared: Arc<Shared>,
    keys: ScriptKeys,
    closed: Option<F>,
    view: Option<View>,
    /// The frame being shown.
    frame: Shot,
    stage: Stage,
    error: Option<WindowError>,
}

impl<F: FnOnce()> App<F> {
    /// Tells everyone that nothing more will come from here.
    fn gone(&mut self) {
        self.shared.reach(Stage::Closed);
        self.keys.set_live(false);
        if let Some(closed) = self.closed.take() {
            closed();
        }
    }

    fn fail(&mut self, events: &ActiveEventLoop, why: impl std::fmt::Display) {
        self.error.get_or_insert(WindowError(why.to_string()));
        events.exit();
    }

    fn create(&self, events: &ActiveEventLoop) -> Result<View, WindowError> {
        let failed = |why: &dyn std::fmt::Display| WindowError(why.to_string());
        let (width, height) = {
            let shot = locked(&self.shared.shot);
            (shot.width, shot.height)
        };
        let size = LogicalSize::new(f64::from(width), f64::from(height));
        let attributes = OsWindow::default_attributes().with_title(self.title.as_str()).with_inner_size(size);
        let window = Arc::new(events.create_window(attributes).map_err(|why| failed(&why))?);
        let context = softbuffer::Context::new(window.clone()).map_err(|why| failed(&why))?;
        let surface = softbuffer::Surface::new(&context, window.clone()).map_err(|why| failed(&why))?;
        Ok(View { window, surface })
    }

    /// Looks for what the system's side has done since the last time.
    fn look(&mut self, events: &ActiveEventLoop) {
        let stage = self.shared.stage();
        if stage == Stage::Closed {
            return events.exit();
        }
        let Some(view) = &self.view else { return };
        if stage != self.stage {
            self.stage = stage;
            view.window.set_title(&format!("{} (ended)", self.title));
            self.keys.set_live(false);
        }
        let mut shot = locked(&self.shared.shot);
        if std::mem::take(&mut shot.fresh) {
            std::mem::swap(&mut shot.pixels, &mut self.frame.pixels);
            (self.frame.width, self.frame.height) = (shot.width, shot.height);
            view.window.request_redraw();
        }
    }

    fn draw(&mut self) -> Result<(), softbuffer::SoftBufferError> {
        let Some(view) = &mut self.view else { return Ok(()) };
        let size = view.window.inner_size();
        let (Some(width), Some(height)) = (NonZeroU32::new(size.width), NonZeroU32::new(size.height)) else {
            return Ok(());
        };
        view.surface.resize(width, height)?;
        let mut buffer = view.surface.buffer_mut()?;
        paint(&mut buffer, size.width as usize, size.height as usize, &self.frame);
        view.window.pre_present_notify();
        buffer.present()
    }

    fn key(&self, event: &winit::event::KeyEvent, synthetic: bool) {
        let down = event.state == ElementState::Pressed;
        // Keys that were down before the window had the focus were not pressed here.
        let PhysicalKey::Code(code) = event.physical_key else { return };
        if let Some(usage) = usage(code).filter(|_| !(synthetic && down)) {
            self.keys.push(KeyEvent { usage, down });
        }
    }
}

impl<F: FnOnce()> ApplicationHandler for App<F> {
    fn new_events(&mut self, events: &ActiveEventLoop, _cause: StartCause) {
        self.look(events);
        events.set_control_flow(ControlFlow::WaitUntil(Instant::now() + TICK));
    }

    fn resumed(&mut self, events: &ActiveEventLoop) {
        if self.view.is_none() {
            match self.create(events) {
                Ok(view) => self.view = Some(view),
                Err(error) => self.fail(events, error.0),
            }
        }
    }

    fn window_event(&mut self, events: &ActiveEventLoop, _window: WindowId, event: WindowEvent) {
        match event {
            WindowEvent::CloseRequested | WindowEvent::Destroyed => {
                self.gone();
                events.exit();
            }
            WindowEvent::KeyboardInput { event, is_synthetic, .. } => self.key(&event, is_synthetic),
            WindowEvent::Resized(_) => {
                if let Some(view) = &self.view {
                    view.window.request_redraw();
                }
            }
            WindowEvent::RedrawRequested => {
                if let Err(why) = self.draw() {
                    self.fail(events, why);
                }
            }
            _ => {}
        }
    }
}

/// Draws a frame into the middle of a window, as large as whole factors allow.
fn paint(out: &mut [u32], out_width: usize, out_height: usize, frame: &Shot) {
    out.fill(BORDER);
    let (width, height) = (frame.width as usize, frame.height as usize);
    if width == 0 || height == 0 || out_width == 0 {
        return;
    }
    let factor = (out_width / width).min(out_height / height).max(1);
    let left = out_width.saturating_sub(width * factor) / 2;
    let top = out_height.saturating_sub(height * factor) / 2;
    let rows = frame.pixels.chunks_exact(width).flat_map(|row| std::iter::repeat_n(row, factor));
    for (out_row, row) in out.chunks_exact_mut(out_width).skip(top).zip(rows) {
        let pixels = row.iter().flat_map(|pixel| std::iter::repeat_n(*pixel, factor));
        for (place, pixel) in out_row.iter_mut().skip(left).zip(pixels) {
            *place = pixel;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn painted(out_width: usize, out_height: usize) -> Vec<u32> {
        let frame = Shot { pixels: vec![1, 2, 3, 4], width: 2, height: 2, fresh: false };
        let mut out = vec![0; out_width * out_height];
        paint(&mut out, out_width, out_height, &frame);
        out
    }

    #[test]
    fn frames_are_centred_enlarged_by_whole_factors_and_clipped() {
        const B: u32 = BORDER;
        assert_eq!(painted(2, 2), [1, 2, 3, 4]);
        assert_eq!(painted(4, 3), [B, 1, 2, B, B, 3, 4, B, B, B, B, B]);
        assert_eq!(painted(4, 4), [1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4]);
        assert_eq!(painted(1, 2), [1, 3]);
        assert_eq!(painted(0, 5), []);
    }
}
