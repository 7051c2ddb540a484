//! The two serial ports: COM1 carries the console's bytes, COM2 lines to and from the host (`control`).
//!
//! What arrives is moved by the interrupt into a bounded ring; a full ring loses the newest bytes. This file
//! contains `unsafe`: ports are claimed by number.

use uart_16550::backend::PioBackend;
use uart_16550::spec::registers::{FifoTriggerLevel, IER};
use uart_16550::{BaudRate, Config, Uart16550};

use crate::lock::Lock;
use crate::ring::Ring;

/// COM1, the console.
pub static COM1: Serial = Serial::new(0x3f8);
/// COM2, the host.
pub static COM2: Serial = Serial::new(0x2f8);

/// Bytes that may wait to be read.
const RECEIVE_BYTES: usize = 4096;

/// One serial port.
pub struct Serial {
    port: u16,
    uart: Lock<Uart16550<PioBackend>>,
    received: Ring<RECEIVE_BYTES>,
}

const fn uart(port: u16) -> Uart16550<PioBackend> {
    // SAFETY: only called with the standard COM ports, which nothing else drives.
    match unsafe { Uart16550::new_port(port) } {
        Ok(uart) => uart,
        Err(_) => panic!("not a port number"),
    }
}

impl Serial {
    const fn new(port: u16) -> Serial {
        Serial { port, uart: Lock::new(uart(port)), received: Ring::new() }
    }

    /// Sets the port up, with or without the receive interrupt. A missing port swallows what is sent.
    pub fn init(&self, receive: bool) {
        let mut config = Config::DEFAULT;
        config.baud_rate = BaudRate::Baud115200;
        config.check_cts_before_sending = false;
        config.fifo_trigger_level = Some(FifoTriggerLevel::One);
        config.interrupts = if receive { IER::DATA_READY } else { IER::empty() };
        // An absent port reads as all ones, so "transmitter empty" holds and nothing below waits for it.
        let _ = self.uart.lock().init(config);
    }

    /// Sends all bytes, unchanged.
    pub fn send(&self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            // The lock is given back between the portions: input is not lost during long output.
            let sent = self.uart.lock().send_bytes(bytes);
            bytes = bytes.get(sent..).unwrap_or_default();
        }
    }

    /// Sends bytes from a panic, whoever holds the lock.
    pub fn send_forced(&self, mut bytes: &[u8]) {
        let mut uart = uart(self.port);
        while !bytes.is_empty() {
            let sent = uart.send_bytes(bytes);
            bytes = bytes.get(sent..).unwrap_or_default();
        }
    }

    /// The next byte received.
    pub fn receive(&self) -> Option<u8> {
        self.received.pop().map(|byte| byte as u8)
    }

    /// Whether there is a byte to [`Serial::receive`].
    pub fn has_received(&self) -> bool {
        !self.received.is_empty()
    }

    /// Moves what the port received into the ring; returns whether there was anything.
    pub fn on_interrupt(&self) -> bool {
        let mut uart = self.uart.lock();
        let mut any = false;
        while let Ok(byte) = uart.try_receive_byte() {
            any = true;
            self.received.push(u16::from(byte));
        }
        any
    }
}
